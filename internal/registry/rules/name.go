package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"tikakosh/internal/fault"
)

const (
	zwnj = '\u200c'
	zwj  = '\u200d'

	maxNameRunes = 100
	maxMarks     = 5 // marks on one letter; no Indic syllable needs more
)

// namePunctuation is what names hold besides letters: Latin usage, India's
// alias sign, the colon of abbreviations in Bengali, and the abbreviation signs
// of Devanagari, Gurmukhi and Gujarati.
const namePunctuation = ".'’‘`-‐–,()/:@॰੶૰"

// Printable reports whether a text such as a centre's name can be put on a page
// as it is: valid, at most 200 bytes, without control characters and without
// invisible ones other than the joiners that Indic scripts need.
func Printable(text string) bool {
	return len(text) <= 200 && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r != zwj && r != zwnj && !unicode.IsPrint(r)
	})
}

// NormalizeName brings a name to Unicode NFC with single spaces. It returns
// fault.Invalid for an empty or too long name (100 characters), for control,
// bidirectional-control and other invisible characters, for a name that begins
// with a sign (a spreadsheet might take it for a formula) and for text without
// a letter. Joiners stay where Indic scripts need them: beside a virama; and
// the non-joiner between two Arabic letters (RFC 5892, appendix A). The error
// never holds the name.
func NormalizeName(raw string) (string, error) {
	bad := func(why string) error { return fault.New(fault.Invalid, "name", "this name cannot be taken: "+why) }
	if len(raw) > 1000 || !utf8.ValidString(raw) {
		return "", bad("it is too long or not text")
	}
	raw = strings.TrimSpace(raw)
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return "", bad("it has an invisible character")
	}
	text := []rune(strings.Join(strings.Fields(norm.NFC.String(raw)), " "))
	if len(text) > maxNameRunes {
		return "", bad("it has more than 100 characters")
	}
	letters, marks := 0, 0
	for i, r := range text {
		switch why := nameRune(text, i); {
		case why != "":
			return "", bad(why)
		case unicode.IsMark(r):
			if marks++; marks > maxMarks {
				return "", bad("it has too many marks on one letter")
			}
		case unicode.IsLetter(r):
			letters, marks = letters+1, 0
		case r != zwj && r != zwnj:
			marks = 0
		}
	}
	if letters == 0 {
		return "", bad("it has no letter")
	}
	return string(text), nil
}

// nameRune says what is wrong with the character at i, or "".
func nameRune(text []rune, i int) string {
	r, prev, next := text[i], rune(0), rune(0)
	if i > 0 {
		prev = text[i-1]
	}
	if i+1 < len(text) {
		next = text[i+1]
	}
	switch {
	case r == zwj || r == zwnj:
		arabic := r == zwnj && unicode.Is(unicode.Arabic, prev) && unicode.Is(unicode.Arabic, next)
		if isVirama(prev) || unicode.IsLetter(prev) && isVirama(next) || arabic {
			return ""
		}
		return "it has an invisible character"
	case unicode.In(r, unicode.C, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return "it has an invisible character"
	case unicode.IsLetter(r):
		return ""
	case unicode.IsMark(r):
		if i == 0 || prev == ' ' || unicode.IsPunct(prev) {
			return "it has a mark without a letter"
		}
		return ""
	case r == ' ' && i > 0, unicode.Is(unicode.Nd, r) && i > 0:
		return ""
	case strings.ContainsRune(namePunctuation, r) && (i > 0 || strings.ContainsRune("'’‘(", r)):
		return ""
	}
	return "it has a character that names do not have"
}

// isVirama reports whether r has canonical combining class 9 (Unicode 4.3).
func isVirama(r rune) bool {
	return r != 0 && norm.NFC.PropertiesString(string(r)).CCC() == 9
}

// Lower-case letters of Cyrillic and Greek that look like Latin ones, each with
// its Latin twin (a part of Unicode TS 39's table, enough to find a name that
// was typed twice).
const (
	confusableFrom = "аеорсухіјѕԁɡһӏԛԝүорαορνιτυκγ"
	confusableTo   = "aeopcyxijsdghlqwyopaopvitvky"
)

// NameKey is a skeleton of a name for comparing: compatibility form, case
// folded, look-alike letters of other scripts as Latin, without spaces, signs
// and joiners. It is never shown.
func NameKey(name string) string {
	from, to := []rune(confusableFrom), []rune(confusableTo)
	// Folding alone is not one form for each pair of letters: x/text folds
	// Cherokee both ways. Lower case of the folded text is.
	s := norm.NFKC.String(strings.ToLower(cases.Fold().String(norm.NFKC.String(name))))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.P) || r == '`' {
			return -1
		}
		for i, f := range from {
			if r == f {
				return to[i]
			}
		}
		return r
	}, s)
	return norm.NFC.String(s)
}
