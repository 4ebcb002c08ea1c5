package edge

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// FuzzAssertion: whatever is in the header of a passkey's answer, it is JSON of bounded
// size in its one text, nothing, or refused.
func FuzzAssertion(f *testing.F) {
	for _, s := range []string{"", "e30", "bnVsbA", "e30=", "e30\n", "eyJpZCI6IkFBQUEifQ", "%%", "e3s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := assertionOf(text)
		switch {
		case err != nil && !fault.Is(err, fault.Invalid):
			t.Errorf("%q: %v", text, err)
		case err == nil && text == "" && raw != nil:
			t.Errorf("%q out of nothing", raw)
		case err == nil && text != "" && (!json.Valid(raw) || len(text) > 8<<10):
			t.Errorf("%q is taken: %q", text, raw)
		case err == nil && text != "":
			again, err := assertionOf(base64.RawURLEncoding.EncodeToString(raw))
			if err != nil || string(again) != string(raw) {
				t.Errorf("%q: %q, then %q, %v", text, raw, again, err)
			}
		}
	})
}

// FuzzStaffQuery: of whatever query a member's request has, what is asked for is an id, a
// centre and a day, or it is refused.
func FuzzStaffQuery(f *testing.F) {
	for _, s := range []string{"", "center_id=7&date=24-11-2026", "center_id=-7&date=24-11-2026", "center_id=7&date=31-02-2026", "member_id=0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11", "member_id=x", "a;b", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		c := &Ctx{r: r}
		q, _ := url.ParseQuery(query)
		if err := rosterQuery(c); err == nil {
			if _, err := civil.ParseIndian(q.Get("date")); err != nil || q.Get("center_id") == "" {
				t.Errorf("%q is a roster's", query)
			}
		} else if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", query, err)
		}
		if err := requiredID("member_id")(c); err == nil && !id.Valid(q.Get("member_id")) {
			t.Errorf("%q names a member", query)
		}
	})
}

// FuzzIdentityForm: of whatever body a member sends, a field that an act needs is said to
// be there only when there is something in it.
func FuzzIdentityForm(f *testing.F) {
	for _, s := range []string{`{}`, `{"link":"x"}`, `{"nonce":"n","name":"Nita","grant":"national@national"}`, `{"member_id":"x","center_id":7,"date":"24-11-2026","on":true}`, `{"center_id":-1,"on":null}`,
		`{"credential":{"id":"AAAA"},"ceremony":""}`, `{"unknown":1}`, `null`} {
		f.Add([]byte(s))
	}
	names := []string{"link", "name", "ceremony", "credential", "grant", "member_id", "device_id", "proposal_id", "text_sha256", "reason", "nonce", "center_id", "date", "on"}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var form identityForm
		if err := decodeJSON(raw, &form, true); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		var have map[string]json.RawMessage
		if err := json.Unmarshal(raw, &have); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		for _, name := range names {
			there := false
			for k, v := range have { // names are taken in any case
				there = there || (strings.EqualFold(k, name) && (name == "credential" || (string(v) != `""` && string(v) != "null")))
			}
			if form.has(name) && !there {
				t.Errorf("%q has %s", raw, name)
			}
		}
	})
}
