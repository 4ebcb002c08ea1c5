package statistics

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/civil"
)

// figure is one published number: the sum of some unknowns, each known to be shown as
// a multiple of unit that its true value exceeds by less than unit.
type figure struct {
	of    []int
	value int64
}

// span is what an attacker knows of an unknown.
type span struct{ lo, hi int64 }

const unbounded = int64(1) << 40

// narrow is what sums tell of the shown cells, until nothing changes.
func narrow(known []span, figures []figure, unit int64) {
	for changed := true; changed; {
		changed = false
		for _, f := range figures {
			var lo, hi int64
			for _, i := range f.of {
				lo, hi = lo+known[i].lo, min(unbounded, hi+known[i].hi)
			}
			for _, i := range f.of {
				low, high := max(known[i].lo, f.value-(hi-known[i].hi)), min(known[i].hi, f.value-(lo-known[i].lo))
				if hi == unbounded {
					low = known[i].lo
				}
				low, high = (low+unit-1)/unit*unit, high/unit*unit
				if (span{low, high}) != known[i] {
					known[i], changed = span{low, high}, true
				}
			}
		}
	}
}

// country is a made-up one: its cells and how they grow.
type country struct {
	cells  []Cell
	first  []int // the cells of first doses
	bands  []int
	active []int // of first: where doses are given
}

func newCountry(active int) *country {
	c := &country{}
	for _, area := range []Area{{"A", "A1"}, {"A", "A2"}, {"B", "B1"}} {
		for _, product := range []string{"COVISHIELD", "COVAXIN"} {
			for dose := 1; dose <= 3; dose++ {
				for gender := 1; gender <= 3; gender++ {
					if dose == 1 {
						c.first = append(c.first, len(c.cells))
					}
					c.cells = append(c.cells, Cell{State: area.State, District: area.District, Product: product, Dose: dose, Gender: gender})
				}
			}
		}
	}
	for _, band := range []string{Under18, From18, From45} {
		c.bands = append(c.bands, len(c.cells))
		c.cells = append(c.cells, Cell{Band: band})
	}
	c.active = c.first[:min(active, len(c.first))]
	return c
}

// live is the true cells over some days. Everybody who is vaccinated is registered;
// where everybody comes without an appointment, hardly anybody is registered and not
// vaccinated. With loses, doses are revoked and registrations deleted or joined.
func (c *country) live(r *rand.Rand, days int, loses bool) (truth [][]int64) {
	now := make([]int64, len(c.cells))
	waiting := make([]int64, len(c.bands)) // registered, not vaccinated
	for range days {
		for range r.IntN(6) {
			b := r.IntN(len(c.bands))
			now[c.bands[b]]++
			if r.IntN(12) == 0 {
				waiting[b]++
			} else {
				now[c.active[r.IntN(len(c.active))]]++
			}
		}
		for b := range waiting { // who waited comes
			if waiting[b] > 0 && r.IntN(3) == 0 {
				waiting[b]--
				now[c.active[r.IntN(len(c.active))]]++
			}
		}
		for i, cell := range c.cells { // further doses grow on their own
			if cell.Dose > 1 && r.IntN(4) == 0 {
				now[i] += r.Int64N(4)
			}
		}
		if loses {
			if i := c.active[r.IntN(len(c.active))]; now[i] > 0 && r.IntN(4) == 0 {
				now[i]--
			}
			for b := range waiting {
				if waiting[b] > 0 && r.IntN(4) == 0 {
					waiting[b]--
					now[c.bands[b]]--
				}
			}
		}
		truth = append(truth, slices.Clone(now))
	}
	return truth
}

