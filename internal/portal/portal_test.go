package portal

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"tikakosh/internal/civil"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/statistics"
)

// door lets everybody in, unless it is shut.
type door struct {
	wait  time.Duration
	notes []string
}

func (d *door) Admit(edge.Rate, *http.Request) (string, time.Duration) {
	return "192.0.2.0/24", d.wait
}

func (d *door) Answered(route string, status int, _ time.Duration) {
	d.notes = append(d.notes, route+" "+http.StatusText(status))
}

// empty is a programme in which nothing is.
type empty struct{ err error }

func (empty) Ask(scheduling.Question) scheduling.Found          { return scheduling.Found{} }
func (empty) Centres(scheduling.By, int64) []scheduling.Centre  { return nil }
func (empty) Span() (civil.Date, int)                           { return civil.Date{Year: 2026, Month: 2, Day: 1}, 30 }
func (empty) Nearest(float64, float64, int) []scheduling.Centre { return nil }
func (e empty) Reports(context.Context, civil.Date) (statistics.Published, statistics.Published, error) {
	return statistics.Published{}, statistics.Published{}, e.err
}

func noon() time.Time { return time.Date(2026, 2, 2, 6, 30, 0, 0, time.UTC) }

func newServer(t testing.TB, change func(*Config)) (*Server, *door) {
	t.Helper()
	where, err := places.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	cfg := Config{Door: d, Search: empty{}, Reports: empty{}, State: issuer{}, Certificates: issuer{}, Sessions: &gate{}, Live: (&gate{}).Live, Places: where, Now: noon, Logger: slog.New(slog.DiscardHandler),
		Checkpoint: func() (string, int64, error) { return "", 0, fault.New(fault.Unavailable, "", "") }}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

// get asks as a browser does.
func get(s http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestEveryRoute: each page has the headers, refuses what it does not know, and says an
// error of every kind in every language without the error's own words.
func TestEveryRoute(t *testing.T) {
	s, _ := newServer(t, nil)
	for _, r := range s.table {
		if r.Method != "GET" {
			continue
		}
		path := strings.NewReplacer("{$}", "", "{state}", "9", "{centre}", "7").Replace(r.Path)
		w := get(s, path)
		if strings.HasSuffix(path, ".csv") || path == workerPath { // no page
			continue
		}
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, w.Code)
		}
		h := w.Header()
		policy := assets.Policy
		switch path {
		case "/verify":
			policy = assets.CameraPolicy
		case "/sign-in/card":
			policy = assets.CardPolicy
		}
		if h.Get("Content-Security-Policy") != policy || strings.Contains(strings.ReplaceAll(policy, "'wasm-unsafe-eval'", ""), "unsafe-") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Vary") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
		if r.Personal && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored", path)
		}
		if strings.Contains(w.Body.String(), " style=") || strings.Contains(w.Body.String(), "<style") || strings.Contains(w.Body.String(), " onclick") {
			t.Errorf("%s has a style or a script of its own", path)
		}
		if w := get(s, path+"?unknown=1"); w.Code != http.StatusBadRequest {
			t.Errorf("%s takes an unknown field: %d", path, w.Code)
		}
		const waits = codeCookie + "=00000000-0000-4000-8000-000000000001.0.0" // for the page of a code, which leads elsewhere without one
		if w := get(s, path+"?lang=hi", "Cookie", waits); !strings.Contains(w.Body.String(), `<html lang="hi" dir="ltr">`) {
			t.Errorf("%s does not speak Hindi", path)
		}
		if w := get(s, path+"?lang=ur", "Cookie", waits); !strings.Contains(w.Body.String(), `<html lang="ur" dir="rtl">`) || !strings.Contains(w.Body.String(), "portal-rtl-") {
			t.Errorf("%s does not speak Urdu from the right", path)
		}
	}
}

