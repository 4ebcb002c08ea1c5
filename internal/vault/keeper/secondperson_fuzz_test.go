package keeper_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// FuzzListAsked: of whatever address a manager signs, a centre and perhaps the id of
// one proposal are read, or it is refused.
func FuzzListAsked(f *testing.F) {
	for _, s := range []string{correctionsURL + "?center_id=7", correctionsURL + "?center_id=7&correction_id=" + id.New(), correctionsURL, "", "%", correctionsURL + "?center_id=-1",
		correctionsURL + "?center_id=99999999999999999999", correctionsURL + "/approve?center_id=7", correctionsURL + "?center_id=7&correction_id=event/x", "https://api.test/x?y=/staff/corrections"} {
		f.Add(s, []byte(nil))
	}
	f.Add(correctionsURL+"?center_id=7", []byte("x"))
	f.Fuzz(func(t *testing.T, url string, body []byte) {
		centre, one, err := keeper.ListAsked(vault.Signed{Method: "GET", URL: url, Body: body})
		if err != nil {
			if !fault.Is(err, fault.Unauthorized) && !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", url, err)
			}
			return
		}
		if centre <= 0 || (one != "" && !id.Valid(one)) || len(body) > 0 {
			t.Errorf("%q: %d %q", url, centre, one)
		}
	})
}
