package portal

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"tikakosh/internal/edge"
)

// What a first load may weigh, in bytes as they come over the line: sign-in lands in one
// window of a fresh TCP connection.
const (
	pageWeight   = 50 << 10
	signInWeight = 14_600
)

var loads = regexp.MustCompile(`(?:<script src|<link rel="[^"]*" href|<img src)="(/[^"]+)"`)

// weightOf is what a browser loads with a page: the page, and what it names, each with
// its headers, compressed as a browser asks.
func weightOf(t *testing.T, s *Server, path string) (total, files int) {
	t.Helper()
	w := get(s, path, "Accept-Encoding", "gzip, br")
	total = onLine(w)
	for _, m := range loads.FindAllStringSubmatch(get(s, path).Body.String(), -1) {
		a := get(s, m[1], "Accept-Encoding", "gzip, br")
		if a.Code != 200 {
			t.Errorf("%s loads %s: %d", path, m[1], a.Code)
		}
		total += onLine(a)
		files++
	}
	return total, files
}

func onLine(w *httptest.ResponseRecorder) int {
	n := w.Body.Len()
	for name, values := range w.Header() {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// TestWeight: every public page is small on first load, with figures and centres on it. A
// page that somebody makes heavy is found.
func TestWeight(t *testing.T) {
	s, _ := newServer(t, func(c *Config) { c.Search, c.Reports = &programme{}, published{} })
	for _, r := range s.table {
		if r.Method != "GET" || r.Audience != edge.Public {
			continue
		}
		path := strings.NewReplacer("{$}", "", "{state}", "9", "{centre}", "7").Replace(r.Path)
		if path == "/find" {
			path = "/find?pin=110001&all=1"
		}
		for _, code := range []string{"en", "hi", "ur"} {
			more := "?"
			if strings.Contains(path, "?") {
				more = "&"
			}
			n, files := weightOf(t, s, path+more+"lang="+code)
			limit := pageWeight
			if r.Path == "/sign-in" {
				limit = signInWeight
			}
			if n > limit {
				t.Errorf("%s in %s weighs %d bytes, more than %d", path, code, n, limit)
			}
			if files < 3 && strings.HasPrefix(get(s, path).Header().Get("Content-Type"), "text/html") {
				t.Errorf("%s: only %d files are seen", path, files)
			}
			if code == "hi" {
				t.Logf("%s: %d bytes", path, n)
			}
		}
	}
}
