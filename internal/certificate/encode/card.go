package encode

import (
	"regexp"
	"time"

	"rsc.io/qr/coding"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Card is what is printed for a person without a mobile: the card with its QR
// code, and apart from it, to be kept elsewhere, the PIN. There is no name on
// it: who prints it writes one by hand where it is wanted.
type Card struct {
	Text        string // of the QR code
	PIN         string // 6 digits
	ReferenceID id.Reference
	IssuedAt    time.Time // only for the file's dates
}

var ( // the texts of the card
	txtCard    = label{"Vaccination card", "टीकाकरण कार्ड"}
	txtCardHow = label{
		"With its PIN this card opens your record on any phone; at a centre you show the card alone. Keep the PIN apart from the card. If the card is lost, ask the centre; if a mobile is linked, a new card can be had there.",
		"पिन के साथ यह कार्ड किसी भी फ़ोन पर आपका रिकॉर्ड खोलता है; केंद्र पर केवल कार्ड दिखाएँ। पिन को कार्ड से अलग रखें। कार्ड खो जाए तो केंद्र से पूछें; मोबाइल जुड़ा हो तो वहाँ से नया कार्ड मिल सकता है।",
	}
	txtPIN    = label{"PIN", "पिन"}
	txtPINHow = label{
		"Cut here. Learn the PIN or keep it in another place. Nobody at the centre needs it.",
		"यहाँ से काटें। पिन याद रखें या अलग जगह रखें। केंद्र पर किसी को इसकी ज़रूरत नहीं।",
	}
	txtCardName = label{"Name (by hand)", "नाम (हाथ से)"}
	fours       = regexp.MustCompile(`.{4}`) // the code in letters, for who has no camera: no more than the code says
)

// CardPDF sets a card as one A4 page in English and Hindi, the PIN below a line
// to cut along. The same card gives the same bytes. Errors: fault.Invalid with
// CodeFacts for a PIN that is not 6 digits or no reference, CodeSize for a text
// that does not fit the QR code; fault.Internal.
func CardPDF(c Card, fonts *Fonts) ([]byte, error) {
	if len(c.PIN) != 6 || digits(c.PIN) != c.PIN || c.ReferenceID == "" || c.Text == "" {
		return nil, fault.New(fault.Invalid, CodeFacts, "a card needs its text, a reference number and a PIN of 6 digits")
	}
	if fonts == nil {
		return nil, fault.New(fault.Internal, "", "no fonts")
	}
	qr, err := newSymbol(c.Text, coding.Q)
	if err != nil {
		return nil, err
	}
	t := &typesetter{fonts: fonts}
	sh := newSheet(t)
	sh.y -= sh.bold(txtCard.en, sh.left, sh.right-sh.left, 20)
	sh.y -= sh.bold(txtCard.hi, sh.left, sh.right-sh.left, 16)
	unit := 45 * mm / float64(qr.code.Size)
	sh.y -= qr.side(unit) + 2*quietZone*unit
	qr.draw(sh.p, sh.left+quietZone*unit, sh.y+quietZone*unit, unit)
	sh.y -= sh.text(fours.ReplaceAllString(c.Text, "$0 "), sh.left, sh.right-sh.left, 10)
	sh.row(txtReference, clean(string(c.ReferenceID)))
	sh.row(txtCardName, "____________________")
	sh.paragraph(txtCardHow, sh.left, sh.right-sh.left, 8.5)
	sh.y -= 8 * mm
	sh.p.line(sh.left, sh.y, sh.right, sh.y, 0.5, 0.5)
	sh.y -= 4 * mm
	sh.paragraph(txtPINHow, sh.left, sh.right-sh.left, 8.5)
	sh.heading(txtPIN)
	sh.y -= sh.bold(c.PIN, sh.left, sh.right-sh.left, 28)
	if sh.err != nil {
		return nil, sh.err
	}
	return render(meta{title: txtCard.en, lang: "en-IN", when: c.IssuedAt, id: docID("card", string(c.ReferenceID), c.Text)}, t, []*page{sh.p})
}
