package edge

import (
	"net/http"
	"time"
)

// Pages are the portal's: what people see in a browser, on the API's own listener.
type Pages interface {
	http.Handler
	// Owns reports whether a request is for them and not for the API.
	Owns(r *http.Request) bool
}

// ServePages serves pages beside the API. It is called before Run.
func (s *Server) ServePages(p Pages) { s.pages = p }

// Admit counts a request of a page under a class of limits. It returns the network it came
// from, and how long it has to wait: 0 when it is let in.
func (s *Server) Admit(class Rate, r *http.Request) (origin string, wait time.Duration) {
	origin = s.origin(r)
	if wait = s.limits[class].take(origin, s.cfg.Now()); wait > 0 {
		s.cfg.Watch.Limited(string(class))
	}
	return origin, wait
}

// Answered notes what became of a page's request: the figures and the access line. route is
// a row of the pages' table, never the address asked.
func (s *Server) Answered(route string, status int, took time.Duration) {
	s.cfg.Watch.Answered(route, status, took)
	log := s.cfg.Access
	if log == nil {
		log = s.cfg.Logger
	}
	log.Info("request", "route", route, "status", status, "ms", took.Milliseconds())
}
