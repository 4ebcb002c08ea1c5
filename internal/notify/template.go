package notify

import (
	"slices"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// A template is fixed text with named places. What may stand in a place is
// checked, so that no caller's words can reach a message (defence.md R14).
type template struct {
	en, hi    string
	ur        string // "" where there is none: English then
	places    map[string]func(string) bool
	emailOnly bool // goes to the other channel alone
}

// Compose fills a template of the catalogue: "code" (code, host or ""),
// "code-partner", "code-certificate" and "code-status" (code, partner),
// "code-centre" (code), "booking", "moved", "reminder" (date, slot, people, centre or ""), "cancel" and "undrawn"
// (date, people, centre or ""), "dose" and "places" (date, centre or ""),
// "opening", "break-glass" and "relink" (date, time, centre or ""), "relink-stopped" and "relink-moved" (nothing), "signin", "newdevice" and "pin-ends" (date, time),
// "code-email" and "code-device" (code), "answered" (tracking), "apart", "left", "removed", "card-made", "taken-back", "link-made", "linked", "email-changed" and "pin-changed" (nothing). Dates are
// dd-mm-yyyy, times hh:mm; people are pairs of last four digits of a reference
// id and security code as 1234:0042,2345:0043, or the former alone. "hi" and "hi-…" get Hindi, "ur" and "ur-…" Urdu
// where there is one, every other language English. fault.Internal for an unknown template, a place missing or not in
// the template, and a value that does not fit its place; the error names none
// of them.
func Compose(name, language string, params map[string]string) (string, error) {
	t, ok := templates()[name]
	if !ok {
		return "", fault.New(fault.Internal, "template", "no such message template")
	}
	if len(params) > len(t.places) {
		return "", fault.New(fault.Internal, "template", "a message template has no such place")
	}
	text, inHindi := t.en, language == "hi" || strings.HasPrefix(language, "hi-")
	switch {
	case inHindi:
		text = t.hi
	case t.ur != "" && (language == "ur" || strings.HasPrefix(language, "ur-")):
		text = t.ur
	}
	for place, fits := range t.places {
		v := params[place]
		if !fits(v) {
			return "", fault.New(fault.Internal, "template", "a value does not fit its place in a message")
		}
		text = strings.ReplaceAll(text, "{"+place+"}", shown(place, v, inHindi))
	}
	for place := range params {
		if t.places[place] == nil {
			return "", fault.New(fault.Internal, "template", "a message template has no such place")
		}
	}
	if ablate.Off(ablate.SMSFixedText) {
		text += " " + language // a caller's words in a message
	}
	if host := params["host"]; host != "" {
		text += "\n\n@" + host + " #" + params["code"]
	}
	return text, nil
}

// subject is what stands above an e-mail: the same for every message but a code,
// so that a locked screen shows nothing of what it says.
func subject(name, language string) string {
	inHindi := language == "hi" || strings.HasPrefix(language, "hi-")
	switch {
	case name == "code-email" && inHindi:
		return "टीकाकोष: अपने ईमेल पते की पुष्टि करें"
	case name == "code-email":
		return "Tikakosh: confirm your e-mail address"
	case inHindi:
		return "टीकाकोष से एक संदेश"
	}
	return "A message from Tikakosh"
}

// only reports whether s is made of the bytes in set.
func only(s, set string) bool { return strings.Trim(s, set) == "" }

func digits(n int) func(string) bool {
	return func(s string) bool { return len(s) == n && only(s, "0123456789") }
}

func isDate(s string) bool {
	_, err := time.Parse("02-01-2006", s)
	return err == nil && len(s) == 10
}

func isTime(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == 5
}

// isTracking takes a tracking number as people read it: 1234-5678-9012-3456, or three such
// groups, as before.
func isTracking(s string) bool {
	groups := strings.Split(s, "-")
	return (len(groups) == 4 || len(groups) == 3) && !slices.ContainsFunc(groups, func(g string) bool { return !digits(4)(g) })
}

// isSlot takes times of day and the words for parts of it.
func isSlot(s string) bool {
	return slices.Contains([]string{"FORENOON", "AFTERNOON", "MORNING", "EVENING"}, s) ||
		(s != "" && len(s) <= 24 && only(s, "0123456789:APM -"))
}

// isPartner takes a partner's name as the operator enrolled it: no dot, so that
// no telephone makes a link of it, and no number that could be read as the code.
func isPartner(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return len(s) >= 2 && len(s) <= 40 && only(s, letters+"0123456789 &()-") && strings.ContainsAny(s[:1], letters) && strings.TrimSpace(s) == s && !sixDigits(s)
}

func sixDigits(s string) bool {
	run := 0
	for _, r := range s {
		if run++; r < '0' || r > '9' {
			run = 0
		}
		if run == 6 {
			return true
		}
	}
	return false
}

// isHost takes a host name as the operator configured it, or none.
func isHost(s string) bool {
	return len(s) <= 64 && only(s, "abcdefghijklmnopqrstuvwxyz0123456789.-")
}
