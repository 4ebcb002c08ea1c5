package scheduling

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Bounds of what is stored of a centre and a session.
const (
	maxText  = 200
	maxSlots = 48
	maxCap   = 1_000_000
	maxKey   = 200
	maxDose  = 9
)

func invalid(code, text string) error { return fault.New(fault.Invalid, code, text) }

// plain reports whether s is short UTF-8 text without control characters
// (PostgreSQL refuses NUL in text; slots are stored one per line).
func plain(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func zoneKnown(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

func (c Centre) check() error {
	for _, t := range []string{c.Name, c.Address, c.State, c.District, c.Block} {
		if !plain(t) {
			return invalid("centre", "a centre's text is too long or malformed")
		}
	}
	switch {
	case c.ID <= 0 || c.Name == "":
		return invalid("centre", "a centre needs a number and a name")
	case !PINValid(c.PIN):
		return invalid("APPOIN0018", "Invalid Pincode")
	case !zoneKnown(c.Zone):
		return invalid("zone", "a centre needs an IANA time zone")
	case c.Opens < 0 || c.Closes > AllDay || c.Opens > c.Closes:
		return invalid("centre", "a centre's hours are minutes of one day")
	case !(c.Lat >= -90 && c.Lat <= 90 && c.Long >= -180 && c.Long <= 180):
		return invalid("centre", "a centre's position is not on the globe")
	}
	return nil
}

// PINValid reports whether s is a postal index number: six digits, the first
// not 0.
func PINValid(s string) bool {
	return len(s) == 6 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// complete fills in what a session takes from its centre and checks it.
func (s *Session) complete(c Centre) error {
	if s.Zone == "" {
		s.Zone = c.Zone
	}
	if s.Programme == "" {
		s.Programme = DefaultProgramme
	}
	if s.BookingCloses == 0 {
		s.BookingCloses = DefaultBookingCloses
	}
	for _, t := range append([]string{s.Programme, s.Product, string(s.ID)}, s.Slots...) {
		if t == "" || !plain(t) {
			return invalid("session", "a session's text is missing, too long or malformed")
		}
	}
	switch {
	case !s.Day.Valid() || !zoneKnown(s.Zone):
		return invalid("session", "a session needs a day and an IANA time zone")
	case len(s.Slots) == 0 || len(s.Slots) > maxSlots:
		return invalid("session", "a session has 1 to 48 slots")
	case s.Cap1 < 0 || s.Cap2 < 0 || s.Cap1 > maxCap || s.Cap2 > maxCap || s.Fee < 0:
		return invalid("session", "a session's places or fee are out of range")
	case s.MinAge < 0 || s.MaxAge < 0 || (s.MaxAge > 0 && s.MaxAge < s.MinAge):
		return invalid("session", "a session's ages are out of order")
	case s.BookingCloses < 0 || s.BookingCloses > AllDay:
		return invalid("session", "booking closes within the day")
	}
	return nil
}

// check refuses what can be refused without asking anybody.
func (in BookInput) check() error {
	switch {
	case in.Key == "" || len(in.Key) > maxKey:
		return invalid("key", "an idempotency key of 1 to 200 bytes is wanted")
	case in.Dose < 1 || in.Dose > maxDose:
		return invalid("USRRES0002", "a dose number from 1 is wanted")
	case len(in.Session) == 0 || len(in.Session) > 64:
		return invalid(CodeSlot, "Invalid Slot Id")
	}
	return checkParty(in.References)
}

func checkParty(refs []id.Reference) error {
	if len(refs) == 0 || len(refs) > MaxParty {
		return invalid("USRRES0001", "one to six beneficiaries are wanted")
	}
	for i, r := range refs {
		if slices.Contains(refs[:i], r) {
			return invalid("USRRES0002", "a beneficiary is named twice")
		}
	}
	return nil
}
