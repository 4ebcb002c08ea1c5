package scheduling

// Waiting is how many bookings wait in the sessions' queues of this process.
func (s *Service) Waiting() (n int) {
	s.lanes.mu.RLock()
	defer s.lanes.mu.RUnlock()
	for _, l := range s.lanes.by {
		l.mu.Lock()
		n += len(l.waiting)
		l.mu.Unlock()
	}
	return n
}
