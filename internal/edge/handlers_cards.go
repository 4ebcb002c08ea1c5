package edge

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Cards serves people without a mobile, joins registrations, and opens people
// to staff on the evidence they showed.
type Cards interface {
	WalkIn(ctx context.Context, signed vault.Signed) (vault.WalkedIn, error)
	NewCard(ctx context.Context, h vault.Holder, ref id.Reference, key string) (vault.NewCard, error)
	Link(ctx context.Context, r vault.LinkRequest) (id.Reference, error)
	Merge(ctx context.Context, h vault.Holder, keep, other id.Reference) error
	Encounters
}

// Encounters is what staff may see of who is before them.
type Encounters interface {
	StaffView(ctx context.Context, r vault.StaffViewRequest) (vault.StaffView, error)
	StaffCertificate(ctx context.Context, r vault.StaffViewRequest) (vault.Certificate, error)
	StaffCode(ctx context.Context, r vault.StaffCodeRequest) (vault.StaffCode, error)
}

// CardCodes are the vault's words for signing in by card, and for showing one in
// a session by mobile.
type CardCodes interface {
	CardSession(ctx context.Context, a vault.CardAnswer) (vault.Session, error)
	ShowCard(ctx context.Context, r vault.ShowCardRequest) error
}

// WalkIns books people who are at a centre.
type WalkIns interface {
	Book(ctx context.Context, signed vault.Signed, in scheduling.BookInput) (id.Hold, error)
}

// CardWriter renders a card as PDF: the text of its QR code, its PIN and the
// person's reference number.
type CardWriter func(text, pin string, ref id.Reference) ([]byte, error)

// cardRoutes are V1, V2, V4 and V6 of contract.md 1.7 under the rulings of
// design.md 10, and the routes about cards. V3 (findByMobile) is none of them on
// purpose: a number in, people out.
func cardRoutes() []Route {
	get := func(path string, action, content string, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: Staff, Action: action, Rate: RateSelf, ContentType: content, Handler: h}
	}
	post := func(path string, a Audience, action string, rate Rate, own bool, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: rate, ContentType: typeJSON, BodyLimit: bodySmall, Own: own, Handler: h}
	}
	const vaccinator = "/api/v2/vaccinator/"
	return []Route{
		post(vaccinator+"beneficiaries/new", Staff, "staff.walkin", RateSelf, false, walkIn),
		get(vaccinator+"beneficiaries/findByReferenceId", "staff.view", typeJSON, staffView),
		post(vaccinator+"onspots/schedule", Staff, "staff.book", RateSelf, false, onspot),
		get(vaccinator+"certificate/download", "staff.certificate", typePDF, staffCertificate),
		post("/api/v3/staff/code", Staff, "staff.code", RateSelf, true, staffCode),
		post("/api/v3/card/session", Public, "card.session", RateCode, true, cardSession),
		post("/api/v3/people/card", Holder, "card.new", RateSelf, true, newCard),
		post("/api/v3/people/unlock", Holder, "card.show", RateCode, true, showCard),
		post("/api/v3/people/link", Holder, "person.link", RateSelf, true, linkPerson),
		post("/api/v3/people/merge", Holder, "person.merge", RateSelf, true, mergePeople),
	}
}

// wireCard is a new card. The card itself comes as a page to print: who has a
// queue prints it with the answer and asks for nothing again.
type wireCard struct {
	Reference string `json:"beneficiary_reference_id"`
	IsNew     string `json:"isNewAccount,omitempty"`
	Card      string `json:"card"`
	PIN       string `json:"pin"`
	PDF       []byte `json:"card_pdf"`
}

func (c *Ctx) card(out wireCard) error {
	var err error
	if out.PDF, err = c.s.cfg.CardPDF(out.Card, out.PIN, id.Reference(out.Reference)); err != nil {
		return err
	}
	return c.json(out)
}

