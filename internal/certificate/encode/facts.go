package encode

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Facts is what one certificate states. The vault fills it from sealed records,
// never from a caller's bytes. The zero value states nothing and is refused.
type Facts struct {
	Realm       id.Realm
	CI          string // from UVCI; unique per download because ViewRef is
	ViewRef     string // 13 base32 digits; printed, and signed as a part of CI
	ReferenceID id.Reference
	Name        string
	NameLocal   string     // the name in a second script, or ""
	BirthYear   int        // used when BirthDate is zero
	BirthDate   civil.Date // or zero
	Gender      string     // "Male", "Female" or any other word
	IDType      string     // such as "Aadhaar Card", or ""
	IDLast4     string     // or ""
	Guardian    string     // name of a minor's guardian, or ""
	Status      string     // English, or "" for the wording derived from the last dose
	Doses       []Dose
	Country     string // ISO 3166-1 alpha-2; "" means IN
	Issuer      string // printed and signed, at most 80 characters
	CheckAt     string // address of the page where a stranger checks it, printed and not signed; "" where there is none
	IssuedAt    time.Time
	ExpiresAt   time.Time // HCERT asks for at most one year
}

// Dose is one administered dose.
type Dose struct {
	Number, Total int
	Product       string // registry name, such as "COVISHIELD"; see ProductOf
	Lot           string
	Given         civil.Date // civil date at the centre
	CentreName    string
	District      string
	State         string
	Vaccinator    string
	Country       string // where it was given, ISO 3166-1 alpha-2; "" means the issuer's country
	FromRecord    bool   // not given at the centre: the centre saw a record of it
}

// maxText bounds each text of Facts in bytes; it is far above what a page can
// show and only keeps a broken record from filling memory.
const maxText = 1024

// check refuses facts that cannot be stated. The errors are fault.Invalid with
// CodeFacts and name the field, never its value.
func (f Facts) check() error {
	bad := func(field string) error {
		return fault.New(fault.Invalid, CodeFacts, "a certificate cannot be made: "+field)
	}
	switch {
	case len(f.CheckAt) > 200 || strings.ContainsFunc(f.CheckAt, func(r rune) bool { return r <= ' ' || r > '~' }):
		return bad("the address of the check")
	case strings.TrimSpace(f.Name) == "":
		return bad("name is empty")
	case len(f.Doses) == 0:
		return bad("no dose")
	case len(f.Doses) > 32:
		return bad("more than 32 doses")
	case f.BirthDate.IsZero() && (f.BirthYear < 1880 || f.BirthYear > 9999):
		return bad("year of birth")
	case !f.BirthDate.IsZero() && !f.BirthDate.Valid():
		return bad("date of birth")
	case clean(f.Issuer) == "" || utf8.RuneCountInString(f.Issuer) > 80:
		return bad("issuer")
	case !f.IssuedAt.Before(f.ExpiresAt) || f.IssuedAt.Unix() <= 0:
		return bad("validity")
	case f.Country != "" && !isUpper(f.Country, 2):
		return bad("country")
	case len(f.IDLast4) > 4 || len(f.ReferenceID) > 14:
		return bad("id digits")
	}
	if ref, ok := viewRefOf(f.CI); !ok || ref != f.ViewRef {
		return bad("identifier and view reference do not belong together")
	}
	for _, s := range []string{f.Name, f.NameLocal, f.Gender, f.IDType, f.IDLast4, f.Guardian, f.Status, f.Issuer} {
		if len(s) > maxText || !utf8.ValidString(s) {
			return bad("a text is too long or not UTF-8")
		}
	}
	for _, d := range f.Doses {
		if d.Number < 1 || d.Number > 99 || d.Total < 0 || d.Total > 99 || !d.Given.Valid() || d.Product == "" || (d.Country != "" && !isUpper(d.Country, 2)) {
			return bad("a dose")
		}
		for _, s := range []string{d.Product, d.Lot, d.CentreName, d.District, d.State, d.Vaccinator} {
			if len(s) > maxText || !utf8.ValidString(s) {
				return bad("a text is too long or not UTF-8")
			}
		}
	}
	return nil
}

func (f Facts) country() string {
	if f.Country == "" {
		return "IN"
	}
	return f.Country
}

// birth is the ISO date, or the year alone where only that is known.
func (f Facts) birth() string {
	if !f.BirthDate.IsZero() {
		return f.BirthDate.String()
	}
	return strconv.Itoa(f.BirthYear)
}

