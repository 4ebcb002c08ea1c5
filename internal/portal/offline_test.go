package portal

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/view"
)

// TestWorker: the worker's script may work for the page of the check alone, is asked for anew
// each time, and names only what is there; its version changes with the page.
func TestWorker(t *testing.T) {
	s, _ := newServer(t, nil)
	w := get(s, workerPath)
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Security-Policy") != assets.WorkerPolicy || h.Get("Service-Worker-Allowed") != "/verify" || h.Get("Cache-Control") != "no-cache" ||
		!strings.HasPrefix(h.Get("Content-Type"), "text/javascript") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%d %v", w.Code, h)
	}
	for _, path := range regexp.MustCompile(`"(/(?:assets|verify)[^"]*)"`).FindAllStringSubmatch(strings.SplitN(w.Body.String(), "\n", 2)[0], -1) {
		if got := get(s, path[1]); got.Code != http.StatusOK {
			t.Errorf("%s: %d", path[1], got.Code)
		}
	}
	version := regexp.MustCompile(`"version":"[^"]+"`)
	again, _ := newServer(t, nil)
	newer, _ := newServer(t, func(c *Config) { c.Version = "newer" })
	first := version.FindString(w.Body.String())
	if first == "" || version.FindString(get(again, workerPath).Body.String()) != first || version.FindString(get(newer, workerPath).Body.String()) == first {
		t.Errorf("version %s", first)
	}
	if got := get(s, workerPath+"?unknown=1"); got.Code != http.StatusBadRequest {
		t.Errorf("an unknown field: %d", got.Code)
	}
}

// TestOfflineTexts: the page has a text for every outcome, in every language.
func TestOfflineTexts(t *testing.T) {
	s, _ := newServer(t, nil)
	for _, l := range s.say.Languages() {
		v := s.verifyPage(s.say.In(l.Code), view.Field{}).Offline
		for _, code := range []string{"", encode.CodeExpired, encode.CodeNotYet, encode.CodeListOld, encode.CodeRevoked, encode.CodeUnknownKey, encode.CodeSignature, encode.CodeMalformed, keysOld} {
			if o := v.Verdicts[code]; o[0] == "" || o[1] == "" || o[2] == "" || strings.HasPrefix(o[1], "verify.") || strings.HasPrefix(o[2], "verify.") {
				t.Errorf("%s: %q is %q", l.Code, code, o)
			}
		}
		for id, text := range v.Texts {
			if text == "" || strings.Contains(text, "verify.") || strings.Contains(text, "<no value>") {
				t.Errorf("%s: %s is %q", l.Code, id, text)
			}
		}
		if len(v.Products) != len(encode.Products()) || len(v.Months) != 12 {
			t.Errorf("%s: %d products, %d months", l.Code, len(v.Products), len(v.Months))
		}
	}
}
