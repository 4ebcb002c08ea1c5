package staff

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access"
)

func catalogue(t *testing.T, language string) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := json.Unmarshal(bundle()["text/"+language+".json"].body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func script() string {
	var all strings.Builder
	for name, f := range bundle() {
		if strings.HasSuffix(name, ".js") {
			all.Write(f.body)
		}
	}
	return all.String()
}

// TestTextsAreComplete: both languages say everything the scripts ask for, with the same
// words to fill in, and nothing that nobody asks for.
func TestTextsAreComplete(t *testing.T) {
	en, hi := catalogue(t, "en"), catalogue(t, "hi")
	words := regexp.MustCompile(`\{\w+\}`)
	devanagari := regexp.MustCompile(`\p{Devanagari}`)
	filled := func(s string) []string { return slices.Sorted(slices.Values(words.FindAllString(s, -1))) }
	for k, v := range en {
		switch {
		case v == "" || hi[k] == "":
			t.Errorf("%s is not in both languages", k)
		case !slices.Equal(filled(v), filled(hi[k])):
			t.Errorf("%s: the languages fill in different words", k)
		case !devanagari.MatchString(hi[k]) && strings.Trim(words.ReplaceAllString(v, ""), " ,") != "":
			t.Errorf("%s is not Hindi: %q", k, hi[k])
		}
	}
	for k := range hi {
		if en[k] == "" {
			t.Errorf("%s is in Hindi only", k)
		}
	}
	js, asked := script(), map[string]bool{}
	for _, m := range regexp.MustCompile(`\bt\('([\w.]+)'( \+)?`).FindAllStringSubmatch(js, -1) {
		if m[2] == "" {
			asked[m[1]] = true
			continue
		}
		n := 0
		for k := range en {
			if strings.HasPrefix(k, m[1]) {
				asked[k] = true
				n++
			}
		}
		if n < 2 {
			t.Errorf("no texts begin with %s", m[1])
		}
	}
	if len(asked) < 80 {
		t.Fatalf("only %d texts were found in the scripts", len(asked))
	}
	for _, r := range access.Roles() {
		asked["role."+string(r)] = true
	}
	for k := range asked {
		if en[k] == "" {
			t.Errorf("the scripts ask for %q, which is no text", k)
		}
	}
	for k := range en {
		if !asked[k] {
			t.Errorf("nobody asks for the text %q", k)
		}
	}
}

// TestTrippedTexts: whatever the vault notes for those who watch (as the description of the
// API lists it) has words on the staff client's list, and says what to do next.
func TestTrippedTexts(t *testing.T) {
	spec, err := os.ReadFile("../../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`why: \{type: string, enum: \[([^\]]+)\]`).FindStringSubmatch(string(spec))
	if m == nil {
		t.Fatal("the description of the API does not list what is noted")
	}
	en, js := catalogue(t, "en"), string(bundle()["tripped.js"].body)
	for _, why := range strings.Split(m[1], ", ") {
		why = strings.Trim(why, `"`)
		if en["tripped.why."+why] == "" || en["tripped.next."+why] == "" || !strings.Contains(js, "'"+why+"'") {
			t.Errorf("%q has no words, or nothing says what to do", why)
		}
	}
}

// TestBundle: plain files, nothing inline, nothing from elsewhere, no way for a text to
// become HTML, and nothing kept but a key and the language.
func TestBundle(t *testing.T) {
	html := string(bundle()[page].body)
	if strings.Contains(html, "style=") || regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son\w+=|https?:`).MatchString(html) {
		t.Error("the page has something inline, or from elsewhere")
	}
	js := script()
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "import(", "sessionStorage", "cookie", "http:", "https:", ".style", "srcdoc", "postMessage"} {
		if strings.Contains(js, bad) {
			t.Errorf("the scripts have %s", bad)
		}
	}
	if n := strings.Count(js, "localStorage.setItem("); n != 1 || !strings.Contains(js, "localStorage.setItem('language', l)") {
		t.Errorf("something besides the language is kept: %d", n)
	}
	if n := strings.Count(js, "generateKey("); n != 1 || !strings.Contains(js, "namedCurve: 'P-256' }, false, ['sign', 'verify']") {
		t.Error("keys can be exported")
	}
}

func answer(method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler("https://api.example", func() time.Time { return time.Unix(1_800_000_000, 0) },
		func(context.Context) []Department {
			return []Department{{ID: "health", Names: map[string]string{"en": "Health"}}}
		}).ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	for _, row := range []struct {
		method, target string
		status         int
		kind, cache    string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "no-store"},
		{"GET", "/enrol", 200, "text/html; charset=utf-8", "no-store"},
		{"GET", "/department?code=x&state=y", 200, "text/html; charset=utf-8", "no-store"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", "no-store"},
		{"GET", "/main.js", 200, "text/javascript; charset=utf-8", "no-cache"},
		{"GET", "/text/hi.json", 200, "application/json", "no-cache"},
		{"GET", "/config.json", 200, "application/json", "no-store"},
		{"GET", "/index.html", 404, "", "no-store"},
		{"GET", "/text/", 404, "", "no-store"},
		{"GET", "/../staff.go", 404, "", "no-store"},
		{"GET", "/enrol/", 404, "", "no-store"},
		{"POST", "/", 405, "", "no-store"},
		{"OPTIONS", "/main.js", 405, "", "no-store"},
	} {
		res := answer(row.method, row.target, "Origin", "https://evil.example")
		h := res.Header
		if res.StatusCode != row.status || h.Get("Content-Type") != row.kind || h.Get("Cache-Control") != row.cache {
			t.Errorf("%s %s: %d %v", row.method, row.target, res.StatusCode, h)
		}
		if h.Get("Content-Security-Policy") != policy || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Permissions-Policy") != permissions || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s %s lacks a header: %v", row.method, row.target, h)
		}
		for k := range h {
			if strings.HasPrefix(k, "Access-Control-") || k == "Set-Cookie" {
				t.Errorf("%s %s has %s", row.method, row.target, k)
			}
		}
	}
	tag := answer("GET", "/main.js").Header.Get("ETag")
	if res := answer("GET", "/main.js", "If-None-Match", tag); tag == "" || res.StatusCode != http.StatusNotModified {
		t.Errorf("the same file is sent again: %q, %d", tag, res.StatusCode)
	}
	var got settings
	if err := json.NewDecoder(answer("GET", "/config.json").Body).Decode(&got); err != nil || got.API != "https://api.example" || got.Bundle != Sum() || got.Now != 1_800_000_000 || len(got.Departments) != 1 || got.Departments[0].ID != "health" {
		t.Errorf("settings %+v %v", got, err)
	}
}

// TestSum: the digest is what an outsider computes with sha256sum.
func TestSum(t *testing.T) {
	cmd := exec.Command("sh", "-c", "cd client && find . -type f | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(out); hex.EncodeToString(sum[:]) != Sum() {
		t.Errorf("sha256sum says %x of\n%s", sum, out)
	}
	if n := strings.Count(string(out), "\n"); n != len(bundle()) {
		t.Errorf("%d files, %d in the bundle: %v", n, len(bundle()), slices.Collect(maps.Keys(bundle())))
	}
	if _, err := os.Stat("client/text/en.json"); err != nil {
		t.Fatal(err)
	}
}
