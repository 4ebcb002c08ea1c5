package portal

import (
	"slices"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
)

// search asks the picture of free places and takes out what cannot be booked any more: the
// times of today that are over and, once booking for the day has closed, all of them. A
// session without a time left has no place free.
func (c *Ctx) search(q scheduling.Question) scheduling.Found {
	found := c.s.cfg.Search.Ask(q)
	zones := map[string]*time.Location{}
	// No zone's day is over while it is the day after in UTC: only those need their zone.
	tomorrow := civil.Of(c.begin.UTC()).AddDays(1)
	for i := range found.List {
		list := found.List[i].Sessions
		for j := range list {
			if s := &list[j]; !s.Day.After(tomorrow) {
				loc, known := zones[s.Zone]
				if !known {
					loc, _ = time.LoadLocation(s.Zone) // of none: nil
					zones[s.Zone] = loc
				}
				c.shorten(s, loc)
			}
		}
		if q.Free {
			found.List[i].Sessions = slices.DeleteFunc(list, func(s scheduling.Listed) bool { return s.Available() == 0 })
		}
	}
	return found
}

// shorten leaves a session the times that can still be booked.
func (c *Ctx) shorten(s *scheduling.Listed, loc *time.Location) {
	var left []string
	if loc != nil {
		left = s.SlotsLeftIn(loc, c.begin)
	}
	if s.Slots = left; len(s.Slots) == 0 {
		s.Available1, s.Available2 = 0, 0
	}
}

// today is the day it is in India.
func (c *Ctx) today() civil.Date { return civil.Of(c.begin.In(statistics.India())) }

// stripMost is the largest number that a day of the strip has room for at 360 pixels.
const stripMost = 999

// few is a number of places in the room of a day of the strip; who hears it hears all of it.
func few(n int) string {
	if n > stripMost {
		return catalogue.Number(stripMost) + "+"
	}
	return catalogue.Number(int64(n))
}
