package encode

import (
	"strings"
	"unicode/utf8"
)

// The nine scripts of India share one layout: the same letter stands at the
// same offset of each 128-character block (Unicode chapter 12, after ISCII). So
// one table, written for Devanagari, reads them all; what a script has of its
// own is in romaniseOwn.
const (
	indicFirst = 0x0900 // Devanagari
	indicLast  = 0x0d7f // end of Malayalam
)

// Offsets inside a block.
const (
	offCandrabindu = 0x01
	offAnusvara    = 0x02
	offVisarga     = 0x03
	offKa          = 0x15
	offHa          = 0x39
	offNukta       = 0x3c
	offVirama      = 0x4d

	tippi = 0x0a70 // Gurmukhi nasal sign
)

// consonants from ka (0x15) to ha (0x39), in the Hunterian spelling that
// Indian passports use: no diacritics, aspirates with H.
var consonants = strings.Fields("K KH G GH NG CH CHH J JH N T TH D DH N T TH D DH N N P PH B BH M Y R R L L L V SH SH S H")

// independent vowels from 0x04 to 0x14, dependent signs from 0x3e to 0x4c.
var (
	vowels = strings.Fields("A A A I I U U RI L E E E AI O O O AU")
	signs  = strings.Fields("A I I U U RI RI E E E AI O O O AU")
)

// unit is one consonant or vowel on the way to Latin.
type unit struct {
	c      string // consonant, or ""
	v      string // vowel, or ""
	schwa  bool   // v is the inherent a
	joined bool   // the consonant before it carries a virama
	coda   string // M, N or H after the vowel
}

// Romanise writes a word of an Indic script in upper-case Latin letters; other
// characters pass unchanged. It is deterministic and needs no dictionary:
//
//   - Hunterian letters without diacritics (Survey of India);
//   - in Devanagari, Gujarati, Gurmukhi and Bengali the inherent a is dropped at
//     the end of a word after a single consonant and between a vowel-consonant
//     and a consonant-vowel, from right to left (Ohala 1983: रमेश RAMESH, जगदीश
//     JAGDISH, कृष्ण KRISHNA); in Odia and the southern scripts it is kept;
//   - anusvara and its relatives are N, before labials M.
//
// It gives a usable spelling for machine-readable fields, not the spelling a
// person chose; where a Latin name is on record that one is signed instead.
func Romanise(word string) string {
	var out strings.Builder
	for len(word) > 0 {
		n := 0
		for i, r := range word {
			if !isIndic(r) && r != '\u200c' && r != '\u200d' {
				break
			}
			n = i + utf8.RuneLen(r)
		}
		if n == 0 {
			_, size := utf8.DecodeRuneInString(word)
			out.WriteString(word[:size])
			word = word[size:]
			continue
		}
		out.WriteString(romaniseRun(word[:n]))
		word = word[n:]
	}
	return out.String()
}

func isIndic(r rune) bool { return r >= indicFirst && r <= indicLast }

func isVirama(r rune) bool { return isIndic(r) && r&0x7f == offVirama }

func romaniseRun(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.Trim(s, "\u200c\u200d"))
	units := parseUnits(s)
	if first < 0x0b00 { // Devanagari, Bengali, Gurmukhi, Gujarati
		dropSchwas(units)
	}
	var b strings.Builder
	for i, u := range units {
		b.WriteString(u.c)
		b.WriteString(u.v)
		coda := u.coda
		if coda == "N" && i+1 < len(units) && strings.ContainsAny(units[i+1].c[:min(1, len(units[i+1].c))], "PBM") {
			coda = "M"
		}
		b.WriteString(coda)
	}
	return b.String()
}

