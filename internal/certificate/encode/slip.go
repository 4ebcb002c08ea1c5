package encode

import (
	"time"

	"rsc.io/qr/coding"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Slip is one booking: a centre, a day and a time, and the people who come. It
// is no certificate: nothing on it is signed.
type Slip struct {
	AppointmentID string
	ViewRef       string // 13 base32 digits
	Centre        string
	Address       string
	District      string
	State         string
	Date          civil.Date
	Slot          string // such as "09:00-11:00", the centre's time
	Vaccine       string
	IssuedAt      time.Time // only for the file's dates
	People        []SlipPerson
}

// SlipPerson is one person's page of a slip.
type SlipPerson struct {
	Name        string
	NameLocal   string
	ReferenceID id.Reference
	BirthYear   int
	IDType      string
	IDLast4     string
	Dose        int
	Code        string // 4 digits
	QR          string // booking text for the centre's scanner, or ""
}

// SlipPDF sets a slip as A4 pages in English and Hindi, one for each person, so
// that nobody carries another's code. The same slip gives the same bytes.
// Errors: fault.Invalid with CodeFacts for a slip without people (or more than
// 6), day, view reference or 4-digit codes, CodeSize for a booking text above a
// version 18 code; fault.Internal.
func SlipPDF(s Slip, fonts *Fonts) ([]byte, error) {
	if !s.Date.Valid() || !isViewRef(s.ViewRef) || len(s.People) < 1 || len(s.People) > 6 {
		return nil, fault.New(fault.Invalid, CodeFacts, "a slip needs a day, a view reference and one to six people")
	}
	if fonts == nil {
		return nil, fault.New(fault.Internal, "", "no fonts")
	}
	t := &typesetter{fonts: fonts}
	var pages []*page
	for _, p := range s.People {
		if len(p.Code) != 4 || digits(p.Code) != p.Code {
			return nil, fault.New(fault.Invalid, CodeFacts, "a security code has 4 digits")
		}
		sh := newSheet(t)
		if err := sh.slip(s, p); err != nil {
			return nil, err
		}
		pages = append(pages, sh.p)
	}
	return render(meta{title: txtSlip.en, lang: "en-IN", when: s.IssuedAt, id: docID("slip", s.ViewRef, s.AppointmentID)}, t, pages)
}

func digits(s string) string {
	out := ""
	for _, r := range s {
		if r >= '0' && r <= '9' {
			out += string(r)
		}
	}
	return out
}

func (sh *sheet) slip(s Slip, p SlipPerson) error {
	sh.y -= sh.bold(txtSlip.en, sh.left, sh.right-sh.left, 20)
	sh.y -= sh.bold(txtSlip.hi, sh.left, sh.right-sh.left, 16)
	sh.heading(txtPerson)
	sh.nameLines(p.Name, p.NameLocal)
	if p.BirthYear > 0 {
		sh.row(txtBirthYear, itoa(p.BirthYear))
	}
	sh.row(txtReference, clean(string(p.ReferenceID)))
	sh.row(txtPhotoID, idLine(p.IDType, p.IDLast4))
	sh.heading(txtAppointment)
	sh.row(txtAppointment, clean(s.AppointmentID))
	sh.row(txtDate, s.Date.Indian())
	sh.row(txtSlot, clean(s.Slot))
	sh.row(txtCentre, clean(s.Centre))
	sh.row(txtAddress, join(", ", clean(s.Address), clean(s.District), clean(s.State)))
	sh.row(txtVaccine, clean(s.Vaccine))
	if p.Dose > 0 {
		sh.row(txtDose, itoa(p.Dose))
	}
	sh.heading(txtCode)
	sh.y -= sh.bold(p.Code, sh.left, sh.right-sh.left, 28)
	sh.paragraph(txtCodeHow, sh.left, sh.right-sh.left, 8.5)
	sh.heading(txtBring)
	sh.paragraph(txtBringHow, sh.left, sh.right-sh.left, 8.5)
	sh.row(txtView, s.ViewRef)
	if p.QR == "" {
		return sh.err
	}
	qr, err := newSymbol(p.QR, coding.M)
	if err != nil {
		return err
	}
	unit := min(2*module, 48*mm/float64(qr.code.Size))
	qr.draw(sh.p, sh.left+quietZone*unit, margin+quietZone*unit, unit)
	sh.y = margin + quietZone*unit + qr.side(unit)
	x := sh.left + qr.side(unit) + 2*quietZone*unit + 3*mm
	sh.text(txtScanHere.both(), x, sh.right-x, 8.5)
	return sh.err
}
