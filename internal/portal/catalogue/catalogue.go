// Package catalogue is what the portal says, in every language: go-i18n message files, one
// for each language, and the names of days and months. A language is added by its file
// alone; what a file lacks is said in English.
package catalogue

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"tikakosh/internal/civil"
)

//go:embed lang/*.json lang/*/*.json
var files embed.FS

//go:embed dates.json
var datesJSON []byte

// Default is the language of what no file of the asked language says.
const Default = "en"

// Language is one that the portal speaks. Name is its own word for itself, Dir "ltr" or "rtl".
type Language struct{ Code, Name, Dir string }

// Tongue says messages in one language. It is safe for concurrent use.
type Tongue struct {
	Language
	plain   map[string]string // messages without placeholders or plural forms, English where there is none
	say     *i18n.Localizer
	dates   dates
	missing map[string]bool // said in English
	counts  sync.Map        // counted -> string, what N said
}

// dates are the names of a language, from Monday's to Sunday's and from January's on.
type dates struct {
	Months        []string `json:"months"`
	ShortMonths   []string `json:"short_months"`
	Weekdays      []string `json:"weekdays"`
	ShortWeekdays []string `json:"short_weekdays"`
}

// Catalogue holds every language. It never changes after Load.
type Catalogue struct {
	by    map[string]*Tongue
	order []Language
	ids   []string
}

// Load reads the embedded files: lang/CODE.json, and lang/GROUP/CODE.json of a group of pages.
func Load() (*Catalogue, error) {
	raw, err := whole(files)
	if err != nil {
		return nil, err
	}
	return parse(raw, datesJSON)
}

// whole joins the files of each language. A message that is said twice is an error.
func whole(from fs.FS) (map[string][]byte, error) {
	all := map[string]map[string]json.RawMessage{}
	err := fs.WalkDir(from, "lang", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("catalogue %s: %w", name, err)
		}
		code := strings.TrimSuffix(path.Base(name), ".json")
		if all[code] == nil {
			all[code] = map[string]json.RawMessage{}
		}
		for id, text := range m {
			if all[code][id] != nil {
				return fmt.Errorf("catalogue %s: %s is said in another file too", name, id)
			}
			all[code][id] = text
		}
		return nil
	})
	out := map[string][]byte{}
	for code, m := range all {
		if err == nil {
			out[code], err = json.Marshal(m)
		}
	}
	return out, err
}

// parse makes the catalogue of files by their language's code.
func parse(raw map[string][]byte, datesRaw []byte) (*Catalogue, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	all := map[string]map[string]json.RawMessage{}
	for code, text := range raw {
		if _, err := bundle.ParseMessageFileBytes(text, code+".json"); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", code, err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", code, err)
		}
		all[code] = m
	}
	var names map[string]dates
	if err := json.Unmarshal(datesRaw, &names); err != nil {
		return nil, fmt.Errorf("catalogue: dates: %w", err)
	}
	c := &Catalogue{by: map[string]*Tongue{}}
	for code, m := range all {
		t := &Tongue{plain: map[string]string{}, missing: map[string]bool{}, say: i18n.NewLocalizer(bundle, code, Default), dates: names[code]}
		if len(t.dates.Months) != 12 {
			t.dates = names[Default]
		}
		for id, text := range all[Default] {
			if own, ok := m[id]; ok {
				text = own
			} else {
				t.missing[id] = true
			}
			var s string
			if json.Unmarshal(text, &s) == nil && !strings.Contains(s, "{{") {
				t.plain[id] = s
			}
		}
		t.Language = Language{Code: code, Name: t.plain["language.name"], Dir: t.plain["language.dir"]}
		if t.missing["language.name"] || t.missing["language.dir"] || (t.Dir != "ltr" && t.Dir != "rtl") {
			return nil, fmt.Errorf("catalogue %s: language.name and language.dir (ltr or rtl) are wanted", code)
		}
		c.by[code] = t
		c.order = append(c.order, t.Language)
	}
	for id := range all[Default] {
		c.ids = append(c.ids, id)
	}
	slices.Sort(c.ids)
	first := []string{Default, "hi"}
	slices.SortFunc(c.order, func(a, b Language) int {
		rank := func(l Language) int {
			if i := slices.Index(first, l.Code); i >= 0 {
				return i
			}
			return len(first)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Code, b.Code))
	})
	return c, nil
}

// Languages lists them: English, Hindi, then by code.
func (c *Catalogue) Languages() []Language { return c.order }

// IDs lists every message's name.
func (c *Catalogue) IDs() []string { return c.ids }

// Has reports whether there is a language of that code.
func (c *Catalogue) Has(code string) bool { return c.by[code] != nil }

// In is the tongue of a code, English when there is no such language.
func (c *Catalogue) In(code string) *Tongue {
	if t := c.by[code]; t != nil {
		return t
	}
	return c.by[Default]
}

