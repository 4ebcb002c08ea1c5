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
	_, end, ok := slotMinutes(slot)
	return ok && !now.Before(time.Date(day.Year, day.Month, day.Day, 0, end, 0, 0, loc))
}

// slotMinutes reads when a slot begins and ends, in minutes after midnight.
func slotMinutes(slot string) (begin, end int, ok bool) {
	from, to, ok := strings.Cut(slot, "-")
	if !ok {
		return 0, 0, false
	}
	b, err1 := time.Parse("03:04PM", from)
	e, err2 := time.Parse("03:04PM", to)
	begin, end = b.Hour()*60+b.Minute(), e.Hour()*60+e.Minute()
	if end == 0 {
		end = AllDay
	}
	return begin, end, err1 == nil && err2 == nil
}

// Hours returns the instants at which a session's first slot begins and its
// last ends, or the centre's opening hours where a slot is written in words.
func (s Session) Hours(c Centre) (begin, end time.Time, err error) {
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		return begin, end, err
	}
	from, to := c.Opens, c.Closes
	for i, slot := range s.Slots {
		b, e, ok := slotMinutes(slot)
		if !ok {
			from, to = c.Opens, c.Closes
			break
		}
		if i == 0 {
			from, to = b, e
		}
		from, to = min(from, b), max(to, e)
	}
	at := func(minutes int) time.Time {
		return time.Date(s.Day.Year, s.Day.Month, s.Day.Day, 0, minutes, 0, 0, loc)
	}
	return at(from), at(to), nil
}
