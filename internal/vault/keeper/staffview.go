package keeper

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// notShown is one answer for a person who is unknown, elsewhere, or did not
// show what would open their record.
func notShown() error {
	return fault.New(fault.NotFound, "person", "no such person here")
}

// encounterOf checks a staff member and what a person showed them, inside t. A
// refusal is returned apart from an error, so that what it counted is kept.
func (t *txn) encounterOf(r vault.StaffViewRequest, view string) (c release.Claim, sessions []state.OpenSession, refused, err error) {
	staff, row, sessions, facts, err := t.staffAtWork(r.Signed)
	if err != nil {
		return c, nil, nil, err
	}
	permit := t.k.permits.May(row, actionOf(view), row.Centre, facts)
	if !permit.Allowed() {
		return c, nil, nil, notAtWork(permit, "only a vaccinator of the centre opens a record")
	}
	wrong, err := t.Count(staffWindow, "staff-wrong", string(staff), 0)
	if err != nil {
		return c, nil, nil, err
	}
	if int(wrong) >= t.k.cfg.Limits.WrongStaffCodes {
		return c, nil, &fault.Error{Kind: fault.RateLimited, Code: "codes", Text: "too many wrong security codes today; a colleague has to go on",
			RetryAfter: t.k.now().Truncate(staffWindow).Add(staffWindow).Sub(t.k.now())}, nil
	}
	p, found, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil {
		return c, nil, nil, err
	}
	found = found && p.Reference == r.Reference && (p.State == state.Pending || p.State == state.Active)
	var ev evidence
	ok := false
	if found {
		if ev, ok, err = t.personEvidence(staff, row.Centre, "", r.Person, &p, r.Evidence); err != nil {
			return c, nil, nil, err
		}
		facts.Evidence = policy.Evidence(ev.kind)
		if ablate.Off(ablate.StaffEvidence) && !ok {
			ok, facts.Evidence = true, policy.EvidenceCard
		}
	}
	if !ok {
		n, err := t.Count(staffWindow, "staff-wrong", string(staff), 1)
		if err == nil && int(n) == t.k.cfg.Limits.WrongStaffCodes { // the last one of the day: those who watch see it
			err = budgets.Note(budgetRows{t}, t.budgetPlace(staff, sessions[0]), "codes")
		}
		if err != nil {
			return c, nil, nil, err
		}
		if found {
			t.Append(engine.Entry{Kind: "refusal", Person: r.Person, House: p.Household, View: view, Role: roleVaccinator, Actor: string(staff),
				Place: sessions[0].Name, Reason: "nothing shown, or not the right thing", Policy: t.refusedBy(permit, row, row.Centre, view)})
			if err := engine.Put(t, state.Persons, string(r.Person), p, 0); err != nil {
				return c, nil, nil, err
			}
		}
		return c, nil, notShown(), nil
	}
	return release.Claim{View: view, Role: roleVaccinator, Actor: string(staff), Place: sessions[0].Name, Reason: ev.kind, Evidence: ev.ref,
		Permit: t.k.permits.Opens(row, row.Centre, view, facts)}, sessions, nil, nil
}

// actionOf is what a member of staff does who asks for a view of somebody who is there.
func actionOf(view string) policy.Action {
	switch view {
	case viewCertificate:
		return policy.StaffCertificate
	case viewEligibility:
		return policy.StaffBook
	default:
		return policy.StaffView
	}
}

// askedFor reports why a signed request is not for this route about this person:
// the web role chooses neither whom a staff member opens nor what was shown.
func askedFor(s vault.Signed, route string, ref id.Reference) error {
	u, err := url.Parse(s.URL)
	if err == nil && strings.HasSuffix(u.Path, route) {
		var asked id.Reference
		if asked, err = id.ParseReference(u.Query().Get("beneficiary_reference_id")); err == nil && asked == ref {
			return nil
		}
	}
	return proof.Bad("the proof is for another request")
}

// openForStaff opens one person for a staff member, and names the centre. Whom
// and on what is in the signed request: the address, and the evidence as its body.
func (k *Keeper) openForStaff(ctx context.Context, r vault.StaffViewRequest, route, view string) (*release.Opening, id.Centre, error) {
	var refused error
	var centre id.Centre
	shown, err := vault.ParseEvidence(string(r.Signed.Body))
	if err == nil && !ablate.Off(ablate.VaultProof) {
		err = askedFor(r.Signed, route, r.Reference)
	}
	if err != nil {
		return nil, 0, err
	}
	r.Evidence = shown
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		c, sessions, no, err := t.encounterOf(r, view)
		if refused = no; err != nil || refused != nil {
			return err
		}
		centre = sessions[0].Centre
		if view == viewCertificate { // it counts as one that the household made itself
			p, err := t.Person(r.Person)
			if err != nil {
				return err
			}
			if err := t.within(boundCertificates, p.Household); err != nil {
				return err
			}
		}
		if err := t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record}, c); err != nil {
			return err
		}
		return t.openingNotice(&encounter{session: sessions[0]}, o)
	})
	if err == nil {
		err = refused
	}
	if err == nil && len(o.People) != 1 {
		err = notShown()
	}
	return o, centre, err
}

