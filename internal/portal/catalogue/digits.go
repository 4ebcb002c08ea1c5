package catalogue

import (
	"strings"
	"unicode"
)

// zeros are the digits zero of the scripts that people here type in, and the Arabic ones of
// Urdu and Sindhi keyboards.
const zeros = "0०০੦૦୦௦౦೦൦᱐٠۰"

// Digits reads what somebody typed into a field for a number: digits of any script of India
// become 0 to 9; spaces, hyphens, dots and brackets between them, and marks that have no
// width, are left out. A "+" stays where it leads. It is false when anything else is there or
// nothing is, and for more than most digits.
func Digits(typed string, most int) (string, bool) {
	var b strings.Builder
	n := 0
	for _, r := range typed {
		d, isDigit := digitOf(r)
		switch {
		case isDigit:
			if n++; n > most {
				return "", false
			}
			b.WriteByte('0' + d)
		case r == '+' && b.Len() == 0:
			b.WriteByte('+')
		case unicode.IsSpace(r), strings.ContainsRune("-‐‑–.()", r), unicode.Is(unicode.Cf, r):
		default:
			return "", false
		}
	}
	return b.String(), n > 0
}

func digitOf(r rune) (byte, bool) {
	for _, zero := range zeros {
		if r >= zero && r <= zero+9 {
			return byte(r - zero), true
		}
	}
	return 0, false
}

// PIN reads a PIN code of India Post as typed: six digits, the first not 0.
func PIN(typed string) (string, bool) {
	s, ok := Digits(typed, 6)
	return s, ok && len(s) == 6 && s[0] >= '1' && s[0] <= '9'
}

// Mobile reads a mobile number of India as typed, with or without +91, 91 or 0 before it, as
// ten digits that begin with 6 to 9.
func Mobile(typed string) (string, bool) {
	s, ok := Digits(typed, 14)
	if !ok {
		return "", false
	}
	switch {
	case strings.HasPrefix(s, "+91"):
		s = s[3:]
	case strings.HasPrefix(s, "+"):
		return "", false
	case len(s) == 12 && strings.HasPrefix(s, "91"):
		s = s[2:]
	case len(s) == 14 && strings.HasPrefix(s, "0091"):
		s = s[4:]
	}
	if len(s) == 11 && s[0] == '0' {
		s = s[1:]
	}
	return s, len(s) == 10 && s[0] >= '6' && s[0] <= '9'
}

// Count reads a small whole number as typed, at most most.
func Count(typed string, most int) (int, bool) {
	s, ok := Digits(typed, 9)
	if !ok || s[0] == '+' {
		return 0, false
	}
	n := 0
	for _, d := range []byte(s) {
		n = n*10 + int(d-'0')
	}
	return n, n <= most
}
