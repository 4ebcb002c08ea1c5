package edge

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// listTTL is how long clients may keep a list, in hours (contract.md 1.3).
const listTTL = 24

// listStates is M1.
func listStates(c *Ctx) error {
	type row struct {
		ID    int    `json:"state_id"`
		Name  string `json:"state_name"`
		Local string `json:"state_name_l"`
	}
	out := struct {
		States []row `json:"states"`
		TTL    int   `json:"ttl"`
	}{[]row{}, listTTL}
	for _, s := range c.s.cfg.Places.States() {
		r := row{ID: s.ID, Name: s.Name}
		if c.language() == "hi" {
			r.Local = s.NameHi
		}
		out.States = append(out.States, r)
	}
	c.public(3600)
	return c.json(out)
}

// listDistricts is M2.
func listDistricts(c *Ctx) error {
	n, err := strconv.ParseUint(c.r.PathValue("state_id"), 10, 31)
	if err != nil {
		return missing("state_id")
	}
	state := int(n)
	type row struct {
		State int    `json:"state_id"`
		ID    int    `json:"district_id"`
		Name  string `json:"district_name"`
		Local string `json:"district_name_l"`
	}
	out := struct {
		Districts []row `json:"districts"`
		TTL       int   `json:"ttl"`
	}{[]row{}, listTTL}
	for _, d := range c.s.cfg.Places.Districts(state) {
		r := row{State: state, ID: d.ID, Name: d.Name}
		if c.language() == "hi" {
			r.Local = d.NameHi
		}
		out.Districts = append(out.Districts, r)
	}
	c.public(3600)
	return c.json(out)
}

// listIDTypes is M3.
func listIDTypes(c *Ctx) error {
	type row struct {
		Type  string `json:"type"`
		Local string `json:"type_l"`
		ID    int    `json:"id"`
	}
	out := struct {
		Types []row `json:"types"`
		TTL   int   `json:"ttl"`
	}{nil, listTTL}
	for _, x := range rules.IDTypes() {
		out.Types = append(out.Types, row{x.Text, c.local(x), x.ID})
	}
	c.public(3600)
	return c.json(out)
}

// listGenders is M4.
func listGenders(c *Ctx) error {
	type row struct {
		Gender string `json:"gender"`
		Local  string `json:"gender_l"`
		ID     int    `json:"id"`
	}
	out := struct {
		Genders []row `json:"genders"`
		TTL     int   `json:"ttl"`
	}{nil, listTTL}
	for _, x := range rules.Genders() {
		out.Genders = append(out.Genders, row{x.Text, c.local(x), x.ID})
	}
	c.public(3600)
	return c.json(out)
}

func (c *Ctx) local(x rules.Choice) string {
	if c.language() == "hi" {
		return x.TextHi
	}
	return ""
}

// publicKeys is everything a stranger needs to verify certificates, receipts
// and the ledger.
func publicKeys(c *Ctx) error {
	known, err := c.s.known()
	if err != nil {
		return err
	}
	k := known.vault
	c.public(300)
	return c.json(map[string]any{"realm": k.Realm, "certificates": json.RawMessage(k.Certificates), "ledger_vkey": k.LedgerVKey, "receipt_key": k.ReceiptKey})
}

// ledgerFile serves the ledger's public files (C2SP tlog-tiles).
func ledgerFile(c *Ctx) error {
	clean, immutable, ok := ledger.TilePath(c.r.PathValue("path"))
	if !ok {
		return fault.New(fault.NotFound, "route", "no such file")
	}
	raw, err := os.ReadFile(filepath.Join(c.s.cfg.LedgerDir, filepath.FromSlash(clean)))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "route", "no such file")
	}
	if err != nil {
		return fault.New(fault.Unavailable, "ledger", "the ledger's files cannot be read")
	}
	h := c.w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", typeBinary)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if !immutable {
		h.Set("Content-Type", typeText)
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = c.w.Write(raw)
	return nil
}

// health says whether the web role and the vault answer.
func health(c *Ctx) error {
	status, err := c.s.cfg.Codes.Status(c.r.Context())
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", typeText)
	text := "ok\n"
	if !status.Separated {
		text += "roles not separated\n"
	}
	_, _ = c.w.Write([]byte(text))
	return nil
}

// homeStyle is the hash of the page's only style element, for its policy.
const homeStyle = "+3O2X00CYaEklLDSr1iS9JRHL5zhoZjvoZEtaHdAPLI="

//go:embed home.html
var homePage []byte

func home(c *Ctx) error {
	h := c.w.Header()
	h.Set("Content-Type", typeHTML)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+homeStyle+"'; frame-ancestors 'none'; base-uri 'none'")
	c.public(300)
	_, _ = c.w.Write(homePage)
	return nil
}

// openSession passes a manager's signed request on. What is checked here is
// form; the vault reads the body itself, as it was signed.
func openSession(c *Ctx) error {
	var in struct {
		Centre   int64  `json:"center_id"`
		Session  string `json:"session_id"`
		Date     string `json:"date"`
		Zone     string `json:"zone"`
		Name     string `json:"name"`
		District string `json:"district_name"`
		State    string `json:"state_name"`
		Vaccine  string `json:"vaccine"`
		Doses    int64  `json:"doses"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Doses < 0 || in.Doses > 100_000 {
		return wanted("doses", "how many the vials of the day hold, up to 100000")
	}
	for _, f := range [...]struct{ name, text string }{{"session_id", in.Session}, {"date", in.Date}, {"zone", in.Zone}, {"name", in.Name},
		{"district_name", in.District}, {"state_name", in.State}, {"vaccine", in.Vaccine}} {
		if f.text == "" {
			return missing(f.name)
		}
		if len(f.text) > 200 || strings.ContainsFunc(f.text, unicode.IsControl) {
			return fault.New(fault.Invalid, "USRRES0001", f.name+" is too long or has control characters")
		}
	}
	if in.Centre <= 0 {
		return missing("center_id")
	}
	day, err := civil.ParseIndian(in.Date)
	if err != nil {
		return wanted("date", "a day as dd-mm-yyyy")
	}
	err = c.s.cfg.Bookings.CheckOpening(c.r.Context(), scheduling.Opening{Centre: id.Centre(in.Centre), Session: id.Session(in.Session), Day: day,
		Zone: in.Zone, Name: in.Name, District: in.District, State: in.State, Product: in.Vaccine})
	if err != nil {
		return err
	}
	if _, err := c.s.cfg.Codes.OpenSession(c.r.Context(), vault.OpenSessionRequest{Signed: c.staff}); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// signed is the request as the staff key signed it. The address is the
// configured one: the Host header decides nothing.
func (c *Ctx) signed() (vault.Signed, error) {
	proofs := c.r.Header.Values("DPoP")
	if len(proofs) != 1 || len(proofs[0]) > 4096 {
		return vault.Signed{}, fault.New(fault.Unauthorized, "proof", "a DPoP proof is wanted")
	}
	assertion, err := assertionOf(c.r.Header.Get("X-Assertion"))
	if err != nil {
		return vault.Signed{}, err
	}
	s := vault.Signed{Method: c.r.Method, URL: c.s.cfg.PublicURL + c.r.URL.EscapedPath(), Body: c.body, Proof: proofs[0], Assertion: assertion}
	if c.r.Method == http.MethodGet { // what it asks for is in its address, what the person showed in a header
		if c.r.URL.RawQuery != "" {
			s.URL += "?" + c.r.URL.RawQuery
		}
		s.Body = []byte(strings.Join(c.r.Header.Values("X-Evidence"), " "))
	}
	return s, nil
}
