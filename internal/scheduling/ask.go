package scheduling

import "tikakosh/internal/civil"

// Ask answers a search from the picture of free places; it and what follows
// need neither vault nor database.
func (s *Service) Ask(q Question) Found { return s.avail.Ask(q) }

// States lists the states that have centres.
func (s *Service) States() []StateOf { return s.avail.States() }

// Centres lists the centres of an area.
func (s *Service) Centres(by By, key int64) []Centre { return s.avail.Centres(by, key) }

// Span is the first day of the picture and how many there are.
func (s *Service) Span() (since civil.Date, days int) { return s.avail.Span() }
