package scheduling

// Ask answers a search from the picture of free places; it needs neither vault
// nor database.
func (s *Service) Ask(q Question) Found { return s.avail.Ask(q) }