// StaffView implements the vault's word.
func (k *Keeper) StaffView(ctx context.Context, r vault.StaffViewRequest) (vault.StaffView, error) {
	o, centre, err := k.openForStaff(ctx, r, vault.RouteStaffView, viewVerify)
	if err != nil {
		return vault.StaffView{}, err
	}
	p, err := k.bookingView(o.People[0])
	if err != nil {
		return vault.StaffView{}, err
	}
	return vault.StaffView{Person: p, Centre: centre, ViewRef: k.release.ViewRef(o.ViewID), Receipts: o.Receipts}, nil
}

// StaffCertificate implements the vault's word.
func (k *Keeper) StaffCertificate(ctx context.Context, r vault.StaffViewRequest) (vault.Certificate, error) {
	o, _, err := k.openForStaff(ctx, r, vault.RouteStaffCertificate, viewCertificate)
	if err != nil {
		return vault.Certificate{}, err
	}
	return k.certificateOf(o)
}

// StaffCheck implements the vault's word. Nothing is written.
func (k *Keeper) StaffCheck(ctx context.Context, r vault.StaffCheckRequest) (vault.StaffChecked, error) {
	var out vault.StaffChecked
	err := k.view(ctx, func(t *txn) error {
		t.ReadOnly()
		_, row, err := t.Proven(r.Signed)
		out = vault.StaffChecked{Centre: row.Centre, Role: row.Role}
		return err
	})
	if err != nil {
		return vault.StaffChecked{}, err
	}
	return out, nil
}

// walkInBooking is the body of V4: P1 for one person, and what they showed.
type walkInBooking struct {
	Dose    loose.Text   `json:"dose"`
	Session id.Session   `json:"session_id"`
	Slot    string       `json:"slot"`
	People  []loose.Text `json:"beneficiaries"`
	Code    loose.Text   `json:"security_code"`
	Card    string       `json:"card"`
	Txn     string       `json:"txnId"`
	OTP     string       `json:"otp"`
}

// parseWalkInBooking reads such a body: one person, a dose's number, a session and a
// slot. fault.Invalid.
func parseWalkInBooking(body []byte) (f walkInBooking, dose int, err error) {
	malformed := fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	if len(body) > 8192 || json.Unmarshal(body, &f) != nil || len(f.People) != 1 {
		return f, 0, malformed
	}
	if dose, err = strconv.Atoi(string(f.Dose)); err != nil || f.Session == "" || f.Slot == "" {
		return f, 0, malformed
	}
	return f, dose, nil
}

// WalkInBook implements the vault's word: the place is held, and the person is
// here and showed it.
func (k *Keeper) WalkInBook(ctx context.Context, r vault.WalkInBookRequest) (vault.Booked, error) {
	f, dose, err := parseWalkInBooking(r.Signed.Body)
	if err != nil {
		return vault.Booked{}, err
	}
	req := vault.StaffViewRequest{Signed: r.Signed, Reference: id.Reference(f.People[0]), Person: r.Record.Person, Record: r.Record,
		Evidence: vault.Evidence{Code: string(f.Code), Card: f.Card, Txn: f.Txn, Digest: f.OTP}}
	book := vault.BookRequest{Hold: r.Hold, Dose: dose, Offer: r.Offer, Records: []vault.Record{r.Record}}
	programme, err := bookingForm(book)
	if err != nil {
		return vault.Booked{}, err
	}
	var refused error
	var by release.Claim // who is at work
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		c, sessions, no, err := t.encounterOf(req, viewEligibility)
		if refused = no; err != nil || refused != nil {
			return err
		}
		by = c
		i := slices.IndexFunc(sessions, func(s state.OpenSession) bool { return s.Session == f.Session })
		if i < 0 || r.Offer.Session != f.Session || r.Offer.Centre != sessions[i].Centre || r.Offer.Day != sessions[i].Day ||
			r.Offer.Product != sessions[i].Product || r.Offer.Slot != f.Slot {
			return fault.New(fault.Invalid, "session", "a walk-in is booked in a session that is open at the centre today")
		}
		return t.Release(o, []id.Person{r.Record.Person}, map[id.Person]vault.Record{r.Record.Person: r.Record}, c)
	})
	if err == nil {
		err = refused
	}
	if err == nil && len(o.People) != 1 {
		err = notShown()
	}
	if err != nil {
		return vault.Booked{}, err
	}
	if err := k.eligible(o.People[0], dose, r.Offer); err != nil {
		return vault.Booked{}, err
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		person := r.Record.Person
		p, err := t.Person(person)
		if err != nil {
			return err
		}
		if err := o.People[0].Grown(p); err != nil {
			return err
		}
		repeated, err := bookable(p, book, programme)
		if err != nil {
			return err
		}
		if repeated {
			return nil
		}
		if err := t.bookOne(person, p, book, programme, engine.Entry{Role: by.Role, Actor: by.Actor, Place: by.Place}); err != nil {
			return err
		}
		return t.bookingNotices(p.Household, r.Hold, "", r.Offer, []id.Person{person})
	})
	if err != nil {
		return vault.Booked{}, err
	}
	return vault.Booked{Receipts: append(o.Receipts, receipts...)}, nil
}

