package storybook

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"tikakosh/internal/portal/assets"
)

// unsaid is a message's name where its text should be.
var unsaid = regexp.MustCompile(`>\s*(site|nav|foot|landing|error|find|verify|numbers|promises|status|access|sign|ways|account|book|notify|cert|share|seen|ask|leave|export)\.[a-z_0-9]+\s*<`)

// TestEveryStory: each screen is whole in every language, has no style or script of its own,
// and no text is missing.
func TestEveryStory(t *testing.T) {
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range b.Names() {
		for _, code := range b.Languages() {
			w := httptest.NewRecorder()
			b.ServeHTTP(w, httptest.NewRequest("GET", address(name, code), nil))
			body := w.Body.String()
			if w.Code != 200 || !strings.HasSuffix(body, "</html>") || !strings.Contains(body, `<html lang="`+code+`"`) {
				t.Errorf("%s in %s: %d", name, code, w.Code)
			}
			if m := unsaid.FindString(body); m != "" {
				t.Errorf("%s in %s: %s", name, code, m)
			}
			for _, no := range []string{" style=", "<style", "<script>", " onclick", "javascript:"} {
				if strings.Contains(body, no) {
					t.Errorf("%s in %s has %s", name, code, no)
				}
			}
			if policy := w.Header().Get("Content-Security-Policy"); policy != assets.Policy && !(policy == assets.CameraPolicy && name == "verify") && !(policy == assets.CardPolicy && (strings.HasPrefix(name, "card") || strings.HasPrefix(name, "relink"))) {
				t.Errorf("%s: another policy than the portal's", name)
			}
		}
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest("GET", "/s/none", nil))
	if w.Code != 404 {
		t.Errorf("no story: %d", w.Code)
	}
}
