package encode

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
)

// Verified is what a genuine certificate states; only these facts count,
// whatever the page around them shows. Fields a claim does not carry are zero.
type Verified struct {
	Carrier    string // CarrierDCC or CarrierICVP
	KID        KID
	CI         string // UVCI
	ViewRef    string // the opening that made the certificate
	Name       string // as signed, in its own script where there is one
	NameLatin  string // machine-readable or Latin form
	Birth      string // ISO date or year
	Gender     string // "Male", "Female", "Other" or ""
	IDLast4    string
	Guardian   string
	Product    Product // Recognised says whether its codes are in public value sets
	Dose       int
	Total      int
	Lot        string
	Given      civil.Date
	ValidFrom  civil.Date
	Vaccinator string
	Country    string // of the issuer, ISO 3166-1 alpha-2
	GivenIn    string // country of a dose given abroad, or ""
	Issuer     string
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// cwt is the signed CBOR Web Token (RFC 8392). -260 is the HCERT claim; -65537
// is in the private-use range and carries what the public claims have no place
// for, so that a reader of those alone loses nothing it expects.
type cwt struct {
	Issuer   string     `cbor:"1,keyasint"`
	Expires  int64      `cbor:"4,keyasint"`
	IssuedAt int64      `cbor:"6,keyasint"`
	ID       []byte     `cbor:"7,keyasint,omitempty"` // ICVP: the UVCI, which that claim has no field for
	HCert    hcertClaim `cbor:"-260,keyasint"`
	Own      own        `cbor:"-65537,keyasint,omitempty"`
}

type hcertClaim struct {
	DCC  *dcc  `cbor:"1,keyasint,omitempty"`
	ICVP *icvp `cbor:"-6,keyasint,omitempty"`
}

// own is the private claim.
type own struct {
	NameLocal string `cbor:"1,keyasint,omitempty"` // ICVP only: DCC has fn beside fnt
	IDLast4   string `cbor:"2,keyasint,omitempty"`
	Gender    string `cbor:"3,keyasint,omitempty"` // DCC only: M, F or X
	Lot       string `cbor:"4,keyasint,omitempty"` // DCC only
	Dose      int    `cbor:"5,keyasint,omitempty"` // ICVP only
	Total     int    `cbor:"6,keyasint,omitempty"` // ICVP only
}

// dcc is the EU Digital COVID Certificate, schema 1.3.3, vaccination only.
type dcc struct {
	Version string  `cbor:"ver"`
	Name    dccName `cbor:"nam"`
	Birth   string  `cbor:"dob"`
	V       []dccV  `cbor:"v"`
}

// dccName carries the whole name as the primary identifier: Indian names have
// no reliable family part, and ICAO 9303-3 section 4.6 puts a name that cannot
// be divided there. GN and GNT are read, never written.
type dccName struct {
	FN  string `cbor:"fn,omitempty"`
	FNT string `cbor:"fnt"`
	GN  string `cbor:"gn,omitempty"`
	GNT string `cbor:"gnt,omitempty"`
}

type dccV struct {
	TG string `cbor:"tg"`
	VP string `cbor:"vp"`
	MP string `cbor:"mp"`
	MA string `cbor:"ma"`
	DN int    `cbor:"dn"`
	SD int    `cbor:"sd"`
	DT string `cbor:"dt"`
	CO string `cbor:"co"`
	IS string `cbor:"is"`
	CI string `cbor:"ci"`
}

// icvp is the WHO DVC claim (smart-icvp 6a24a8e). Nationality is left out: the
// registry does not ask for it.
type icvp struct {
	Name     string `cbor:"n"`
	Birth    string `cbor:"dob"`
	Sex      string `cbor:"s"`
	Guardian string `cbor:"gn,omitempty"`
	V        icvpV  `cbor:"v"`
}

type icvpV struct {
	VP  string `cbor:"vp"`
	DT  string `cbor:"dt"`
	BO  string `cbor:"bo,omitempty"`
	VLS string `cbor:"vls"`
	CN  string `cbor:"cn,omitempty"`
	IS  string `cbor:"is"`
}

func base(f Facts, fit fit) cwt {
	c := cwt{Issuer: f.country(), IssuedAt: f.IssuedAt.Unix(), Expires: f.ExpiresAt.Unix()}
	if fit.id {
		c.Own.IDLast4 = clip(clean(f.IDLast4), 4)
	}
	return c
}

type dccClaim struct{}

func (dccClaim) build(f Facts, fit fit) (cwt, error) {
	d, ok := f.latest(func(d Dose) bool { return ProductOf(d.Product).COVID })
	if !ok {
		return cwt{}, fault.New(fault.Invalid, CodeFacts, "a certificate cannot be made: no dose of a COVID-19 product")
	}
	p := ProductOf(d.Product)
	latin, local := f.names()
	shown := clipWords(local, fit.local)
	if local == "" {
		shown = clip(latin, fit.latin)
	}
	machine := latin
	if machine == "" {
		machine = local
	}
	c := base(f, fit)
	if fit.id {
		c.Own.Gender = genderCode(f.Gender)
	}
	if fit.lot {
		c.Own.Lot = clip(clean(d.Lot), 20)
	}
	c.HCert.DCC = &dcc{
		Version: "1.3.3",
		Name:    dccName{FN: shown, FNT: clipICAO(ICAOName(machine), fit.latin)},
		Birth:   f.birth(),
		V: []dccV{{TG: p.TG, VP: p.VP, MP: p.MP, MA: p.MA, DN: d.Number, SD: max(d.Number, d.Total), DT: d.Given.String(),
			CO: cmp.Or(d.Country, f.country()), IS: clean(f.Issuer), CI: f.CI}},
	}
	return c, nil
}

func (dccClaim) read(c cwt) (Verified, error) {
	d := c.HCert.DCC
	if !strings.HasPrefix(d.Version, "1.3.") || len(d.V) != 1 || len(c.ID) != 0 {
		return Verified{}, malformed("version or number of entries")
	}
	e := d.V[0]
	if !plain(80, d.Name.FN, d.Name.FNT, d.Name.GN, d.Name.GNT, e.TG, e.VP, e.MP, e.MA, e.IS, e.CI, c.Own.IDLast4, c.Own.Lot) {
		return Verified{}, malformed("a field is too long or holds control characters")
	}
	if !isICAO(d.Name.FNT) || !isICAO(d.Name.GNT) || e.TG == "" || e.VP == "" || e.MP == "" || e.MA == "" || e.IS == "" || !isUpper(e.CO, 2) {
		return Verified{}, malformed("a field is missing or out of form")
	}
	if e.DN < 1 || e.SD < e.DN || e.SD > 99 || !isBirth(d.Birth) || !isGenderCode(c.Own.Gender) {
		return Verified{}, malformed("dose, birth or gender")
	}
	given, err := civil.ParseISO(e.DT)
	if err != nil {
		return Verified{}, malformed("day of the dose")
	}
	ref, ok := viewRefOf(e.CI)
	if !ok {
		return Verified{}, malformed("identifier")
	}
	p, ok := byCode(e.MP)
	if !ok || p.TG != e.TG || p.VP != e.VP || p.MA != e.MA {
		p = Product{Name: e.MP, Maker: e.MA, COVID: e.TG == tgCOVID, TG: e.TG, VP: e.VP, MP: e.MP, MA: e.MA}
	}
	latin := showICAO(joinName(d.Name.GNT, d.Name.FNT))
	name := joinName(d.Name.GN, d.Name.FN)
	if name == "" {
		name = latin
	}
	abroad := ""
	if e.CO != c.Issuer {
		abroad = e.CO
	}
	return Verified{
		CI: e.CI, ViewRef: ref, Name: name, NameLatin: latin,
		Birth: d.Birth, Gender: genderText(c.Own.Gender), IDLast4: c.Own.IDLast4, Product: p, Dose: e.DN, Total: e.SD,
		Lot: c.Own.Lot, Given: given, GivenIn: abroad, Issuer: e.IS,
	}, nil
}

type icvpClaim struct{}

func (icvpClaim) build(f Facts, fit fit) (cwt, error) {
	d, ok := f.latest(func(d Dose) bool { return !ProductOf(d.Product).COVID })
	if !ok {
		return cwt{}, fault.New(fault.Invalid, CodeFacts, "a certificate cannot be made: every dose is of a COVID-19 product")
	}
	p := ProductOf(d.Product)
	latin, local := f.names()
	if latin == "" {
		latin = showICAO(ICAOName(local))
	}
	vp := p.ICVP
	if vp == "" {
		vp = p.Name
	}
	c := base(f, fit)
	c.ID = []byte(f.CI)
	c.Own.NameLocal, c.Own.Dose, c.Own.Total = clipWords(local, fit.local), d.Number, max(d.Number, d.Total)
	clinician := ""
	if fit.lot { // the claim asks for the clinician or the issuer; the issuer always stays
		clinician = clip(clean(d.Vaccinator), 40)
	}
	c.HCert.ICVP = &icvp{
		Name: clip(latin, fit.latin), Birth: f.birth(), Sex: sexCode(f.Gender), Guardian: clip(clean(f.Guardian), min(fit.latin, 40)),
		V: icvpV{VP: vp, DT: d.Given.String(), BO: clip(clean(d.Lot), 20), VLS: d.Given.AddDays(p.ValidFromDay).String(),
			CN: clinician, IS: clean(f.Issuer)},
	}
	return c, nil
}

func (icvpClaim) read(c cwt) (Verified, error) {
	d := c.HCert.ICVP
	if d.Name == "" || d.V.VP == "" || d.V.IS == "" || !isBirth(d.Birth) || c.Own.Dose < 1 || c.Own.Total < c.Own.Dose || c.Own.Total > 99 {
		return Verified{}, malformed("a field is missing or out of form")
	}
	if !plain(80, d.Name, d.Guardian, d.V.VP, d.V.BO, d.V.CN, d.V.IS, c.Own.NameLocal, c.Own.IDLast4) {
		return Verified{}, malformed("a field is too long or holds control characters")
	}
	gender, ok := map[string]string{"male": "Male", "female": "Female", "other": "Other", "unknown": ""}[d.Sex]
	if !ok {
		return Verified{}, malformed("sex")
	}
	given, e1 := civil.ParseISO(d.V.DT)
	from, e2 := civil.ParseISO(d.V.VLS)
	if e1 != nil || e2 != nil || from.Before(given) {
		return Verified{}, malformed("days of the dose")
	}
	ref, ok := viewRefOf(string(c.ID))
	if !ok {
		return Verified{}, malformed("identifier")
	}
	p, ok := byCode(d.V.VP)
	if !ok {
		p = Product{Name: d.V.VP}
	}
	name := c.Own.NameLocal
	if name == "" {
		name = d.Name
	}
	return Verified{
		CI: string(c.ID), ViewRef: ref, Name: name, NameLatin: d.Name, Birth: d.Birth, Gender: gender, IDLast4: c.Own.IDLast4,
		Guardian: d.Guardian, Product: p, Dose: c.Own.Dose, Total: c.Own.Total, Lot: d.V.BO, Given: given, ValidFrom: from,
		Vaccinator: d.V.CN, Issuer: d.V.IS,
	}, nil
}

// plain reports whether every text has at most n characters and none that
// could trick a terminal or a page.
func plain(n int, texts ...string) bool {
	for _, s := range texts {
		if utf8.RuneCountInString(s) > n || clean(s) != s {
			return false
		}
	}
	return true
}

func joinName(given, family string) string { return strings.TrimSpace(given + " " + family) }

func showICAO(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "<", " ")) }

func isICAO(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ<") == "" }

func isBirth(s string) bool {
	if len(s) == 4 {
		y, err := strconv.Atoi(s)
		return err == nil && y > 0
	}
	_, err := civil.ParseISO(s)
	return err == nil
}

func genderCode(s string) string {
	switch strings.ToLower(clean(s)) {
	case "":
		return ""
	case "male":
		return "M"
	case "female":
		return "F"
	}
	return "X"
}

func isGenderCode(s string) bool { return s == "" || s == "M" || s == "F" || s == "X" }

func genderText(code string) string {
	return map[string]string{"M": "Male", "F": "Female", "X": "Other"}[code]
}

func sexCode(s string) string {
	return map[string]string{"": "unknown", "M": "male", "F": "female", "X": "other"}[genderCode(s)]
}
