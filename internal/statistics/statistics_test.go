package statistics

import (
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
	for _, c := range []Cell{{Band: Under18}, {Band: From45}, {State: "Dadra/Nagar Haveli", Product: "SPUTNIK V", Dose: 3, Gender: 1}, {State: "A/B", District: "C/D", Product: "COVAXIN", Dose: 1, Gender: 2}, {Product: "COVAXIN", Dose: 1}} {
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
		if got := p.Sum(Area{}).Doses; got != want {
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
		{State: "A", District: "A1", Product: "COVISHIELD", Dose: 1, Gender: 1, N: 100}, {State: "A", District: "A2", Product: "COVAXIN", Dose: 2, Gender: 2, N: 200},
		{State: "B", Product: "SPUTNIK V", Dose: 3, Gender: 3, N: 400},
	}}
	if got, want := p.Sum(Area{}), (Figures{100, 20, 40, 700, 100, 200, 400, 100, 200, 400, 100, 200, 400}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := p.Sum(Area{State: "B"}), (Figures{Doses: 400, Precaution: 400, Others: 400, Sputnik: 400}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := p.Sum(Area{"A", "A1"}), (Figures{Doses: 100, First: 100, Male: 100, Covishield: 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := p.Sum(Area{State: "C"}); got != (Figures{}) {
		t.Errorf("%+v", got)
	}
}