// walkIn is V1. What is checked here is form; the vault reads the body itself,
// as it was signed, so that a name is decoded there alone.
func walkIn(c *Ctx) error {
	var in struct {
		Consent loose `json:"consent_version"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Consent == "" {
		return missing("consent_version")
	}
	w, err := c.s.cfg.Cards.WalkIn(c.r.Context(), c.staff)
	if err != nil {
		return err
	}
	return c.card(wireCard{Reference: string(w.Enrolled.Reference), IsNew: "Y", Card: w.Card, PIN: w.PIN})
}

// shownTo is whom a staff request is about, and what they showed: the reference
// number as CoWIN has it, in the address as it is signed; the evidence in a header,
// signed as the body would be, never in the address.
func (c *Ctx) shownTo() (r vault.StaffViewRequest, err error) {
	r = vault.StaffViewRequest{Signed: c.staff, Language: c.language()}
	if r.Reference, err = reference(c.r.URL.Query().Get("beneficiary_reference_id")); err != nil {
		return r, err
	}
	_, err = vault.ParseEvidence(string(r.Signed.Body))
	return r, err
}

// joined gives a person the appointments of the registrations that ended in
// theirs.
func joined(people []vault.Person, appts map[id.Person][]scheduling.Appointment) {
	for _, p := range people {
		for _, other := range p.Joined {
			if more := appts[other]; len(more) > 0 {
				appts[p.Person] = append(appts[p.Person], more...)
			}
		}
		if len(p.Joined) > 0 {
			slices.SortStableFunc(appts[p.Person], func(a, b scheduling.Appointment) int { return cmp.Compare(a.Created, b.Created) })
		}
	}
}

// staffView is V2: one element of B1, without the mobile, and with the
// appointments at this centre alone.
func staffView(c *Ctx) error {
	r, err := c.shownTo()
	if err != nil {
		return err
	}
	v, err := c.s.cfg.Cards.StaffView(c.r.Context(), r)
	if err != nil {
		return err
	}
	all, err := c.s.cfg.Bookings.Appointments(c.r.Context(), append([]id.Person{v.Person.Person}, v.Person.Joined...))
	if err != nil {
		return err
	}
	joined([]vault.Person{v.Person}, all)
	var here []scheduling.Appointment
	for _, a := range all[v.Person.Person] {
		if a.Centre == v.Centre {
			here = append(here, a)
		}
	}
	v.Person.MobileLast4 = ""
	w := wirePerson(v.Person, here)
	for i, a := range here {
		w.Appointments[i].wireLocal = c.s.localOf(a.Place, r.Language)
	}
	c.shown(v.ViewRef)
	return c.json(struct {
		wireBeneficiary
		ViewRef  string   `json:"view_ref"`
		Receipts []string `json:"receipts"`
	}{w, v.ViewRef, append([]string{}, v.Receipts...)})
}

// staffCertificate is V6.
func staffCertificate(c *Ctx) error {
	r, err := c.shownTo()
	if err != nil {
		return err
	}
	doc, err := c.s.cfg.Cards.StaffCertificate(c.r.Context(), r)
	if err != nil {
		return err
	}
	return c.pdf(doc.PDF, "certificate.pdf", doc.ViewRef)
}

// onspot is V4, and answers as P1. The evidence is in the body, as of V5; the
// vault reads it there.
func onspot(c *Ctx) error {
	var in struct {
		Dose    loose   `json:"dose"`
		Session string  `json:"session_id"`
		Slot    string  `json:"slot"`
		People  []loose `json:"beneficiaries"`
		Code    loose   `json:"security_code"`
		Card    string  `json:"card"`
		Txn     string  `json:"txnId"`
		OTP     string  `json:"otp"`
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
	if len(refs) != 1 {
		return fault.New(fault.Invalid, "USRRES0001", "a walk-in is booked for one beneficiary")
	}
	hold, err := c.s.cfg.WalkIns.Book(c.r.Context(), c.staff, scheduling.BookInput{Dose: dose, Session: id.Session(in.Session), Slot: in.Slot, References: refs})
	if err != nil {
		return err
	}
	return c.json(map[string]string{"appointment_confirmation_no": string(hold)})
}

// staffCode has a code sent to the person's household, if there is one.
func staffCode(c *Ctx) error {
	ref, err := c.oneReference()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Cards.StaffCode(c.r.Context(), vault.StaffCodeRequest{Signed: c.staff, Reference: ref, Origin: c.origin})
	if err != nil {
		return err
	}
	return c.json(map[string]string{"txnId": got.Txn})
}

func (c *Ctx) oneReference() (id.Reference, error) {
	var in struct {
		Reference loose `json:"beneficiary_reference_id"`
	}
	if err := c.decode(&in); err != nil {
		return "", err
	}
	return reference(string(in.Reference))
}

// cardSession signs the person of a card in.
func cardSession(c *Ctx) error {
	a, err := c.cardAnswer()
	if err != nil {
		return err
	}
	s, err := c.s.cfg.CardCodes.CardSession(c.r.Context(), a)
	if err != nil {
		return err
	}
	return c.json(map[string]string{"token": s.Bearer})
}

// cardAnswer reads a card with its PIN from the body.
func (c *Ctx) cardAnswer() (a vault.CardAnswer, err error) {
	var in struct {
		Card personal `json:"card"`
		PIN  loose    `json:"pin"`
	}
	if err := c.decode(&in); err != nil {
		return a, err
	}
	if in.Card == "" {
		return a, missing("card")
	}
	if in.PIN == "" {
		return a, missing("pin")
	}
	return vault.CardAnswer{Card: string(in.Card), PIN: string(in.PIN), Origin: c.origin}, nil
}

// showCard lets the session of a household's mobile see what the card of one of
// its adults guards.
func showCard(c *Ctx) error {
	a, err := c.cardAnswer()
	if err != nil {
		return err
	}
	if err := c.s.cfg.CardCodes.ShowCard(c.r.Context(), vault.ShowCardRequest{Holder: c.holder, Card: a.Card, PIN: a.PIN}); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// newCard replaces a card.
func newCard(c *Ctx) error {
	ref, err := c.oneReference()
	if err != nil {
		return err
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	n, err := c.s.cfg.Cards.NewCard(c.r.Context(), c.holder, ref, key)
	if err != nil {
		return err
	}
	return c.card(wireCard{Reference: string(ref), Card: n.Card, PIN: n.PIN})
}

// linkPerson brings the person of a card under the mobile of the session.
func linkPerson(c *Ctx) error {
	var in struct {
		Card    personal `json:"card"`
		PIN     loose    `json:"pin"`
		ToMerge string   `json:"to_merge"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Card == "" {
		return missing("card")
	}
	if in.PIN == "" {
		return missing("pin")
	}
	if in.ToMerge != "" && in.ToMerge != "Y" && in.ToMerge != "N" {
		return fault.New(fault.Invalid, "USRRES0001", "to_merge is Y or N")
	}
	ref, err := c.s.cfg.Cards.Link(c.r.Context(), vault.LinkRequest{Holder: c.holder, Card: string(in.Card), PIN: string(in.PIN), ToMerge: in.ToMerge == "Y"})
	if err != nil {
		return err
	}
	return c.json(map[string]string{"beneficiary_reference_id": string(ref)})
}

// mergePeople joins two registrations of one person.
func mergePeople(c *Ctx) error {
	var in struct {
		Keep  loose `json:"keep"`
		Merge loose `json:"merge"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	var refs [2]id.Reference
	for i, f := range [...]struct{ name, text string }{{"keep", string(in.Keep)}, {"merge", string(in.Merge)}} {
		if f.text == "" {
			return missing(f.name)
		}
		var err error
		if refs[i], err = id.ParseReference(f.text); err != nil {
			return err
		}
	}
	if err := c.s.cfg.Cards.Merge(c.r.Context(), c.holder, refs[0], refs[1]); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
