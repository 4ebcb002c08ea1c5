package sheet

import (
	"math"
	"strconv"
	"strings"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
)

// DefaultZone is the zone of a centre whose row names none.
const DefaultZone = "Asia/Kolkata"

// CentreColumns lists the columns of a file of centres.
func CentreColumns() []Column {
	return []Column{
		{Name: "center_id", Wants: "the centre's number, 1 to 999999999; it stays the same for ever"},
		{Name: "name", Wants: "the centre's name, at most 200 bytes, any script"},
		{Name: "address", Optional: true, Wants: "street and house"},
		{Name: "state_name", Wants: "a state's name as /v2/admin/location/states lists it, English or Hindi, or its number"},
		{Name: "district_name", Wants: "a district of that state as /v2/admin/location/districts lists it, or its number"},
		{Name: "block_name", Optional: true, Wants: "block or town; empty: that of the pincode"},
		{Name: "pincode", Wants: "six digits, the first not 0"},
		{Name: "lat", Wants: "degrees north as a decimal number, -90 to 90"},
		{Name: "long", Wants: "degrees east as a decimal number, -180 to 180"},
		{Name: "from", Wants: "opening time as 09:00"},
		{Name: "to", Wants: "closing time as 17:00, not before the opening; 24:00 is the end of the day"},
		{Name: "fee_type", Wants: "Free or Paid"},
		{Name: "zone", Optional: true, Wants: "IANA time zone; empty: " + DefaultZone},
	}
}

// CentreRow is one good row.
type CentreRow struct {
	Line   int
	Centre scheduling.Centre
}

// Centres is what a file holds.
type Centres struct {
	Total    int // rows, good and wrong
	Rows     []CentreRow
	Problems []Problem
}

// ReadCentres reads a file of centres. fault.Invalid: the file as a whole cannot
// be read; wrong rows are Problems.
func ReadCentres(raw []byte, p *places.Places) (Centres, error) {
	var out Centres
	lines := map[id.Centre]int{}
	states := stateNames(p)
	err := each(raw, CentreColumns(), &out.Problems, func(r *row) {
		c := r.centre(p, states)
		if first, twice := lines[c.ID]; twice && c.ID > 0 {
			r.whole("centre %d stands in line %d too", c.ID, first)
		}
		lines[c.ID] = r.line
		if !r.wrong {
			out.Rows = append(out.Rows, CentreRow{r.line, c})
		}
	})
	out.Total = len(out.Rows) + wrongLines(out.Problems)
	return out, err
}

// wrongLines counts the rows that problems are about.
func wrongLines(problems []Problem) int {
	lines := map[int]bool{}
	for _, p := range problems {
		lines[p.Line] = true
	}
	return len(lines)
}

func stateNames(p *places.Places) map[string]places.State {
	out := map[string]places.State{}
	for _, s := range p.States() {
		out[fold(s.Name)], out[fold(s.NameHi)], out[strconv.Itoa(s.ID)] = s, s, s
	}
	return out
}

// fold is a name without case and double spaces.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

func (r *row) centre(p *places.Places, states map[string]places.State) scheduling.Centre {
	c := scheduling.Centre{ID: r.centreID(), Name: r.plain("name", true), Address: r.plain("address", false), Block: r.plain("block_name", false), PIN: r.text("pincode"),
		Lat: r.degrees("lat", 90), Long: r.degrees("long", 180), Opens: r.clock("from"), Closes: r.clock("to"), Zone: r.text("zone")}
	if !scheduling.PINValid(c.PIN) {
		r.bad("pincode", "")
	}
	if c.Closes < c.Opens && c.Closes >= 0 {
		r.bad("to", "")
	}
	switch strings.ToLower(r.text("fee_type")) {
	case "free":
	case "paid":
		c.Paid = true
	default:
		r.bad("fee_type", "")
	}
	if c.Zone == "" {
		c.Zone = DefaultZone
	} else if !scheduling.ZoneKnown(c.Zone) {
		r.bad("zone", "")
	}
	r.place(&c, p, states)
	return c
}

