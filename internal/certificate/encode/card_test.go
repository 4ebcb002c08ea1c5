package encode

import (
	"bytes"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func TestCard(t *testing.T) {
	card := Card{Text: "TK1:" + strings.Repeat("ABCD2345", 4), PIN: "012345", ReferenceID: "12345678901237", IssuedAt: testTime}
	pdf, err := CardPDF(card, sharedFonts())
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := CardPDF(card, sharedFonts()); !bytes.Equal(again, pdf) {
		t.Error("the same card gives another file")
	}
	text := pageText(t, objects(t, pdf))
	for _, want := range []string{"Vaccination card", "टीकाकरण कार्ड", "012345", "12345678901237"} {
		if !strings.Contains(text, want) {
			t.Errorf("the card lacks %q", want)
		}
	}
	if !strings.Contains(text, "TK1: ABCD 2345 ABCD 2345") { // for who has no camera
		t.Errorf("the text of the code is not on the card: %q", text)
	}
	for _, bad := range []Card{{}, {Text: "x", PIN: "12345", ReferenceID: "1"}, {Text: "x", PIN: "12345a", ReferenceID: "1"}, {Text: strings.Repeat("x", 4000), PIN: "123456", ReferenceID: "1"}} {
		if _, err := CardPDF(bad, sharedFonts()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad.PIN, err)
		}
	}
}
