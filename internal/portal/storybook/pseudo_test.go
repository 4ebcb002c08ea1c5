package storybook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
)

// pseudoBook is the storybook with the language of catalogue.Pseudo.
func pseudoBook(t *testing.T) *Book {
	t.Helper()
	file, err := catalogue.Pseudo()
	if err != nil {
		t.Fatal(err)
	}
	say, err := catalogue.LoadWith(catalogue.PseudoCode, file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := In(say)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPseudo: a language can be added by a file alone. In a made-up one, whose every message
// stands in brackets, every screen says nothing outside of brackets but what is no message:
// made-up people, places and codes.
func TestPseudo(t *testing.T) {
	b := pseudoBook(t)
	n := 0
	for _, name := range b.Names() {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", address(name, catalogue.PseudoCode), nil))
		if w.Code != 200 {
			t.Errorf("%s: %d", name, w.Code)
			continue
		}
		said, err := spoken(w.Body.String())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		n += len(said)
		for _, s := range said {
			if rest := outside(s); rest != "" {
				t.Errorf("%s: %q is written into the screen, no language file says it (what is made up for a story alone belongs into contents): %s", name, rest, s)
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d texts were seen", n)
	}
}

// TestPseudoFinds: a text that no file says is found, wherever a reader meets it.
func TestPseudoFinds(t *testing.T) {
	for _, page := range []string{
		`<html><body><p>Hello there</p></body></html>`, `<html><body><p>⟦so⟧ and more</p></body></html>`, `<html><body><p aria-label="Hello there">⟦x⟧</p></body></html>`,
		`<html><body><input type="submit" value="Send"></body></html>`, `<html><head><title>Hello</title></head></html>`, `<html><body><img alt="Picture"></body></html>`,
	} {
		said, err := spoken(page)
		if err != nil || !slices.ContainsFunc(said, func(s string) bool { return outside(s) != "" }) {
			t.Errorf("%s: %q %v", page, said, err)
		}
	}
	if got := outside("⟦At ⟦March⟧ 3⟧ 14:05, 12,34,567"); got != "" {
		t.Errorf("%q", got)
	}
}

// spoken are the texts that a reader of a page meets, read or heard. What stands in a code
// (class tk-code) or in another language (lang) is none of the page's.
func spoken(page string) (out []string, err error) {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var inside []bool
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("the page cannot be read: %w", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			off := len(inside) > 0 && inside[len(inside)-1] || x.Name.Local == "script" || x.Name.Local == "path"
			button := x.Name.Local == "input" && slices.ContainsFunc(x.Attr, func(a xml.Attr) bool { return a.Name.Local == "type" && a.Value == "submit" })
			for _, a := range x.Attr {
				off = off || a.Name.Local == "lang" && x.Name.Local != "html" || a.Name.Local == "class" && strings.Contains(a.Value, "tk-code")
			}
			for _, a := range x.Attr {
				if name := a.Name.Local; !off && (slices.Contains([]string{"aria-label", "placeholder", "alt", "title", "data-done", "data-ready", "data-wait", "data-look", "data-none", "data-camera", "data-failed"}, name) || name == "value" && button) {
					out = append(out, a.Value)
				}
			}
			inside = append(inside, off)
		case xml.EndElement:
			inside = inside[:len(inside)-1]
		case xml.CharData:
			if s := strings.TrimSpace(string(x)); s != "" && (len(inside) == 0 || !inside[len(inside)-1]) {
				out = append(out, s)
			}
		}
	}
}

// outside is what of a text stands outside of brackets, has letters, and is none of the
// stories' contents.
func outside(s string) string {
	var b strings.Builder
	deep := 0
	for _, r := range s {
		switch {
		case string(r) == catalogue.PseudoBegin:
			deep++
		case string(r) == catalogue.PseudoEnd:
			deep--
		case deep == 0:
			b.WriteRune(r)
		}
	}
	rest := strings.TrimSpace(contents().ReplaceAllString(b.String(), " "))
	if !strings.ContainsFunc(rest, unicode.IsLetter) {
		return ""
	}
	return rest
}

// contents are the made-up contents of the stories: dates in the language of what no file
// says, codes, people, places, products, and what people wrote.
func contents() *regexp.Regexp {
	names := []string{hostile, view.Plain(hostile), "Sample Primary Health Centre, Ward 14", "1 Sample Road, Lower Parel", "1 Sample Road, Block A, New Delhi", "1 Sample Road, Block A", "1 Sample Road", "2 Sample Road", "Civil Hospital", "City Hospital",
		"Test PHC One", "Test PHC Two", "Another Sample Centre with a Rather Long Name", "Centre with a draw", "Plot 44, Sector 12, behind the old bus stand, near the water tank", "Sanjeevani Multi-Speciality Hospital and Research Centre",
		"Asha Test", "ASHA TEST", "Asha Devi", "Ravi Test", "Meera Test", "Baby Test", "Vani Test", "A. T.", "A T", "R T", "आशा कुमारी", "आशा परीक्षण",
		"COVISHIELD (ChAdOx1-S [recombinant])", "COVISHIELD", "COVAXIN", "SPUTNIK V", "CORBEVAX", "COVID-19", "Serum Institute of India", "State Health Mission", "Mumbai Suburban", "Ahmednagar", "Sindhudurg", "Pune",
		"unconscious, allergy has to be known", "The dose was another person's. It is revoked.", "I do not know him.", "I was not there.", "As in my passport.", "My name is wrong.",
		"URN:UVCI:01:IN:5E1F0C9A7B334D21A0C1D2E3F4A5B6C7#K", "TK1:AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH", "TLABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "3VOFZCSVGHH5A", "AAAAAAAAAAAAA", "7C0F31A2", "LOT-0001", "AB1234", "001A", "234F",
		"/api/v3/status/rules", "/api/v3/status/corrections", "/ledger/checkpoint", "/api/v3/keys"}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	return regexp.MustCompile(strings.Join(names, "|") + `|[a-z]+@[a-z.]+\.example|^[A-Z]{2}(: [0-9,]+)?$|^x$|^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)$|((Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, )?\d* ?(January|February|March|April|May|June|July|August|September|October|November|December)( \d{4})?`)
}
