package catalogue

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// PseudoCode is the language that Pseudo makes: English as CLDR's pseudo-locale.
const PseudoCode = "en-XA"

// Brackets stand around each of Pseudo's messages.
const (
	PseudoBegin = "⟦"
	PseudoEnd   = "⟧"
)

// LoadWith is Load with one more language, whose file is not embedded: a translator's, or
// Pseudo's. Code names it; the file's messages are as those of lang/CODE.json.
func LoadWith(code string, file []byte) (*Catalogue, error) {
	raw, err := whole(files)
	if err != nil {
		return nil, err
	}
	if raw[code] != nil {
		return nil, fmt.Errorf("catalogue %s: there is such a language already", code)
	}
	raw[code] = file
	return parse(raw, datesJSON)
}

// Pseudo is a language file made of the English messages: each in brackets and 40 % longer,
// its words too. Where a screen has a text without brackets it is not a message; where
// it breaks, a language with long words breaks it.
func Pseudo() ([]byte, error) {
	raw, err := whole(files)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(raw[Default], &m); err != nil {
		return nil, err
	}
	for id, text := range m {
		switch text := text.(type) {
		case string:
			m[id] = pseudo(text)
		case map[string]any: // the forms of a plural
			for form, t := range text {
				if s, ok := t.(string); ok {
					text[form] = pseudo(s)
				}
			}
		}
	}
	m["language.dir"] = "ltr"
	return json.Marshal(m)
}

// places are the parts of a message that are not words of it.
func places() *regexp.Regexp { return regexp.MustCompile(`{{[^}]*}}`) }

// pseudo is a message in brackets and 40 % longer: its vowels are said twice or thrice.
func pseudo(text string) string {
	at := places()
	words, parts := at.Split(text, -1), at.FindAllString(text, -1)
	var b strings.Builder
	b.WriteString(PseudoBegin)
	for i, w := range words {
		wanted := (2*utf8.RuneCountInString(w) + 4) / 5
		for _, r := range w {
			b.WriteRune(r)
			if wanted > 0 && strings.ContainsRune("aeiouAEIOUy", r) {
				n := min(wanted, 2)
				b.WriteString(strings.Repeat(strings.ToLower(string(r)), n))
				wanted -= n
			}
		}
		if i < len(parts) {
			b.WriteString(parts[i])
		}
	}
	b.WriteString(PseudoEnd)
	return b.String()
}
