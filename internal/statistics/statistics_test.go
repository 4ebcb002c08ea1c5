package statistics

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"tikakosh/internal/civil"
)

func TestBand(t *testing.T) {
	for born, want := range map[int]string{2026: Under18, 2009: Under18, 2008: From18, 1982: From18, 1981: From45, 1900: From45} {
		if got := Band(born, 2026); got != want {
			t.Errorf("%d: %s, want %s", born, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []Cell{{Band: Under18}, {Band: From45}, {State: "Dadra/Nagar Haveli", Product: "SPUTNIK V", Dose: 3, Gender: 1}, {Product: "COVAXIN", Dose: 1}} {
		if got, ok := ParseKey(c.Key()); !ok || got != c {
			t.Errorf("%+v became %+v, %v", c, got, ok)
		}
	}
	for _, bad := range []string{"", "dose", "dose/A/x/1/S", "dose/A/1/x/S", "registered/99", "other/A/1/1/S"} {
		if _, ok := ParseKey(bad); ok {
			t.Errorf("%q is a key", bad)
		}
	}
}

func TestPublishRounds(t *testing.T) {
	day := civil.Date{Year: 2026, Month: 11, Day: 24}
	for n, want := range map[int64]int64{-3: 0, 0: 0, 1: 0, 9: 0, 10: 10, 19: 10, 20: 20, 1999: 1990} {
		p := Publish(day, []Cell{{State: "A", Product: "COVAXIN", Dose: 1, Gender: 1, N: n}})
		if got := p.Sum("").Doses; got != want {
			t.Errorf("%d became %d, want %d", n, got, want)
		}
		if (len(p.Cells) == 0) != (want == 0) || p.Day != day {
			t.Errorf("%d: %+v", n, p)
		}
	}
}

func TestSum(t *testing.T) {
	p := Published{Cells: []Cell{
		{Band: Under18, N: 10}, {Band: From18, N: 20}, {Band: From45, N: 40},
		{State: "A", Product: "COVISHIELD", Dose: 1, Gender: 1, N: 100}, {State: "A", Product: "COVAXIN", Dose: 2, Gender: 2, N: 200},
		{State: "B", Product: "SPUTNIK V", Dose: 3, Gender: 3, N: 400},
	}}
	if got, want := p.Sum(""), (Figures{70, 20, 40, 700, 100, 200, 400, 100, 200, 400, 100, 200, 400}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := p.Sum("B"), (Figures{Doses: 400, Precaution: 400, Others: 400, Sputnik: 400}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := p.Sum("C"); got != (Figures{}) {
		t.Errorf("%+v", got)
	}
}

// figure is one published number: the sum of some unknowns, each known to be shown as
// a multiple of unit that its true value exceeds by less than unit.
type figure struct {
	of    []int
	value int64
}

// span is what an attacker knows of an unknown.
type span struct{ lo, hi int64 }

const unbounded = int64(1) << 40

// attack narrows what every shown cell can be, from all figures, until nothing changes;
// then what the true cell can be.
func attack(n int, figures []figure, unit int64) []span {
	known := slices.Repeat([]span{{0, unbounded}}, n)
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
	for i := range known {
		known[i].hi += unit - 1
	}
	return known
}

// squeeze uses a figure that is the rounded sum of true cells.
func squeeze(known []span, f figure, unit int64) []span {
	var lo, hi int64
	for _, i := range f.of {
		lo, hi = lo+known[i].lo, hi+known[i].hi
	}
	out := slices.Clone(known)
	for _, i := range f.of {
		out[i].lo = max(known[i].lo, f.value-(hi-known[i].hi))
		out[i].hi = min(known[i].hi, f.value+unit-1-(lo-known[i].lo))
	}
	return out
}

// world is a country's true cells over some days. Sparse: most grow by a few, now and
// then one is taken back.
func world(r *rand.Rand, days int, loses bool) (cells []Cell, truth [][]int64) {
	for _, state := range []string{"A", "B", "C"} {
		for _, product := range []string{"COVISHIELD", "COVAXIN"} {
			for dose := 1; dose <= 3; dose++ {
				for gender := 1; gender <= 3; gender++ {
					cells = append(cells, Cell{State: state, Product: product, Dose: dose, Gender: gender})
				}
			}
		}
	}
	now := make([]int64, len(cells))
	for range days {
		for i := range now {
			if r.IntN(3) == 0 {
				now[i] += r.Int64N(5)
			}
			if loses && now[i] > 0 && r.IntN(20) == 0 {
				now[i]--
			}
		}
		truth = append(truth, slices.Clone(now))
	}
	return cells, truth
}

// shown are all figures that the API gives of a day: every field, of every state and
// of the country, each as the sum of the cells it is made of.
func shown(t *testing.T, cells []Cell, p Published) (out []figure) {
	t.Helper()
	for _, state := range []string{"", "A", "B", "C"} {
		sum := reflect.ValueOf(p.Sum(state))
		for field := range sum.NumField() {
			f := figure{value: sum.Field(field).Int()}
			for i, c := range cells { // a field is made of the cells that, alone, it is not 0 for
				c.N = Least
				if reflect.ValueOf((Published{Cells: []Cell{c}}).Sum(state)).Field(field).Int() != 0 {
					f.of = append(f.of, i)
				}
			}
			if len(f.of) > 0 {
				out = append(out, f)
			}
		}
	}
	for i := range cells { // and the published cells themselves, as who reads the registry has them
		f := figure{of: []int{i}}
		for _, c := range p.Cells {
			if c.Key() == cells[i].Key() {
				f.value = c.N
			}
		}
		out = append(out, f)
	}
	return out
}

// narrowed counts true cells, and growths of a day, between 1 and 9 that are told
// within fewer than Least values. grows: the attacker knows that nothing is taken back.
func narrowed(t *testing.T, unit int64, grows bool, overlap func([]Cell, []int64) figure) (cellsTold, growthsTold int) {
	t.Helper()
	r := rand.New(rand.NewPCG(96, uint64(unit)))
	const days = 30
	cells, truth := world(r, days, !grows)
	day := civil.Date{Year: 2026, Month: 1, Day: 1}
	var known [][]span
	for d, values := range truth {
		for i := range cells {
			cells[i].N = values[i]
		}
		p := publish(day.AddDays(d), cells, unit)
		k := attack(len(cells), shown(t, cells, p), unit)
		if overlap != nil {
			k = squeeze(k, overlap(cells, values), unit)
		}
		known = append(known, k)
	}
	if grows {
		for d := 1; d < days; d++ {
			for i := range cells {
				known[d][i].lo = max(known[d][i].lo, known[d-1][i].lo)
			}
		}
		for d := days - 2; d >= 0; d-- {
			for i := range cells {
				known[d][i].hi = min(known[d][i].hi, known[d+1][i].hi)
			}
		}
	}
	for d := range days {
		for i, v := range truth[d] {
			k := known[d][i]
			if v < k.lo || v > k.hi {
				t.Fatalf("the attacker is wrong: %d is not in %v", v, k)
			}
			if v >= 1 && v < Least && k.hi-k.lo+1 < Least {
				cellsTold++
			}
			if d == 0 {
				continue
			}
			before := known[d-1][i]
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

// TestR96Differencing: an attacker who combines every figure of every area and day,
// and may know that nothing is taken back, tells no count or growth between 1 and 9
// within fewer than ten values. Without rounding everything is told; and the attacker
// is strong enough to find one sum that was not made of rounded cells.
func TestR96Differencing(t *testing.T) {
	for _, grows := range []bool{false, true} {
		name := fmt.Sprintf("nothing taken back %v: ", grows)
		if c, g := narrowed(t, Least, grows, nil); c != 0 || g != 0 {
			t.Errorf("%s%d cells and %d growths are told", name, c, g)
		}
		if c, g := narrowed(t, 1, grows, nil); c == 0 || g == 0 {
			t.Errorf("%swithout rounding %d cells and %d growths are told: the attack shows nothing", name, c, g)
		}
	}
	total := func(cells []Cell, values []int64) (f figure) { // of two cells, rounded for itself
		for i, c := range cells {
			if c.State == "A" && c.Dose == 3 && c.Gender == 3 {
				f.of, f.value = append(f.of, i), f.value+values[i]
			}
		}
		f.value = f.value / Least * Least
		return f
	}
	if c, _ := narrowed(t, Least, false, total); c == 0 {
		t.Error("a total that overlaps its rounded cells tells nothing: the attack is too weak")
	}
}