// StaffCode implements the vault's word. The answer and the rows written are of
// one form whether or not a code goes out. The household's budget of codes is
// the one of sign-ins: staff cannot add to what a phone receives.
func (k *Keeper) StaffCode(ctx context.Context, r vault.StaffCodeRequest) (vault.StaffCode, error) {
	var asked struct {
		Reference loose.Text `json:"beneficiary_reference_id"`
	}
	if json.Unmarshal(r.Signed.Body, &asked) != nil || (id.Reference(asked.Reference) != r.Reference && !ablate.Off(ablate.VaultProof)) {
		return vault.StaffCode{}, proof.Bad("the proof is for another request")
	}
	txnID, code := id.New(), codes.Make()
	key := codes.Key(txnID)
	now := k.now()
	var send *Notice
	var index string
	_, err := k.update(ctx, func(t *txn) error {
		send = nil
		staff, _, policies, err := t.registrar(r.Signed, policy.StaffCode)
		if err != nil {
			return err
		}
		n, err := t.Count(staffWindow, "staff-code", string(staff), 1)
		if err != nil {
			return err
		}
		if n > staffCodesPerDay {
			return codes.TooMany(now.Truncate(staffWindow).Add(staffWindow).Sub(now))
		}
		row := state.Challenge{Origin: r.Origin, Sent: now.UnixMilli(), Expires: now.Add(codes.Life).UnixMilli(), State: state.ChallengeDead, Person: "nobody", Staff: staff}
		send, err = t.codeFor(r, &row, key, policies)
		if err != nil {
			return err
		}
		if index = row.Index; send != nil {
			row.State, row.Person = state.ChallengeOpen, r.Person
			row.Code = k.codes.MAC(evidencePrefix+txnID, codes.Digest(code))
		}
		return engine.Put(t, state.Challenges, key, row, now.Add(codes.Kept).UnixMilli())
	})
	if err != nil {
		return vault.StaffCode{}, err
	}
	if send != nil {
		send.ID, send.Template, send.Language, send.Deadline = key, "code-centre", "en", now.Add(codes.Life).UnixMilli()
		send.Params = map[string]string{"code": code}
		go func() { _, _ = k.post.SendCode(ctx, *send, index, key) }() // the answer is the same, and as quick, without one
	}
	return vault.StaffCode{Txn: txnID}, nil
}

// staffCodesPerDay bounds the codes a staff member has sent in a day (UTC).
const staffCodesPerDay = 300

// codeFor finds where a code for a person goes, within the number's budget. nil:
// nowhere.
func (t *txn) codeFor(r vault.StaffCodeRequest, row *state.Challenge, key, policies string) (*Notice, error) {
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil || !ok || p.Reference != r.Reference || p.State != state.Active {
		return nil, err
	}
	h, err := t.Household(p.Household)
	if err != nil || len(h.Mobile) == 0 {
		return nil, err
	}
	mobile, err := t.k.keys.Contact.Open(nil, nil, h.Mobile, t.k.keys.ContactAAD("mobile", string(p.Household)))
	if err != nil {
		return nil, state.Integrity(state.Households, "a number does not open")
	}
	row.Index = t.k.keys.BlindIndex(string(mobile))
	refused, err := t.k.codes.Spend(t.Engine(), codes.Ask{Index: row.Index, Mobile: string(mobile), Origin: r.Origin, Challenge: key}, int64(t.k.cfg.Limits.PerPrefix))
	if err != nil || refused != nil {
		return nil, err
	}
	t.Append(engine.Entry{Kind: "code", Person: r.Person, House: p.Household, View: "code for a centre", Role: roleVaccinator, Actor: string(row.Staff), Policy: policies})
	return &Notice{Mobile: string(mobile)}, nil
}
