package assets

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

// TestDist: what is embedded is what the sources are, in three forms.
func TestDist(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, url := range s.names {
		want, err := os.ReadFile(filepath.Join("src", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, coding := range []string{"", "br", "gzip", "br;q=0, gzip", "deflate, gzip;q=1.0, *;q=0.5"} {
			r := httptest.NewRequest("GET", url, nil)
			r.Header.Set("Accept-Encoding", coding)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			var body io.Reader = w.Body
			switch w.Header().Get("Content-Encoding") {
			case "br":
				body = brotli.NewReader(body)
			case "gzip":
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s as %q is not its source: run go generate ./internal/portal/assets (%v)", name, coding, err)
			}
			if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %v", name, w.Header())
			}
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", Prefix+"manifest.json", nil))
	if w.Code != 404 {
		t.Errorf("a file that is no asset: %d", w.Code)
	}
}

// unruled are classes of govuk-frontend's markup that have no rule in its style sheet.
func unruled() []string { return []string{"govuk-checkboxes", "govuk-radios", "govuk-table__row"} }

var govukClass = regexp.MustCompile(`govuk-[a-z][\w-]*`)

// TestClasses: every class of govuk-frontend that a screen uses has its rules. build.sh takes
// out those that no screen used when it ran.
func TestClasses(t *testing.T) {
	css, err := os.ReadFile("src/portal.css")
	if err != nil {
		t.Fatal(err)
	}
	ruled := map[string]bool{}
	for _, c := range govukClass.FindAllString(string(css), -1) {
		ruled[c] = true
	}
	n := 0
	for _, pattern := range []string{"../view/*.templ", "../storybook/*.templ"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range govukClass.FindAllString(string(raw), -1) {
				if n++; !ruled[c] && !slices.Contains(unruled(), c) {
					t.Errorf("%s uses %s, which has no rule in portal.css: run internal/portal/assets/build.sh and go generate ./internal/portal/assets", name, c)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d classes are found", n)
	}
}

// TestLook: the style sheets carry nothing that is the United Kingdom's, and are small.
func TestLook(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"portal.css", "portal-rtl.css"} {
		raw, err := os.ReadFile(filepath.Join("src", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, no := range []string{"GDS Transport", "crest", "crown", "govuk-footer", "url("} {
			if strings.Contains(string(raw), no) {
				t.Errorf("%s has %q", name, no)
			}
		}
		if br, _ := s.Sizes(name); br == 0 || br > 9_000 {
			t.Errorf("%s has %d bytes", name, br)
		}
	}
}