// parseUnits reads letters into consonant and vowel units.
func parseUnits(s string) []unit {
	var us []unit
	last := func() *unit {
		if len(us) == 0 {
			us = append(us, unit{})
		}
		return &us[len(us)-1]
	}
	virama := false
	for _, r := range s {
		if c, v, ok := romaniseOwn(r); ok {
			us = append(us, unit{c: c, v: v, schwa: v == "A" && c != "", joined: virama})
			virama = false
			continue
		}
		off := int(r) & 0x7f
		switch {
		case off >= offKa && off <= offHa:
			us = append(us, unit{c: consonants[off-offKa], v: "A", schwa: true, joined: virama})
			virama = false
		case off >= 0x04 && off < 0x04+len(vowels):
			us = append(us, unit{v: vowels[off-0x04]})
			virama = false
		case off >= 0x3e && off < 0x3e+len(signs):
			u := last()
			u.v, u.schwa = signs[off-0x3e], false
		case off == offVirama:
			u := last()
			u.v, u.schwa, virama = "", false, true
		case off == offCandrabindu || off == offAnusvara || r == tippi:
			last().coda = "N"
		case off == offVisarga:
			last().coda = "H"
		case off == offNukta:
			u := last()
			if n, ok := map[string]string{"K": "Q", "J": "Z", "PH": "F", "D": "R", "DH": "RH"}[u.c]; ok {
				u.c = n
			}
		}
	}
	return mergeConjuncts(us)
}

// mergeConjuncts spells the two conjuncts that sound unlike their parts: ज्ञ
// (J, N) is GY, and SH after K in क्ष stays, so KSH needs nothing.
func mergeConjuncts(us []unit) []unit {
	for i := 0; i+1 < len(us); i++ {
		if us[i].c == "J" && us[i].v == "" && us[i+1].c == "N" && us[i+1].joined {
			us[i].c, us[i+1].c = "G", "Y"
		}
	}
	return us
}

// dropSchwas applies the rule in Romanise's comment, from right to left.
func dropSchwas(us []unit) {
	vowel := func(i int) bool { return i >= 0 && i < len(us) && us[i].v != "" }
	for i := len(us) - 1; i > 0; i-- {
		u := &us[i]
		if !u.schwa || u.joined || u.coda != "" || !vowel(i-1) || us[i-1].coda != "" && i < len(us)-1 {
			continue
		}
		if i == len(us)-1 || vowel(i+1) && us[i+1].c != "" {
			u.v, u.schwa = "", false
		}
	}
}

// romaniseOwn reads what stands outside the shared layout: precomposed nukta
// letters and the letters one script has alone.
func romaniseOwn(r rune) (c, v string, ok bool) {
	switch r {
	case 0x0950: // om
		return "", "OM", true
	case 0x0958: // qa
		return "Q", "A", true
	case 0x0959, 0x0a59: // khha
		return "KH", "A", true
	case 0x095a, 0x0a5a: // ghha
		return "G", "A", true
	case 0x095b, 0x0a5b: // za
		return "Z", "A", true
	case 0x095c, 0x09dc, 0x0a5c, 0x0b5c: // rra
		return "R", "A", true
	case 0x095d, 0x09dd, 0x0b5d: // rha
		return "RH", "A", true
	case 0x095e, 0x0a5e: // fa
		return "F", "A", true
	case 0x095f, 0x09df, 0x0b5f: // yya
		return "Y", "A", true
	case 0x09ce: // Bengali khanda ta
		return "T", "", true
	case 0x09f0: // Assamese ra
		return "R", "A", true
	case 0x09f1, 0x0b71: // Assamese and Odia wa
		return "W", "A", true
	case 0x0bb4, 0x0d34: // Tamil and Malayalam llla
		return "ZH", "A", true
	case 0x0d7a, 0x0d7b: // Malayalam chillu nn, n
		return "N", "", true
	case 0x0d7c: // chillu rr
		return "R", "", true
	case 0x0d7d, 0x0d7e: // chillu l, ll
		return "L", "", true
	case 0x0d7f: // chillu k
		return "K", "", true
	case 0x0a71: // Gurmukhi addak doubles the next consonant; one is enough
		return "", "", true
	}
	return "", "", false
}
