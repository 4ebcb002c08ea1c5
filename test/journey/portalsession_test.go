package journey

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestPortalSession: somebody signs in in a browser without scripts, their time runs out, they
// go on where they were, and sign out; the bearer is dead in the vault then, not only gone
// from the browser.
func TestPortalSession(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	p, mobile := s.Portal(), s.Mobile()
	if a := p.Get("/account"); a.Status != http.StatusUnauthorized {
		t.Fatalf("a stranger: %d", a.Status)
	}
	if a := p.SignInHere(mobile); a.Header.Get("Location") != "/account" {
		t.Fatalf("after the sign-in: %d %v", a.Status, a.Header)
	}
	bearer := p.Cookie("__Host-session")
	if a := p.Get("/account"); a.Status != http.StatusOK || strings.Contains(string(a.Body), mobile) || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the account: %d %v", a.Status, a.Header)
	}
	if a := s.Client().With(bearer).Must("GET", "/v2/appointment/beneficiaries", nil); !a.OK() {
		t.Errorf("the cookie is not the vault's bearer: %s", a.Text())
	}
	s.Forward(16 * time.Minute)
	if a := p.Get("/account"); a.Status != http.StatusUnauthorized || !strings.Contains(string(a.Body), "run out") {
		t.Errorf("after its time: %d", a.Status)
	}
	if a := p.SignInHere(mobile); a.Header.Get("Location") != "/account" || p.Cookie("__Host-session") == bearer {
		t.Errorf("signed in again: %d %v", a.Status, a.Header)
	}
	bearer = p.Cookie("__Host-session")
	p.Get("/account")
	if a := p.Submit("/sign-out"); a.Status != http.StatusSeeOther || p.Cookie("__Host-session") != "" || p.Cookie("__Host-seat") != "" {
		t.Errorf("sign-out: %d %v", a.Status, a.Header)
	}
	if a := s.Client().With(bearer).Must("GET", "/v2/appointment/beneficiaries", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("the session lives on: %s", a.Text())
	}
}
