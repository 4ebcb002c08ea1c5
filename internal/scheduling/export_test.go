package scheduling

import "tikakosh/internal/id"

// ErrStop ends a saga between two steps, as a crash would.
var ErrStop = errStop

// SetStep replaces the hook between steps.
func (s *Service) SetStep(f func(point string) error) { s.step = f }

// AddForTest notes an act as a booking of this process does.
func (a *Availability) AddForTest(s id.Session, dose, n int) { a.add(s, dose, n) }

// SetQueueMax bounds how many asks may wait for one session.
func (s *Service) SetQueueMax(n int) { s.queueMax = n }

// SetStamped sets what is told the stamp and outcome of every ask.
func (s *Service) SetStamped(f func(stamp uint64, err error)) { s.stamped = f }