// shown are all figures that the API gives of a day: every field, of every district, state and of
// the country, each as the sum of the cells it is made of, and the cells themselves as
// who reads the registry has them. Of bands that are withheld there is none.
func (c *country) shown(p Published, withheld bool) (out []figure) {
	for _, area := range []Area{{}, {State: "A"}, {State: "B"}, {"A", "A1"}, {"A", "A2"}, {"B", "B1"}} {
		sum := reflect.ValueOf(p.Sum(area))
		for field := range sum.NumField() {
			f := figure{value: sum.Field(field).Int()}
			name := sum.Type().Field(field).Name
			if name == "Registered" || withheld && strings.HasPrefix(name, "Registered") {
				continue // the sum of the bands, which are below, or of the first doses
			}
			for i, cell := range c.cells { // a field is made of the cells that, alone, it is not 0 for
				cell.N = Least
				if reflect.ValueOf((Published{Cells: []Cell{cell}}).Sum(area)).Field(field).Int() != 0 {
					f.of = append(f.of, i)
				}
			}
			if len(f.of) > 0 {
				out = append(out, f)
			}
		}
	}
	for i := range c.cells {
		if withheld && c.cells[i].Band != "" {
			continue
		}
		f := figure{of: []int{i}}
		for _, cell := range p.Cells {
			if cell.Key() == c.cells[i].Key() {
				f.value = cell.N
			}
		}
		out = append(out, f)
	}
	return out
}

// day is what the attacker has of one.
type day struct {
	known    []span // of the true cells
	withheld bool
	first    int64 // the sum of the shown first doses
}

func (c *country) look(p Published, unit int64, withholds bool) day {
	d := day{known: slices.Repeat([]span{{0, unbounded}}, len(c.cells))}
	bands := false
	for _, cell := range p.Cells {
		bands = bands || cell.Band != ""
		if cell.Dose == 1 {
			d.first += cell.N
		}
	}
	d.withheld = withholds && !bands && d.first > 0
	narrow(d.known, c.shown(p, d.withheld), unit)
	for i := range d.known {
		if d.known[i].hi < unbounded {
			d.known[i].hi += unit - 1
		}
	}
	return d
}

// reason combines the days: nobody is vaccinated who is not registered; what is
// withheld was less than the first doses; and, if the attacker knows it, nothing is
// taken back.
func (c *country) reason(days []day, unit int64, grows bool) {
	for changed := true; changed; {
		changed = false
		set := func(s *span, lo, hi int64) {
			if lo > s.lo {
				s.lo, changed = lo, true
			}
			if hi < s.hi {
				s.hi, changed = hi, true
			}
		}
		for d := range days {
			k := days[d].known
			for i := range k {
				if grows && d > 0 {
					set(&k[i], days[d-1].known[i].lo, unbounded)
					set(&days[d-1].known[i], 0, k[i].hi)
				}
			}
			var reg, first span
			for _, b := range c.bands {
				reg = span{reg.lo + k[b].lo, min(unbounded, reg.hi+k[b].hi)}
			}
			for _, i := range c.first {
				first.lo += k[i].lo
			}
			for _, b := range c.bands {
				if reg.hi < unbounded {
					set(&k[b], first.lo-(reg.hi-k[b].hi), unbounded)
				}
			}
			for _, i := range c.first {
				set(&k[i], 0, reg.hi-(first.lo-k[i].lo))
			}
			if days[d].withheld {
				for _, b := range c.bands {
					top := days[d].first - unit
					for _, o := range c.bands {
						if o != b {
							top -= k[o].lo / unit * unit
						}
					}
					set(&k[b], 0, top+unit-1)
				}
			}
		}
	}
}

