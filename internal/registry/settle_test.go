package registry

import (
	"testing"

	"tikakosh/internal/fault"
)

// TestSettle: a step whose commit may have been stored is not called undone because
// the database is away when it is looked up.
func TestSettle(t *testing.T) {
	unknown, away, done := fault.New(fault.Unknown, "commit", ""), fault.New(fault.Unavailable, "database", ""), fault.New(fault.Conflict, "taken", "")
	for name, c := range map[string]struct {
		answers []error
		want    error
	}{
		"well":                      {[]error{nil}, nil},
		"away":                      {[]error{away}, away},
		"unknown, then looked up":   {[]error{unknown, nil}, nil},
		"unknown, then decided":     {[]error{unknown, done}, done},
		"unknown, then away":        {[]error{unknown, away}, unknown},
		"unknown as often as tried": {[]error{unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown}, unknown},
	} {
		n := 0
		got := settle(func() error { n++; return c.answers[n-1] })
		if got != c.want { //nolint:errorlint // the very value
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
