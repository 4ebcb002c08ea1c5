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

// Cell is one count: of registrations in an age band, or of doses by state, product,
// number and gender (1 male, 2 female, 3 others). No two cells count the same thing.
type Cell struct {
	Band    string `json:",omitempty"`
	State   string `json:",omitempty"`
	Product string `json:",omitempty"`
	Dose    int    `json:",omitempty"`
	Gender  int    `json:",omitempty"`
	N       int64
}

// Key names the cell without its count.
func (c Cell) Key() string {
	if c.Band != "" {
		return "registered/" + c.Band
	}
	return "dose/" + c.Product + "/" + strconv.Itoa(c.Dose) + "/" + strconv.Itoa(c.Gender) + "/" + c.State
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
	return Cell{State: f[4], Product: f[1], Dose: dose, Gender: gender}, err1 == nil && err2 == nil
}

// Published is what is public of one day: the rounded cells as of its end. Cells that
// are 0 are left out.
type Published struct {
	Day   civil.Date
	Cells []Cell
}

// Publish rounds the true cells as of the end of a day.
func Publish(day civil.Date, cells []Cell) Published {
	unit := int64(Least)
	if ablate.Off(ablate.SmallCells) {
		unit = 1
	}
	return publish(day, cells, unit)
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

// Sum adds up the cells of a state, or all of them with "". Registrations are of the
// whole country only: people register without saying where they live.
func (p Published) Sum(state string) (f Figures) {
	for _, c := range p.Cells {
		if c.Band != "" {
			if state == "" {
				f.register(c)
			}
			continue
		}
		if state == "" || c.State == state {
			f.dose(c)
		}
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
