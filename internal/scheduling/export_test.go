package scheduling

import "tikakosh/internal/id"

// ErrStop ends a saga between two steps, as a crash would.
var ErrStop = errStop

// SetStep replaces the hook between steps.
func (s *Service) SetStep(f func(point string) error) { s.step = f }

// AddForTest notes an act as a booking of this process does.
func (a *Availability) AddForTest(s id.Session, dose, n int) { a.add(s, dose, n) }