// TestErrors: every kind of error is a page, and says nothing of its own text.
func TestErrors(t *testing.T) {
	s, d := newServer(t, nil)
	for kind, want := range map[fault.Kind]int{fault.Internal: 500, fault.Invalid: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
		fault.Full: 409, fault.RateLimited: 429, fault.Unavailable: 503, fault.Unknown: 503, fault.Integrity: 500} {
		for _, code := range []string{"en", "hi", "ur"} {
			h := s.serve(page("/x", "x", func(*Ctx) error {
				return &fault.Error{Kind: kind, Text: "a secret of the store", RetryAfter: 100 * time.Second}
			}))
			w := get(h, "/x?lang="+code)
			if w.Code != want || !strings.Contains(w.Body.String(), "<h1") || strings.Contains(w.Body.String(), "secret of the store") || strings.Contains(w.Body.String(), ">error.") {
				t.Errorf("%s in %s: %d %s", kind, code, w.Code, w.Body)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Retry-After") != "100" {
				t.Errorf("%s: %v", kind, w.Header())
			}
		}
	}
	h := s.serve(page("/x", "x", func(*Ctx) error { panic("a secret of the store") }))
	if w := get(h, "/x"); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("after a panic: %d", w.Code)
	}
	h = s.serve(page("/x", "x", func(c *Ctx) error {
		return c.render(200, templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, "half a page")
			return errors.New("a secret of the store")
		}))
	}))
	if w := get(h, "/x"); w.Code != 500 || strings.Contains(w.Body.String(), "half a page") {
		t.Errorf("a page that broke off: %d %s", w.Code, w.Body)
	}
	d.wait = 3 * time.Second
	if w := get(s, "/"); w.Code != 429 || !strings.Contains(w.Body.String(), "Wait 3 seconds.") {
		t.Errorf("over the limit: %d", w.Code)
	}
}

// TestForms: who may send a form and how large it is; a switch of language does not act.
func TestForms(t *testing.T) {
	s, _ := newServer(t, nil)
	acted := 0
	public := Route{Method: "POST", Path: "/x", Audience: edge.Public, Action: "x", Rate: edge.RateSelf, BodyLimit: 100, Fields: []string{"a"}, Handler: func(c *Ctx) error {
		if !c.keep {
			acted++
			return c.see("/")
		}
		return c.render(200, view.Trouble(c.page("error.wait"), view.ProblemPage{Heading: "error.wait", Text: c.form.Get("a")}))
	}}
	personal := public
	personal.Audience, personal.Personal = edge.Holder, true
	const kind, typed = "Content-Type", "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name   string
		route  Route
		body   string
		header []string
		want   int
	}{
		{"own", public, "a=1", []string{kind, typed, "Sec-Fetch-Site", "same-origin"}, 303},
		{"own, an old browser", public, "a=1", []string{kind, typed, "Origin", "http://example.com"}, 303},
		{"another site", public, "a=1", []string{kind, typed, "Sec-Fetch-Site", "cross-site"}, 403},
		{"a neighbour", public, "a=1", []string{kind, typed, "Sec-Fetch-Site", "same-site"}, 403},
		{"another origin", public, "a=1", []string{kind, typed, "Origin", "https://evil.example"}, 403},
		{"a null origin", public, "a=1", []string{kind, typed, "Origin", "null"}, 403},
		{"a program", public, "a=1", []string{kind, typed}, 303},
		{"a program, personal", personal, "a=1", []string{kind, typed}, 403},
		{"personal", personal, "a=1", []string{kind, typed, "Sec-Fetch-Site", "same-origin", "Cookie", seated}, 303},
		{"personal, nobody signed in", personal, "a=1", []string{kind, typed, "Sec-Fetch-Site", "same-origin"}, 401},
		{"unknown field", public, "b=1", []string{kind, typed}, 400},
		{"twice", public, "a=1&a=2", []string{kind, typed}, 400},
		{"NUL", public, "a=%00", []string{kind, typed}, 400},
		{"JSON", public, `{"a":1}`, []string{kind, "application/json"}, 400},
		{"a file where none is wanted", public, "--x\r\n", []string{kind, "multipart/form-data; boundary=x"}, 400},
		{"large", public, "a=" + strings.Repeat("1", 200), []string{kind, typed}, 413},
		{"language", public, "a=kept&lang=hi", []string{kind, typed}, 200},
	} {
		acted = 0
		r := httptest.NewRequest("POST", "http://example.com/x", strings.NewReader(c.body))
		for i := 0; i+1 < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		w := httptest.NewRecorder()
		s.serve(c.route).ServeHTTP(w, r)
		if w.Code != c.want || (acted == 1) != (c.want == 303) {
			t.Errorf("%s: %d, acted %d, want %d", c.name, w.Code, acted, c.want)
		}
		if c.name == "language" && (!strings.Contains(w.Body.String(), "kept") || !strings.Contains(w.Header().Get("Set-Cookie"), "__Host-lang=hi; Path=/")) {
			t.Errorf("the switch of language lost what was typed: %v", w.Header())
		}
	}
}