// place finds state and district, and the block where none is named.
func (r *row) place(c *scheduling.Centre, p *places.Places, states map[string]places.State) {
	s, ok := states[fold(r.text("state_name"))]
	if !ok {
		r.bad("state_name", "")
		return
	}
	c.State, c.StateID = s.Name, s.ID
	want := fold(r.text("district_name"))
	for _, d := range p.Districts(s.ID) {
		if fold(d.Name) == want || strconv.Itoa(d.ID) == want {
			c.District, c.DistrictID = d.Name, d.ID
		}
	}
	if c.DistrictID == 0 {
		r.bad("district_name", "")
	}
	if pin, ok := p.ByPIN(c.PIN); ok && c.Block == "" {
		c.Block = pin.Block
	}
}

func (r *row) centreID() id.Centre {
	n, ok := r.number("center_id", 1, 999_999_999)
	if !ok {
		return 0
	}
	return id.Centre(n)
}

// number reads a whole number in ASCII digits.
func (r *row) number(name string, least, most int) (int, bool) {
	s := r.text(name)
	n, err := strconv.Atoi(s)
	if err != nil || strings.Trim(s, "0123456789") != "" || n < least || n > most {
		r.bad(name, "")
		return 0, false
	}
	return n, true
}

// degrees reads a decimal number, kept to a millionth as the registry keeps it.
func (r *row) degrees(name string, most float64) float64 {
	s := r.text(name)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || len(s) > 24 || strings.Trim(s, "0123456789.-") != "" || !(v >= -most && v <= most) {
		r.bad(name, "")
		return 0
	}
	return math.Round(v*1e6) / 1e6
}

// clock reads minutes after midnight from 09:00, 9:00 or 09:00:00; -1 when it
// cannot.
func (r *row) clock(name string) int {
	part := strings.Split(r.text(name), ":")
	if len(part) == 3 && part[2] == "00" {
		part = part[:2]
	}
	if len(part) == 2 && len(part[0]) >= 1 && len(part[0]) <= 2 && len(part[1]) == 2 && strings.Trim(part[0]+part[1], "0123456789") == "" {
		h, _ := strconv.Atoi(part[0])
		m, _ := strconv.Atoi(part[1])
		if t := 60*h + m; m < 60 && t <= scheduling.AllDay {
			return t
		}
	}
	r.bad(name, "")
	return -1
}

// Changes names the columns in which a row differs from the centre that the
// registry has.
func (c CentreRow) Changes(old scheduling.Centre) []string {
	n := c.Centre
	return differing([]difference{{"name", n.Name != old.Name}, {"address", n.Address != old.Address}, {"state_name", n.StateID != old.StateID || n.State != old.State},
		{"district_name", n.DistrictID != old.DistrictID || n.District != old.District}, {"block_name", n.Block != old.Block}, {"pincode", n.PIN != old.PIN}, {"lat", n.Lat != old.Lat},
		{"long", n.Long != old.Long}, {"from", n.Opens != old.Opens}, {"to", n.Closes != old.Closes}, {"fee_type", n.Paid != old.Paid}, {"zone", n.Zone != old.Zone}})
}

// Over is the registry's centre with what the row says; what no column holds
// stays as it is.
func (c CentreRow) Over(old scheduling.Centre) scheduling.Centre {
	n := c.Centre
	old.ID, old.Name, old.Address, old.State, old.District, old.Block, old.StateID, old.DistrictID, old.PIN = n.ID, n.Name, n.Address, n.State, n.District, n.Block, n.StateID, n.DistrictID, n.PIN
	old.Lat, old.Long, old.Zone, old.Opens, old.Closes, old.Paid = n.Lat, n.Long, n.Zone, n.Opens, n.Closes, n.Paid
	return old
}

type difference struct {
	column  string
	differs bool
}

func differing(all []difference) []string {
	var out []string
	for _, d := range all {
		if d.differs {
			out = append(out, d.column)
		}
	}
	return out
}
