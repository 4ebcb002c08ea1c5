// Package calendar writes appointments for calendars (iCalendar, RFC 5545). It says where and
// when, and nobody's name, number or code.
package calendar

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
)

// visit is an appointment as a calendar knows it: its UID, which says nothing of it, and how
// often it was changed.
type visit struct {
	uid      string
	sequence int
}

// visits are those that an appointment and what it took the place of belong to, the newest
// first: a move of everybody is a change of the same visit, a move of some is a visit of its
// own. over are the appointments of former visits that nobody has any more.
func visits(a scheduling.Appointment, former []scheduling.Former) (now visit, over map[visit]scheduling.Appointment) {
	over = map[visit]scheduling.Appointment{}
	newest, at := a, visit{uid: uidOf(a.Hold)}
	first, ended := true, false
	done := func() {
		if first {
			now = at
		} else if ended {
			over[visit{at.uid, at.sequence + 1}] = newest
		}
		first = false
	}
	for _, f := range former {
		if !f.Whole {
			done()
			newest, at, ended = f.Appointment, visit{uid: uidOf(f.Hold)}, f.Over
			continue
		}
		at = visit{uidOf(f.Hold), at.sequence + 1} // the oldest names the visit
	}
	done()
	return now, over
}

func uidOf(hold id.Hold) string {
	sum := sha256.Sum256([]byte("tikakosh/ics/" + string(hold)))
	return hex.EncodeToString(sum[:16]) + "@tikakosh.invalid"
}

// Write writes one event and, for each visit that it took the place of and nobody has any
// more, one that is cancelled (RFC 5545, RFC 5546 3.2.1). Its times are in UTC, so that no
// zone has to be described; now is when it is written. fault.Internal: a zone that is none.
func Write(a scheduling.Appointment, former []scheduling.Former, summary, description string, now time.Time) ([]byte, error) {
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tikakosh//Appointment//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"}
	event := func(v visit, a scheduling.Appointment, more ...string) error {
		from, to, err := scheduling.Session{Day: a.Day, Zone: a.Place.Zone, Slots: []string{a.Slot}}.Hours(a.Place)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "centre zone")
		}
		const form = "20060102T150405Z"
		lines = append(lines, "BEGIN:VEVENT", "UID:"+v.uid, "SEQUENCE:"+strconv.Itoa(v.sequence), "DTSTAMP:"+now.UTC().Format(form), "DTSTART:"+from.UTC().Format(form), "DTEND:"+to.UTC().Format(form),
			"SUMMARY:"+icsText(summary), "LOCATION:"+icsText(joinPlain(a.Place.Name, a.Place.Address, a.Place.District, a.Place.PIN)), "CLASS:PRIVATE")
		lines = append(append(lines, more...), "END:VEVENT")
		return nil
	}
	live, over := visits(a, former)
	err := event(live, a, "STATUS:CONFIRMED", "DESCRIPTION:"+icsText(description), "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT2H", "DESCRIPTION:"+icsText(summary), "END:VALARM")
	for v, old := range over {
		if err == nil {
			err = event(v, old, "STATUS:CANCELLED")
		}
	}
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, l := range append(lines, "END:VCALENDAR") {
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
// 3.3.11); other control characters, among them those that some readers take for a break and the
// marks that turn the direction of what follows, have no place in one.
func icsText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
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
