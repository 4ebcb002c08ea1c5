package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tikakosh/internal/fault"
)

// asciiDigits turns decimal digits of any script into ASCII digits, and the
// rest into its compatibility form (NFKC). Decimal digits stand in runs of ten
// from zero to nine (Unicode 4.6), so the place in the run is the value.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII {
			return r
		}
		for _, t := range unicode.Nd.R16 {
			if r >= rune(t.Lo) && r <= rune(t.Hi) {
				return '0' + (r-rune(t.Lo))%10
			}
		}
		for _, t := range unicode.Nd.R32 {
			if r >= rune(t.Lo) && r <= rune(t.Hi) {
				return '0' + (r-rune(t.Lo))%10
			}
		}
		return r
	}, norm.NFKC.String(s))
}

// ParseMobile brings an Indian mobile number to its one form, ten digits. It
// takes +91, 91 or 0 in front, spaces, dots, brackets and hyphens between, the
// invisible direction marks that telephones copy with a number, and digits of
// any script. The first digit is 6 to 9 (National Numbering Plan 2003); with
// demo also 0 to 5, which belong to nobody. It returns fault.Invalid otherwise;
// the error never holds the number.
func ParseMobile(raw string, demo bool) (string, error) {
	bad := fault.New(fault.Invalid, "USRRES0001", "a mobile number has ten digits and begins with 6, 7, 8 or 9")
	if len(raw) > 128 || !utf8.ValidString(raw) {
		return "", bad
	}
	s := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()\u2010\u2011\u2012\u2013", r) || bidiMark(r) {
			return -1
		}
		return r
	}, asciiDigits(raw))
	plus := strings.HasPrefix(s, "+")
	s = strings.TrimPrefix(s, "+")
	switch {
	case len(s) == 12 && strings.HasPrefix(s, "91"):
		s = s[2:]
	case plus:
		return "", bad
	case len(s) == 11 && s[0] == '0':
		s = s[1:]
	}
	if len(s) != 10 || !onlyDigits(s) || (!demo && s[0] < '6') {
		return "", bad
	}
	return s, nil
}

// bidiMark reports whether r steers the direction of text (Unicode TR 9, 2).
func bidiMark(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
