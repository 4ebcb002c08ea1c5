package encode

import (
	"strings"
	"unicode/utf16"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
)

// em is the size at which text is shaped: advances are thousandths of an em, as
// PDF counts glyph widths.
const em = 1000

// typesetter shapes text for one document. It is not safe for concurrent use.
type typesetter struct {
	fonts  *Fonts
	shaper shaping.HarfbuzzShaper
	faces  [len(faceOrder)]*font.Face
	subs   [len(faceOrder)]*subset
}

// use prepares face i and returns it.
func (t *typesetter) use(i int) (*font.Face, error) {
	if t.faces[i] == nil {
		f, err := t.fonts.load[i]()
		if err != nil {
			return nil, err
		}
		t.faces[i], t.subs[i] = font.NewFace(f.font), newSubset(f)
	}
	return t.faces[i], nil
}

// shaped is a line of text ready to be drawn.
type shaped struct {
	text  string
	runs  []shapedRun
	width float64 // in ems
}

type shapedRun struct {
	face int
	text []rune
	out  shaping.Output
}

// shape lays out one line, its runs from left to right; within a run of Arabic
// script the glyphs come from right to left. Controls are dropped first.
func (t *typesetter) shape(s string) (shaped, error) {
	s = clean(s)
	line := shaped{text: s}
	runes := []rune(s)
	for from := 0; from < len(runes); {
		i, script, to, err := t.itemise(runes, from)
		if err != nil {
			return shaped{}, err
		}
		out := t.shaper.Shape(shaping.Input{
			Text: runes, RunStart: from, RunEnd: to, Direction: direction(script),
			Face: t.faces[i], Size: fixed.I(em), Script: script, Language: language.NewLanguage("und"),
		})
		line.runs = append(line.runs, shapedRun{face: i, text: runes[from:to], out: out})
		line.width += float64(out.Advance) / 64 / em
		from = to
	}
	return line, nil
}

func direction(s language.Script) di.Direction {
	if s == language.Arabic {
		return di.DirectionRTL
	}
	return di.DirectionLTR
}

// shows reports whether every character of a line has a glyph.
func (t *typesetter) shows(s string) (bool, error) {
	line, err := t.shape(s)
	for _, r := range line.runs {
		for _, g := range r.out.Glyphs {
			if g.GlyphID == 0 { // .notdef, an empty box
				return false, err
			}
		}
	}
	return true, err
}

// itemise returns the face and the end of the longest stretch from a position
// that one face and script can set. Characters of no script (spaces, digits,
// punctuation, joiners) stay with the face before them if it has them, so that
// a danda or a joiner is shaped with its word.
func (t *typesetter) itemise(runes []rune, from int) (i int, script language.Script, to int, err error) {
	script = language.LookupScript(runes[from])
	i = scriptFace(script)
	if i == 0 {
		script = language.Latin
	}
	f, err := t.use(i)
	if err != nil {
		return 0, 0, 0, err
	}
	for to = from + 1; to < len(runes); to++ {
		r := runes[to]
		sc := language.LookupScript(r)
		if sc == language.Common || sc == language.Inherited || sc == language.Unknown {
			if _, ok := f.NominalGlyph(r); ok || r == '\u200c' || r == '\u200d' {
				continue
			}
		}
		if scriptFace(sc) != i {
			break
		}
	}
	return i, script, to, nil
}

// wrap breaks s into lines no wider than width ems: at spaces, and inside a
// word only where it alone is too wide, never between a letter and its marks.
func (t *typesetter) wrap(s string, width float64) ([]shaped, error) {
	var lines []shaped
	words := strings.Fields(clean(s))
	for len(words) > 0 {
		n := len(words)
		line, err := t.shape(strings.Join(words, " "))
		for err == nil && line.width > width && n > 1 {
			n = min(n-1, max(1, int(float64(n)*width/line.width)+1)) // a guess by proportion
			line, err = t.shape(strings.Join(words[:n], " "))
		}
		if err != nil {
			return nil, err
		}
		if line.width <= width {
			lines, words = append(lines, line), words[n:]
			continue
		}
		head := words[0]
		for size := len([]rune(head)) - 1; size > 0; size-- {
			head = clip(words[0], size)
			if line, err = t.shape(head); err != nil {
				return nil, err
			}
			if line.width <= width || head == "" {
				break
			}
		}
		rest := strings.TrimPrefix(words[0], head)
		if head == "" || rest == words[0] || rest == "" { // nothing can be split: let it run
			lines, words = append(lines, line), words[1:]
			continue
		}
		lines, words[0] = append(lines, line), rest
	}
	return lines, nil
}

// draw adds the line to a page with its left end at x and its base at y. Each
// run is wrapped in ActualText (ISO 32000-1 section 14.9.4), so that what a
// reader copies or searches is the original text and not glyph order. All
// text enters the page as hexadecimal glyph numbers: no character of a name is
// ever read as an operator.
func (t *typesetter) draw(p *page, line shaped, x, y, size float64) {
	for _, r := range line.runs {
		p.raw("/Span <</ActualText " + utf16Hex(string(r.text)) + ">> BDC\nBT /F" + itoa(r.face) + " " + num(size) + " Tf 1 0 0 1 " + num(x) + " " + num(y) + " Tm\n")
		t.glyphs(p, r, size)
		p.raw("ET EMC\n")
		p.fonts[r.face] = true
		x += float64(r.out.Advance) / 64 / em * size
	}
}

// glyphs writes the TJ and Ts operators of a run. pen is where the shaper wants
// the next glyph, at where the reader would put it; the difference goes into TJ.
func (t *typesetter) glyphs(p *page, r shapedRun, size float64) {
	sub := t.subs[r.face]
	scale := float64(em) / float64(sub.face.upem)
	pen, at, rise, open := 0.0, 0.0, 0, false
	for k, g := range r.out.Glyphs {
		var text []rune
		if first := g.TextIndex(); k == 0 || r.out.Glyphs[k-1].TextIndex() != first {
			from := first - r.out.Runes.Offset
			if from >= 0 && from+g.RunesCount() <= len(r.text) {
				text = r.text[from : from+g.RunesCount()]
			}
		}
		id := sub.add(int(g.GlyphID), text)
		if up := g.YOffset.Round(); up != rise {
			if open {
				p.raw("] TJ\n")
				open = false
			}
			rise = up
			p.raw(num(float64(rise)/em*size) + " Ts\n")
		}
		if !open {
			p.raw("[")
			open = true
		}
		want := pen + float64(g.XOffset)/64
		if d := at - want; d > 0.05 || d < -0.05 {
			p.raw(num(d))
		}
		p.raw("<" + hex4(id) + ">")
		at = want + float64(sub.face.advance(int(g.GlyphID)))*scale
		pen += float64(g.Advance) / 64
	}
	if open {
		p.raw("] TJ\n")
	}
	if rise != 0 {
		p.raw("0 Ts\n")
	}
}

// utf16Hex writes a text string (ISO 32000-1 section 7.9.2.2).
func utf16Hex(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteString(hex4(int(u)))
	}
	b.WriteByte('>')
	return b.String()
}
