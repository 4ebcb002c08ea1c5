package pgtest

import "net/url"

// At is a server that others run and end, named by its administrator's URL,
// which may name several hosts. The product's roles are made there.
func At(text string) (*Server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return ready(&Server{base: *u, stop: func() {}})
}

// Hosts are the addresses of the server, host:port, of several with commas
// between.
func (s *Server) Hosts() string { return s.base.Host }
