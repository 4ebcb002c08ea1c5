package vault

import (
	"strings"
	"testing"
)

func TestCardText(t *testing.T) {
	s := NewCardSecret()
	text := s.Text()
	if len(text) != 36 || !strings.HasPrefix(text, "TK1:") || s == NewCardSecret() {
		t.Fatalf("%q", text)
	}
	spaced := strings.ToLower(text[:8] + " " + text[8:16] + "-" + text[16:])
	for _, good := range []string{text, spaced, " " + text} {
		if got, err := ParseCard(good); err != nil || got != s {
			t.Errorf("%q: %v", good, err)
		}
	}
	for i := 4; i < len(text); i++ { // every digit is covered by the check
		other := byte('A')
		if text[i] == 'A' {
			other = 'B'
		}
		if _, err := ParseCard(text[:i] + string(other) + text[i+1:]); err == nil {
			t.Errorf("digit %d changed and still a card", i)
		}
	}
	for _, bad := range []string{"", "TK1:", text[4:], "TK2:" + text[4:], text + "A", text[:35], text[:20] + "\n" + text[20:], strings.Repeat("A", 1000)} {
		if _, err := ParseCard(bad); err == nil {
			t.Errorf("%q was taken for a card", bad)
		}
	}
}

func FuzzParseCard(f *testing.F) {
	f.Add(NewCardSecret().Text())
	f.Add("tk1:aaaa aaaa-aaaa")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseCard(text)
		if err != nil {
			if s != (CardSecret{}) {
				t.Fatal("a refused card has a secret")
			}
			return
		}
		if again, err := ParseCard(s.Text()); err != nil || again != s {
			t.Fatalf("%q does not come back: %v", text, err)
		}
	})
}

func TestParseEvidence(t *testing.T) {
	digest := strings.Repeat("a", 64)
	txn := "0b6c0000-0000-4000-8000-000000000000"
	for text, want := range map[string]Evidence{"": {}, "code 1234": {Code: "1234"}, "card TK1:X": {Card: "TK1:X"}, "otp " + txn + " " + digest: {Txn: txn, Digest: digest}} {
		if got, err := ParseEvidence(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, bad := range []string{"1234", "code", "code 123", "code 12345", "card", "card a b", "otp " + txn, "otp x " + digest, strings.Repeat("card x ", 100)} {
		if got, err := ParseEvidence(bad); err == nil || got != (Evidence{}) {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func FuzzParseEvidence(f *testing.F) {
	f.Add("code 1234")
	f.Add("otp 0b6c0000-0000-4000-8000-000000000000 " + strings.Repeat("a", 64))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseEvidence(text)
		n := 0
		for _, s := range []string{e.Code, e.Card, e.Txn} {
			if s != "" {
				n++
			}
		}
		if n > 1 || (err != nil && e != (Evidence{})) {
			t.Fatalf("%q: %+v %v", text, e, err)
		}
	})
}
