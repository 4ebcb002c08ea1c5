package calendar

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
)

func noon() time.Time { return time.Date(2026, 2, 2, 6, 30, 0, 0, time.UTC) }

// TestICalendar: lines are folded between characters, hostile text stays text, times are the
// centre's, and the file says nothing of who comes.
func TestICalendar(t *testing.T) {
	a := scheduling.Appointment{Hold: "the-hold", Person: "the-person", Day: civil.Date{Year: 2026, Month: 3, Day: 5}, Slot: "06:00PM-12:00AM",
		Place: scheduling.Centre{Name: "केंद्र; one, two\\\r\nEND:VEVENT\nATTENDEE:x", Address: strings.Repeat("नमस्ते ", 40), Zone: "Asia/Kolkata"}}
	raw, err := Write(a, nil, "टीकाकरण", "bring,\nthat", noon())
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
	if again, _ := Write(a, nil, "x", "y", noon()); !strings.Contains(string(again), strings.SplitN(text, "\r\n", 8)[6]) {
		t.Error("another UID for the same appointment")
	}
	a.Slot, a.Place.Opens, a.Place.Closes = "in the morning", 540, 1020
	if raw, err = Write(a, nil, "x", "y", noon()); err != nil || !strings.Contains(string(raw), "DTSTART:20260305T033000Z\r\nDTEND:20260305T113000Z") {
		t.Errorf("%s %v", raw, err)
	}
	if a.Place.Zone = "Nowhere"; a.Place.Zone != "" {
		if _, err = Write(a, nil, "x", "y", noon()); err == nil {
			t.Error("no such zone")
		}
	}
}

// TestICalendarHostile: whatever a place is called, the file has the lines it should have and no
// other, folded between characters, and what was meant as text is read as that text again.
func TestICalendarHostile(t *testing.T) {
	for _, name := range []string{"x\r\nBEGIN:VEVENT\r\nUID:evil\r\nEND:VEVENT", "a\rb", "a\nb", "x;ATTENDEE=mailto:y", `back\slash\n`, "{{.Name}} ${x} %s", "\u202egnp.exe\u202c", "\u2066x\u2069", "\u2028ATTENDEE:x\u2029", "\u0085ATTENDEE:x",
		"<script>alert(1)</script>", "\x00\x1b[31m\x7f", string([]byte{0xff, 0xfe, 'a'}), strings.Repeat("क", 300), strings.Repeat("😀", 100), strings.Repeat(`\;,`, 60), "", " ", "\tx"} {
		a := scheduling.Appointment{Hold: "h", Day: civil.Date{Year: 2026, Month: 2, Day: 5}, Slot: "09:00AM-11:00AM", Place: scheduling.Centre{Name: name, Address: name, District: name, PIN: "110001", Zone: "Asia/Kolkata"}}
		raw, err := Write(a, nil, name, name, noon())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var where string
		for l := range strings.SplitSeq(strings.TrimSuffix(strings.ReplaceAll(string(raw), "\r\n ", ""), "\r\n"), "\r\n") {
			n, value, ok := strings.Cut(l, ":")
			if !ok || strings.ContainsAny(l, "\r\n\x00\x1b\x7f\u0085\u2028\u2029\u202e\u2066") {
				t.Errorf("%q: a line %q", name, l)
			}
			if names = append(names, n); n == "LOCATION" {
				where = value
			}
		}
		if got := strings.Join(names, " "); got != "BEGIN VERSION PRODID CALSCALE METHOD BEGIN UID SEQUENCE DTSTAMP DTSTART DTEND SUMMARY LOCATION CLASS STATUS DESCRIPTION BEGIN ACTION TRIGGER DESCRIPTION END END END" {
			t.Errorf("%q: %s", name, got)
		}
		for l := range strings.SplitSeq(string(raw), "\r\n") {
			if len(l) > 75 || !utf8.ValidString(l) {
				t.Errorf("%q: a line of %d octets: %q", name, len(l), l)
			}
		}
		plain := strings.NewReplacer(`\\`, `\`, `\;`, ";", `\,`, ",", `\n`, "\n").Replace(where)
		if !strings.HasSuffix(plain, "110001") || strings.Contains(name, ";") && !strings.Contains(plain, ";") {
			t.Errorf("%q is read as %q", name, plain)
		}
	}
}

// FuzzICalendar: whatever a place is called, the file has the same lines.
func FuzzICalendar(f *testing.F) {
	f.Add("x\r\nEND:VEVENT", "y;z")
	f.Add("\u202e", strings.Repeat("क", 80))
	f.Fuzz(func(t *testing.T, name, address string) {
		a := scheduling.Appointment{Hold: "h", Day: civil.Date{Year: 2026, Month: 2, Day: 5}, Slot: "09:00AM-11:00AM", Place: scheduling.Centre{Name: name, Address: address, Zone: "Asia/Kolkata"}}
		raw, err := Write(a, nil, name, address, noon())
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.ReplaceAll(string(raw), "\r\n ", "")
		if n := strings.Count(whole, "\n"); n != 23 || strings.Count(whole, "\r") != n || !utf8.Valid(raw) {
			t.Errorf("%q %q: %d lines: %q", name, address, n, raw)
		}
	})
}

// TestICalendarMoved: a move of everybody is the same event with a higher SEQUENCE; who was moved
// alone has an event of their own, and the one that nobody has any more is cancelled.
func TestICalendarMoved(t *testing.T) {
	at := func(hold id.Hold) scheduling.Appointment {
		return scheduling.Appointment{Hold: hold, Day: civil.Date{Year: 2026, Month: 2, Day: 5}, Slot: "09:00AM-11:00AM", Place: scheduling.Centre{Name: "x", Zone: "Asia/Kolkata"}}
	}
	was := func(hold id.Hold, whole, over bool) scheduling.Former {
		return scheduling.Former{Appointment: at(hold), Whole: whole, Over: over}
	}
	for name, c := range map[string]struct {
		former []scheduling.Former
		want   string
	}{
		"never":                         {nil, "c 0 CONFIRMED"},
		"once":                          {[]scheduling.Former{was("b", true, true)}, "b 1 CONFIRMED"},
		"twice":                         {[]scheduling.Former{was("b", true, true), was("a", true, true)}, "a 2 CONFIRMED"},
		"alone, others stay":            {[]scheduling.Former{was("b", false, false)}, "c 0 CONFIRMED"},
		"alone, then the others":        {[]scheduling.Former{was("b", false, true)}, "c 0 CONFIRMED, b 1 CANCELLED"},
		"all, then some, others over":   {[]scheduling.Former{was("b", false, true), was("a", true, true)}, "c 0 CONFIRMED, a 2 CANCELLED"},
		"some, then all of those":       {[]scheduling.Former{was("b", true, true), was("a", false, false)}, "b 1 CONFIRMED"},
		"some, then those; others over": {[]scheduling.Former{was("b", true, true), was("a", false, true)}, "b 1 CONFIRMED, a 1 CANCELLED"},
	} {
		raw, err := Write(at("c"), c.former, "x", "y", noon())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, e := range strings.Split(string(raw), "BEGIN:VEVENT") {
			if i == 0 {
				continue
			}
			field := func(n string) string {
				_, v, _ := strings.Cut(e, "\r\n"+n+":")
				v, _, _ = strings.Cut(v, "\r\n")
				return v
			}
			uid := field("UID")
			for _, h := range []id.Hold{"a", "b", "c"} {
				if uidOf(h) == uid {
					uid = string(h)
				}
			}
			got = append(got, uid+" "+field("SEQUENCE")+" "+field("STATUS"))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
