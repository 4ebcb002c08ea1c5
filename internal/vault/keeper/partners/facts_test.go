package partners

import (
	"encoding/json"
	"testing"

	"tikakosh/internal/fault"
)

// FuzzFacts: no body of a partner makes the vault fail, and what is read of it is
// what it says.
func FuzzFacts(f *testing.F) {
	for _, s := range []string{`{"mobile":"0000000701"}`, `{"mobile_number":701,"full_name":"Asha Test"}`, `{"otp":"x","txnId":"y"}`, `[]`, `{"mobile":{}}`, `{"mobile":-1}`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		facts, err := readFacts(body)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		if facts.Mobile != "" && !json.Valid(body) {
			t.Errorf("%q was taken", body)
		}
	})
}
