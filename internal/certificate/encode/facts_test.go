package encode

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// The world of the tests: one view, one instant, one key that must never sign
// anything real.
const testView = "K7Q2M5XW3ABTN"

var testTime = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func testSigner(t testing.TB, secret int64) Signer {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(secret).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testKeys(t testing.TB, s ...Signer) KeySet {
	t.Helper()
	ks, err := NewKeySet(s...)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

func day(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

func testFacts(t testing.TB, product, name, local string) Facts {
	t.Helper()
	ci, err := UVCI("IN", 1, testView)
	if err != nil {
		t.Fatal(err)
	}
	dose := func(n int, given civil.Date, lot string) Dose {
		return Dose{Number: n, Total: 2, Product: product, Lot: lot, Given: given, CentreName: "PHC Rampur",
			District: "Adilabad", State: "Telangana", Vaccinator: "Sunita Rao"}
	}
	return Facts{
		Realm: 1, CI: ci, ViewRef: testView, ReferenceID: "12345678901237", Name: name, NameLocal: local,
		BirthYear: 1980, BirthDate: day(1980, 2, 3), Gender: "Female", IDType: "Aadhaar Card", IDLast4: "4321",
		Doses:  []Dose{dose(2, day(2026, 10, 2), "4121Z099"), dose(1, day(2026, 7, 2), "4120Z001")},
		Issuer: "Ministry of Health and Family Welfare", IssuedAt: testTime, ExpiresAt: testTime.AddDate(1, 0, 0),
	}
}

func mustEncode(t testing.TB, f Facts, s Signer) string {
	t.Helper()
	text, err := CarrierFor(f.Doses[0].Product).Encode(f, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestUVCI(t *testing.T) {
	ci, err := UVCI("IN", 12, testView)
	if err != nil || !strings.HasPrefix(ci, "URN:UVCI:01:IN:TK12/"+testView+"#") || len(ci) > 72 {
		t.Fatalf("%q %v", ci, err)
	}
	if ref, ok := viewRefOf(ci); !ok || ref != testView {
		t.Errorf("view reference %q %v", ref, ok)
	}
	// A published certificate's identifier and check character.
	if got := uvciCheck("URN:UVCI:01:SE:EHM/V12907267LAJW"); got != 'E' {
		t.Errorf("check character %c, want E", got)
	}
	// Every changed character is found.
	for i := range ci {
		for _, c := range "A0Z9" {
			b := []byte(ci)
			if b[i] == byte(c) {
				continue
			}
			b[i] = byte(c)
			if _, ok := viewRefOf(string(b)); ok && i != len(ci)-1 {
				t.Errorf("changed character %d to %c not found", i, c)
			}
		}
	}
	for _, bad := range []struct {
		country string
		realm   int
		ref     string
	}{{"in", 1, testView}, {"IND", 1, testView}, {"IN", 0, testView}, {"IN", 1, "short"}, {"IN", 1, "K7Q2M5XW3ABT1"}} {
		if _, err := UVCI(bad.country, id.Realm(bad.realm), bad.ref); fault.CodeOf(err) != CodeFacts {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestFactsAreChecked(t *testing.T) {
	s := testSigner(t, 7)
	for name, spoil := range map[string]func(*Facts){
		"no name":       func(f *Facts) { f.Name = "  " },
		"no dose":       func(f *Facts) { f.Doses = nil },
		"many doses":    func(f *Facts) { f.Doses = make([]Dose, 33) },
		"no birth":      func(f *Facts) { f.BirthYear, f.BirthDate = 0, civil.Date{} },
		"wrong birth":   func(f *Facts) { f.BirthDate = day(2001, 2, 30) },
		"no issuer":     func(f *Facts) { f.Issuer = "\u200e" },
		"long issuer":   func(f *Facts) { f.Issuer = strings.Repeat("x", 81) },
		"no validity":   func(f *Facts) { f.ExpiresAt = f.IssuedAt },
		"country":       func(f *Facts) { f.Country = "India" },
		"other view":    func(f *Facts) { f.ViewRef = "AAAAAAAAAAAAA" },
		"broken id":     func(f *Facts) { f.CI = f.CI[:len(f.CI)-1] + "~" },
		"long name":     func(f *Facts) { f.Name = strings.Repeat("x", 2000) },
		"not UTF-8":     func(f *Facts) { f.Guardian = "\xff" },
		"id digits":     func(f *Facts) { f.IDLast4 = "123456789012" },
		"dose number":   func(f *Facts) { f.Doses[0].Number = 0 },
		"dose day":      func(f *Facts) { f.Doses[0].Given = civil.Date{} },
		"dose product":  func(f *Facts) { f.Doses[0].Product = "" },
		"dose text":     func(f *Facts) { f.Doses[0].Lot = "\xc3" },
		"long id digit": func(f *Facts) { f.ReferenceID = "123456789012345" },
	} {
		f := testFacts(t, "COVISHIELD", "Asha Devi", "")
		spoil(&f)
		_, err := CarrierFor("COVISHIELD").Encode(f, s)
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != CodeFacts {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsHoldNoPersonalData(t *testing.T) {
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	f.Guardian = "Kamala Devi\xff"
	_, err := CarrierFor("COVISHIELD").Encode(f, testSigner(t, 7))
	if err == nil || strings.Contains(err.Error(), "Devi") {
		t.Errorf("%v", err)
	}
}

func TestCleanAndClip(t *testing.T) {
	for in, want := range map[string]string{
		" Asha\t\nDevi ":         "Asha Devi",
		"A\u202eB\u2066C\u200fD": "ABCD",
		"क्\u200dष":              "क्\u200dष",
		"a\x00b\x1bc\u0085d":     "abc d",
		"\ufeff":                 "",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"कुमार", 5, "कुमार"}, {"कुमार", 1, ""}, {"कुमार", 2, "कु"}, {"लक्ष्मी", 3, "ल"}, {"abc", 2, "ab"}, {"ab cd", 3, "ab"}} {
		if got := clip(c.in, c.n); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
	if got := clipWords("रमेश कुमार शर्मा", 12); got != "रमेश कुमार" {
		t.Errorf("clipWords: %q", got)
	}
	if got := clipWords("लक्ष्मीनारायण", 5); got != "" {
		t.Errorf("clipWords: %q", got)
	}
	property := func(s string, n uint8) bool {
		c := clean(s)
		return utf8.ValidString(c) && clean(c) == c && utf8.RuneCountInString(clip(c, int(n))) <= max(int(n), 0)
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestProducts(t *testing.T) {
	for _, p := range Products() {
		if got := ProductOf(strings.ToLower(p.Name)); got != p {
			t.Errorf("%s is not found by its name", p.Name)
		}
		if p.COVID && (p.TG != tgCOVID || p.VP == "" || p.MP == "" || p.MA == "") {
			t.Errorf("%s lacks a code that the EU DCC demands", p.Name)
		}
		if p.COVID == (CarrierFor(p.Name).Name() == CarrierICVP) {
			t.Errorf("%s goes by the wrong carrier", p.Name)
		}
		code := p.MP
		if !p.COVID {
			if code = p.ICVP; code == "" {
				code = p.Name
			}
		}
		if got, ok := byCode(code); !ok || got != p {
			t.Errorf("%s is not found by its code", p.Name)
		}
	}
	if p := ProductOf("Covi-Shield"); p.MP != "Covishield" || !p.Recognised {
		t.Errorf("spelling: %+v", p)
	}
	if p := ProductOf("Corbevax"); !p.COVID || p.Recognised || p.VP != vpAntigen {
		t.Errorf("a product without EU codes: %+v", p)
	}
	if p := ProductOf("new thing"); p.COVID || p.Recognised || p.Name != "NEW THING" {
		t.Errorf("an unknown product: %+v", p)
	}
}
