package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

// TestRender: what each kind of fault becomes. A kind that fault declares and
// this table lacks fails the test.
func TestRender(t *testing.T) {
	const shown, inner = "for the caller", "inner"
	rows := map[fault.Kind]struct {
		status      int
		code, text  string
		retry, hint string // Retry-After without and with 1.2 s in the fault
	}{
		fault.Internal:     {500, "INTERNAL", "Something went wrong.", "", "2"},
		fault.Integrity:    {500, "INTERNAL", "Something went wrong.", "", "2"},
		fault.Unavailable:  {503, "UNAVAILABLE", "The service cannot answer now. Please try again.", "2", "2"},
		fault.Unknown:      {503, "UNAVAILABLE", "The service cannot answer now. Please try again.", "2", "2"},
		fault.Invalid:      {400, "C", shown, "", "2"},
		fault.Unauthorized: {401, "", "", "", "2"},
		fault.Forbidden:    {403, "C", shown, "", "2"},
		fault.NotFound:     {404, "NOTFOUND", "Not found", "", "2"},
		fault.Conflict:     {409, "C", shown, "", "2"},
		fault.Full:         {409, "C", shown, "", "2"},
		fault.RateLimited:  {429, "C", shown, "", "2"},
	}
	source, err := os.ReadFile("../fault/fault.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`Kind = "([a-z_]+)"`).FindAllSubmatch(source, -1)
	if len(declared) != len(rows) {
		t.Errorf("fault declares %d kinds, this table has %d", len(declared), len(rows))
	}
	for _, d := range declared {
		kind := fault.Kind(d[1])
		row, ok := rows[kind]
		if !ok {
			t.Errorf("%s is not in the table", kind)
			continue
		}
		for _, wait := range []time.Duration{0, 1200 * time.Millisecond} {
			f := &fault.Error{Kind: kind, Code: "C", Text: shown, RetryAfter: wait, Err: errors.New(inner)}
			w := httptest.NewRecorder()
			newRig(t).fail(w, httptest.NewRequest("GET", "/", nil), "r1", fmt.Errorf("context: %w", f))
			retry := row.retry
			if wait > 0 {
				retry = row.hint
			}
			if w.Code != row.status || w.Header().Get("Retry-After") != retry || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d, %v", kind, w.Code, w.Header())
			}
			if kind == fault.Unauthorized {
				if w.Body.String() != "Unauthenticated access!" || w.Header().Get("Content-Type") != typeText {
					t.Errorf("%s: %q", kind, w.Body)
				}
				continue
			}
			if code, text := errorOf(t, w); code != row.code || text != row.text {
				t.Errorf("%s: %q %q", kind, code, text)
			}
		}
	}
}

func TestRenderSpecial(t *testing.T) {
	r := newRig(t)
	render := func(err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r.fail(w, httptest.NewRequest("GET", "/", nil), "r1", err)
		return w
	}
	full := render(fault.New(fault.Full, "APPOIN0040", "the session is completely booked"))
	if _, text := errorOf(t, full); text != "This vaccination center is completely booked for the selected date. Please try another date or vaccination center." {
		t.Errorf("full: %s", full.Body)
	}
	if big := render(fault.New(fault.Invalid, "size", "too large")); big.Code != 413 {
		t.Errorf("size: %d", big.Code)
	}
	work := render(fault.New(fault.RateLimited, "challenge", `{"algorithm":"SHA-256"}`))
	var out struct {
		Work map[string]string `json:"challenge"`
	}
	if code, _ := errorOf(t, work); code != "USRAUT0018" || json.Unmarshal(work.Body.Bytes(), &out) != nil || out.Work["algorithm"] != "SHA-256" {
		t.Errorf("challenge: %s", work.Body)
	}
	// What cannot be marshalled is our fault, not a broken answer.
	w := httptest.NewRecorder()
	writeJSON(w, 200, map[string]any{"f": func() {}})
	if code, _ := errorOf(t, w); w.Code != 500 || code != "INTERNAL" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
