package journey

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// waysTest is a household of a real installation, as browsers see it.
type waysTest struct {
	*testing.T
	s      *harness.Server
	mobile string
}

func (w waysTest) page(p *harness.Portal, path string, status int, says ...string) {
	w.Helper()
	a := p.Get(path)
	w.said(a, status, says...)
}

func (w waysTest) said(a harness.Answer, status int, says ...string) {
	w.Helper()
	if a.Status != status || a.Header.Get("Cache-Control") != "no-store" && status != http.StatusSeeOther {
		w.Fatalf("%d, want %d: %s", a.Status, status, a.Body)
	}
	for _, x := range says {
		if !strings.Contains(string(a.Body), x) {
			w.Errorf("the page does not say %q: %s", x, a.Body)
		}
	}
}

// done sends a form of the page and follows it to the page that says what was done.
func (w waysTest) done(p *harness.Portal, says, action string, pairs ...string) {
	w.Helper()
	a := p.Submit(action, pairs...)
	if a.Status != http.StatusSeeOther {
		w.Fatalf("%s: %d %s", action, a.Status, a.Body)
	}
	w.page(p, a.Header.Get("Location"), 200, says)
}

// emailCode is the newest code that an address got.
func (w waysTest) emailCode(address string, have int) string {
	w.Helper()
	for _, m := range w.s.AwaitMessages(address, have, 10*time.Second) {
		if code := m.Code(); code != "" {
			return code
		}
	}
	w.Fatal("no code came to the address")
	return ""
}

// TestPortalWays: a household sets an address and a PIN; a second browser waits, and is
// confirmed by the address, by the PIN, or by a card; devices are listed and ended; nothing of it stands in
// an address of a page.
func TestPortalWays(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	w := waysTest{t, s, s.Mobile()}
	own, k := s.Portal(), s.DeviceKey()
	own.SignInOn(k, w.mobile)
	ref := s.Client().With(own.Cookie("__Host-session")).Enrol("Asha Test")
	w.page(own, "/account/devices", 200, "This device", "Trusted")

	// The other channel.
	address := "a" + s.Mobile() + "@mail.example"
	w.page(own, "/account/email", 200)
	w.said(own.Submit("/account/email", "email", "nonsense"), 422, "Enter an e-mail address like")
	w.said(own.Submit("/account/email", "email", address), 200, "Enter the code from the e-mail")
	code := w.emailCode(address, 0)
	w.said(own.Submit("/account/email/confirm", "code", "000000"), 422, "That is not the code")
	w.done(own, "The address is confirmed", "/account/email/confirm", "code", code)
	if strings.Contains(string(own.Last.Body), address) {
		t.Error("the address is shown")
	}

	// A second browser waits, and the address speaks for it.
	second, k2 := s.Portal(), s.DeviceKey()
	second.SignInOn(k2, w.mobile)
	w.page(second, "/account", 200, "Until it is confirmed it shows initials only")
	w.page(second, "/account/pin", 403, "This device is new")
	w.page(second, "/account/email", 403, "This device is new")
	w.page(second, "/account/devices", 200, "With a code to your e-mail address")
	w.said(second.Submit("/account/devices/card", "card", "TK1:A", "pin", "1"), 422, "not the text of a card")
	have := len(s.To(address))
	w.said(second.Submit("/account/devices/code"), 200, "Enter the code from the e-mail")
	w.done(second, "You see everything now", "/account/devices/confirm", "code", w.emailCode(address, have))

	// A PIN; a third browser gives it.
	w.page(own, "/account/pin", 200, "There is no PIN")
	w.said(own.Submit("/account/pin", "new", "123456"), 422, "too easy to guess")
	w.done(own, "There is a PIN", "/account/pin", "new", "४८२९१३")
	third, k3 := s.Portal(), s.DeviceKey()
	third.SignInOn(k3, w.mobile)
	w.page(third, "/account/devices", 200, "does not end by itself")
	w.said(third.Submit("/account/devices/pin", "pin", "111222"), 422, "The PIN is not right")
	w.done(third, "You see everything now", "/account/devices/pin", "pin", "482913")
	w.page(third, "/p/"+third.Handle(ref), 200, "Asha Test")

	// It is ended by the first, with its session.
	w.page(own, "/account/devices", 200)
	others := 0
	for _, line := range strings.Split(string(own.Last.Body), "<li class=\"tk-card")[1:] {
		if id := regexp.MustCompile(`name="id" value="([0-9a-f]+)"`).FindStringSubmatch(line); id != nil && !strings.Contains(line, "This device") {
			others++
			own.Get("/account/devices")
			w.done(own, "The device was ended", "/account/devices/end", "id", id[1])
		}
	}
	if others != 2 {
		t.Fatalf("%d other devices", others)
	}
	for _, p := range []*harness.Portal{second, third} {
		w.page(p, "/account/devices", 401, "run out")
	}
	w.page(own, "/account/devices", 200, "This device")

	// The PIN and the address go.
	w.page(own, "/account/pin", 200)
	w.said(own.Submit("/account/pin/end", "old", "111222"), 422, "The PIN is not right")
	w.done(own, "There is no PIN", "/account/pin/end", "old", "482913")
	w.said(own.Submit("/account/pin/back", "pin", "482913"), 422, "The PIN is not right")
	w.page(own, "/account/email", 200)
	w.done(own, "taken away", "/account/email/delete")

	// Card and PIN sign in, for one person, and change nothing of this.
	c := s.Client().With(own.Cookie("__Host-session"))
	card := harness.CardOf(c.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": ref}))
	p := s.Portal()
	p.Get("/sign-in/card")
	w.said(p.Submit("/sign-in/card", "card", card.Text, "pin", "000000"), 422, "not right")
	if a := p.Submit("/sign-in/card", "card", strings.ToLower(card.Text), "pin", card.PIN); a.Status != http.StatusSeeOther {
		t.Fatalf("card: %d %s", a.Status, a.Body)
	}
	w.page(p, "/account", 200, "Asha Test")
	for _, path := range []string{"/account/devices", "/account/pin", "/account/email"} {
		w.page(p, path, 403, "You signed in with a card")
	}
}

// TestPortalCardToMobile: who came with a card and no phone is brought under a mobile with card
// and PIN, on the page that the help and the way to another mobile name; a wrong PIN and somebody
// who has a mobile are refused, with a text that says what to do.
func TestPortalCardToMobile(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	s.OpenToday()
	card := s.WalkIn(harness.Person{Name: "Asha Test", ID: s.PAN()})
	p := s.Portal()
	p.SignIn(s.Mobile())
	page := "/account/relink"
	p.Get(page)
	if a := p.Submit(page+"/card", "card", card.Text, "pin", "000001"); a.Status != 422 || !strings.Contains(string(a.Body), "The card or its PIN is not right") || strings.Contains(string(a.Body), "000001") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := p.Submit(page+"/card", "card", strings.ToLower(card.Text), "pin", card.PIN); a.Status != 200 || !strings.Contains(string(a.Body), "under this mobile now") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := p.Get("/account"); !strings.Contains(string(a.Body), "Asha Test") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	other := s.Portal()
	other.SignIn(s.Mobile())
	other.Get(page)
	if a := other.Submit(page+"/card", "card", card.Text, "pin", card.PIN); a.Status != 422 || !strings.Contains(string(a.Body), "This person is under another mobile") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