// latest returns the newest dose for which keep is true: by day, then number.
func (f Facts) latest(keep func(Dose) bool) (Dose, bool) {
	var best Dose
	found := false
	for _, d := range f.Doses {
		if !keep(d) {
			continue
		}
		if c := d.Given.Compare(best.Given); !found || c > 0 || c == 0 && d.Number > best.Number {
			best, found = d, true
		}
	}
	return best, found
}

// names returns the Latin and the other-script form of the person's name; each
// may be "". With two names in one kind of script the first wins.
func (f Facts) names() (latin, local string) {
	for _, n := range []string{f.Name, f.NameLocal} {
		n = clean(n)
		switch {
		case n == "":
		case isLatin(n) && latin == "":
			latin = n
		case !isLatin(n) && local == "":
			local = n
		}
	}
	return latin, local
}

const uvciPrefix = "URN:UVCI:01:"

// UVCI makes a unique vaccination certificate identifier (eHealth Network,
// "Verifiable vaccination certificates: basic interoperability elements"):
//
//	URN:UVCI:01:IN:TK<realm>/<view reference>#<check character>
//
// The view reference inside it lets a signed text name the opening that made
// it. It is a MAC over a random id drawn for each download (65 bits), so it is
// the unique and unguessable part as well; a second nonce would cost 20
// characters of the QR code. It returns a fault.Invalid with CodeFacts.
func UVCI(country string, realm id.Realm, viewRef string) (string, error) {
	if !isUpper(country, 2) || realm < 1 || !isViewRef(viewRef) {
		return "", fault.New(fault.Invalid, CodeFacts, "an identifier needs a country, a realm and a view reference")
	}
	s := uvciPrefix + country + ":TK" + strconv.Itoa(int(realm)) + "/" + viewRef
	return s + "#" + string(uvciCheck(s)), nil
}

// uvciAlphabet is the order in which the guideline's check character counts.
const uvciAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:"

// uvciCheck is the Luhn mod N check character over s, of the same guideline.
func uvciCheck(s string) byte {
	n, sum := len(uvciAlphabet), 0
	for i := range len(s) {
		v := strings.IndexByte(uvciAlphabet, s[len(s)-1-i])
		if i%2 == 0 {
			v *= 2
		}
		sum += v/n + v%n
	}
	return uvciAlphabet[(n-sum%n)%n]
}

// viewRefOf reads the view reference out of an identifier made by UVCI.
func viewRefOf(ci string) (string, bool) {
	body, check, ok := strings.Cut(ci, "#")
	if !ok || len(ci) > 80 || !strings.HasPrefix(body, uvciPrefix) || strings.Trim(body, uvciAlphabet) != "" {
		return "", false
	}
	if len(check) != 1 || check[0] != uvciCheck(body) {
		return "", false
	}
	p := strings.Split(body, "/")
	if len(p) != 2 || !isViewRef(p[1]) {
		return "", false
	}
	return p[1], true
}

func isViewRef(s string) bool {
	return len(s) == 13 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

func isUpper(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// clean drops what must not reach a page or a signed text: control and format
// characters (bidirectional ones among them) except the two joiners that Indic
// spelling needs, unassigned bytes, and doubled or outer spaces. Input rules
// refuse such names upstream; this keeps an old record from harming a page.
func clean(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case r == '\u200c' || r == '\u200d':
		case unicode.Is(unicode.C, r) || r == utf8.RuneError:
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// clip shortens s to at most n characters, never inside a conjunct or between
// a letter and its marks.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	for n > 0 && (unicode.Is(unicode.M, r[n]) || r[n] == '\u200d' || r[n] == '\u200c' || isVirama(r[n-1]) || r[n-1] == '\u200d') {
		n--
	}
	return strings.TrimSpace(string(r[:n]))
}

// clipWords shortens s to whole words of at most n characters together; a first
// word longer than that leaves nothing.
func clipWords(s string, n int) string {
	for utf8.RuneCountInString(s) > n {
		i := strings.LastIndexByte(s, ' ')
		if i < 0 {
			return ""
		}
		s = s[:i]
	}
	return s
}

func isLatin(s string) bool {
	for _, r := range s {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) {
			return false
		}
	}
	return true
}

// docID is the PDF file identifier of a page: a hash of what identifies it.
func docID(parts ...string) []byte {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return h[:16]
}
