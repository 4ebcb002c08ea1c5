package encode

import (
	"cmp"
	"slices"
	"strings"

	"rsc.io/qr/coding"

	"tikakosh/internal/fault"
)

// The sizes of the printed codes. A scanner reads 0.33 mm modules; 0.55 mm
// survives a worn office printer. The quiet zone is four modules (ISO/IEC 18004
// section 6.3.8).
const (
	module    = 0.55 * mm
	quietZone = 4
)

// CertificatePDF sets the certificate as A4 pages in English and Hindi: the
// person, every dose by day, the signed text as a QR code (version at most 18, error
// correction Q), the view reference and how to verify. hc1 is the text that a
// Carrier made of the same facts; it is also in the metadata for HC1FromPDF.
// The same facts and text give the same bytes. Names appear whatever they
// contain: control characters are dropped, nothing is read as an operator.
// Errors: fault.Invalid with CodeFacts, CodeMalformed (hc1 is no such text or
// was made from another view), fault.Internal.
func CertificatePDF(f Facts, hc1 string, fonts *Fonts) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	m, err := DecodeHC1(hc1)
	if err != nil {
		return nil, err
	}
	if m.verified.CI != f.CI {
		return nil, malformed("the signed text belongs to another certificate")
	}
	qr, err := newSymbol(hc1, coding.Q)
	if err != nil {
		return nil, err
	}
	if fonts == nil {
		return nil, fault.New(fault.Internal, "", "no fonts")
	}
	t := &typesetter{fonts: fonts}
	s := newSheet(t)
	s.certificateHead(f)
	byDay := slices.Clone(f.Doses)
	slices.SortStableFunc(byDay, func(a, b Dose) int { return cmp.Or(a.Given.Compare(b.Given), cmp.Compare(a.Number, b.Number)) })
	rest := s.doses(byDay, margin+qr.side(module)+2*quietZone*module+4*mm)
	s.certificateFoot(f, qr)
	pages, err := []*page{s.p}, s.err
	for err == nil && len(rest) > 0 {
		next := newSheet(t)
		next.y -= next.bold(txtTitle.both(), next.left, next.right-next.left, 12)
		next.row(txtName, clean(f.Name))
		next.row(txtView, f.ViewRef)
		left := next.doses(rest, margin)
		if len(left) == len(rest) {
			return nil, fault.New(fault.Invalid, CodeFacts, "a dose does not fit a page")
		}
		pages, rest, err = append(pages, next.p), left, next.err
	}
	if err != nil {
		return nil, err
	}
	return render(meta{title: txtTitle.en, lang: "en-IN", when: f.IssuedAt, id: docID(f.CI, hc1), hc1: hc1}, t, pages)
}

// nameLines are the person's names as printed: as recorded, in the second
// script, and romanised where neither is Latin.
func (s *sheet) nameLines(name, local string) {
	s.name(txtName, name)
	if l := clean(local); l != "" && l != clean(name) {
		s.name(label{}, l)
	}
	if !isLatin(name) && (local == "" || !isLatin(local)) {
		s.row(txtMachineName, showICAO(ICAOName(name)))
	}
}

// name prints a name as recorded or, when no face has its letters, that it is on
// record and cannot be shown, with its Latin form: never empty boxes.
func (s *sheet) name(l label, name string) {
	ok, err := s.t.shows(name)
	if s.err = cmp.Or(s.err, err); ok {
		s.row(l, clean(name))
		return
	}
	s.row(l, showICAO(ICAOName(name)))
	s.row(label{}, txtNoLetters.both())
}

func (s *sheet) certificateHead(f Facts) {
	s.y -= s.bold(txtTitle.en, s.left, s.right-s.left, 20)
	s.y -= s.bold(txtTitle.hi, s.left, s.right-s.left, 16)
	s.y -= s.text(clean(f.Issuer), s.left, s.right-s.left, 10)
	s.heading(txtPerson)
	s.nameLines(f.Name, f.NameLocal)
	if f.BirthDate.IsZero() {
		s.row(txtBirthYear, f.birth())
	} else {
		s.row(txtBirth, f.BirthDate.Indian())
	}
	s.row(txtGender, genderLabel(f.Gender).both())
	s.row(txtID, idLine(f.IDType, f.IDLast4))
	s.name(txtGuardian, f.Guardian)
	s.row(txtReference, clean(string(f.ReferenceID)))
	s.row(txtStatus, statusOf(f).both())
}

// idLine shows the kind of identity document and the end of its number.
func idLine(kind, last4 string) string {
	kind, last4 = clean(kind), clip(clean(last4), 4)
	if last4 != "" {
		last4 = "XXXX " + last4
	}
	return strings.TrimSpace(kind + " " + last4)
}

// doses sets as many doses as end above bottom and returns the others.
func (s *sheet) doses(ds []Dose, bottom float64) []Dose {
	s.heading(txtDoses)
	for i, d := range ds {
		trial := *s
		trial.p = newPage()
		trial.dose(d)
		if trial.y < bottom {
			return ds[i:]
		}
		if i > 0 {
			s.p.line(s.left, s.y+0.5*mm, s.right, s.y+0.5*mm, 0.3, 0.6)
		}
		s.dose(d)
	}
	return nil
}

func (s *sheet) dose(d Dose) {
	p := ProductOf(d.Product)
	number := itoa(d.Number)
	if d.Total >= d.Number {
		number += " " + txtOf.en + " " + itoa(d.Total)
	}
	s.row(txtDose, number+" · "+d.Given.Indian())
	s.row(txtVaccine, join(" · ", clean(d.Product), p.Maker, p.Disease))
	s.row(txtLot, clean(d.Lot))
	place := join(", ", clean(d.CentreName), clean(d.District), clean(d.State))
	if d.FromRecord {
		place = join(" · ", d.Country, "from a record seen at / दर्ज प्रमाण देखा गया: "+place)
	}
	s.row(txtPlace, place)
	s.row(txtVaccinator, clean(d.Vaccinator))
}

// certificateFoot draws the code at the left of the foot and the words about it
// beside it.
func (s *sheet) certificateFoot(f Facts, qr symbol) {
	side := qr.side(module)
	quiet := quietZone * module
	bottom := margin + quiet
	s.p.line(s.left, bottom+side+quiet+2*mm, s.right, bottom+side+quiet+2*mm, 0.7, 0)
	qr.draw(s.p, s.left+quiet, bottom, module)
	x := s.left + side + 2*quiet + 3*mm
	width := s.right - x
	s.y = bottom + side + quiet
	pair := func(l label, value string) {
		s.y -= s.text(l.both(), x, width, 7)
		s.y -= s.text(value, x, width, 9) + 0.6*mm
	}
	pair(txtView, f.ViewRef)
	pair(txtCI, f.CI)
	pair(txtValidity, f.ExpiresAt.UTC().Format("02-01-2006"))
	s.y -= s.bold(txtVerify.both(), x, width, 8)
	s.paragraph(verifyHow(f), x, width, 6.8)
	s.paragraph(txtViewHow, x, width, 6.8)
}

func join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}
