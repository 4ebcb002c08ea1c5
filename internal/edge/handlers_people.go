package edge

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// wireAppointment and wireBeneficiary are B1 (contract.md 1.5).
type wireAppointment struct {
	ID       string `json:"appointment_id"`
	Centre   int64  `json:"center_id"`
	Name     string `json:"name"`
	State    string `json:"state_name"`
	District string `json:"district_name"`
	Block    string `json:"block_name"`
	From     string `json:"from"`
	To       string `json:"to"`
	Dose     int    `json:"dose"`
	Session  string `json:"session_id"`
	Date     string `json:"date"`
	Slot     string `json:"slot"`
	*wireLocal
}

type wireBeneficiary struct {
	Reference    string            `json:"beneficiary_reference_id"`
	Name         string            `json:"name"`
	BirthYear    string            `json:"birth_year"`
	Gender       string            `json:"gender"`
	Mobile       string            `json:"mobile_number"`
	IDType       string            `json:"photo_id_type"`
	IDNumber     string            `json:"photo_id_number"`
	Comorbidity  string            `json:"comorbidity_ind"`
	Status       string            `json:"vaccination_status"`
	Vaccine      string            `json:"vaccine"`
	Dose1        string            `json:"dose1_date"`
	Dose2        string            `json:"dose2_date"`
	Appointments []wireAppointment `json:"appointments"`
	Draws        []wireEntry       `json:"draws,omitempty"`
}

// wireEntry is an entry of a draw on one's own record.
type wireEntry struct {
	ID      string `json:"appointment_confirmation_no"`
	Centre  int64  `json:"center_id"`
	Session string `json:"session_id"`
	Date    string `json:"date"`
	Slot    string `json:"slot"`
	Dose    int    `json:"dose"`
	At      string `json:"draw_at"`
	Result  string `json:"result"`
}

