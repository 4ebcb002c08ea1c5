package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPeople is how many people one mobile has.
const maxPeople = 6

// shown is a value as a message shows it.
func shown(place, v string, inHindi bool) string {
	switch place {
	case "centre":
		switch {
		case v == "":
			return ""
		case inHindi:
			return " (" + v + ")"
		}
		return " at " + v
	case "people":
		return peopleLines(v, inHindi)
	}
	return v
}

// peopleLines is a line for each person.
func peopleLines(v string, inHindi bool) string {
	var b strings.Builder
	for one := range strings.SplitSeq(v, ",") {
		ref, code, _ := strings.Cut(one, ":")
		words := [2]string{"\nReference ..", ": code "}
		if inHindi {
			words = [2]string{"\nसंदर्भ ..", ": कोड "}
		}
		b.WriteString(words[0] + ref)
		if code != "" {
			b.WriteString(words[1] + code)
		}
	}
	return b.String()
}

// isPeople takes one to six pairs of four digits, or with codes false one to six
// fours of digits.
func isPeople(codes bool) func(string) bool {
	four := digits(4)
	return func(s string) bool {
		all := strings.Split(s, ",")
		for _, one := range all {
			ref, code, has := strings.Cut(one, ":")
			if !four(ref) || has != codes || (has && !four(code)) {
				return false
			}
		}
		return len(all) <= maxPeople
	}
}

// CentreName is a centre's name as messages can show it: of at most 40 letters,
// digits and plain signs, with no dot or slash, so that no telephone makes a link
// of it, and no number that could be read as a code. "" when the name is not like that.
func CentreName(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '.' || r == '/' {
			return ' '
		}
		return r
	}, s))
	if s = strings.Join(strings.Fields(s), " "); !isCentre(s) {
		return ""
	}
	return s
}

// isCentre takes what CentreName makes, and none.
func isCentre(s string) bool {
	if s == "" {
		return true
	}
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 40 || strings.Join(strings.Fields(s), " ") != s || fourDigits(s) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(s)
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune("0123456789 ,()&'-", r) {
			return false
		}
	}
	return unicode.IsLetter(first)
}

// fourDigits finds a run of digits that could be read as a code.
func fourDigits(s string) bool {
	run := 0
	for _, r := range s {
		if run++; r < '0' || r > '9' {
			run = 0
		}
		if run == 4 {
			return true
		}
	}
	return false
}
