package portal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/vault"
)

// papers are those of a household of two; the second has a card of their own.
type papers struct {
	made    int
	shown   bool
	waiting bool
	err     error
	doc     vault.Certificate
	keys    []byte
}

const (
	firstRef  = "12345678901234"
	secondRef = "98765432109876"
)

func (p *papers) Household(context.Context, vault.Holder) (registry.Household, error) {
	return registry.Household{Waiting: p.waiting, People: []registry.Beneficiary{{Reference: firstRef, Name: "Asha " + hostileName, Product: "COVISHIELD"}, {Reference: secondRef, Name: "Ravi Test", Product: "COVISHIELD"}}}, nil
}

func (p *papers) Certificate(_ context.Context, _ vault.Holder, ref id.Reference, _ string) (vault.Certificate, error) {
	if p.err != nil {
		return vault.Certificate{}, p.err
	}
	if ref == secondRef && !p.shown {
		return vault.Certificate{}, fault.New(fault.Forbidden, "CARDFIRST", "a secret of the vault")
	}
	p.made++
	return p.doc, nil
}

func (p *papers) ShowCard(_ context.Context, r vault.ShowCardRequest) error {
	if r.Card != "TK1:GOOD" || r.PIN != "123456" {
		return fault.New(fault.Invalid, "CARD", "a secret of the vault")
	}
	p.shown = true
	return nil
}

func (p *papers) CertificateKeys() ([]byte, error) { return p.keys, nil }

func (p *papers) RevocationList(context.Context) ([]byte, error) {
	return nil, fault.New(fault.Unavailable, "", "")
}

// newPapers is a server with somebody signed in (seated) and a certificate to show.
func newPapers(t *testing.T) (*Server, *papers) {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(7).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := encode.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	p := &papers{}
	keys, err := encode.NewKeySet(signer)
	if err == nil {
		p.keys, err = keys.Marshal()
	}
	if err != nil {
		t.Fatal(err)
	}
	ci, err := encode.UVCI("IN", 1, "K7Q2M5XW3ABTN")
	if err != nil {
		t.Fatal(err)
	}
	f := encode.Facts{Realm: 1, CI: ci, ViewRef: "K7Q2M5XW3ABTN", Name: "Asha Test", BirthYear: 1980, Doses: []encode.Dose{{Number: 1, Total: 2, Product: "COVISHIELD", Given: civil.Date{Year: 2026, Month: 1, Day: 2}}},
		Issuer: "State Health Mission", IssuedAt: noon(), ExpiresAt: noon().AddDate(1, 0, 0)}
	p.doc = vault.Certificate{PDF: []byte("%PDF-1.7 x"), ViewRef: f.ViewRef}
	if p.doc.HC1, err = encode.CarrierFor("COVISHIELD").Encode(f, signer); err != nil {
		t.Fatal(err)
	}
	g := &gate{live: map[string]bool{}}
	s, _ := newServer(t, func(c *Config) {
		c.Sessions, c.Live, c.Papers, c.Unlock, c.Certificates = g, g.Live, p, p, p
	})
	return s, p
}

// TestCertificatePage: nothing is opened before somebody presses; then page and file are what
// the vault made; who is nobody of the household has no page.
func TestCertificatePage(t *testing.T) {
	s, p := newPapers(t)
	at := func(ref id.Reference) string { return "/p/" + (&Ctx{seat: seat}).handle(ref) + "/certificate" }
	asked := get(s, at(firstRef), "Cookie", seated)
	if asked.Code != 200 || p.made != 0 || strings.Contains(asked.Body.String(), "<script>alert") || strings.Contains(asked.Body.String(), firstRef) || asked.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d, %d made: %s", asked.Code, p.made, asked.Body)
	}
	page := send(s, at(firstRef), url.Values{"as": {"page"}}, "Cookie", seated)
	body := page.Body.String()
	if page.Code != 200 || p.made != 1 || !strings.Contains(body, "Asha Test") || !strings.Contains(body, `class="tk-qr"`) || !strings.Contains(body, "K7Q2M5XW3ABTN") || page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d: %s", page.Code, body)
	}
	file := send(s, at(firstRef), url.Values{"as": {"pdf"}}, "Cookie", seated)
	if file.Code != 200 || file.Header().Get("Content-Type") != "application/pdf" || file.Body.String() != string(p.doc.PDF) || file.Header().Get("Cache-Control") != "no-store" || strings.Contains(file.Header().Get("Content-Disposition"), "Asha") {
		t.Errorf("the file: %d %v", file.Code, file.Header())
	}
	made := p.made
	if w := send(s, at(firstRef), url.Values{"as": {"page"}, "lang": {"hi"}}, "Cookie", seated); w.Code != 200 || p.made != made {
		t.Errorf("a switch of language opens a certificate: %d", w.Code)
	}
	for what, path := range map[string]string{"a stranger's handle": "/p/AAAAAAAAAAA/certificate", "a reference number": "/p/" + firstRef + "/certificate"} {
		if w := get(s, path, "Cookie", seated); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", what, w.Code)
		}
		if w := send(s, path, url.Values{"as": {"page"}}, "Cookie", seated); w.Code != http.StatusNotFound || p.made != made {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	if w := get(s, at(firstRef)); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody is signed in: %d", w.Code)
	}
}

// TestCertificateTrouble: each reason why there is none is said, with what to do; an adult's
// card and PIN open it.
func TestCertificateTrouble(t *testing.T) {
	s, p := newPapers(t)
	at := "/p/" + (&Ctx{seat: seat}).handle(secondRef) + "/certificate"
	if w := send(s, at, url.Values{"as": {"page"}}, "Cookie", seated); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `name="pin"`) || strings.Contains(w.Body.String(), "secret of the vault") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, f := range []url.Values{{}, {"card": {"TK1:GOOD"}}, {"card": {"TK1:GOOD"}, "pin": {"x"}}, {"card": {"TK1:GOOD"}, "pin": {"654321"}}, {"card": {"<b>"}, "pin": {"123456"}}} {
		if w := send(s, at+"/card", f, "Cookie", seated); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "<title>Error: ") || strings.Contains(w.Body.String(), `value="654321"`) || strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%v: %d", f, w.Code)
		}
	}
	if w := send(s, at+"/card", url.Values{"card": {" TK1:GOOD "}, "pin": {"१२३ ४५६"}}, "Cookie", seated); w.Code != http.StatusSeeOther || w.Header().Get("Location") != at {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if w := send(s, at, url.Values{"as": {"page"}}, "Cookie", seated); w.Code != 200 {
		t.Errorf("after card and PIN: %d", w.Code)
	}
	for code, want := range map[*fault.Error]struct {
		status int
		says   string
	}{
		{Kind: fault.NotFound, Code: vault.CodeNoDose}: {http.StatusNotFound, "There is no certificate yet"},
		{Kind: fault.Forbidden, Code: "NEWDEVICE"}:     {http.StatusForbidden, "This device is new here"},
		{Kind: fault.RateLimited, Code: "bound"}:       {http.StatusTooManyRequests, ""},
		{Kind: fault.Unavailable}:                      {http.StatusServiceUnavailable, ""},
	} {
		p.err = code
		if w := send(s, at, url.Values{"as": {"page"}}, "Cookie", seated); w.Code != want.status || !strings.Contains(w.Body.String(), want.says) {
			t.Errorf("%s: %d", code.Code, w.Code)
		}
	}
	p.waiting = true
	if w := get(s, at, "Cookie", seated); w.Code != 200 || !strings.Contains(w.Body.String(), "This device is new here") {
		t.Errorf("a device that waits: %d", w.Code)
	}
}
