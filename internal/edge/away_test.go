package edge

import (
	"net/http/httptest"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestAway: each reason for which the vault does nothing is 503 with a time to wait
// and words of its own, in both languages, under the code that every 503 has.
func TestAway(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []*fault.Error{
		{Kind: fault.Unavailable, Code: vault.CodeAway}, {Kind: fault.Unknown, Code: vault.CodeAway}, {Kind: fault.Unavailable, Code: vault.CodeShares},
		{Kind: fault.Unavailable, Code: vault.CodeStandby}, {Kind: fault.Unavailable, Code: vault.CodeCustody},
	} {
		for _, lang := range []string{"en", "hi"} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Language", lang)
			w := httptest.NewRecorder()
			newRig(t).fail(w, r, "r1", f)
			body := w.Body.String()
			if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(body, `"UNAVAILABLE"`) || strings.Contains(body, "cannot answer now") || seen[body] {
				t.Errorf("%s %s in %s: %d %v %s", f.Kind, f.Code, lang, w.Code, w.Header(), body)
			}
			if (lang == "hi") != strings.Contains(body, "कोशिश") && (lang == "hi") != strings.Contains(body, "कृपया") {
				t.Errorf("%s in %s: %s", f.Code, lang, body)
			}
			seen[body] = true
		}
	}
	for _, code := range []string{vault.CodeStarting, vault.CodeDatabase} {
		if awayText(fault.Unavailable, code) == "" {
			t.Errorf("no words for %s", code)
		}
	}
}

// TestWithoutKeys: a web process that has never seen the vault serves what needs no
// person and refuses the rest, until it learns the keys.
func TestWithoutKeys(t *testing.T) {
	var keys vault.Keys
	r := newRig(t, func(c *Config) { keys, c.Keys, c.KeysLater = c.Keys, vault.Keys{}, true })
	ask := func(path string) int {
		q := httptest.NewRequest("GET", path, nil)
		if strings.Contains(path, "beneficiaries") {
			q.Header.Set("Authorization", "Bearer "+r.bearerText(t))
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		return w.Code
	}
	for path, want := range map[string]int{"/api/v2/admin/location/states": 200, "/api/v3/keys": 503, "/api/v2/appointment/beneficiaries": 503} {
		if got := ask(path); got != want {
			t.Errorf("%s without keys: %d", path, got)
		}
	}
	if r.Known(t.Context()) == nil {
		t.Error("ready without keys")
	}
	if err := r.UseKeys(keys); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v3/keys", "/api/v2/appointment/beneficiaries"} {
		if got := ask(path); got != 200 {
			t.Errorf("%s with keys: %d", path, got)
		}
	}
}
