package portal

import (
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/scheduling"
)

// TestICalendar: lines are folded between characters, hostile text stays text, times are the
// centre's, and the file says nothing of who comes.
func TestICalendar(t *testing.T) {
	a := scheduling.Appointment{Hold: "the-hold", Person: "the-person", Day: civil.Date{Year: 2026, Month: 3, Day: 5}, Slot: "06:00PM-12:00AM",
		Place: scheduling.Centre{Name: "केंद्र; one, two\\\r\nEND:VEVENT\nATTENDEE:x", Address: strings.Repeat("नमस्ते ", 40), Zone: "Asia/Kolkata"}}
	raw, err := icalendar(a, "टीकाकरण", "bring,\nthat", noon())
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for l := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(l) > 75 || strings.ContainsAny(l, "\r\n") || strings.ToValidUTF8(l, "") != l {
			t.Errorf("line of %d octets: %q", len(l), l)
		}
	}
	whole := strings.ReplaceAll(text, "\r\n ", "")
	for _, want := range []string{"\r\nDTSTART:20260305T123000Z\r\n", "\r\nDTEND:20260305T183000Z\r\n", `LOCATION:केंद्र\; one\, two\\\nEND:VEVENT\nATTENDEE:x\, नमस्ते`, "\r\nCLASS:PRIVATE\r\n", `DESCRIPTION:bring\,\nthat`} {
		if !strings.Contains(whole, want) {
			t.Errorf("no %q in %q", want, whole)
		}
	}
	if strings.Count(whole, "\r\nEND:VEVENT\r\n") != 1 || strings.Contains(whole, "\r\nATTENDEE") || strings.Contains(text, "the-hold") || strings.Contains(text, "the-person") {
		t.Errorf("%q", text)
	}
	if again, _ := icalendar(a, "x", "y", noon()); !strings.Contains(string(again), strings.SplitN(text, "\r\n", 8)[6]) {
		t.Error("another UID for the same appointment")
	}
	a.Slot, a.Place.Opens, a.Place.Closes = "in the morning", 540, 1020
	if raw, err = icalendar(a, "x", "y", noon()); err != nil || !strings.Contains(string(raw), "DTSTART:20260305T033000Z\r\nDTEND:20260305T113000Z") {
		t.Errorf("%s %v", raw, err)
	}
	if a.Place.Zone = "Nowhere"; a.Place.Zone != "" {
		if _, err = icalendar(a, "x", "y", noon()); err == nil {
			t.Error("no such zone")
		}
	}
}
