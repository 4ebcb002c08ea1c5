package portal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

// TestLedgerPage: everybody reads the newest entries by number and fingerprint, and pages through
// the older ones; the page has what is published and nothing else.
func TestLedgerPage(t *testing.T) {
	s, _ := newPapers(t)
	if w := get(s, "/ledger"); w.Code != 200 || !strings.Contains(w.Body.String(), "Nothing is published yet") {
		t.Errorf("before the first checkpoint: %d", w.Code)
	}
	const size = 45
	s.cfg.PublicURL = "https://tikakosh.example"
	s.cfg.Checkpoint = func() (string, int64, error) { return "tikakosh.example/1\n45\nroot\n", size, nil }
	mark := func(i int64) (c ledger.Commitment) { c[0], c[31] = byte(i), 0xee; return c }
	s.cfg.Leaves = func(n, first int64, most int) (out []ledger.Commitment, err error) {
		if n != size || first < 0 || first > size {
			return nil, fault.New(fault.Invalid, "range", "")
		}
		for i := first; i < min(first+int64(most), size); i++ {
			out = append(out, mark(i))
		}
		return out, nil
	}
	seen := map[int64]bool{}
	pages := 0
	for path := "/ledger"; path != ""; pages++ {
		w := get(s, path)
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, "tikakosh ledger fetch https://tikakosh.example/ledger FOLDER") {
			t.Fatalf("%s: %d", path, w.Code)
		}
		for i := range int64(size) {
			if strings.Contains(body, fmt.Sprintf("%x", mark(i))) {
				if seen[i] {
					t.Errorf("entry %d twice", i)
				}
				seen[i] = true
			}
		}
		_, rest, _ := strings.Cut(body, `<main`)
		_, rest, more := strings.Cut(rest, `href="/ledger?before=`)
		if path = ""; more {
			at, _, _ := strings.Cut(rest, `"`)
			path = "/ledger?before=" + at
		}
	}
	if len(seen) != size || pages != 3 {
		t.Errorf("%d entries on %d pages", len(seen), pages)
	}
	for before, want := range map[string]int{"0": http.StatusBadRequest, "-1": http.StatusBadRequest, "x": http.StatusBadRequest, "46": http.StatusNotFound, "9223372036854775807": http.StatusNotFound, "9223372036854775808": http.StatusBadRequest, "1": 200} {
		if w := get(s, "/ledger?before="+before); w.Code != want {
			t.Errorf("before=%s: %d, want %d", before, w.Code, want)
		}
	}
	for path, owned := range map[string]bool{"/ledger": true, "/ledger/": false, "/ledger/checkpoint": false, "/ledger/tile/0/000": false} {
		r := httptest.NewRequest("GET", path, nil)
		if s.Owns(r) != owned {
			t.Errorf("%s is a page: %v", path, !owned)
		}
	}
}
