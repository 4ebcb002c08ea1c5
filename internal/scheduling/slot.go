package scheduling

import (
	"strings"
	"time"

	"tikakosh/internal/civil"
)

// slotOver reports whether a slot of a day has ended at now. A slot is written
// "09:00AM-11:00AM" (contract.md 1.1); one that ends at midnight ends the day.
// Of a slot written otherwise nothing is known, and it is not over.
func slotOver(slot string, day civil.Date, loc *time.Location, now time.Time) bool {
	_, end, ok := strings.Cut(slot, "-")
	if !ok {
		return false
	}
	t, err := time.Parse("03:04PM", end)
	if err != nil {
		return false
	}
	minutes := t.Hour()*60 + t.Minute()
	if minutes == 0 {
		minutes = AllDay
	}
	return !now.Before(time.Date(day.Year, day.Month, day.Day, 0, minutes, 0, 0, loc))
}