// TestLanguage: the address, then the cookie, then the browser; the cookie is its own host's.
func TestLanguage(t *testing.T) {
	s, _ := newServer(t, nil)
	says := func(w *httptest.ResponseRecorder) string { return w.Header().Get("Content-Language") }
	w := get(s, "/?lang=hi", "Accept-Language", "ur")
	set := w.Header().Get("Set-Cookie")
	if says(w) != "hi" || !strings.Contains(set, "__Host-lang=hi; Path=/") || !strings.Contains(set, "HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("%s %q", says(w), set)
	}
	if w := get(s, "/", "Cookie", "__Host-lang=ur", "Accept-Language", "hi"); says(w) != "ur" || w.Header().Get("Set-Cookie") != "" {
		t.Error("the cookie does not count")
	}
	if w := get(s, "/", "Cookie", "__Host-lang=<script>", "Accept-Language", "hi"); says(w) != "hi" {
		t.Error("the browser's word does not count")
	}
	if w := get(s, "/", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "gzip" {
		t.Error("a page is not compressed")
	} else if z, err := gzip.NewReader(w.Body); err != nil {
		t.Error(err)
	} else if raw, err := io.ReadAll(z); err != nil || !strings.Contains(string(raw), "</html>") {
		t.Errorf("%v %s", err, raw)
	}
}

// TestOwns: pages are the portal's, addresses of the API are not, and what is nobody's is the
// portal's where a person asks.
func TestOwns(t *testing.T) {
	s, _ := newServer(t, nil)
	for _, c := range []struct {
		path, accept string
		want         bool
	}{{"/", "", true}, {"/assets/x.css", "", true}, {"/api/v2/x", "text/html", false}, {"/api", "text/html", false}, {"/ledger/checkpoint", "text/html", false},
		{"/healthz", "", false}, {"/nowhere", "", false}, {"/nowhere", "text/html,*/*", true}} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Header.Set("Accept", c.accept)
		if got := s.Owns(r); got != c.want {
			t.Errorf("%s %q: %v", c.path, c.accept, got)
		}
	}
	if w := get(s, "/nowhere", "Accept", "text/html"); w.Code != 404 || !strings.Contains(w.Body.String(), "There is no such page") {
		t.Errorf("%d", w.Code)
	}
}

// TestTable: a row that is not whole is refused.
func TestTable(t *testing.T) {
	good := page("/x", "x", landing)
	for name, spoil := range map[string]func(*Route){
		"no handler": func(r *Route) { r.Handler = nil }, "no action": func(r *Route) { r.Action = "" }, "method": func(r *Route) { r.Method = "PUT" },
		"audience": func(r *Route) { r.Audience = "staff" }, "class": func(r *Route) { r.Rate = "none" }, "a body with GET": func(r *Route) { r.BodyLimit = 1 },
		"a POST without limit": func(r *Route) { r.Method = "POST" }, "a holder's page that is kept": func(r *Route) { r.Audience = edge.Holder },
	} {
		r := good
		spoil(&r)
		if r.check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
