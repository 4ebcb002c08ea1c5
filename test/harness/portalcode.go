package harness

// CodeAfter waits for the newest code to a mobile that came after its first have messages.
func (s *Server) CodeAfter(mobile string, have int) string {
	s.tb.Helper()
	return s.codeAfter(mobile, have)
}
