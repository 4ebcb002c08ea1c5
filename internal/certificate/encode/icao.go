package encode

import (
	"strings"
	"unicode"
)

// ICAOName writes a name in the machine-readable alphabet A–Z and < of ICAO
// Doc 9303-3 (section 6, recommended transliterations): parts are joined with
// one <, everything else is dropped. Latin letters follow the recommendation;
// Indic scripts are romanised by Romanise; other scripts have no reliable
// romanisation here and give X, which ICAO uses for "not known".
func ICAOName(name string) string {
	var parts []string
	for _, word := range strings.FieldsFunc(clean(name), isNameBreak) {
		var b strings.Builder
		for _, r := range Romanise(word) {
			b.WriteString(icaoLatin(r))
		}
		if b.Len() > 0 {
			parts = append(parts, b.String())
		}
	}
	if len(parts) == 0 {
		return "X"
	}
	return strings.Join(parts, "<")
}

func isNameBreak(r rune) bool {
	return unicode.IsSpace(r) || r == '-' || r == '.' || r == ',' || r == '/' || unicode.Is(unicode.Pd, r)
}

// clipICAO shortens a machine-readable name to n characters (ICAO 9303-3
// section 4.6: truncation from the right).
func clipICAO(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.TrimRight(s, "<")
}

// icaoFold groups accented letters by their plain form; the first character of
// each word is the base letter.
const icaoFold = "AÀÁÂÃĀĂĄ CÇĆĈĊČ DĎĐ EÈÉÊËĒĔĖĘĚ GĜĞĠĢ HĤĦ IÌÍÎÏĨĪĬĮİ JĴ KĶ LĹĻĽĿŁ NÑŃŅŇ OÒÓÔÕŌŎŐ RŔŖŘ SŚŜŞŠȘ TŢŤŦȚ UÙÚÛŨŪŬŮŰŲ WŴ YÝŶŸ ZŹŻŽ " +
	"RṚṜ TṬ DḌ NṆṄ SṢ HḤ MṂṀ LḶ"

func icaoLatin(r rune) string {
	r = unicode.ToUpper(r)
	if r >= 'A' && r <= 'Z' {
		return string(r)
	}
	switch r {
	case 'Ä', 'Æ':
		return "AE"
	case 'Ö', 'Ø', 'Œ':
		return "OE"
	case 'Ü':
		return "UE"
	case 'Å':
		return "AA"
	case 'ß', 'ẞ':
		return "SS"
	case 'Þ':
		return "TH"
	case 'Ð':
		return "D"
	}
	for _, group := range strings.Fields(icaoFold) {
		if strings.ContainsRune(group, r) {
			return group[:1]
		}
	}
	return ""
}
