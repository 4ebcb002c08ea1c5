package storybook

import (
	"encoding/json"
	"html"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestEveryTextIsInAStory: each text that the pages can say is said by some story, so that every
// state of a screen is seen by designers, translators and the checks of all screens.
func TestEveryTextIsInAStory(t *testing.T) {
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range b.Names() {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", address(name, "en"), nil))
		all.WriteString(html.UnescapeString(w.Body.String()))
	}
	texts := texts(t)
	if len(texts) < 500 {
		t.Fatalf("only %d texts are found", len(texts))
	}
	if missing := unseen(texts, all.String()); len(missing) > 0 {
		t.Errorf("in no story: %q", missing)
	}
	// A text that no story says is found.
	texts["landing.none"] = "Said by nobody {{.At}}"
	if missing := unseen(texts, all.String()); !slices.Equal(missing, []string{"landing.none"}) {
		t.Errorf("a text of no story: %q", missing)
	}
}

// texts are the English ones, by name.
func texts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../catalogue/lang/*/en.json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range append(files, "../catalogue/lang/en.json") {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var one map[string]any
		if err := json.Unmarshal(raw, &one); err != nil {
			t.Fatal(err)
		}
		for id, v := range one {
			// The others are plurals; names of states, papers and the like are values, not texts of a page.
			if text, ok := v.(string); ok && !strings.HasPrefix(id, "name.") {
				out[id] = text
			}
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`\{\{[^}]*\}\}`)

// unseen are the texts of which a part is nowhere.
func unseen(texts map[string]string, pages string) []string {
	var out []string
	for id, text := range texts {
		for _, part := range placeholder.Split(text, -1) {
			if !strings.Contains(pages, strings.TrimSpace(part)) {
				out = append(out, id)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestStoriesStartAnew: a screen is the same whatever was drawn before it, in any language: else
// pictures and checks of the second language look at the first.
func TestStoriesStartAnew(t *testing.T) {
	draw := func(b *Book, name, code string) string {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", address(name, code), nil))
		return w.Body.String()
	}
	used, err := New()
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range used.Names() {
		draw(used, name, "en")
		if draw(used, name, "ur") != draw(fresh, name, "ur") {
			t.Errorf("%s in Urdu is another screen after it was drawn in English", name)
		}
	}
}
