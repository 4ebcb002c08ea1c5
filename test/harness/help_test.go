package harness

import (
	"net/url"
	"testing"
	"time"
)

// t0 is a fixed time for signatures.
var t0 = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
