package encode

import (
	"bytes"
	"strings"
	"testing"
)

// TestNoNameBreaksTheSlip: the slip's names, centre and address come from people and from
// sheets of an operator; whatever stands in them is text (R81; for certificates
// TestNoNameBreaksThePage).
func TestNoNameBreaksTheSlip(t *testing.T) {
	for _, name := range []string{
		`) Tj ET Q (evil) \ <</JS(app.alert(1))>> % endstream endobj`, "> TJ <FEFF", "x\r\nendstream\r\nendobj", "A\u202eB\u2066C", "नाम\x00\x1b[2J", "<script>alert(1)</script>", "{{.}}", strings.Repeat("W", 300), "</tikakosh:hc1>",
	} {
		s := testSlip()
		s.Centre, s.Address, s.District, s.State, s.Vaccine, s.Slot, s.AppointmentID = name, name, name, name, name, name, name
		for i := range s.People {
			s.People[i].Name, s.People[i].IDType, s.People[i].IDLast4 = name, name, name
		}
		pdf, err := SlipPDF(s, sharedFonts())
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		streams := objects(t, pdf)
		for _, b := range streams {
			if (bytes.HasPrefix(b, []byte("q ")) || bytes.Contains(b, []byte(" Tf "))) && (bytes.ContainsAny(b, "()\\%") || bytes.Contains(b, []byte("evil"))) {
				t.Errorf("%q: raw text among the operators", name)
			}
		}
		if bytes.Contains(pdf, []byte("/JS")) {
			t.Errorf("%q: an object was injected", name)
		}
		if text := pageText(t, streams); strings.ContainsAny(text, "\u202e\u2066\x00\x1b") || !strings.Contains(text, string([]rune(clean(name))[:1])) {
			t.Errorf("%q: text", name)
		}
	}
}
