// Package places is the reference data of states, districts and PIN codes. See
// NOTICE for where it comes from and what is not confirmed.
package places

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed districts.tsv
var districtsTSV string

//go:embed districts_hi.tsv
var districtsHiTSV string

//go:embed pins.tsv
var pinsTSV string

//go:embed at.tsv
var atTSV string

// State is a state or union territory under CoWIN's number.
type State struct {
	ID     int
	Name   string
	NameHi string
}

// District is a district of a state. NameHi is "" where it is not known. Lat and
// Long are degrees and only roughly its middle.
type District struct {
	ID        int
	State     int
	Name      string
	NameHi    string
	Lat, Long float64
}

// PIN is a postal area with the district most of its offices are in.
type PIN struct {
	Code     string
	District int
	Block    string
}

// Places holds the reference data. It never changes after Load and is safe for
// concurrent use.
type Places struct {
	states    []State
	districts []District
	byState   map[int][]District
	pins      []PIN
	byPIN     map[string]PIN
	blocks    map[int][]string
}

// Load parses the embedded tables.
func Load() (*Places, error) {
	p := &Places{states: states(), byState: map[int][]District{}, byPIN: map[string]PIN{}, blocks: map[int][]string{}}
	byName := map[string]int{}
	for _, s := range p.states {
		byName[s.Name] = s.ID
	}
	for line := range strings.Lines(districtsTSV) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		n, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 3 || byName[f[1]] == 0 || n != len(p.districts)+1 {
			return nil, fmt.Errorf("places: district line %q", line)
		}
		d := District{ID: n, State: byName[f[1]], Name: f[2]}
		p.districts = append(p.districts, d)
		p.byState[d.State] = append(p.byState[d.State], d)
	}
	if err := p.position(); err != nil {
		return nil, err
	}
	for line := range strings.Lines(districtsHiTSV) {
		number, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.Atoi(number)
		if err != nil || !ok || n < 1 || n > len(p.districts) {
			return nil, fmt.Errorf("places: Hindi district line %q", line)
		}
		d := &p.districts[n-1]
		d.NameHi = name
		list := p.byState[d.State]
		list[slices.IndexFunc(list, func(x District) bool { return x.ID == n })].NameHi = name
	}
	for line := range strings.Lines(pinsTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("places: PIN line %q", line)
		}
		n, err := strconv.Atoi(f[1])
		if err != nil || n < 1 || n > len(p.districts) {
			return nil, fmt.Errorf("places: PIN line %q", line)
		}
		x := PIN{Code: f[0], District: n, Block: f[2]}
		p.pins = append(p.pins, x)
		p.byPIN[x.Code] = x
		p.blocks[n] = append(p.blocks[n], x.Block)
	}
	for n, list := range p.blocks {
		slices.Sort(list)
		p.blocks[n] = slices.Compact(list)
	}
	return p, nil
}

// position reads where the districts are.
func (p *Places) position() error {
	n := 0
	for line := range strings.Lines(atTSV) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 || n == len(p.districts) || f[0] != strconv.Itoa(n+1) {
			return fmt.Errorf("places: position line %q", line)
		}
		lat, err1 := strconv.ParseFloat(f[1], 64)
		long, err2 := strconv.ParseFloat(f[2], 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("places: position line %q", line)
		}
		p.districts[n].Lat, p.districts[n].Long = lat, long
		n++
	}
	if n != len(p.districts) {
		return fmt.Errorf("places: %d positions of %d districts", n, len(p.districts))
	}
	for s, list := range p.byState {
		for i := range list {
			p.byState[s][i] = p.districts[list[i].ID-1]
		}
	}
	return nil
}

// States lists the states by number.
func (p *Places) States() []State { return p.states }

// State returns a state, or false.
func (p *Places) State(n int) (State, bool) {
	for _, s := range p.states {
		if s.ID == n {
			return s, true
		}
	}
	return State{}, false
}

// Districts lists the districts of a state by name.
func (p *Places) Districts(state int) []District { return p.byState[state] }

// District returns a district, or false.
func (p *Places) District(n int) (District, bool) {
	if n < 1 || n > len(p.districts) {
		return District{}, false
	}
	return p.districts[n-1], true
}

// Blocks lists the blocks of a district by name: the postal divisions of its
// PIN codes. None when the district is unknown.
func (p *Places) Blocks(district int) []string { return p.blocks[district] }

// PINs lists every postal area in order.
func (p *Places) PINs() []PIN { return p.pins }

// ByPIN returns a postal area, or false.
func (p *Places) ByPIN(code string) (PIN, bool) { x, ok := p.byPIN[code]; return x, ok }

func states() []State {
	return []State{
		{1, "Andaman and Nicobar Islands", "अंडमान और निकोबार द्वीपसमूह"}, {2, "Andhra Pradesh", "आंध्र प्रदेश"}, {3, "Arunachal Pradesh", "अरुणाचल प्रदेश"},
		{4, "Assam", "असम"}, {5, "Bihar", "बिहार"}, {6, "Chandigarh", "चंडीगढ़"}, {7, "Chhattisgarh", "छत्तीसगढ़"},
		{8, "Dadra and Nagar Haveli", "दादरा और नगर हवेली"}, {9, "Delhi", "दिल्ली"}, {10, "Goa", "गोवा"}, {11, "Gujarat", "गुजरात"},
		{12, "Haryana", "हरियाणा"}, {13, "Himachal Pradesh", "हिमाचल प्रदेश"}, {14, "Jammu and Kashmir", "जम्मू और कश्मीर"},
		{15, "Jharkhand", "झारखंड"}, {16, "Karnataka", "कर्नाटक"}, {17, "Kerala", "केरल"}, {18, "Ladakh", "लद्दाख"},
		{19, "Lakshadweep", "लक्षद्वीप"}, {20, "Madhya Pradesh", "मध्य प्रदेश"}, {21, "Maharashtra", "महाराष्ट्र"}, {22, "Manipur", "मणिपुर"},
		{23, "Meghalaya", "मेघालय"}, {24, "Mizoram", "मिज़ोरम"}, {25, "Nagaland", "नागालैंड"}, {26, "Odisha", "ओडिशा"},
		{27, "Puducherry", "पुदुचेरी"}, {28, "Punjab", "पंजाब"}, {29, "Rajasthan", "राजस्थान"}, {30, "Sikkim", "सिक्किम"},
		{31, "Tamil Nadu", "तमिलनाडु"}, {32, "Telangana", "तेलंगाना"}, {33, "Tripura", "त्रिपुरा"}, {34, "Uttar Pradesh", "उत्तर प्रदेश"},
		{35, "Uttarakhand", "उत्तराखंड"}, {36, "West Bengal", "पश्चिम बंगाल"}, {37, "Daman and Diu", "दमन और दीव"},
	}
}
