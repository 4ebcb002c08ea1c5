package catalogue

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tikakosh/internal/civil"
)

func load(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var placeholder = regexp.MustCompile(`{{[^}]*}}`)

// TestComplete: English and Hindi say everything; no language says what English does not,
// leaves a placeholder out or invents one.
func TestComplete(t *testing.T) {
	c := load(t)
	read := func(code string) map[string]json.RawMessage {
		raw, err := whole(os.DirFS("."))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw[code], &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	english := read(Default)
	for _, l := range c.Languages() {
		own := read(l.Code)
		for id, text := range own {
			want, ok := english[id]
			if !ok {
				t.Errorf("%s: %s is not said in English", l.Code, id)
				continue
			}
			a, b := placeholder.FindAllString(string(want), -1), placeholder.FindAllString(string(text), -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
				t.Errorf("%s: %s has the placeholders %v, English %v", l.Code, id, b, a)
			}
			if strings.TrimSpace(string(text)) == `""` {
				t.Errorf("%s: %s is empty", l.Code, id)
			}
		}
		if l.Code == "hi" {
			for id := range english {
				if own[id] == nil {
					t.Errorf("hi: %s is missing", id)
				}
			}
		}
	}
}

// TestUsed: what the portal's sources ask for is there, and nothing is there for nobody.
func TestUsed(t *testing.T) {
	c := load(t)
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "node_modules") || strings.Contains(path, "/staff/") || strings.HasSuffix(path, "_templ.go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if strings.HasSuffix(path, ".templ") || strings.HasSuffix(path, ".go") {
			raw, err := os.ReadFile(path)
			all.Write(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	source := all.String()
	for _, m := range regexp.MustCompile(`\b[TN]\("([a-z0-9_.]+)"[,)]`).FindAllStringSubmatch(source, -1) {
		if !slices.Contains(c.IDs(), m[1]) {
			t.Errorf("%s is asked for and nowhere said", m[1])
		}
	}
	for _, id := range c.IDs() {
		group, _, _ := strings.Cut(id, ".")
		if !strings.Contains(source, `"`+id+`"`) && !strings.Contains(source, `"`+group+`."`) && !strings.Contains(source, `"`+strings.TrimSuffix(id, "_text")+`"`) {
			t.Errorf("%s is said to nobody", id)
		}
	}
}

func TestSays(t *testing.T) {
	c := load(t)
	if got := c.In("hi").N("error.wait_seconds", 1_234); !strings.Contains(got, "1,234") {
		t.Errorf("%q", got)
	}
	if one, many := c.In("en").N("error.wait_seconds", 1), c.In("en").N("error.wait_seconds", 2); one != "Wait 1 second." || many != "Wait 2 seconds." {
		t.Errorf("%q %q", one, many)
	}
	if got := c.In("ur").T("book.at", "Day", "منگل", "Time", "09:00–11:00"); got != "\u2067منگل\u2069، \u206609:00–11:00\u2069" {
		t.Errorf("%+q", got)
	}
	if got := c.In("ur").T("find.in_pin", "PIN", "110001"); strings.ContainsAny(got, "\u2066\u2067") || !strings.HasPrefix(got, "110001 ") {
		t.Errorf("%+q", got)
	}
	if got := c.In("xx").T("site.name"); got != "Tikakosh" {
		t.Errorf("an unknown language says %q", got)
	}
	if got := c.In("en").T("no.such"); got != "no.such" {
		t.Errorf("an unknown message is %q", got)
	}
	day := civil.Date{Year: 2026, Month: time.March, Day: 3}
	for code, want := range map[string]string{"en": "Tuesday, 3 March 2026", "hi": "मंगलवार, 3 मार्च 2026", "ur": "منگل، 3 مارچ 2026"} {
		if got := c.In(code).LongDay(day); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
}

// TestByFileAlone: a language is a file; what it lacks is said in English.
func TestByFileAlone(t *testing.T) {
	english, err := os.ReadFile("lang/en.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse(map[string][]byte{"en": english, "ta": []byte(`{"language.name": "தமிழ்", "language.dir": "ltr", "nav.find": "மையம்"}`)}, datesJSON)
	if err != nil {
		t.Fatal(err)
	}
	ta := c.In("ta")
	if ta.T("nav.find") != "மையம்" || ta.T("nav.verify") != "Verify" || !ta.Missing("nav.verify") || ta.Missing("nav.find") {
		t.Errorf("%q %q", ta.T("nav.find"), ta.T("nav.verify"))
	}
	if got := ta.Day(civil.Date{Year: 2026, Month: 1, Day: 2}); got != "2 ஜனவரி 2026" {
		t.Errorf("%q", got)
	}
	if _, err := parse(map[string][]byte{"en": english, "xx": []byte(`{"nav.find": "x"}`)}, datesJSON); err == nil {
		t.Error("a language without a name was taken")
	}
}

func TestChoose(t *testing.T) {
	c := load(t)
	for accept, want := range map[string]string{"": "en", "hi": "hi", "hi_IN": "hi", "mai-IN,hi;q=0.8,en;q=0.9": "en", "ur-PK, en;q=0.1": "ur", "fr": "en", "hi;q=0, en": "en", ";;;q=": "en", strings.Repeat("hi,", 400): "en"} {
		if got := c.Choose(accept); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 123456: "1,23,456", 12345678: "1,23,45,678", -1234567: "-12,34,567"} {
		if got := Number(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestDigits(t *testing.T) {
	for in, want := range map[string]string{"११०००१": "110001", "110 001": "110001", "১১০০০১": "110001", "௧௧௦௦௦௧": "110001", "۱۱۰۰۰۱": "110001", "110001\u200c": "110001", "010001": "", "11000": "", "1100011": "", "11000a": "", "+110001": "", "": ""} {
		if got, ok := PIN(in); ok != (want != "") || ok && got != want {
			t.Errorf("PIN %q: %q %v, want %q", in, got, ok, want)
		}
	}
	for in, want := range map[string]string{"9000000001": "9000000001", "+91 90000 00001": "9000000001", "९०००००००0१": "9000000001", "0 90000-00001": "9000000001", "919000000001": "9000000001", "00919000000001": "9000000001", "+9191": "", "+1 9000000001": "", "5000000001": "", "90000": ""} {
		if got, ok := Mobile(in); ok != (want != "") || ok && got != want {
			t.Errorf("mobile %q: %q %v, want %q", in, got, ok, want)
		}
	}
	for in, want := range map[string]int{"१८": 18, "45": 45, "131": -1, "-": -1, "+5": -1, "a": -1} {
		if got, ok := Count(in, 130); ok != (want >= 0) || ok && got != want {
			t.Errorf("count %q: %d %v", in, got, ok)
		}
	}
}

// FuzzDigits: whatever is typed, what comes out is digits, as many as allowed, and the same
// once more.
func FuzzDigits(f *testing.F) {
	for _, s := range []string{"११०००१", "+91 90000 00001", "", "९०a", "0091-9000000001", "\u200f12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := Digits(s, 14)
		if !ok {
			return
		}
		n := strings.TrimPrefix(got, "+")
		if len(n) == 0 || len(n) > 14 || strings.Trim(n, "0123456789") != "" {
			t.Fatalf("%q became %q", s, got)
		}
		if again, ok := Digits(got, 14); !ok || again != got {
			t.Fatalf("%q, then %q", got, again)
		}
		if m, ok := Mobile(s); ok && (len(m) != 10 || m[0] < '6') {
			t.Fatalf("mobile %q became %q", s, m)
		}
		if p, ok := PIN(s); ok && (len(p) != 6 || p[0] == '0') {
			t.Fatalf("PIN %q became %q", s, p)
		}
	})
}

// FuzzChoose: any header leads to a language that is spoken.
func FuzzChoose(f *testing.F) {
	c := load(f)
	f.Add("hi_IN,en;q=0.5")
	f.Add("*;q=1")
	f.Fuzz(func(t *testing.T, s string) {
		if !c.Has(c.Choose(s)) {
			t.Fatal(s)
		}
	})
}

// TestGroups: a group of pages has files of its own, and says nothing that another says.
func TestGroups(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got, err := whole(fstest.MapFS{"lang/en.json": file(`{"a.b": "1"}`), "lang/sign/en.json": file(`{"sign.b": "2"}`), "lang/sign/hi.json": file(`{}`)})
	if err != nil || string(got["en"]) != `{"a.b":"1","sign.b":"2"}` || string(got["hi"]) != `{}` {
		t.Errorf("%s %v", got, err)
	}
	if _, err := whole(fstest.MapFS{"lang/en.json": file(`{"a.b": "1"}`), "lang/sign/en.json": file(`{"a.b": "2"}`)}); err == nil {
		t.Error("a message was said twice")
	}
}
