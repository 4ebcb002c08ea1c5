package rules

import (
	"testing"

	"tikakosh/internal/civil"
)

func TestJoin(t *testing.T) {
	at := func(n int) civil.Date { return civil.Date{Year: 2026, Month: 1, Day: 1}.AddDays(n) }
	dose := func(product string, n, day int) Given {
		return Given{Product: product, Dose: n, Day: at(day), Status: StatusConfirmed}
	}
	void := dose("COVISHIELD", 1, 0)
	void.Status = StatusRevoked
	yes := func(n int) Joined { return Joined{Dose: n, Counts: true} }
	no := func(n int, why string) Joined { return Joined{Dose: n, Reason: why} }
	for _, c := range []struct {
		name string
		all  []Given
		want []Joined
	}{
		{"nothing", nil, []Joined{}},
		{"two first doses far apart", []Given{dose("COVISHIELD", 1, 0), dose("COVISHIELD", 1, 84)}, []Joined{yes(1), yes(2)}},
		{"the kept one later", []Given{dose("COVISHIELD", 1, 100), dose("COVISHIELD", 1, 0)}, []Joined{yes(2), yes(1)}},
		{"too near", []Given{dose("COVISHIELD", 1, 0), dose("COVISHIELD", 1, 83)}, []Joined{yes(1), no(1, CodeTooEarly)}},
		{"the same dose twice", []Given{dose("COVAXIN", 1, 5), dose("COVAXIN", 1, 5)}, []Joined{yes(1), no(1, CodeTooEarly)}},
		{"another vaccine", []Given{dose("COVISHIELD", 1, 0), dose("COVAXIN", 1, 200)}, []Joined{yes(1), no(1, CodeOtherProduct)}},
		{"first and second, and a first", []Given{dose("COVISHIELD", 1, 0), dose("COVISHIELD", 2, 90), dose("COVISHIELD", 1, 30)}, []Joined{yes(1), yes(2), no(1, CodeTooEarly)}},
		{"a revoked one says nothing", []Given{void, dose("COVISHIELD", 1, 10)}, []Joined{{Dose: 1}, yes(1)}},
		{"a vaccine we do not know", []Given{dose("ELSEWHERE", 1, 0), dose("COVISHIELD", 1, 3)}, []Joined{{Counts: true, Dose: 1}, yes(1)}},
	} {
		got := Join(c.all, Birth{Year: 1980})
		if len(got) != len(c.want) {
			t.Fatalf("%s: %+v", c.name, got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: dose %d is %+v, want %+v", c.name, i, got[i], c.want[i])
			}
		}
	}
}
