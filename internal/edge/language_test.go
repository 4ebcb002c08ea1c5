package edge

import (
	"net/http"
	"strings"
	"testing"

	"tikakosh/internal/scheduling"
)

func TestLanguageOf(t *testing.T) {
	for header, want := range map[string]string{
		"hi_IN": "hi", "hi-IN": "hi", "hi": "hi", "HI-in": "hi", " hi ; q=0.9": "hi", "hi-IN,hi;q=0.9,en;q=0.8": "hi", "mr,hi;q=0.5": "hi",
		"": "en", "en": "en", "en-IN,hi;q=0.8": "en", "en;q=0.3,hi;q=0.8": "hi", "hi;q=0": "en", "hi;q=2": "en", "hi;q=x": "en", "hi;q=NaN": "en",
		"*": "en", "hil": "en", "mr": "en", "en,hi": "en", "hi,en": "hi", "\x00hi": "en", "zh-hi": "en",
	} {
		if got := languageOf(&http.Request{Header: http.Header{"Accept-Language": {header}}}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	two := &http.Request{Header: http.Header{"Accept-Language": {"en;q=0.1", "hi"}}}
	if got := languageOf(two); got != "hi" {
		t.Errorf("two lines: %s", got)
	}
}

func FuzzLanguageOf(f *testing.F) {
	for _, seed := range []string{"hi_IN", "en;q=0.3,hi;q=0.8", ";;,,q=", "hi;q=1e309"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := languageOf(&http.Request{Header: http.Header{"Accept-Language": {header}}})
		if got != "en" && got != "hi" || (got == "hi" && !strings.Contains(strings.ToLower(header), "hi")) {
			t.Errorf("%q: %q", header, got)
		}
	})
}

// TestLocalFields: CoWIN's fields for another language stand beside the English
// ones, only when asked for; what is not held is "".
func TestLocalFields(t *testing.T) {
	r := newRig(t)
	days := []scheduling.CentreDay{{Centre: scheduling.Centre{ID: 7, Name: "Test PHC", StateID: 5, State: "Bihar"}, Sessions: []scheduling.Listed{{}}}}
	for k := range searchKinds {
		english, hindi := string(r.encodeSearch(k, days, "en")), string(r.encodeSearch(k, days, "hi"))
		if strings.Contains(english, "_l\"") {
			t.Errorf("%s in English: %s", searches[k], english)
		}
		for _, want := range []string{`"state_name":"Bihar"`, `"state_name_l":"बिहार"`, `"name":"Test PHC"`, `"name_l":""`, `"block_name_l":""`} {
			if !strings.Contains(hindi, want) {
				t.Errorf("%s in Hindi lacks %s: %s", searches[k], want, hindi)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/{$}", "/", true}, {"/{$}", "/x", false}, {"/healthz", "/healthz", true}, {"/healthz", "/healthz/", false}, {"/healthz", "/", false},
		{"/a/{b}", "/a/1", true}, {"/a/{b}", "/a/", false}, {"/a/{b}", "/a/1/2", false}, {"/a/{b}", "/a", false},
		{"/ledger/{path...}", "/ledger/a/b", true}, {"/ledger/{path...}", "/ledger/", false}, {"/ledger/{path...}", "/ledger", false}, {"/a", "", false},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.path, got)
		}
	}
}
