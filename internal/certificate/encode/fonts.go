package encode

import (
	"bytes"
	"embed"
	"sync"

	"github.com/go-text/typesetting/font"
	ot "github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/language"

	"tikakosh/internal/fault"
)

// fontFiles are the Noto Sans faces and, for Urdu, Kashmiri and Sindhi, the
// letters of Noto Naskh Arabic, under the licence in fonts/OFL.txt. A name that no
// face has is printed in Latin letters, with a note.
//
//go:embed fonts/*.ttf
var fontFiles embed.FS

// face is one parsed font with the tables the subset needs.
type face struct {
	name string // PostScript name
	font *font.Font
	raw  map[string][]byte // head, hhea, hmtx, maxp, loca, glyf
	upem int
}

// faceOrder lists the scripts and their files; the first face also serves every
// character no other face has.
var faceOrder = [...]struct {
	script language.Script
	file   string
}{
	{language.Latin, "NotoSans"},
	{language.Devanagari, "NotoSansDevanagari"},
	{language.Bengali, "NotoSansBengali"},
	{language.Gurmukhi, "NotoSansGurmukhi"},
	{language.Gujarati, "NotoSansGujarati"},
	{language.Oriya, "NotoSansOriya"},
	{language.Tamil, "NotoSansTamil"},
	{language.Telugu, "NotoSansTelugu"},
	{language.Kannada, "NotoSansKannada"},
	{language.Malayalam, "NotoSansMalayalam"},
	{language.Arabic, "NotoNaskhArabic"},
}

// Fonts holds the faces a page is set in. Each is parsed when first used and
// kept, so a process holds one Fonts. It is safe for concurrent use.
type Fonts struct {
	load [len(faceOrder)]func() (*face, error)
}

// DefaultFonts returns the built-in faces: Latin and ten scripts of India.
func DefaultFonts() *Fonts {
	f := &Fonts{}
	for i, o := range faceOrder {
		f.load[i] = sync.OnceValues(func() (*face, error) {
			data, err := fontFiles.ReadFile("fonts/" + o.file + "-Regular.ttf")
			if err != nil {
				return nil, fault.Wrap(fault.Internal, err, "font")
			}
			return parseFace(o.file, data)
		})
	}
	return f
}

// scriptFace is the index of the face for a script; 0 for scripts without one.
func scriptFace(s language.Script) int {
	for i, o := range faceOrder {
		if o.script == s {
			return i
		}
	}
	return 0
}

func parseFace(name string, data []byte) (*face, error) {
	ld, err := ot.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "font "+name)
	}
	ft, err := font.NewFont(ld)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "font "+name)
	}
	f := &face{name: name, font: ft, raw: map[string][]byte{}, upem: int(ft.Upem())}
	for _, tag := range []string{"head", "hhea", "hmtx", "maxp", "loca", "glyf"} {
		b, err := ld.RawTable(ot.MustNewTag(tag))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "font "+name)
		}
		f.raw[tag] = b
	}
	if len(f.raw["head"]) < 54 || len(f.raw["hhea"]) < 36 || len(f.raw["maxp"]) < 32 {
		return nil, fault.New(fault.Internal, "", "font "+name+" has short tables")
	}
	return f, nil
}
