package house

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// word is one name of a thing in one language: what it is called, and what not.
type word struct{ say, not []string }

// glossary reads the table of docs/WORDS.md: the words of each language.
func glossary(t *testing.T) map[string][]word {
	t.Helper()
	raw, err := os.ReadFile("../../docs/WORDS.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]word{}
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || strings.HasPrefix(line, "|---") || strings.Contains(line, "| Thing |") {
			continue
		}
		for i, code := range []string{"en", "hi", "ur"} {
			say, not, _ := strings.Cut(strings.TrimSpace(cells[2+i]), "; not ")
			out[code] = append(out[code], word{list(say), list(not)})
		}
	}
	if len(out["hi"]) < 30 {
		t.Fatalf("%d words are in docs/WORDS.md", len(out["hi"]))
	}
	return out
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ", ")
}

// said is one text for people, and where it stands.
type said struct{ at, language, text string }

// sayings are the texts of every catalogue.
func sayings(t *testing.T) (out []said) {
	t.Helper()
	for _, dir := range []string{"../portal/catalogue/lang", "../portal/staff/client/text"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var m map[string]any
			if err := json.Unmarshal(raw, &m); err != nil {
				return err
			}
			out = append(out, leaves(path, strings.TrimSuffix(filepath.Base(path), ".json"), m)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for glob, english := range map[string]bool{"../edge/catalogue*.go": false, "../edge/handlers_partner.go": false, "../registry/rules/consents.go": false,
		"../notify/messages.go": true, "../notify/places.go": true, "../certificate/encode/labels.go": true, "../certificate/encode/card.go": true} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatal(glob, err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				out = append(out, literals(t, name, english)...)
			}
		}
	}
	return out
}

func leaves(path, language string, m map[string]any) (out []said) {
	for k, v := range m {
		switch v := v.(type) {
		case string:
			out = append(out, said{path + " " + k, language, v})
		case map[string]any:
			out = append(out, leaves(path+" "+k, language, v)...)
		}
	}
	return out
}

// literals are a source file's texts with Devanagari or Arabic letters, and the English
// ones where it has them (not the API's: its words are CoWIN's).
func literals(t *testing.T, name string, english bool) (out []said) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		at := name + ":" + strconv.Itoa(set.Position(lit.Pos()).Line)
		switch {
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Devanagari, r) }):
			out = append(out, said{at, "hi", text})
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Arabic, r) }):
			out = append(out, said{at, "ur", text})
		case english && strings.Contains(text, " "):
			out = append(out, said{at, "en", text})
		}
		return true
	})
	return out
}

// has finds a word in a text: whole, or with * the beginning of one.
func has(text, w string) bool {
	w, open := strings.CutSuffix(w, "*")
	in := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '_' || r == '.' || r == '{'
	}
	for from := 0; ; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(w)
		before, _ := utf8.DecodeLastRuneInString(text[:begin])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if (begin == 0 || !in(before)) && (open || end == len(text) || after == '.' || !in(after)) {
			return true
		}
		from = end
	}
}

// letters says what is wrong with how a text is written.
func letters(language, text string) string {
	if strings.Contains(text, "  ") {
		return "two spaces"
	}
	for pattern, what := range map[string]map[string]string{
		"hi": {`[\x{0958}-\x{095A}]|[कखग]\x{093C}`: "a dot under क, ख or ग", `[०-९]`: "digits that are not Latin ones", `[\x{0900}-\x{097F}]\.(\s|$)`: "a full stop for a danda", `[\x{0900}-\x{097F}]\|`: "a stroke for a danda"},
		"ur": {`[يك]`: "an Arabic letter for ی or ک", `[٠-٩۰-۹]`: "digits that are not Latin ones", `[\x{0600}-\x{06FF}][.,;?](\s|$)`: "a Latin sign of punctuation"},
	}[language] {
		if regexp.MustCompile(pattern).MatchString(text) {
			return what
		}
	}
	return ""
}

// TestWords: each thing has one name in each language, that of docs/WORDS.md, in
// every catalogue; texts are written with the letters and signs of their language.
func TestWords(t *testing.T) {
	words, texts := glossary(t), sayings(t)
	if len(texts) < 2000 {
		t.Fatalf("only %d texts were found", len(texts))
	}
	used := map[string]bool{}
	for _, s := range texts {
		for _, w := range words[s.language] {
			for _, bad := range w.not {
				if has(s.text, bad) {
					t.Errorf("%s says %q, and the word is %q (docs/WORDS.md): %s", s.at, bad, w.say, s.text)
				}
			}
			for _, good := range w.say {
				if strings.Contains(strings.ToLower(s.text), strings.ToLower(good)) {
					used[s.language+good] = true
				}
			}
		}
		if what := letters(s.language, s.text); what != "" {
			t.Errorf("%s has %s: %s", s.at, what, s.text)
		}
	}
	for language, all := range words {
		for _, w := range all {
			for _, good := range w.say {
				if !used[language+good] {
					t.Errorf("docs/WORDS.md has %q (%s), which is said nowhere", good, language)
				}
			}
		}
	}
}

// TestWordsFound: the test above finds what it looks for.
func TestWordsFound(t *testing.T) {
	for _, c := range []struct {
		text, word string
		want       bool
	}{
		{"आपके उपकरणों का पृष्ठ", "उपकरण*", true}, {"आपके उपकरणों का पृष्ठ", "उपकरण", false}, {"بکنگ کوڈ", "بک", false}, {"ابھی بک کریں۔", "بک", true},
		{"The security code.", "security code", true}, {"{{.PIN}} के केंद्र", "PIN", false}, {"PIN लिखें", "PIN", true}, {"the prelogin", "login", false},
	} {
		if has(c.text, c.word) != c.want {
			t.Errorf("%q in %q: want %v", c.word, c.text, c.want)
		}
	}
	for text, language := range map[string]string{"ख़ुराक": "hi", "\u0959ुराक": "hi", "३ दिन": "hi", "यह है.": "hi", "یہ ہے.": "ur", "يہ": "ur", "a  b": "en"} {
		if letters(language, text) == "" {
			t.Errorf("%q is well written", text)
		}
	}
}
