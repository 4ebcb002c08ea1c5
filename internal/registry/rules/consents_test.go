package rules

import "testing"

func TestConsents(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Consents() {
		if c.Version == "" || seen[c.Version] || c.Purpose == "" || c.Text == "" || c.TextHi == "" || c.From.IsZero() {
			t.Errorf("%+v is not whole, or a version is used twice", c)
		}
		seen[c.Version] = true
	}
	if !PublishedConsent("1") {
		t.Error("CoWIN's clients send 1")
	}
	for _, v := range []string{"", "2", "01", "1 "} {
		if PublishedConsent(v) {
			t.Errorf("%q was never published", v)
		}
	}
}
