package encode

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// A4 in points, and millimetres as points.
const (
	pageWidth  = 595.276
	pageHeight = 841.89
	mm         = 72 / 25.4
)

// page collects the operators of one page.
type page struct {
	body  bytes.Buffer
	fonts map[int]bool
}

func newPage() *page { return &page{fonts: map[int]bool{}} }

func (p *page) raw(s string) { p.body.WriteString(s) }

// line draws a straight line of the given grey (0 black) and width.
func (p *page) line(x1, y1, x2, y2, width, grey float64) {
	p.raw("q " + num(grey) + " G " + num(width) + " w " + num(x1) + " " + num(y1) + " m " + num(x2) + " " + num(y2) + " l S Q\n")
}

// num writes a real number with at most three decimals and no exponent.
func num(v float64) string {
	s := strconv.FormatFloat(v, 'f', 3, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

func itoa(n int) string { return strconv.Itoa(n) }

func hex4(n int) string { return fmt.Sprintf("%04X", n&0xffff) }

// document writes a PDF 1.7 file (ISO 32000-1) whose bytes depend on its
// content alone.
type document struct {
	out     bytes.Buffer
	offsets []int // of object n at n-1
	packer  *zlib.Writer
}

// reserve gives out an object number.
func (d *document) reserve() int {
	d.offsets = append(d.offsets, 0)
	return len(d.offsets)
}

func (d *document) object(n int, body string) {
	d.offsets[n-1] = d.out.Len()
	fmt.Fprintf(&d.out, "%d 0 obj\n%s\nendobj\n", n, body)
}

// stream writes a stream object; plain ones stay readable without a PDF reader.
func (d *document) stream(n int, dict string, data []byte, plain bool) error {
	if !plain {
		var z bytes.Buffer
		if d.packer == nil {
			d.packer = zlib.NewWriter(&z)
		} else {
			d.packer.Reset(&z)
		}
		if _, err := d.packer.Write(data); err != nil {
			return fault.Wrap(fault.Internal, err, "pdf")
		}
		if err := d.packer.Close(); err != nil {
			return fault.Wrap(fault.Internal, err, "pdf")
		}
		data, dict = z.Bytes(), dict+"/Filter/FlateDecode"
	}
	d.offsets[n-1] = d.out.Len()
	fmt.Fprintf(&d.out, "%d 0 obj\n<<%s/Length %d>>\nstream\n", n, dict, len(data))
	d.out.Write(data)
	d.out.WriteString("\nendstream\nendobj\n")
	return nil
}

// meta is what the file says about itself.
type meta struct {
	title string // constant text, ASCII
	lang  string
	when  time.Time
	id    []byte
	hc1   string // put into the metadata stream when not ""
}

// render writes the file.
func render(m meta, t *typesetter, pages []*page) ([]byte, error) {
	d := &document{}
	d.out.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	catalog, tree, info, xmp := d.reserve(), d.reserve(), d.reserve(), d.reserve()
	fontIDs := map[int]int{}
	for i, s := range t.subs {
		if s != nil && len(s.order) > 1 {
			n, err := d.font(s)
			if err != nil {
				return nil, err
			}
			fontIDs[i] = n
		}
	}
	var kids []string
	for _, p := range pages {
		id, content := d.reserve(), d.reserve()
		kids = append(kids, itoa(id)+" 0 R")
		var faces []int
		for i := range p.fonts {
			faces = append(faces, i)
		}
		sort.Ints(faces)
		var fonts strings.Builder
		for _, i := range faces {
			fmt.Fprintf(&fonts, "/F%d %d 0 R", i, fontIDs[i])
		}
		d.object(id, fmt.Sprintf("<</Type/Page/Parent %d 0 R/MediaBox[0 0 %s %s]/Resources<</Font<<%s>>>>/Contents %d 0 R>>",
			tree, num(pageWidth), num(pageHeight), fonts.String(), content))
		if err := d.stream(content, "", p.body.Bytes(), false); err != nil {
			return nil, err
		}
	}
	d.object(tree, fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d>>", strings.Join(kids, " "), len(kids)))
	d.object(catalog, fmt.Sprintf("<</Type/Catalog/Pages %d 0 R/Metadata %d 0 R/Lang(%s)/ViewerPreferences<</DisplayDocTitle true>>>>", tree, xmp, m.lang))
	stamp := m.when.UTC().Format("20060102150405")
	d.object(info, fmt.Sprintf("<</Title(%s)/Producer(Tikakosh)/CreationDate(D:%sZ)/ModDate(D:%sZ)>>", m.title, stamp, stamp))
	if err := d.stream(xmp, "/Type/Metadata/Subtype/XML", []byte(packet(m)), true); err != nil {
		return nil, err
	}
	start := d.out.Len()
	fmt.Fprintf(&d.out, "xref\n0 %d\n0000000000 65535 f \n", len(d.offsets)+1)
	for _, o := range d.offsets {
		fmt.Fprintf(&d.out, "%010d 00000 n \n", o)
	}
	id := hex.EncodeToString(m.id)
	fmt.Fprintf(&d.out, "trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\nstartxref\n%d\n%%%%EOF\n", len(d.offsets)+1, catalog, info, id, id, start)
	return d.out.Bytes(), nil
}

// The element that carries the signed text. Its alphabet holds no character
// that XML would have to escape.
const (
	hc1Open  = "<tikakosh:hc1>"
	hc1Close = "</tikakosh:hc1>"
)

// packet is the XMP metadata stream (ISO 16684-1).
func packet(m meta) string {
	var b strings.Builder
	when := m.when.UTC().Format(time.RFC3339)
	b.WriteString("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n" +
		"<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmlns:tikakosh=\"urn:tikakosh:certificate\">\n" +
		"<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">" + m.title + "</rdf:li></rdf:Alt></dc:title>\n" +
		"<xmp:CreateDate>" + when + "</xmp:CreateDate><xmp:ModifyDate>" + when + "</xmp:ModifyDate>\n")
	if m.hc1 != "" {
		b.WriteString(hc1Open + m.hc1 + hc1Close + "\n")
	}
	b.WriteString("</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>")
	return b.String()
}

// MaxPDF bounds a file given to HC1FromPDF, in bytes; our own have under 200 kB.
const MaxPDF = 4 << 20

// HC1FromPDF finds the signed text in a certificate page made by this program.
// It reads the metadata only, never the page: what the page shows may have been
// altered. It returns a fault.Invalid with CodeSize for a file above MaxPDF and
// CodeMalformed when there is no text, or two different ones.
func HC1FromPDF(b []byte) (string, error) {
	if len(b) > MaxPDF {
		return "", fault.New(fault.Invalid, CodeSize, "the file is too large to be a certificate")
	}
	if !bytes.HasPrefix(b, []byte("%PDF-")) {
		return "", malformed("not a PDF file")
	}
	found := ""
	for {
		_, after, ok := bytes.Cut(b, []byte(hc1Open))
		if !ok {
			break
		}
		head := after[:min(len(after), MaxHC1+len(hc1Close))]
		text, _, ok := bytes.Cut(head, []byte(hc1Close))
		if !ok || !bytes.HasPrefix(text, []byte(hc1Prefix)) || strings.Trim(string(text), base45Alphabet) != "" {
			return "", malformed("the signed text in the file is damaged")
		}
		if found != "" && found != string(text) {
			return "", malformed("the file holds two signed texts")
		}
		found, b = string(text), after
	}
	if found == "" {
		return "", malformed("no signed text in the file; scan its QR code instead")
	}
	return found, nil
}
