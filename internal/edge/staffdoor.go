package edge

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
)

// StaffDoor serves the staff client's origin: client for its files, and of the API the
// routes of staff only. So the client talks to its own origin, no other origin is let in
// anywhere (the API sends no CORS headers), and nothing else of the API is within reach
// of a page there.
func (s *Server) StaffDoor(client http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/api/"):
			client.ServeHTTP(w, r)
		case s.ofStaff(r):
			s.ServeHTTP(w, r)
		default:
			s.nowhere(w, r)
		}
	})
}

// ofStaff reports whether a request is for a route of staff.
func (s *Server) ofStaff(r *http.Request) bool {
	if !canonical(r.URL.Path) {
		return false
	}
	_, pattern := s.mux.Handler(r)
	return slices.ContainsFunc(s.table, func(route Route) bool {
		return route.Method+" "+route.Path == pattern && (route.Audience == Staff || route.Audience == Newcomer)
	})
}

// RunStaff serves the staff client and its routes on ln until ctx ends.
func (s *Server) RunStaff(ctx context.Context, ln net.Listener, client http.Handler) error {
	return s.run(ctx, ln, s.StaffDoor(client), nil)
}
