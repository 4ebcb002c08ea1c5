package rules

import (
	"strings"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// ParseIDNumber brings the number of an id document to one form: digits of any
// script as ASCII, upper case, without spaces and separators; 4 to 32 letters
// and digits. Aadhaar numbers need twelve digits, the first not 0 or 1, and a
// right Verhoeff digit (UIDAI), PANs five letters, four digits and a letter. It
// returns fault.Invalid otherwise; the error
// never holds the number.
func ParseIDNumber(idType int, raw string) (string, error) {
	if !contains(IDTypes(), idType) {
		return "", fault.New(fault.Invalid, "USRRES0001", "photo_id_type is not one of the listed documents")
	}
	bad := fault.New(fault.Invalid, "USRRES0001", "photo_id_number does not look like a number of that document")
	if len(raw) > 128 || !utf8.ValidString(raw) {
		return "", bad
	}
	s := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -/.\u2010\u2011\u2012\u2013", r) || bidiMark(r) {
			return -1
		}
		return r
	}, asciiDigits(raw))
	if len(s) < 4 || len(s) > 32 {
		return "", bad
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			b[i] = c - 'a' + 'A'
		case (c < '0' || c > '9') && (c < 'A' || c > 'Z'):
			return "", bad
		}
	}
	s = string(b)
	if idType == IDAadhaar && (len(s) != 12 || !onlyDigits(s) || s[0] < '2' || !id.VerhoeffValid(s)) {
		return "", bad
	}
	if idType == IDPAN && !pan(s) {
		return "", bad
	}
	return s, nil
}

// pan reports the form of a Permanent Account Number: five letters, four
// digits, a letter (Income-tax Rules 1962, form 49A).
func pan(s string) bool {
	const form = "AAAAA0000A"
	if len(s) != len(form) {
		return false
	}
	for i := range len(form) {
		if digit := s[i] <= '9'; digit != (form[i] == '0') {
			return false
		}
	}
	return true
}

// Last4 returns the last four characters of a canonical id number.
func Last4(canonical string) string { return canonical[max(0, len(canonical)-4):] }

// ParseLot brings a lot (batch) number to upper case: 1 to 20 letters, digits,
// hyphens and slashes. It returns fault.Invalid otherwise.
func ParseLot(raw string) (string, error) {
	s := strings.ToUpper(strings.TrimSpace(asciiDigits(raw)))
	if len(s) < 1 || len(s) > 20 {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: vaccine_batch")
	}
	for i := range len(s) {
		if !(s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == '-' || s[i] == '/') {
			return "", fault.New(fault.Invalid, "USRRES0001", "vaccine_batch has letters, digits and hyphens only")
		}
	}
	return s, nil
}
