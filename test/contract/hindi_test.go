package contract

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

func devanagari(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Devanagari, r) })
}

// TestHindi: who asks for Hindi is refused in Hindi, with the same code, and
// gets the code's message in Hindi.
func TestHindi(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	for _, language := range []string{"hi_IN", "hi-IN,hi;q=0.9,en;q=0.8"} {
		a := c.Must("POST", "/v2/registration/beneficiary/new", map[string]any{"name": "Asha Test"}, "Accept-Language", language)
		if a.Status != 400 || a.Field("errorCode") != "USRRES0001" || !devanagari(a.Field("error")) {
			t.Errorf("%s: %s", language, a.Text())
		}
		if !strings.Contains(a.Header.Get("Vary"), "Accept-Language") {
			t.Errorf("%s: Vary is %q", language, a.Header.Get("Vary"))
		}
	}
	if a := c.Must("POST", "/v2/registration/beneficiary/new", map[string]any{"name": "Asha Test"}); devanagari(a.Field("error")) {
		t.Errorf("without a language: %s", a.Text())
	}
	mobile := s.Mobile()
	if a := c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}, "Accept-Language", "hi_IN"); !a.OK() {
		t.Fatal(a.Text())
	}
	if got := s.AwaitMessages(mobile, 0, 10*time.Second); len(got) != 1 || !devanagari(got[0].Text) || got[0].Code() == "" {
		t.Errorf("%d messages, in Hindi: %v", len(got), len(got) > 0 && devanagari(got[0].Text))
	}
}
