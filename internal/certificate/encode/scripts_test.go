package encode

import (
	"strings"
	"testing"
)

// TestNoEmptyBoxes: no name prints as empty boxes. Urdu, Kashmiri and Sindhi names have
// their letters, joined and from right to left; a name in a script without a face is
// printed in Latin letters with a note.
func TestNoEmptyBoxes(t *testing.T) {
	s := testSigner(t, 7)
	for name, note := range map[string]bool{"محمد اقبال": false, "ڈاکٹر ٹھٹھہ ہے یے ۓ": false, "کٔشیٖر": false, "سنڌي ڪڳڻ": false, "أحمد Iqbal": false,
		"रमेश कुमार": false, "ᱥᱟᱱᱛᱟᱲ": true, "ꯃꯤꯇꯩ": true} {
		ts := &typesetter{fonts: sharedFonts()}
		if ok, err := ts.shows(name); err != nil || ok == note {
			t.Errorf("%s: shown %v, %v", name, ok, err)
		}
		f := testFacts(t, "COVISHIELD", "Ramesh K. Sharma", name)
		f.Guardian = name
		streams := objects(t, mustPDF(t, f, mustEncode(t, f, s)))
		text := pageText(t, streams)
		if strings.Contains(text, txtNoLetters.en) != note || strings.Contains(text, name) == note {
			t.Errorf("%s: note %v in %q", name, note, text)
		}
	}
}

// TestArabicRunsRightToLeft: the first glyph is the last letter's, and letters are joined:
// in the middle of a word they are other glyphs than alone.
func TestArabicRunsRightToLeft(t *testing.T) {
	ts := &typesetter{fonts: sharedFonts()}
	word, err := ts.shape("بب")
	if err != nil || len(word.runs) != 1 {
		t.Fatalf("%+v %v", word, err)
	}
	alone, err := ts.shape("ب")
	if err != nil {
		t.Fatal(err)
	}
	glyphs := word.runs[0].out.Glyphs
	if first, last := glyphs[0], glyphs[len(glyphs)-1]; first.TextIndex() != 1 || last.TextIndex() != 0 {
		t.Errorf("the first glyph is of letter %d, the last of %d", first.TextIndex(), last.TextIndex())
	}
	if glyphs[0].GlyphID == alone.runs[0].out.Glyphs[0].GlyphID && glyphs[len(glyphs)-1].GlyphID == glyphs[0].GlyphID {
		t.Error("the letters are not joined")
	}
}
