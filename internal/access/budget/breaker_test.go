package budget_test

import (
	"testing"

	"tikakosh/internal/access/budget"
)

const week = 7 * 24

// TestRoll: four weeks of history before a median speaks, hours without openings are
// history too, and no hour comes back.
func TestRoll(t *testing.T) {
	s := budget.DefaultSettings()
	var h budget.Hour
	var past budget.History
	roll := func(hour int64) bool {
		var changed bool
		h, past, changed = s.Roll(budget.OfDistrict, h, past, hour)
		return changed
	}
	if !roll(now) || h.Limit != s.DistrictStart || h.N != 0 {
		t.Fatalf("the first hour: %+v", h)
	}
	for i, n := range []int{100, 500, 120, 80} {
		h.N = n
		if roll(now + int64(i)*week) {
			t.Fatal("the hour began twice")
		}
		roll(now + int64(i)*week + 1)
		if h.N != 0 {
			t.Fatal("the next hour begins with a count")
		}
		roll(now + int64(i+1)*week)
		if want := map[bool]int{false: s.DistrictStart, true: 150}[i == 3]; h.Limit != want {
			t.Fatalf("after %d weeks the limit is %d, want %d", i+1, h.Limit, want)
		}
	}
	// 1.5 x the lower middle of 80, 100, 120, 500 is 150; a quiet hour has the floor.
	roll(now + 4*week + 5)
	if h.Limit != s.DistrictFloor {
		t.Fatalf("a quiet hour: %+v", h)
	}
	if before := h; roll(now) || h != before {
		t.Fatal("a clock set back gave an hour anew")
	}
	sys, _, _ := s.Roll(budget.OfSystem, budget.Hour{}, budget.History{}, now)
	if sys.Limit != s.SystemStart {
		t.Fatalf("the system's first hour: %+v", sys)
	}
}

// TestRollAfterYears: a long silence is eight weeks of nothing and takes no time.
func TestRollAfterYears(t *testing.T) {
	s := budget.DefaultSettings()
	var past budget.History
	h, _, _ := s.Roll(budget.OfSystem, budget.Hour{}, past, now)
	h.N = 5000
	h, past, _ = s.Roll(budget.OfSystem, h, past, now+10*365*24)
	if h.Limit != s.SystemFloor {
		t.Fatalf("after ten silent years: %+v", h)
	}
	for i, w := range past.Weeks {
		if len(w) > 8 {
			t.Fatalf("hour %d has %d weeks", i, len(w))
		}
	}
	s.SystemFloor = 0
	if h, _, _ = s.Roll(budget.OfSystem, h, past, h.Hour+1); h.Limit != 1 {
		t.Fatalf("a limit is at least one: %+v", h)
	}
}
