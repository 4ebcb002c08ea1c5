package encode

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// font writes the five objects of an embedded subset (ISO 32000-1 section 9.7)
// and returns the number of the composite font.
func (d *document) font(s *subset) (int, error) {
	file := s.file() // first: composites may add glyphs
	composite, cid, descriptor, data, unicode := d.reserve(), d.reserve(), d.reserve(), d.reserve(), d.reserve()
	name := subsetTag(file) + "+" + s.face.name
	scale := float64(em) / float64(s.face.upem)
	d.object(composite, fmt.Sprintf("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, cid, unicode))
	var widths strings.Builder
	for _, g := range s.order {
		widths.WriteString(num(float64(s.face.advance(g))*scale) + " ")
	}
	d.object(cid, fmt.Sprintf("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/DW 0/W[0[%s]]/CIDToGIDMap/Identity>>",
		name, descriptor, strings.TrimSpace(widths.String())))
	head, hhea := s.face.raw["head"], s.face.raw["hhea"]
	units := func(b []byte, at int) string {
		return num(float64(int16(binary.BigEndian.Uint16(b[at:]))) * scale)
	}
	d.object(descriptor, fmt.Sprintf("<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[%s %s %s %s]/ItalicAngle 0/Ascent %s/Descent %s/CapHeight 714/StemV 80/FontFile2 %d 0 R>>",
		name, units(head, 36), units(head, 38), units(head, 40), units(head, 42), units(hhea, 4), units(hhea, 6), data))
	if err := d.stream(data, fmt.Sprintf("/Length1 %d", len(file)), file, false); err != nil {
		return 0, err
	}
	if err := d.stream(unicode, "", []byte(toUnicode(s)), false); err != nil {
		return 0, err
	}
	return composite, nil
}

// subsetTag is six capitals, from the content so that equal subsets are equal.
func subsetTag(file []byte) string {
	h := sha256.Sum256(file)
	var tag [6]byte
	for i := range tag {
		tag[i] = 'A' + h[i]%26
	}
	return string(tag[:])
}

// toUnicode maps each glyph to the characters it first stood for (ISO 32000-1
// section 9.10.3). It serves readers that ignore ActualText.
func toUnicode(s *subset) string {
	var rows []string
	for i, text := range s.text {
		if len(text) == 0 || len(text) > 32 {
			continue
		}
		var u strings.Builder
		for _, c := range utf16.Encode(text) {
			u.WriteString(hex4(int(c)))
		}
		rows = append(rows, "<"+hex4(i)+"> <"+u.String()+">\n")
	}
	var b strings.Builder
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	for len(rows) > 0 {
		n := min(100, len(rows))
		fmt.Fprintf(&b, "%d beginbfchar\n%sendbfchar\n", n, strings.Join(rows[:n], ""))
		rows = rows[n:]
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.String()
}
