// Package statistics is what the public dashboard may show: counts of doses and
// registrations in cells that do not overlap, each rounded down so that no cell is
// told within fewer than Least values. Everything shown is added up from the rounded
// cells, so that no difference between two figures, two areas or two days tells more
// than they do. It is pure: no clock, no store.
package statistics

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
)

// Least is the smallest count that is shown, and what counts are rounded down to a
// multiple of (design.md 10: counts under 10 are withheld).
const Least = 10

// The age bands of registrations.
const (
	Under18 = "under_18"
	From18  = "18_45"
	From45  = "45_above"
)

// India is the zone whose midnight ends a day of the figures.
func India() *time.Location { return time.FixedZone("IST", 19800) }

// Band is the age band of somebody born in a year, in another year. Only the year of
// birth is known of most, so it is the age reached in that year.
func Band(born, year int) string {
	switch age := year - born; {
	case age < 18:
		return Under18
	case age < 45:
		return From18
	}
	return From45
}

// Cell is one count: of registrations in an age band, or of doses by state,
// district, product, number and gender (1 male, 2 female, 3 others). No two cells count
// the same thing.
type Cell struct {
	Band     string `json:",omitempty"`
	State    string `json:",omitempty"`
	District string `json:",omitempty"` // "" in counts of before districts were told apart
	Product  string `json:",omitempty"`
	Dose     int    `json:",omitempty"`
	Gender   int    `json:",omitempty"`
	N        int64
}

// inState separates a state from its district in a key.
const inState = "\x1f"

// Key names the cell without its count.
func (c Cell) Key() string {
	if c.Band != "" {
		return "registered/" + c.Band
	}
	place := c.State
	if c.District != "" {
		place += inState + c.District
	}
	return "dose/" + c.Product + "/" + strconv.Itoa(c.Dose) + "/" + strconv.Itoa(c.Gender) + "/" + place
}

// ParseKey is the inverse of Key.
func ParseKey(key string) (Cell, bool) {
	if band, ok := strings.CutPrefix(key, "registered/"); ok {
		return Cell{Band: band}, slices.Contains([]string{Under18, From18, From45}, band)
	}
	f := strings.SplitN(key, "/", 5)
	if len(f) != 5 || f[0] != "dose" {
		return Cell{}, false
	}
	dose, err1 := strconv.Atoi(f[2])
	gender, err2 := strconv.Atoi(f[3])
	state, district, _ := strings.Cut(f[4], inState)
	return Cell{State: state, District: district, Product: f[1], Dose: dose, Gender: gender}, err1 == nil && err2 == nil
}

// Published is what is public of one day: the rounded cells as of its end. Cells that
// are 0 are left out.
type Published struct {
	Day   civil.Date
	Cells []Cell
}

// Publish rounds the true cells as of the end of a day. Whoever is vaccinated is
// registered, so registrations bound first doses and the other way round. Where the
// rounded registrations are fewer than the rounded first doses, the two together would
// narrow cells: then the age bands are withheld, and what is known of registrations is
// that they are no fewer than the first doses.
func Publish(day civil.Date, cells []Cell) Published {
	if ablate.Off(ablate.SmallCells) {
		return publish(day, cells, 1)
	}
	return withhold(publish(day, cells, Least))
}

// withhold leaves the age bands out where they say too much.
func withhold(p Published) Published {
	var registered, first int64
	for _, c := range p.Cells {
		switch {
		case c.Band != "":
			registered += c.N
		case c.Dose == 1:
			first += c.N
		}
	}
	if registered < first {
		p.Cells = slices.DeleteFunc(p.Cells, func(c Cell) bool { return c.Band != "" })
	}
	return p
}

func publish(day civil.Date, cells []Cell, unit int64) Published {
	out := Published{Day: day, Cells: []Cell{}}
	for _, c := range cells {
		if c.N = max(0, c.N) / unit * unit; c.N > 0 {
			out.Cells = append(out.Cells, c)
		}
	}
	slices.SortFunc(out.Cells, func(a, b Cell) int { return cmp.Compare(a.Key(), b.Key()) })
	return out
}

// Figures are sums of published cells.
type Figures struct {
	Registered, Registered18, Registered45 int64
	Doses, First, Second, Precaution       int64
	Male, Female, Others                   int64
	Covishield, Covaxin, Sputnik           int64
}

// Area is a state, a district of it, or, empty, the country.
type Area struct{ State, District string }

func (a Area) has(c Cell) bool {
	return a == Area{} || c.State == a.State && (a.District == "" || a.District == c.District)
}

// Sum adds up the cells of an area. Registrations are of the whole country only: people
// register without saying where they live. They are no fewer than the first doses.
func (p Published) Sum(a Area) (f Figures) {
	country := a == Area{}
	for _, c := range p.Cells {
		switch {
		case c.Band == "" && a.has(c):
			f.dose(c)
		case c.Band != "" && country:
			f.register(c)
		}
	}
	if country {
		f.Registered = max(f.Registered, f.First)
	}
	return f
}

func (f *Figures) register(c Cell) {
	f.Registered += c.N
	switch c.Band {
	case From18:
		f.Registered18 += c.N
	case From45:
		f.Registered45 += c.N
	}
}

func (f *Figures) dose(c Cell) {
	f.Doses += c.N
	switch c.Dose {
	case 1:
		f.First += c.N
	case 2:
		f.Second += c.N
	default:
		f.Precaution += c.N
	}
	switch c.Gender {
	case 1:
		f.Male += c.N
	case 2:
		f.Female += c.N
	default:
		f.Others += c.N
	}
	switch {
	case c.Product == "COVISHIELD":
		f.Covishield += c.N
	case c.Product == "COVAXIN":
		f.Covaxin += c.N
	case strings.HasPrefix(c.Product, "SPUTNIK"):
		f.Sputnik += c.N
	}
}
