package encode

import (
	"bytes"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func testSlip() Slip {
	person := func(name, code string) SlipPerson {
		return SlipPerson{Name: name, ReferenceID: "12345678901237", BirthYear: 1980, IDType: "Aadhaar Card", IDLast4: "4321", Dose: 1, Code: code, QR: "TK:BOOKING:" + code}
	}
	return Slip{
		AppointmentID: "A-77", ViewRef: testView, Centre: "PHC Rampur", Address: "Main Road", District: "Adilabad", State: "Telangana",
		Date: day(2026, 12, 1), Slot: "09:00-11:00", Vaccine: "COVISHIELD", IssuedAt: testTime,
		People: []SlipPerson{person("रमेश शर्मा", "4821"), person("Asha (Devi)", "0007")},
	}
}

func TestSlip(t *testing.T) {
	pdf, err := SlipPDF(testSlip(), sharedFonts())
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := SlipPDF(testSlip(), sharedFonts()); !bytes.Equal(again, pdf) {
		t.Error("the same slip gives another file")
	}
	streams := objects(t, pdf)
	text := pageText(t, streams)
	for _, want := range []string{"Appointment slip", "अपॉइंटमेंट पर्ची", "रमेश शर्मा", "Asha (Devi)", "4821", "0007", "PHC Rampur", "Main Road, Adilabad, Telangana",
		"01-12-2026", "09:00-11:00", "COVISHIELD", testView, "12345678901237", "साथ क्या लाएँ", "What to bring"} {
		if !strings.Contains(text, want) {
			t.Errorf("the slip lacks %q", want)
		}
	}
	for _, page := range strings.Split(text, "Appointment slip")[1:] {
		if strings.Contains(page, "4821") == strings.Contains(page, "0007") {
			t.Error("one person's page shows another's code")
		}
	}
	if got := printedQR(t, streams); got != "TK:BOOKING:4821" {
		t.Errorf("code %q", got)
	}
	if _, err := HC1FromPDF(pdf); fault.CodeOf(err) != CodeMalformed {
		t.Errorf("a slip passes for a certificate: %v", err)
	}
	for name, spoil := range map[string]func(*Slip){
		"nobody": func(s *Slip) { s.People = nil }, "crowd": func(s *Slip) { s.People = make([]SlipPerson, 7) }, "day": func(s *Slip) { s.Date.Day = 40 },
		"view": func(s *Slip) { s.ViewRef = "" }, "code": func(s *Slip) { s.People[0].Code = "48a1" }, "qr": func(s *Slip) { s.People[0].QR = strings.Repeat("x", 2000) },
	} {
		s := testSlip()
		spoil(&s)
		if _, err := SlipPDF(s, sharedFonts()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SlipPDF(testSlip(), nil); !fault.Is(err, fault.Internal) {
		t.Errorf("no fonts: %v", err)
	}
}
