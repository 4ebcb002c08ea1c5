package keeper_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// FuzzWalkInBooking: of whatever a vaccinator signs to book somebody who is there, one
// person, a session and a slot are read, or it is refused.
func FuzzWalkInBooking(f *testing.F) {
	for _, s := range []string{`{"dose":1,"session_id":"s","slot":"09:00AM-12:00PM","beneficiaries":["10000000000009"],"card":"TK1:X"}`, `{"dose":"2","session_id":"s","slot":"x","beneficiaries":[7]}`,
		`{"dose":1,"session_id":"s","slot":"x","beneficiaries":["a","b"]}`, `{"dose":1e9,"beneficiaries":[null]}`, `null`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		session, slot, people, dose, err := keeper.ParseWalkInBooking(body)
		switch {
		case err != nil && !fault.Is(err, fault.Invalid):
			t.Errorf("%q: %v", body, err)
		case err == nil && (session == "" || slot == "" || people != 1 || len(body) > 8192):
			t.Errorf("taken: %q: %q %q %d %d", body, session, slot, people, dose)
		}
	})
}

// FuzzTrippedAsked: of whatever address a manager signs, a centre or none is read, or it is refused.
func FuzzTrippedAsked(f *testing.F) {
	for _, s := range []string{trippedURL, "http://127.0.0.1/api/v3/staff/tripped", "%", "?center_id=7", "http://x/api/v3/staff/tripped?center_id=-1", "http://x/api/v3/staff/tripped?center_id=99999999999999999999&center_id=7"} {
		f.Add(s, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, url string, body []byte) {
		c, err := keeper.TrippedAsked(vault.Signed{Method: "GET", URL: url, Body: body})
		switch {
		case err != nil && !fault.Is(err, fault.Unauthorized) && !fault.Is(err, fault.Invalid):
			t.Errorf("%q: %v", url, err)
		case err == nil && (c < 0 || len(body) > 0):
			t.Errorf("%q: %d", url, c)
		}
	})
}
