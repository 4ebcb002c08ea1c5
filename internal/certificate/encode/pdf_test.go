package encode

import (
	"bytes"
	"encoding/hex"
	"image"
	"image/color"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/go-text/typesetting/font"
	ot "github.com/go-text/typesetting/font/opentype"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"rsc.io/qr/coding"

	"tikakosh/internal/fault"
)

// readBack decodes a picture with another author's QR reader and returns the
// text and the level it found.
func readBack(t *testing.T, black func(x, y int) bool, size int) (string, string) {
	t.Helper()
	const scale = 4
	img := image.NewGray(image.Rect(0, 0, (size+2*quietZone)*scale, (size+2*quietZone)*scale))
	for y := range img.Rect.Max.Y {
		for x := range img.Rect.Max.X {
			c := color.Gray{Y: 255}
			if black(x/scale-quietZone, y/scale-quietZone) {
				c.Y = 0
			}
			img.SetGray(x, y, c)
		}
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	res, err := qrcode.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatal(err)
	}
	level, _ := res.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL].(string)
	return res.GetText(), level
}

func TestQRReadBack(t *testing.T) {
	s := testSigner(t, 7)
	for _, f := range []Facts{
		testFacts(t, "COVISHIELD", longName, "Lakshminarayan Venkatasubramanyam Srinivasan"),
		testFacts(t, "STAMARIL", "பாலசுப்பிரமணியன் கிருஷ்ணமூர்த்தி", ""),
	} {
		text := mustEncode(t, f, s)
		sym, err := newSymbol(text, coding.Q)
		if err != nil {
			t.Fatal(err)
		}
		got, level := readBack(t, sym.code.Black, sym.code.Size)
		if got != text || level != "Q" || sym.version > 18 || sym.code.Size != 17+4*sym.version {
			t.Errorf("version %d, level %s, equal %v", sym.version, level, got == text)
		}
	}
	// The longest text fits, one more does not; bytes work too.
	longest := strings.Repeat("A", MaxHC1)
	if sym, err := newSymbol(longest, coding.Q); err != nil || sym.version != 18 {
		t.Errorf("longest: %v", err)
	}
	if _, err := newSymbol(longest+"A", coding.Q); fault.CodeOf(err) != CodeSize {
		t.Errorf("one more: %v", err)
	}
	sym, err := newSymbol("https://example.org/b/å?x=1", coding.M)
	if err != nil {
		t.Fatal(err)
	}
	if got, level := readBack(t, sym.code.Black, sym.code.Size); got != "https://example.org/b/å?x=1" || level != "M" {
		t.Errorf("%q %s", got, level)
	}
}

// objects checks the file's structure (every cross reference points at its
// object) and returns the contents of all streams, inflated.
func objects(t *testing.T, pdf []byte) [][]byte {
	t.Helper()
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(pdf)
	if m == nil {
		t.Fatal("no startxref at the end")
	}
	start, _ := strconv.Atoi(string(m[1]))
	entries := regexp.MustCompile(`(\d{10}) 00000 n \n`).FindAllSubmatch(pdf[start:], -1)
	for i, e := range entries {
		at, _ := strconv.Atoi(string(e[1]))
		if !bytes.HasPrefix(pdf[at:], []byte(strconv.Itoa(i+1)+" 0 obj\n")) {
			t.Fatalf("cross reference %d points elsewhere", i+1)
		}
	}
	if n := bytes.Count(pdf, []byte(" 0 obj\n")); n != len(entries) {
		t.Fatalf("%d objects, %d references", n, len(entries))
	}
	var out [][]byte
	for _, loc := range regexp.MustCompile(`/Length (\d+)>>\nstream\n`).FindAllSubmatchIndex(pdf, -1) {
		n, _ := strconv.Atoi(string(pdf[loc[2]:loc[3]]))
		data := pdf[loc[1] : loc[1]+n]
		if !bytes.HasPrefix(pdf[loc[1]+n:], []byte("\nendstream\nendobj\n")) {
			t.Fatal("a stream's length is wrong")
		}
		if bytes.Contains(pdf[max(0, loc[0]-40):loc[0]], []byte("/FlateDecode")) {
			data = unzlib(t, data)
		}
		out = append(out, data)
	}
	return out
}

