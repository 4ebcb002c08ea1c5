package harness

import (
	"os"
	"path/filepath"
)

// PolicyDir is a new folder with the policies that come with the program, as `tikakosh
// policies write` writes it.
func (s *Server) PolicyDir() string {
	s.tb.Helper()
	dir, err := os.MkdirTemp("", "policies")
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	dir = filepath.Join(dir, "own")
	if out, code := s.Command("policies", "write", dir); code != 0 {
		s.tb.Fatal("policies write: ", out)
	}
	return dir
}

// PolicyFiles are those policies: file names and texts.
func (s *Server) PolicyFiles() map[string]string {
	s.tb.Helper()
	dir := s.PolicyDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.tb.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			s.tb.Fatal(err)
		}
		out[e.Name()] = string(raw)
	}
	return out
}