// narrowed counts true cells, and growths of a day, between 1 and 9 that are told
// within fewer than Least values. grows: the attacker knows that nothing is taken back.
// overlap adds a figure of true cells.
func narrowed(t *testing.T, c *country, publish func(civil.Date, []Cell) Published, unit int64, grows, withholds bool, overlap func(*country, []int64) figure) (cellsTold, growthsTold int) {
	t.Helper()
	for seed := range uint64(6) {
		truth := c.live(rand.New(rand.NewPCG(96, seed)), 25, !grows)
		var days []day
		for d, values := range truth {
			cells := slices.Clone(c.cells)
			for i := range cells {
				cells[i].N = values[i]
			}
			look := c.look(publish(civil.Date{Year: 2026, Month: 1, Day: 1}.AddDays(d), cells), unit, withholds)
			if overlap != nil {
				squeeze(look.known, overlap(c, values), unit)
			}
			days = append(days, look)
		}
		c.reason(days, unit, grows)
		a, b := told(t, days, truth, grows)
		cellsTold, growthsTold = cellsTold+a, growthsTold+b
	}
	return cellsTold, growthsTold
}

// told counts what is told, and fails when the attacker is wrong.
func told(t *testing.T, days []day, truth [][]int64, grows bool) (cellsTold, growthsTold int) {
	t.Helper()
	for d := range days {
		for i, v := range truth[d] {
			k := days[d].known[i]
			if v < k.lo || v > k.hi {
				t.Fatalf("the attacker is wrong: %d is not in %v", v, k)
			}
			if v >= 1 && v < Least && k.hi-k.lo+1 < Least {
				cellsTold++
			}
			if d == 0 {
				continue
			}
			before := days[d-1].known[i]
			lo, hi := k.lo-before.hi, k.hi-before.lo
			if grows {
				lo = max(0, lo)
			}
			if growth := v - truth[d-1][i]; growth >= 1 && growth < Least && hi-lo+1 < Least {
				growthsTold++
			}
		}
	}
	return cellsTold, growthsTold
}

// squeeze uses a figure that is the rounded sum of true cells.
func squeeze(known []span, f figure, unit int64) {
	var lo, hi int64
	for _, i := range f.of {
		lo, hi = lo+known[i].lo, hi+known[i].hi
	}
	for _, i := range f.of {
		was := known[i]
		known[i].lo = max(was.lo, f.value-(hi-was.hi))
		known[i].hi = min(was.hi, f.value+unit-1-(lo-was.lo))
	}
}

// TestR96Differencing: an attacker who combines every figure of every area and day, who
// knows that whoever is vaccinated is registered, and may know that nothing is taken
// back, tells no count or growth between 1 and 9 within fewer than ten values: also
// where everybody is vaccinated, and where doses and registrations are taken back.
// Without rounding everything is told; without withholding the age bands something is;
// and the attacker is strong enough to find one sum that was not made of rounded cells.
func TestR96Differencing(t *testing.T) {
	rounded := func(day civil.Date, cells []Cell) Published { return publish(day, cells, Least) }
	exact := func(day civil.Date, cells []Cell) Published { return publish(day, cells, 1) }
	total := func(c *country, values []int64) (f figure) { // of two cells, rounded for itself
		for _, i := range c.first[:2] {
			f.of, f.value = append(f.of, i), f.value+values[i]
		}
		f.value = f.value / Least * Least
		return f
	}
	bare := 0
	for _, active := range []int{1, 2, 9} {
		for _, grows := range []bool{false, true} {
			name := fmt.Sprintf("%d places, nothing taken back %v: ", active, grows)
			if c, g := narrowed(t, newCountry(active), Publish, Least, grows, true, nil); c != 0 || g != 0 {
				t.Errorf("%s%d cells and %d growths are told", name, c, g)
			}
			c, _ := narrowed(t, newCountry(active), rounded, Least, grows, false, nil)
			bare += c
			if c, g := narrowed(t, newCountry(active), exact, 1, grows, false, nil); c == 0 || g == 0 {
				t.Errorf("%swithout rounding %d cells and %d growths are told: the attack shows nothing", name, c, g)
			}
		}
	}
	if bare == 0 {
		t.Error("with age bands that are never withheld nothing is told: the attack is too weak")
	}
	if c, _ := narrowed(t, newCountry(9), Publish, Least, false, true, total); c == 0 {
		t.Error("a total that overlaps its rounded cells tells nothing: the attack is too weak")
	}
}
