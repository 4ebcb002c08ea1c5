package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
)

var now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func signer(t *testing.T, secret int64) encode.Signer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(secret).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := encode.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// issue makes a page and its text.
func issue(t *testing.T, s encode.Signer, product, name string) (pdf []byte, hc1 string) {
	t.Helper()
	ci, err := encode.UVCI("IN", 1, "K7Q2M5XW3ABTN")
	if err != nil {
		t.Fatal(err)
	}
	f := encode.Facts{Realm: 1, CI: ci, ViewRef: "K7Q2M5XW3ABTN", Name: name, BirthYear: 1980, Gender: "Female", IDLast4: "4321",
		Doses:  []encode.Dose{{Number: 1, Total: 1, Product: product, Lot: "L1", Given: civil.Date{Year: 2026, Month: 10, Day: 2}, Vaccinator: "Sunita Rao"}},
		Issuer: "State Health Mission", IssuedAt: now, ExpiresAt: now.AddDate(1, 0, 0)}
	if hc1, err = encode.CarrierFor(product).Encode(f, s); err != nil {
		t.Fatal(err)
	}
	if pdf, err = encode.CertificatePDF(f, hc1, encode.DefaultFonts()); err != nil {
		t.Fatal(err)
	}
	return pdf, hc1
}

func TestVerify(t *testing.T) {
	s := signer(t, 7)
	keys, err := encode.NewKeySet(s)
	if err != nil {
		t.Fatal(err)
	}
	pdf, hc1 := issue(t, s, "STAMARIL", "रमेश शर्मा")
	_, forged := issue(t, encode.Signer{Key: signer(t, 8).Key, KID: s.KID}, "STAMARIL", "Asha")
	_, foreign := issue(t, signer(t, 8), "STAMARIL", "Asha")
	for name, c := range map[string]struct {
		in    []byte
		now   time.Time
		code  string
		lines []string
	}{
		"page": {pdf, now, "", []string{"GENUINE", "रमेश शर्मा", "RAMESH SHARMA", "STAMARIL", "Yellow fever", "1 of 1", "2026-10-02", "2026-10-12", "K7Q2M5XW3ABTN",
			"Only these signed facts count. The printed page was not checked"}},
		"text":        {[]byte(" " + hc1 + "\n"), now, "", []string{"GENUINE", "State Health Mission", "photo ID"}},
		"spaced page": {append([]byte("\n"), pdf...), now, "", []string{"GENUINE"}},
		"expired":     {pdf, now.AddDate(2, 0, 0), encode.CodeExpired, []string{"EXPIRED", "रमेश शर्मा"}},
		"early":       {pdf, now.AddDate(0, 0, -1), encode.CodeNotYet, []string{"NOT YET VALID"}},
		"forged":      {[]byte(forged), now, encode.CodeSignature, []string{"NOT GENUINE", "Do not rely"}},
		"foreign":     {[]byte(foreign), now, encode.CodeUnknownKey, []string{"UNKNOWN ISSUER"}},
		"junk":        {[]byte("hello"), now, encode.CodeMalformed, []string{"NOT A CERTIFICATE"}},
		"other page":  {[]byte("%PDF-1.4\n"), now, encode.CodeMalformed, []string{"NOT A CERTIFICATE"}},
		"empty":       {nil, now, encode.CodeMalformed, []string{"NOT A CERTIFICATE"}},
		"huge":        {make([]byte, encode.MaxPDF+1), now, encode.CodeSize, []string{"NOT A CERTIFICATE"}},
	} {
		r, err := Verify(c.in, keys, c.now)
		if fault.CodeOf(err) != c.code || r.Problem != c.code {
			t.Errorf("%s: %v, problem %q", name, err, r.Problem)
		}
		text := strings.Join(r.Lines(), "\n")
		for _, want := range c.lines {
			if !strings.Contains(text, want) {
				t.Errorf("%s: lacks %q in\n%s", name, want, text)
			}
		}
		if !r.Genuine && strings.Contains(text, "Asha") {
			t.Errorf("%s: shows what nobody signed", name)
		}
	}
}

// TestAlteredPageShowsSignedFacts puts one person's signed text into another's
// page: the check answers with the signed person.
func TestAlteredPageShowsSignedFacts(t *testing.T) {
	s := signer(t, 7)
	keys, err := encode.NewKeySet(s)
	if err != nil {
		t.Fatal(err)
	}
	_, signed := issue(t, s, "COVAXIN", "Asha Devi")
	page, replaced := issue(t, s, "COVAXIN", "Kamala Rao")
	altered := bytes.Replace(page, []byte(replaced), []byte(signed), 1)
	r, err := Verify(altered, keys, now)
	if err != nil || r.Facts.Name != "Asha Devi" || !r.FromPDF {
		t.Fatalf("%+v %v", r, err)
	}
	if text := strings.Join(r.Lines(), "\n"); strings.Contains(text, "Kamala") || !strings.Contains(text, "may show something else") {
		t.Error(text)
	}
}

func TestUnrecognisedProductIsSaid(t *testing.T) {
	s := signer(t, 7)
	keys, err := encode.NewKeySet(s)
	if err != nil {
		t.Fatal(err)
	}
	_, hc1 := issue(t, s, "CORBEVAX", "Asha Devi")
	r, err := Verify([]byte(hc1), keys, now)
	if err != nil || !strings.Contains(strings.Join(r.Lines(), "\n"), "no code in the public value sets") {
		t.Errorf("%v %v", r.Lines(), err)
	}
}