// pageText joins what a page says it shows (ActualText).
func pageText(t *testing.T, streams [][]byte) string {
	t.Helper()
	var b strings.Builder
	for _, s := range streams {
		for _, m := range regexp.MustCompile(`/ActualText <FEFF([0-9A-F]*)>`).FindAllSubmatch(s, -1) {
			raw, err := hex.DecodeString(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			u := make([]uint16, len(raw)/2)
			for i := range u {
				u[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
			}
			b.WriteString(string(utf16.Decode(u)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

var sharedFonts = sync.OnceValue(DefaultFonts)

func mustPDF(t testing.TB, f Facts, hc1 string) []byte {
	t.Helper()
	b, err := CertificatePDF(f, hc1, sharedFonts())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCertificatePage(t *testing.T) {
	s := testSigner(t, 7)
	for _, name := range []string{"रमेश कुमार शर्मा", "பாலசுப்பிரமணியன்", "সুব্রত মুখোপাধ্যায়", "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ", "રમેશભાઈ", "ରମେଶ", "లక్ష్మీ", "ಮಂಜುನಾಥ", "ശ്രീകുമാർ", "José Åström", "محمد اقبال"} {
		f := testFacts(t, "COVISHIELD", name, "Ramesh K. Sharma")
		f.Guardian = "कमला देवी"
		hc1 := mustEncode(t, f, s)
		pdf := mustPDF(t, f, hc1)
		if again := mustPDF(t, f, hc1); !bytes.Equal(again, pdf) {
			t.Error("the same facts give another file")
		}
		if len(pdf) > 120_000 {
			t.Errorf("%s: %d bytes", name, len(pdf))
		}
		streams := objects(t, pdf)
		text := pageText(t, streams)
		for _, want := range []string{clean(name), "Ramesh K. Sharma", "कमला देवी", "टीकाकरण प्रमाणपत्र", "Vaccination certificate", testView, f.CI,
			"4121Z099", "4120Z001", "PHC Rampur, Adilabad, Telangana", "XXXX 4321", "Fully vaccinated", "tikakosh certificate verify FILE", "02-10-2026"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		if got, err := HC1FromPDF(pdf); err != nil || got != hc1 {
			t.Errorf("signed text: %v", err)
		}
		if got := printedQR(t, streams); got != hc1 {
			t.Error("the printed code differs from the signed text")
		}
		checkFonts(t, streams)
	}
}

// printedQR reads the drawn rectangles of a page back as a code.
func printedQR(t *testing.T, streams [][]byte) string {
	t.Helper()
	re := regexp.MustCompile(`(?m)^(\S+) (\S+) (\S+) (\S+) re$`)
	for _, s := range streams {
		_, part, ok := bytes.Cut(s, []byte("q 0 g\n"))
		if !ok {
			continue
		}
		part, _, _ = bytes.Cut(part, []byte("f Q\n"))
		dots := map[[2]int]bool{}
		size, left, bottom := 0, 1e9, 1e9
		var rects [][4]float64
		for _, m := range re.FindAllSubmatch(part, -1) {
			var r [4]float64
			for i := range r {
				r[i], _ = strconv.ParseFloat(string(m[i+1]), 64)
			}
			left, bottom = min(left, r[0]), min(bottom, r[1])
			rects = append(rects, r)
		}
		unit := rects[0][3]
		if unit < 0.5*mm {
			t.Errorf("modules of %.2f mm", unit/mm)
		}
		if left < quietZone*unit || bottom < quietZone*unit {
			t.Error("no quiet zone")
		}
		round := func(v float64) int { return int(v/unit + 0.5) }
		for _, r := range rects {
			for i := range round(r[2]) {
				x, y := round(r[0]-left)+i, round(r[1]-bottom)
				dots[[2]int{x, y}] = true
				size = max(size, x+1, y+1)
			}
		}
		text, _ := readBack(t, func(x, y int) bool { return dots[[2]int{x, size - 1 - y}] }, size)
		return text
	}
	t.Fatal("no code on the page")
	return ""
}

// checkFonts parses every embedded font with the library's reader and asks each
// glyph for its outline.
func checkFonts(t *testing.T, streams [][]byte) {
	t.Helper()
	seen := 0
	for _, s := range streams {
		if !bytes.HasPrefix(s, []byte{0, 1, 0, 0}) {
			continue
		}
		seen++
		ld, err := ot.NewLoader(bytes.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []string{"glyf", "head", "hhea", "hmtx", "loca", "maxp"} {
			if !ld.HasTable(ot.MustNewTag(tag)) {
				t.Errorf("an embedded font lacks %s", tag)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d embedded fonts", seen)
	}
}

// TestSubsetKeepsOutlines compares glyphs before and after.
func TestSubsetKeepsOutlines(t *testing.T) {
	fonts := sharedFonts()
	for i := range faceOrder {
		f, err := fonts.load[i]()
		if err != nil {
			t.Fatal(err)
		}
		sub := newSubset(f)
		var glyphs []int
		for r := rune(0x20); r < 0xd80; r++ {
			if g, ok := f.font.NominalGlyph(r); ok && len(glyphs) < 300 {
				glyphs = append(glyphs, int(g))
				sub.add(int(g), []rune{r})
			}
		}
		cut := &face{name: f.name, font: f.font, raw: map[string][]byte{}, upem: f.upem}
		ld, err := ot.NewLoader(bytes.NewReader(sub.file()))
		if err != nil {
			t.Fatal(err)
		}
		for tag := range f.raw {
			if cut.raw[tag], err = ld.RawTable(ot.MustNewTag(tag)); err != nil {
				t.Fatal(err)
			}
		}
		old := font.NewFace(f.font)
		for _, g := range glyphs {
			n := sub.index[g]
			if cut.advance(n) != f.advance(g) || float32(cut.advance(n)) != old.HorizontalAdvance(font.GID(g)) {
				t.Fatalf("%s: width of glyph %d", f.name, g)
			}
			a, b := f.outline(g), cut.outline(n)
			if (len(a) == 0) != (len(b) == 0) || len(a) > 0 && !bytes.Equal(a[:10], b[:10]) {
				t.Fatalf("%s: outline of glyph %d", f.name, g)
			}
		}
	}
}

func TestNoNameBreaksThePage(t *testing.T) {
	s := testSigner(t, 7)
	for _, name := range []string{
		`) Tj ET Q (evil) \ <</JS(app.alert(1))>> % endstream endobj`, "> TJ <FEFF", "A\u202eB\u2066C", "नाम\x00\x1b[2J", "محمد علي", "張偉", "😀 Asha",
		strings.Repeat("W", 300), strings.Repeat("लक्ष्मी", 40), "\u0301\u093f", "</tikakosh:hc1>",
	} {
		f := testFacts(t, "COVISHIELD", name, name)
		f.Guardian, f.IDType, f.Doses[0].CentreName, f.Doses[1].Lot = name, name, name, name
		hc1 := mustEncode(t, f, s)
		pdf := mustPDF(t, f, hc1)
		streams := objects(t, pdf)
		for _, b := range streams {
			if bytes.HasPrefix(b, []byte("q ")) || bytes.Contains(b, []byte(" Tf ")) {
				if bytes.ContainsAny(b, "()\\%") || bytes.Contains(b, []byte("evil")) {
					t.Errorf("%q: raw text among the operators", name)
				}
			}
		}
		if bytes.Contains(pdf, []byte("/JS")) {
			t.Errorf("%q: an object was injected", name)
		}
		if text := pageText(t, streams); strings.ContainsAny(text, "\u202e\u2066\x00\x1b") || !strings.Contains(text, string([]rune(clean(name))[:1])) {
			t.Errorf("%q: text", name)
		}
		if got, err := HC1FromPDF(pdf); err != nil || got != hc1 {
			t.Errorf("%q: signed text: %v", name, err)
		}
	}
}

func TestManyDosesTakeMorePages(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	for n := 3; n <= 32; n++ {
		d := f.Doses[0]
		d.Number, d.Total, d.Lot, d.Given = n, 32, "LOT"+strconv.Itoa(n), d.Given.AddDays(n)
		f.Doses = append(f.Doses, d)
	}
	pdf := mustPDF(t, f, mustEncode(t, f, s))
	text := pageText(t, objects(t, pdf))
	if strings.Index(text, "4120Z001") > strings.Index(text, "4121Z099") {
		t.Error("the doses are not in order of day")
	}
	for n := 3; n <= 32; n++ {
		if strings.Count(text, "LOT"+strconv.Itoa(n)) < 1 {
			t.Errorf("dose %d is on no page", n)
		}
	}
	if pages := bytes.Count(pdf, []byte("/Type/Page/")); pages < 3 {
		t.Errorf("%d pages", pages)
	}
}

func TestCertificatePDFRefuses(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	hc1 := mustEncode(t, f, s)
	other := f
	other.ViewRef = "AAAAAAAAAAAAA"
	other.CI, _ = UVCI("IN", 1, other.ViewRef)
	broken := f
	broken.Name = ""
	for name, c := range map[string]struct {
		f     Facts
		hc1   string
		fonts *Fonts
		kind  fault.Kind
	}{
		"another view": {other, hc1, sharedFonts(), fault.Invalid},
		"no text":      {f, "", sharedFonts(), fault.Invalid},
		"no name":      {broken, hc1, sharedFonts(), fault.Invalid},
		"no fonts":     {f, hc1, nil, fault.Internal},
	} {
		if _, err := CertificatePDF(c.f, c.hc1, c.fonts); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHC1FromPDF(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	hc1 := mustEncode(t, f, s)
	pdf := mustPDF(t, f, hc1)
	twice := append(bytes.Clone(pdf), pdf...) // the same text again is one text
	if got, err := HC1FromPDF(twice); err != nil || got != hc1 {
		t.Errorf("repeated: %v", err)
	}
	second := append(bytes.Clone(pdf), []byte(hc1Open+"HC1:ABC"+hc1Close)...)
	for name, c := range map[string]struct {
		in   []byte
		code string
	}{
		"two texts":   {second, CodeMalformed},
		"no PDF":      {[]byte(hc1), CodeMalformed},
		"none":        {[]byte("%PDF-1.7\n"), CodeMalformed},
		"open":        {[]byte("%PDF-1.7\n" + hc1Open + hc1), CodeMalformed},
		"long":        {[]byte("%PDF-1.7\n" + hc1Open + "HC1:" + strings.Repeat("A", 9999) + hc1Close), CodeMalformed},
		"other bytes": {[]byte("%PDF-1.7\n" + hc1Open + "HC1:<script>" + hc1Close), CodeMalformed},
		"too large":   {append([]byte("%PDF-1.7\n"), make([]byte, MaxPDF)...), CodeSize},
		"empty":       {nil, CodeMalformed},
	} {
		if _, err := HC1FromPDF(c.in); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzHC1FromPDF(f *testing.F) {
	f.Add([]byte("%PDF-1.7\n" + hc1Open + "HC1:ABC" + hc1Close))
	f.Add([]byte("%PDF-1.7\n" + hc1Open + hc1Open))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := HC1FromPDF(b)
		if err == nil && (len(got) > MaxHC1 || !strings.HasPrefix(got, hc1Prefix) || !bytes.Contains(b, []byte(got))) {
			t.Errorf("%q", got)
		}
	})
}

func TestPagesInParallel(t *testing.T) {
	s := testSigner(t, 7)
	fonts := DefaultFonts()
	f := testFacts(t, "COVISHIELD", "रमेश শর্মা தமிழ்", "")
	hc1 := mustEncode(t, f, s)
	want := mustPDF(t, f, hc1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got, err := CertificatePDF(f, hc1, fonts); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkCertificatePDF(b *testing.B) {
	s := testSigner(b, 7)
	f := testFacts(b, "COVISHIELD", "रमेश कुमार शर्मा", "Ramesh Kumar Sharma")
	hc1 := mustEncode(b, f, s)
	mustPDF(b, f, hc1)
	b.ReportAllocs()
	for b.Loop() {
		mustPDF(b, f, hc1)
	}
}

// TestPDFSaysWhereToCheck: a certificate names the page where a stranger checks it, where the
// installation has one; an address that is none makes no certificate.
func TestPDFSaysWhereToCheck(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "COVISHIELD", "Asha Test", "")
	hc1 := mustEncode(t, f, s)
	text := func() string {
		return strings.Join(strings.Fields(pageText(t, objects(t, mustPDF(t, f, hc1)))), " ")
	}
	f.CheckAt = "https://vaccination.example/verify"
	with := text()
	if again := mustEncode(t, f, s); again != hc1 {
		t.Error("the address is signed")
	}
	if !strings.Contains(with, "https://vaccination.example/verify") || !strings.Contains(with, "without an account") {
		t.Errorf("no address in %q", with)
	}
	f.CheckAt = ""
	if without := text(); strings.Contains(without, "ADDRESS") || strings.Contains(without, "/verify") {
		t.Errorf("an address in %q", without)
	}
	for _, bad := range []string{"https://x.example/a b", "https://x.example/\u202e", strings.Repeat("x", 201)} {
		if f.CheckAt = bad; f.check() == nil {
			t.Errorf("%.30q is printed", bad)
		}
	}
}
