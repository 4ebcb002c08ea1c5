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
	zones := map[string]zoned{}
	for i := range found.List {
		list := found.List[i].Sessions
		for j := range list {
			s := &list[j]
			z, known := zones[s.Zone]
			if !known {
				if loc := c.s.zone(s.Zone); loc != nil {
					z = zoned{loc, civil.Of(c.begin.In(loc))}
				}
				zones[s.Zone] = z
			}
			if z.loc != nil && s.Day.After(z.today) {
				break // they come in order of day
			}
			c.shorten(s, z.loc)
		}
		if q.Free {
			found.List[i].Sessions = slices.DeleteFunc(list, func(s scheduling.Listed) bool { return s.Available() == 0 })
		}
	}
	return found
}

// zoned is a zone and the day it is there.
type zoned struct {
	loc   *time.Location // nil: there is no such zone
	today civil.Date
}

// zone is a centre's zone, nil for none; it is read once.
func (s *Server) zone(name string) *time.Location {
	if got, ok := s.zones.Load(name); ok {
		return got.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil // not kept: what is wrong may be mended
	}
	s.zones.Store(name, loc)
	return loc
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
