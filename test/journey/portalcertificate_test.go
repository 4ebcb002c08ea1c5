package journey

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestPortalCertificate: in a browser without scripts somebody shows, downloads and checks
// their certificate, and cannot have that of another adult of the household, who has a card,
// without it; each showing is on their list.
func TestPortalCertificate(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref, other := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	s.Vaccinate(c, mobile, ref)
	card := harness.CardOf(c.Must("POST", "/v3/people/card", map[string]string{"beneficiary_reference_id": ref}))

	p := s.Portal()
	p.SignIn(mobile)
	paths := map[string]string{ref: "/p/" + p.Handle(ref), other: "/p/" + p.Handle(other)}
	if a := p.Get(paths[other] + "/certificate"); a.Status != 200 || !strings.Contains(string(a.Body), "There is no certificate yet") {
		t.Fatalf("without a dose: %d %s", a.Status, a.Body)
	}
	at := paths[ref] + "/certificate"
	p.Get(at)
	if a := p.Submit(at, "as", "page"); a.Status != http.StatusForbidden || !strings.Contains(string(a.Body), "has a card of their own") {
		t.Fatalf("the certificate of an adult with a card: %d %s", a.Status, a.Body)
	}
	if a := p.Submit(at+"/card", "card", card.Text, "pin", "000001"); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong PIN: %d", a.Status)
	}
	if a := p.Submit(at+"/card", "card", card.Text, "pin", card.PIN); a.Status != http.StatusSeeOther {
		t.Fatalf("card and PIN: %d %s", a.Status, a.Body)
	}
	p.Get(at)
	a := p.Submit(at, "as", "page")
	if a.Status != 200 || !strings.Contains(string(a.Body), "Asha Test") || strings.Contains(string(a.Body), ref) {
		t.Fatalf("the page: %d %s", a.Status, a.Body)
	}
	text := regexp.MustCompile(`HC1:[0-9A-Z $%*+\-./:]+`).FindString(string(a.Body))
	if v := p.Post("/verify", map[string][]string{"text": {text}}); !strings.Contains(string(v.Body), "Genuine") || !strings.Contains(string(v.Body), "Asha Test") {
		t.Errorf("its code: %d %s", v.Status, v.Body)
	}
	p.Get(at)
	if a := p.Submit(at, "as", "pdf"); a.Status != 200 || !bytes.HasPrefix(a.Body, []byte("%PDF-")) {
		t.Errorf("the file: %d", a.Status)
	}
	c.Must("POST", harness.UnlockPath, map[string]string{"card": card.Text, "pin": card.PIN}) // what the card guards is on its list
	n := 0
	for _, o := range c.Openings() {
		if o.View == "certificate" && o.Reference == ref && o.Role == "holder" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d showings are on the list", n)
	}
}
