package state

import "tikakosh/internal/civil"

// Stats counts doses and registrations for the public dashboard, by cell. A row
// grants nothing and never expires, so it is neither anchored nor passing.
const Stats Table = "stat"

// Stat is one cell's count. N counts until now; Before is what it was when Day, the
// last day it changed on (Indian time), began.
type Stat struct {
	N      int64
	Day    civil.Date
	Before int64
}

// AsOf is the count when a day began. Days before the last change are not known.
func (s Stat) AsOf(day civil.Date) int64 {
	if s.Day.Before(day) {
		return s.N
	}
	return s.Before
}

// Counted returns the cell with delta more on a day.
func (s Stat) Counted(day civil.Date, delta int64) Stat {
	if s.Day.Before(day) || s.Day.IsZero() {
		s.Day, s.Before = day, s.N
	}
	s.N += delta
	return s
}

// Earlier returns the cell with delta more that was so before a day began.
func (s Stat) Earlier(day civil.Date, delta int64) Stat {
	if s.N += delta; !s.Day.IsZero() && !s.Day.Before(day) {
		s.Before += delta
	}
	return s
}