// Choose is the language that an Accept-Language header prefers: the highest quality of
// those that are spoken, the earlier of equals, English when none is.
func (c *Catalogue) Choose(accept string) string {
	if len(accept) > 500 {
		return Default
	}
	tags, q, err := language.ParseAcceptLanguage(strings.ReplaceAll(accept, "_", "-"))
	if err != nil {
		return Default
	}
	for i, tag := range tags { // in order of quality
		if base, _ := tag.Base(); q[i] > 0 && c.Has(base.String()) {
			return base.String()
		}
	}
	return Default
}

// T is a message; pairs are the names and values of its placeholders. An unknown id is
// shown as it is, which a test of the portal's sources finds.
func (t *Tongue) T(id string, pairs ...any) string {
	if s, ok := t.plain[id]; ok {
		return s
	}
	return t.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: t.data(pairs)})
}

// N is a message that depends on a count, which is its placeholder N as people here write it.
func (t *Tongue) N(id string, n int64, pairs ...any) string {
	if len(pairs) > 0 || n < 0 || n >= countsKept {
		return t.count(id, n, pairs)
	}
	key := counted{id, n}
	if s, ok := t.counts.Load(key); ok {
		return s.(string)
	}
	s := t.count(id, n, nil)
	t.counts.Store(key, s)
	return s
}

// countsKept is how many counts of each message are kept: a list of centres says the same few
// again and again, and a template costs ten times as much as the rest of a line.
const countsKept = 200

type counted struct {
	id string
	n  int64
}

func (t *Tongue) count(id string, n int64, pairs []any) string {
	return t.localize(&i18n.LocalizeConfig{MessageID: id, PluralCount: n, TemplateData: t.data(append(pairs, "N", Number(n)))})
}

func (t *Tongue) localize(c *i18n.LocalizeConfig) string {
	s, err := t.say.Localize(c)
	if err != nil && s == "" {
		return c.MessageID
	}
	return s
}

// Named is a name that the program knows, of a state, a document or a standing, in the language:
// the message "name." and its English letters. A name that no file says is what it is.
func (t *Tongue) Named(name string) string {
	if s, ok := t.plain["name."+slug(name)]; ok {
		return s
	}
	return name
}

// slug is a name as part of a message's id: "uttar_pradesh".
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "_")
}

// Missing reports whether a message is said in English for want of one.
func (t *Tongue) Missing(id string) bool { return t.missing[id] }

// data are the values of a message's placeholders by name.
func (t *Tongue) data(pairs []any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			m[name] = pairs[i+1]
			if text, ok := pairs[i+1].(string); ok && t.Dir == "rtl" {
				m[name] = apart(text)
			}
		}
	}
	return m
}

// apart sets a value off from a text that is written from right to left (Unicode's isolates):
// "09:00–11:00" and a name in another script keep their own order. A number does by itself. The
// direction is said: the browser's own guess looks past values that were set off before.
func apart(text string) string {
	if strings.Trim(text, "0123456789,.") == "" {
		return text
	}
	begin := "\u2066" // from left to right
	if i := strings.IndexFunc(text, unicode.IsLetter); i >= 0 {
		if r, _ := utf8.DecodeRuneInString(text[i:]); unicode.Is(unicode.Arabic, r) {
			begin = "\u2067"
		}
	}
	return begin + text + "\u2069"
}

// Day is a date in words: "3 March 2026".
func (t *Tongue) Day(d civil.Date) string {
	if d.Month < 1 || d.Month > 12 {
		return ""
	}
	return fmt.Sprintf("%d %s %d", d.Day, t.dates.Months[d.Month-1], d.Year)
}

// Months are the names of the months from January on, in a copy.
func (t *Tongue) Months() []string { return slices.Clone(t.dates.Months) }

// LongDay is Day after its weekday.
func (t *Tongue) LongDay(d civil.Date) string {
	return t.dates.Weekdays[weekday(d)] + t.comma() + t.Day(d)
}

// ShortDay is a date of the nearest weeks: weekday, day, month.
func (t *Tongue) ShortDay(d civil.Date) (weekdayName, day, month string) {
	if d.Month < 1 || d.Month > 12 {
		return "", "", ""
	}
	return t.dates.ShortWeekdays[weekday(d)], fmt.Sprint(d.Day), t.dates.ShortMonths[d.Month-1]
}

func weekday(d civil.Date) int { return (int(d.In(time.UTC).Weekday()) + 6) % 7 }

// Clock is an instant in India's time: "3 March 2026, 14:05".
func (t *Tongue) Clock(at time.Time) string {
	at = at.In(time.FixedZone("IST", 19800))
	return t.Day(civil.Of(at)) + t.comma() + at.Format("15:04")
}

// comma is the comma of the language's script.
func (t *Tongue) comma() string {
	if t.Dir == "rtl" {
		return "، "
	}
	return ", "
}

// Number groups digits as India does, in every language: 12,34,567.
func Number(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if len(s) <= 3 {
		return sign + s
	}
	head, tail := s[:len(s)-3], s[len(s)-3:]
	for len(head) > 2 {
		head, tail = head[:len(head)-2], head[len(head)-2:]+","+tail
	}
	return sign + head + "," + tail
}