// beneficiaries is B1.
func beneficiaries(c *Ctx) error {
	h, err := c.s.cfg.People.Household(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	var people []id.Person
	for _, p := range h.People {
		if !h.Masked { // a partner sees no appointments, nor does a new device
			people = append(append(people, p.Person), p.Joined...)
		}
	}
	appts, err := c.s.cfg.Bookings.Appointments(c.r.Context(), people)
	if err != nil {
		return err
	}
	joined(h.People, appts)
	out := struct {
		People   []wireBeneficiary `json:"beneficiaries"`
		ViewRef  string            `json:"view_ref"`
		Receipts []string          `json:"receipts"`
		Waiting  bool              `json:"new_device,omitempty"`
	}{People: []wireBeneficiary{}, ViewRef: h.ViewRef, Receipts: h.Receipts, Waiting: h.Waiting}
	language := c.language()
	for _, p := range h.People {
		w := wirePerson(p, appts[p.Person])
		if h.Masked {
			w = wireBeneficiary{Reference: string(p.Reference), Name: p.Name, Status: p.Status, Appointments: w.Appointments}
		}
		for i, a := range appts[p.Person] {
			w.Appointments[i].wireLocal = c.s.localOf(a.Place, language)
		}
		out.People = append(out.People, w)
	}
	c.shown(h.ViewRef)
	return c.json(out)
}

func wirePerson(p vault.Person, appts []scheduling.Appointment) wireBeneficiary {
	w := wireBeneficiary{Reference: string(p.Reference), Name: p.Name, BirthYear: strconv.Itoa(p.BirthYear), Gender: rules.TextOf(rules.Genders(), p.GenderID),
		Mobile: p.MobileLast4, IDType: rules.TextOf(rules.IDTypes(), p.IDType), IDNumber: "******" + p.IDLast4, Comorbidity: "N", Status: p.Status,
		Vaccine: p.Product, Dose1: p.Dose1.Indian(), Dose2: p.Dose2.Indian(), Appointments: []wireAppointment{}}
	if p.Comorbidity {
		w.Comorbidity = "Y"
	}
	for _, d := range p.Draws {
		w.Draws = append(w.Draws, wireEntry{ID: string(d.Hold), Centre: int64(d.Offer.Centre), Session: string(d.Offer.Session), Date: d.Offer.Day.Indian(),
			Slot: d.Offer.Slot, Dose: d.Dose, At: instant(d.DrawAt), Result: d.Result})
	}
	for _, a := range appts {
		w.Appointments = append(w.Appointments, wireAppointment{ID: string(a.Hold), Centre: int64(a.Centre), Name: a.Place.Name, State: a.Place.State,
			District: a.Place.District, Block: a.Place.Block, From: hhmm(a.Place.Opens), To: hhmm(a.Place.Closes), Dose: a.Dose,
			Session: string(a.Session), Date: a.Day.Indian(), Slot: a.Slot})
	}
	return w
}

// newBeneficiary is B2. The portal's further fields are optional.
func newBeneficiary(c *Ctx) error {
	var in struct {
		Name        personal `json:"name"`
		NameLocal   personal `json:"name_local"`
		BirthYear   loose    `json:"birth_year"`
		BirthDate   personal `json:"birth_date"`
		Gender      loose    `json:"gender_id"`
		IDType      loose    `json:"photo_id_type"`
		IDNumber    loose    `json:"photo_id_number"`
		Comorbidity string   `json:"comorbidity_ind"`
		Consent     loose    `json:"consent_version"`
		Guardian    personal `json:"guardian_name"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	who := vault.Identity{Name: string(in.Name), NameLocal: string(in.NameLocal), IDNumber: string(in.IDNumber), Comorbidity: in.Comorbidity == "Y", Guardian: string(in.Guardian)}
	var err error
	for _, f := range []struct {
		name string
		text loose
		into *int
	}{{"birth_year", in.BirthYear, &who.BirthYear}, {"gender_id", in.Gender, &who.GenderID}, {"photo_id_type", in.IDType, &who.IDType}} {
		if *f.into, err = strconv.Atoi(string(f.text)); err != nil {
			return missing(f.name)
		}
	}
	for _, f := range [...]struct{ name, text string }{{"name", string(in.Name)}, {"photo_id_number", string(in.IDNumber)}, {"consent_version", string(in.Consent)}} {
		if f.text == "" {
			return missing(f.name)
		}
	}
	if !token(string(in.Consent)) {
		return fault.New(fault.Invalid, "USRRES0001", "consent_version has up to 64 visible characters")
	}
	if in.Comorbidity != "" && in.Comorbidity != "Y" && in.Comorbidity != "N" {
		return fault.New(fault.Invalid, "USRRES0001", "comorbidity_ind is Y or N")
	}
	if in.BirthDate != "" {
		if who.BirthDate, err = civil.ParseIndian(string(in.BirthDate)); err != nil {
			return err
		}
	}
	if ablate.Off(ablate.BindDeclared) { // whatever the caller calls a field of ours
		_ = json.Unmarshal(c.body, &who)
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	ref, err := c.s.cfg.People.Enrol(c.r.Context(), c.holder, key, who, vault.Consent{Version: string(in.Consent), Language: c.language(), Purpose: "registration"})
	if err != nil {
		return err
	}
	return c.json(map[string]string{"beneficiary_reference_id": string(ref)})
}

// idempotencyKey is the caller's Idempotency-Key, or a fresh one.
func (c *Ctx) idempotencyKey() (string, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if key == "" {
		return id.New(), nil
	}
	if !token(key) {
		return "", fault.New(fault.Invalid, "USRRES0001", "Idempotency-Key has up to 64 visible characters")
	}
	return "c/" + key, nil
}

// token reports whether s has 1 to 64 visible ASCII characters: what an opaque
// name from a client may be.
func token(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// deleteBeneficiary is B3.
func deleteBeneficiary(c *Ctx) error {
	var in struct {
		Reference loose `json:"beneficiary_reference_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if err := c.s.cfg.People.Remove(c.r.Context(), c.holder, ref); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// reference reads a reference id that must be there.
func reference(text string) (id.Reference, error) {
	if text == "" {
		return "", missing("beneficiary_reference_id")
	}
	return id.ParseReference(text)
}

// references reads the list of reference ids in a field.
func references(field string, in []loose) ([]id.Reference, error) {
	if len(in) == 0 || len(in) > scheduling.MaxParty {
		return nil, missing(field)
	}
	var out []id.Reference
	for _, s := range in {
		ref, err := id.ParseReference(string(s))
		if err != nil {
			return nil, err
		}
		out = append(out, ref)
	}
	return out, nil
}

// schedule is P1. A captcha is neither asked nor looked at.
func schedule(c *Ctx) error {
	var in struct {
		Dose    loose   `json:"dose"`
		Session string  `json:"session_id"`
		Slot    string  `json:"slot"`
		People  []loose `json:"beneficiaries"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	dose, err := strconv.Atoi(string(in.Dose))
	if err != nil || dose < 1 || dose > 9 {
		return missing("dose")
	}
	if !token(in.Session) {
		return missing("session_id")
	}
	if in.Slot == "" {
		return missing("slot")
	}
	refs, err := references("beneficiaries", in.People)
	if err != nil {
		return err
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Bookings.Apply(c.r.Context(), c.holder, scheduling.BookInput{Dose: dose, Session: id.Session(in.Session), Slot: in.Slot, References: refs,
		Key: key, Fresh: c.r.Header.Get("Idempotency-Key") == ""})
	if err != nil {
		return err
	}
	return c.applied(got)
}

// cancel is P3.
func cancel(c *Ctx) error {
	var in struct {
		ID     string  `json:"appointment_id"`
		People []loose `json:"beneficiariesToCancel"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	refs, err := references("beneficiariesToCancel", in.People)
	if err != nil {
		return err
	}
	if !token(in.ID) {
		return missing("appointment_id")
	}
	if err := c.s.cfg.Bookings.Cancel(c.r.Context(), c.holder, id.Hold(in.ID), refs); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// slip is P4.
func slip(c *Ctx) error {
	hold := c.r.URL.Query().Get("appointment_id")
	if !token(hold) {
		return missing("appointment_id")
	}
	view, err := c.s.cfg.Bookings.Slip(c.r.Context(), c.holder, id.Hold(hold))
	if err != nil {
		return err
	}
	doc, err := c.s.cfg.Slip(view)
	if err != nil {
		return err
	}
	return c.pdf(doc, "appointment-slip.pdf", view.ViewRef)
}

// certificate is C1.
func certificate(c *Ctx) error {
	ref, err := reference(c.r.URL.Query().Get("beneficiary_reference_id"))
	if err != nil {
		return err
	}
	doc, err := c.s.cfg.People.Certificate(c.r.Context(), c.holder, ref, c.language())
	if err != nil {
		return err
	}
	return c.pdf(doc.PDF, "certificate.pdf", doc.ViewRef)
}

func (c *Ctx) pdf(doc []byte, name, viewRef string) error {
	c.shown(viewRef)
	h := c.w.Header()
	h.Set("Content-Type", typePDF)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(doc)))
	_, _ = c.w.Write(doc)
	return nil
}

// wireOpening is one entry of one's own access history.
type wireOpening struct {
	Index   int64  `json:"index"`
	At      string `json:"at"`
	Local   string `json:"at_local"`
	Person  string `json:"person"`
	Ref     string `json:"beneficiary_reference_id"`
	Kind    string `json:"kind"`
	View    string `json:"view"`
	Role    string `json:"role"`
	Place   string `json:"place"`
	Reason  string `json:"reason"`
	ViewRef string `json:"view_ref"`

	Lost *wireLost `json:"lost,omitempty"`
}

// wireLost is the entries that a gap is about, by their indexes, both included.
type wireLost struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// openings shows who opened one's record: GET /api/v3/openings?before=&limit=.
func openings(c *Ctx) error {
	q := c.r.URL.Query()
	number := func(name string, most int64) (int64, error) {
		if q.Get(name) == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < 1 || n > most {
			return 0, fault.New(fault.Invalid, "USRRES0001", name+" is a positive number")
		}
		return n, nil
	}
	before, err := number("before", 1<<62)
	if err != nil {
		return err
	}
	limit, err := number("limit", 200)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = 50
	}
	got, err := c.s.cfg.People.Openings(c.r.Context(), c.holder, before, int(limit))
	if err != nil {
		return err
	}
	out := struct {
		Openings []wireOpening `json:"openings"`
		Withheld []string      `json:"withheld"`
		ViewRef  string        `json:"view_ref"`
		Receipts []string      `json:"receipts"`
	}{Openings: []wireOpening{}, Withheld: texts(got.Withheld), ViewRef: got.ViewRef, Receipts: got.Receipts}
	language := c.language()
	for _, e := range got.Entries {
		var lost *wireLost
		if e.Lost != nil {
			lost = &wireLost{First: e.Lost.First, Last: e.Lost.Last}
			e.View, e.Reason = gapTexts(language, e.Lost.First, e.Lost.Last, e.At)
		}
		out.Openings = append(out.Openings, wireOpening{Index: e.Index, At: instant(e.At), Local: local(e.At), Person: string(e.Person), Ref: string(e.Reference), Kind: e.Kind, View: e.View,
			Role: e.Role, Place: e.Place, Reason: e.Reason, ViewRef: e.ViewRef, Lost: lost})
	}
	c.shown(got.ViewRef)
	return c.json(out)
}

// texts are reference numbers as an answer lists them, never null.
func texts(refs []id.Reference) []string {
	out := make([]string, 0, len(refs))
	for _, r := range refs {
		out = append(out, string(r))
	}
	return out
}
