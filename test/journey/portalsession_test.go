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

// TestPortalSilent: a browser that does not say where its forms come from signs in, acts, is signed
// in again on the way with what it typed, and signs out.
func TestPortalSilent(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	p, mobile := s.Portal(), s.Mobile()
	p.Silent = true
	if a := p.SignIn(mobile); a.Header.Get("Location") != "/account" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	number := s.PAN()
	fields := []string{"name", "Asha Test", "gender", "2", "year", "19", "kind", "9", "id", number, "agree", "1"}
	p.Get("/account/add")
	if a := p.Submit("/account/add", fields...); a.Status != http.StatusUnprocessableEntity {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Forward(16 * time.Minute)
	a := p.Submit("/account/add", fields...)
	if a.Status != http.StatusUnauthorized || strings.Contains(string(a.Body), number) {
		t.Fatalf("after its time: %d %s", a.Status, a.Body)
	}
	if a := p.SignInHere(mobile); a.Status != 200 || !strings.Contains(string(a.Body), `value="Asha Test"`) || !strings.Contains(string(a.Body), `value="`+number+`"`) {
		t.Fatalf("what was typed is gone: %d %s", a.Status, a.Body)
	}
	if a := p.Submit("/account/add", fields...); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("the form after the sign-in: %d %s", a.Status, a.Body)
	}
	if a := p.Post("/sign-out", nil); a.Status != http.StatusForbidden {
		t.Errorf("a form of nobody's page: %d", a.Status)
	}
	p.Get("/account")
	if a := p.Submit("/sign-out"); a.Status != http.StatusSeeOther || p.Cookie("__Host-session") != "" {
		t.Errorf("sign-out: %d", a.Status)
	}
}

// TestPortalCardSays: who has signed in with a card is told what goes by the mobile before anything
// is typed, and what to do instead; the person's own pages work.
func TestPortalCardSays(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	s.OpenToday()
	card := s.WalkIn(harness.Person{Name: "Asha Test", ID: s.PAN()})
	p := s.Portal()
	p.Get("/sign-in/card")
	if a := p.Submit("/sign-in/card", "card", card.Text, "pin", card.PIN); a.Header.Get("Location") != "/account" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	a := p.Get("/account")
	if a.Status != 200 || !strings.Contains(string(a.Body), "Asha Test") || !strings.Contains(string(a.Body), "You signed in with a card") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	own := "/p/" + p.Handle(card.Reference)
	for _, path := range []string{"/account/add", "/notify", "/account/devices", "/account/pin", "/account/email", "/account/relink"} {
		if strings.Contains(string(a.Body), `href="`+path+`"`) {
			t.Errorf("%s is offered to a card", path)
		}
		got := p.Get(path)
		if got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "This goes by the mobile number") || strings.Contains(string(got.Body), "another website") || !strings.Contains(string(got.Body), "vaccination centre") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
		if got := p.Post(path, nil); got.Status != http.StatusForbidden && got.Status != http.StatusMethodNotAllowed && got.Status != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, got.Status)
		}
	}
	ask := p.Get(own + "/ask")
	if ask.Status != 200 || strings.Contains(string(ask.Body), "what=move") || !strings.Contains(string(ask.Body), "what=details") {
		t.Errorf("%d %s", ask.Status, ask.Body)
	}
	for _, path := range []string{own, own + "/seen", own + "/card", "/requests"} {
		if got := p.Get(path); got.Status != 200 {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	// The way that the page shows.
	p.Get("/account/add")
	p.Submit("/sign-out")
	if a := p.SignIn(s.Mobile()); a.Header.Get("Location") != "/account" {
		t.Errorf("%d", a.Status)
	}
	if a := p.Get("/account/add"); a.Status != 200 {
		t.Errorf("with the mobile: %d", a.Status)
	}
}
