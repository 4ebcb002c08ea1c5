package certificate

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
)

// TestAgainst: a verifier says how old the list is, and refuses one of more
// than seven days.
func TestAgainst(t *testing.T) {
	s := signer(t, 7)
	keys, err := encode.NewKeySet(s)
	if err != nil {
		t.Fatal(err)
	}
	_, hc1 := issue(t, s, "COVISHIELD", "Asha Devi")
	plain, err := Verify([]byte(hc1), keys, now)
	if err != nil || !strings.Contains(strings.Join(plain.Lines(), "\n"), "Revocation was not checked") {
		t.Fatalf("%v %v", plain.Lines(), err)
	}
	for name, c := range map[string]struct {
		age     time.Duration
		revoked bool
		code    string
		says    string
	}{
		"fresh":              {time.Hour, false, "", "GENUINE"},
		"six days":           {6 * 24 * time.Hour, false, "", "6 days old"},
		"just seven days":    {7 * 24 * time.Hour, false, "", "7 days old"},
		"eight days":         {8 * 24 * time.Hour, false, encode.CodeListOld, "NOT DECIDED"},
		"eight days, listed": {8 * 24 * time.Hour, true, encode.CodeListOld, "NOT DECIDED"},
		"to come":            {-time.Hour, false, encode.CodeListOld, "NOT DECIDED"},
		"revoked":            {time.Hour, true, encode.CodeRevoked, "REVOKED"},
	} {
		hashes := []encode.RevocationHash{encode.RevocationHashOf("another")}
		if c.revoked {
			hashes = append(hashes, encode.RevocationHashOf(plain.Facts.CI))
		}
		raw, err := encode.SignRevocations("Test", 3, now.Add(-c.age), hashes, s)
		if err != nil {
			t.Fatal(err)
		}
		list, err := encode.ParseRevocations(raw, keys)
		if err != nil {
			t.Fatal(err)
		}
		res, err := plain.Against(list, now)
		if text := strings.Join(res.Lines(), "\n"); fault.CodeOf(err) != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
