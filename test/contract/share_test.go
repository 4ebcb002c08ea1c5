package contract

import (
	"bytes"
	"testing"

	"tikakosh/test/harness"
)

// TestShareErrors: links that are none and wishes that are refused, in each language.
func TestShareErrors(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	other, _ := s.Holder()
	waiting := s.Mobile()
	own := s.Client().SignInOn(s.DeviceKey(), waiting)
	kept := own.Enrol("Asha Test")
	waits := s.Client().SignInOn(s.DeviceKey(), waiting)
	for i := range 5 {
		if a := c.Must("POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref}); !a.OK() {
			t.Fatalf("link %d: %s", i, a.Text())
		}
	}
	for _, r := range []refused{
		{"no such link", "POST", "/v3/shares/open", map[string]any{"token": "AAAAAAAAAAAAAAAAAAAAAA"}, 404, "NOTFOUND"},
		{"a link that is cut", "POST", "/v3/shares/open", map[string]any{"token": "AAA"}, 404, "NOTFOUND"},
		{"no token", "POST", "/v3/shares/open", map[string]any{}, 400, "USRRES0001"},
		{"too many days", "POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref, "days": 31}, 400, "USRRES0001"},
		{"a sixth link", "POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref}, 409, "shares"},
		{"to end what is none", "POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": ref, "id": nowhere}, 404, "NOTFOUND"},
		{"an id that is none", "POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": ref, "id": "x"}, 400, "USRRES0001"},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				r.checkIn(t, lang, ask(t, c, r.method, r.path, r.body, "Accept-Language", lang))
			})
		}
	}
	for _, path := range []string{"/v3/shares", "/v3/shares/list"} {
		if a := other.Must("POST", path, map[string]any{"beneficiary_reference_id": ref}); a.Status != 404 {
			t.Errorf("another household, %s: %s", path, a.Text())
		}
		if a := waits.Must("POST", path, map[string]any{"beneficiary_reference_id": kept}); a.Status != 403 || a.Field("errorCode") != "NEWDEVICE" {
			t.Errorf("a new device, %s: %s", path, a.Text())
		}
	}
}

// shares makes, lists, opens and ends a link.
func (r *tour) shares() {
	r.Helper()
	s := r.s
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	body := map[string]any{"beneficiary_reference_id": ref}
	a := r.good(c, "POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref, "days": 1})
	token, link := a.Field("token"), a.Field("id")
	if len(token) < 22 || a.Field("state") != "live" {
		r.Errorf("a link: %s", a.Text())
	}
	if doc := r.good(s.Client(), "POST", "/v3/shares/open", map[string]any{"token": token}); !bytes.HasPrefix(doc.Body, []byte("%PDF-")) {
		r.Errorf("opened: %s", doc.Text())
	}
	if l := r.good(c, "POST", "/v3/shares/list", body); !bytes.Contains(l.Body, []byte(`"uses":1`)) || bytes.Contains(l.Body, []byte(token)) {
		r.Errorf("the list: %s", l.Text())
	}
	r.good(c, "POST", "/v3/shares/end", map[string]any{"beneficiary_reference_id": ref, "id": link})
	if a := s.Client().Must("POST", "/v3/shares/open", map[string]any{"token": token}); a.Status != 404 {
		r.Errorf("after its end: %s", a.Text())
	}
}

// shareForms are those of the routes about links.
func shareForms(t *testing.T, s *harness.Server, public func(string, map[string]any), add func(string, func(*testing.T, []byte) harness.Answer, map[string]any)) {
	t.Helper()
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Link")
	s.Vaccinate(c, mobile, ref)
	mine := func(path string, body map[string]any) {
		add(path, func(t *testing.T, body []byte) harness.Answer { t.Helper(); return ask(t, c, "POST", path, body) }, body)
	}
	made := func() harness.Answer {
		return want(t, ask(t, c, "POST", "/v3/shares", map[string]any{"beneficiary_reference_id": ref}), 200)
	}
	mine("/v3/shares", map[string]any{"beneficiary_reference_id": ref, "days": 1})
	mine("/v3/shares/list", map[string]any{"beneficiary_reference_id": ref})
	mine("/v3/shares/end", map[string]any{"beneficiary_reference_id": ref, "id": made().Field("id")})
	public("/v3/shares/open", map[string]any{"token": made().Field("token")})
}
