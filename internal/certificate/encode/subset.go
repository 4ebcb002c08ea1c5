package encode

import (
	"encoding/binary"

	ot "github.com/go-text/typesetting/font/opentype"
)

// subset collects the glyphs of one face that a document uses and gives each a
// new number, in order of first use, so that the embedded tables hold only
// those. Glyph 0 is always .notdef (OpenType 1.9, "glyf", "loca", "hmtx").
type subset struct {
	face  *face
	index map[int]int // glyph of the face to glyph of the subset
	order []int       // the other way
	text  [][]rune    // the characters a glyph first stood for
}

func newSubset(f *face) *subset {
	s := &subset{face: f, index: map[int]int{}}
	s.add(0, nil)
	return s
}

// add returns the new number of glyph g.
func (s *subset) add(g int, text []rune) int {
	if n, ok := s.index[g]; ok {
		return n
	}
	n := len(s.order)
	s.index[g] = n
	s.order = append(s.order, g)
	s.text = append(s.text, text)
	return n
}

// advance is the width of the face's glyph g in font units.
func (f *face) advance(g int) int {
	hmtx := f.raw["hmtx"]
	last := int(binary.BigEndian.Uint16(f.raw["hhea"][34:])) - 1
	g = min(g, last)
	if g < 0 || 4*g+2 > len(hmtx) {
		return 0
	}
	return int(binary.BigEndian.Uint16(hmtx[4*g:]))
}

// bearing is the left side bearing of the face's glyph g.
func (f *face) bearing(g int) uint16 {
	hmtx := f.raw["hmtx"]
	n := int(binary.BigEndian.Uint16(f.raw["hhea"][34:]))
	at := 4*g + 2
	if g >= n {
		at = 4*n + 2*(g-n)
	}
	if at < 0 || at+2 > len(hmtx) {
		return 0
	}
	return binary.BigEndian.Uint16(hmtx[at:])
}

// outline is the glyph description of the face's glyph g, empty for a space.
func (f *face) outline(g int) []byte {
	loca, glyf := f.raw["loca"], f.raw["glyf"]
	var from, to int
	if binary.BigEndian.Uint16(f.raw["head"][50:]) == 0 {
		if 2*g+4 > len(loca) {
			return nil
		}
		from, to = 2*int(binary.BigEndian.Uint16(loca[2*g:])), 2*int(binary.BigEndian.Uint16(loca[2*g+2:]))
	} else {
		if 4*g+8 > len(loca) {
			return nil
		}
		from, to = int(binary.BigEndian.Uint32(loca[4*g:])), int(binary.BigEndian.Uint32(loca[4*g+4:]))
	}
	if from < 0 || from >= to || to > len(glyf) {
		return nil
	}
	return glyf[from:to]
}

// file writes the subset as a TrueType file with the tables a PDF needs
// (ISO 32000-1 section 9.9). Instructions are left out: paper needs none.
func (s *subset) file() []byte {
	var glyf, loca, hmtx []byte
	for i := 0; i < len(s.order); i++ { // composites add their parts while this runs
		g := s.order[i]
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, s.glyph(s.face.outline(g))...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(s.face.advance(g)))
		hmtx = binary.BigEndian.AppendUint16(hmtx, s.face.bearing(g))
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	head := append([]byte(nil), s.face.raw["head"]...)
	binary.BigEndian.PutUint16(head[50:], 1) // long offsets
	binary.BigEndian.PutUint32(head[8:], 0)  // checksum of the file: readers of PDF do not use it
	hhea := append([]byte(nil), s.face.raw["hhea"]...)
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(s.order)))
	maxp := append([]byte(nil), s.face.raw["maxp"]...)
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(s.order)))
	var tables []ot.Table
	for _, t := range []struct {
		tag  string
		data []byte
	}{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp}} {
		for len(t.data)%4 != 0 {
			t.data = append(t.data, 0)
		}
		tables = append(tables, ot.Table{Tag: ot.MustNewTag(t.tag), Content: t.data})
	}
	return ot.WriteTTF(tables)
}

// The flags of a composite glyph's parts.
const (
	argsAreWords = 1 << 0
	haveScale    = 1 << 3
	moreParts    = 1 << 5
	haveXYScale  = 1 << 6
	haveTwoByTwo = 1 << 7
	haveProgram  = 1 << 8
)

// glyph copies a description without its instructions, and with the parts of a
// composite renumbered. A description that does not parse becomes empty.
func (s *subset) glyph(d []byte) []byte {
	if len(d) < 10 {
		return nil
	}
	contours := int(int16(binary.BigEndian.Uint16(d)))
	if contours >= 0 {
		at := 10 + 2*contours
		if at+2 > len(d) {
			return nil
		}
		rest := at + 2 + int(binary.BigEndian.Uint16(d[at:]))
		if rest > len(d) {
			return nil
		}
		out := append([]byte(nil), d[:at]...)
		return append(append(out, 0, 0), d[rest:]...)
	}
	out := append([]byte(nil), d[:10]...)
	for at := 10; ; {
		if at+4 > len(d) {
			return nil
		}
		flags := binary.BigEndian.Uint16(d[at:])
		size := 6
		if flags&argsAreWords != 0 {
			size = 8
		}
		switch {
		case flags&haveScale != 0:
			size += 2
		case flags&haveXYScale != 0:
			size += 4
		case flags&haveTwoByTwo != 0:
			size += 8
		}
		if at+size > len(d) {
			return nil
		}
		part := s.add(int(binary.BigEndian.Uint16(d[at+2:])), nil)
		out = binary.BigEndian.AppendUint16(out, flags&^haveProgram)
		out = binary.BigEndian.AppendUint16(out, uint16(part))
		out = append(out, d[at+4:at+size]...)
		at += size
		if flags&moreParts == 0 {
			return out
		}
	}
}
