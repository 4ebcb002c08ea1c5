package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/scheduling"
)

// calendar is an appointment as a file for a calendar: where and when, and nobody's name,
// number or code, because calendars are copied to other people's machines.
func calendar(c *Ctx) error {
	_, _, a, err := c.ourBooking()
	if err != nil {
		return err
	}
	doc, err := icalendar(a, c.say.T("book.ics"), c.say.T("book.bring"), c.begin)
	if err != nil {
		return err
	}
	return c.file("text/calendar; charset=utf-8", "appointment.ics", doc)
}

// icalendar writes one event (RFC 5545). Its times are in UTC, so that no zone has to be
// described. The same appointment has the same UID, which says nothing of it.
func icalendar(a scheduling.Appointment, summary, description string, now time.Time) ([]byte, error) {
	from, to, err := scheduling.Session{Day: a.Day, Zone: a.Place.Zone, Slots: []string{a.Slot}}.Hours(a.Place)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "centre zone")
	}
	const form = "20060102T150405Z"
	sum := sha256.Sum256([]byte("tikakosh/ics/" + string(a.Hold)))
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tikakosh//Appointment//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", "BEGIN:VEVENT",
		"UID:" + hex.EncodeToString(sum[:16]) + "@tikakosh.invalid", "DTSTAMP:" + now.UTC().Format(form), "DTSTART:" + from.UTC().Format(form), "DTEND:" + to.UTC().Format(form),
		"SUMMARY:" + icsText(summary), "LOCATION:" + icsText(joinPlain(a.Place.Name, a.Place.Address, a.Place.District, a.Place.PIN)), "DESCRIPTION:" + icsText(description),
		"CLASS:PRIVATE", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT2H", "DESCRIPTION:" + icsText(summary), "END:VALARM", "END:VEVENT", "END:VCALENDAR"}
	var b strings.Builder
	for _, l := range lines {
		fold(&b, l)
	}
	return []byte(b.String()), nil
}

func joinPlain(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

// icsText is a TEXT value: backslash, semicolon, comma and line breaks are escaped (RFC 5545,
// 3.3.11); other control characters have no place in one.
func icsText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// fold writes a content line in pieces of at most 75 octets, no character divided (3.1).
func fold(b *strings.Builder, line string) {
	room := 75
	for _, r := range line {
		n := utf8.RuneLen(r)
		if n > room {
			b.WriteString("\r\n ")
			room = 74
		}
		b.WriteRune(r)
		room -= n
	}
	b.WriteString("\r\n")
}
