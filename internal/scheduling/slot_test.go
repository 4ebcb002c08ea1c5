package scheduling

import (
	"testing"
	"time"

	"tikakosh/internal/civil"
)

func TestSlotOver(t *testing.T) {
	loc := time.FixedZone("IST", 5*3600+1800)
	day := civil.Date{Year: 2026, Month: 2, Day: 5}
	at := func(d, h, m int) time.Time { return time.Date(2026, 2, d, h, m, 0, 0, loc) }
	for _, c := range []struct {
		slot string
		now  time.Time
		over bool
	}{
		{"09:00AM-11:00AM", at(5, 10, 59), false},
		{"09:00AM-11:00AM", at(5, 11, 0), true},
		{"12:00AM-06:00AM", at(5, 7, 48), true},
		{"12:00AM-06:00AM", at(4, 23, 59), false},
		{"06:00PM-12:00AM", at(5, 23, 59), false},
		{"06:00PM-12:00AM", at(6, 0, 0), true},
		{"11:00AM-12:30PM", at(5, 12, 15), false},
		{"FORENOON", at(9, 0, 0), false},
		{"a-b", at(9, 0, 0), false},
	} {
		if got := slotOver(c.slot, day, loc, c.now); got != c.over {
			t.Errorf("%s at %s: over %v", c.slot, c.now.Format("02 15:04"), got)
		}
	}
}
