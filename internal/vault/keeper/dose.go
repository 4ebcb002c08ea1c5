package keeper

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// doseFacts is the body of V5 (contract.md 1.7); unknown fields are ignored, and
// numbers may come as text.
type doseFacts struct {
	Reference  loose.Text `json:"beneficiary_reference_id"`
	Centre     loose.Text `json:"center_id"`
	Vaccine    string     `json:"vaccine"`
	Batch      string     `json:"vaccine_batch"`
	Dose       loose.Text `json:"dose"`
	Date1      string     `json:"dose1_date"`
	Date2      string     `json:"dose2_date"`
	Date       string     `json:"dose_date"`
	Vaccinator string     `json:"vaccinator_name"`
	Code       loose.Text `json:"security_code"`
	Card       string     `json:"card"`
	Txn        string     `json:"txnId"`
	OTP        string     `json:"otp"`
}

type parsedDose struct {
	reference id.Reference
	centre    id.Centre
	product   rules.Product
	lot       string
	sequence  int
	day       civil.Date
	by        string
	code      string
	shown     vault.Evidence // instead of the code
}

func parseDose(body []byte) (p parsedDose, err error) { return parseDoseOf(body, true) }

// parseDoseOf is parseDose for a dose that may lack its lot.
func parseDoseOf(body []byte, lot bool) (p parsedDose, err error) {
	missing := func(what string) error {
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: "+what)
	}
	var f doseFacts
	if len(body) > 8192 || json.Unmarshal(body, &f) != nil {
		return p, fault.New(fault.Invalid, "USRRES0001", "the dose is malformed")
	}
	if p.reference, err = id.ParseReference(string(f.Reference)); err != nil {
		return p, err
	}
	c, err := strconv.ParseInt(string(f.Centre), 10, 64)
	if err != nil || c <= 0 {
		return p, missing("center_id")
	}
	p.centre = id.Centre(c)
	product, ok := rules.LookupProduct(f.Vaccine)
	if !ok {
		return p, fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
	}
	p.product = product
	if p.sequence, err = strconv.Atoi(string(f.Dose)); err != nil || p.sequence < 1 || p.sequence > 9 {
		return p, missing("dose")
	}
	date := f.Date
	if date == "" {
		date = f.Date1
		if p.sequence == 2 || date == "" {
			date = f.Date2
		}
	}
	if p.day, err = civil.ParseIndian(date); err != nil {
		return p, err
	}
	if lot || f.Batch != "" {
		if p.lot, err = rules.ParseLot(f.Batch); err != nil {
			return p, err
		}
	}
	if p.by, err = rules.NormalizeName(f.Vaccinator); err != nil {
		return p, missing("vaccinator_name")
	}
	p.code, p.shown = string(f.Code), vault.Evidence{Card: f.Card, Txn: f.Txn, Digest: f.OTP}
	if p.code != "" && len(p.code) != 4 {
		return p, missing("security_code (four digits)")
	}
	return p, nil
}

// encounter is what the first step of recording a dose established.
type encounter struct {
	staff    id.Staff
	row      state.Staff // whose key that is
	rostered bool        // to the day
	policies string      // that let them record
	session  state.OpenSession
	booking  state.Booking
	again    *vault.DoseSealed // the dose was sealed before
	code     string            // the booking's code, brought or stood for by other evidence
	told     string            // key of the notice that the record was opened
	at       time.Time         // when it took place; zero: now
	event    id.Event          // the name of a dose that waited; "": a new one
}

// RecordDose implements the vault's word: staff key, open session of today, and
// the booking code the person brought. First the person's history is opened as
// a ledgered view, then the rules decide, then the dose is sealed.
func (k *Keeper) RecordDose(ctx context.Context, r vault.DoseRequest) (vault.DoseSealed, error) {
	facts, err := parseDose(r.Signed.Body)
	if err != nil {
		return vault.DoseSealed{}, err
	}
	if facts.code == "" && facts.shown == (vault.Evidence{}) {
		return vault.DoseSealed{}, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: security_code")
	}
	var enc encounter
	var refused error
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		enc, refused = encounter{}, nil
		t.Quiet = true // nobody is handed the opening's receipt
		var err error
		if enc, refused, err = t.encounter(r, facts); err != nil || refused != nil || enc.again != nil {
			return err
		}
		c := release.Claim{View: viewVerify, Role: roleVaccinator, Actor: string(enc.staff), Place: enc.session.Name, Reason: "dose", Evidence: string(enc.booking.Hold), Permit: t.opensEncounter(enc)}
		if err := t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record}, c); err != nil {
			return err
		}
		return t.openingNotice(&enc, o)
	})
	switch {
	case err != nil:
		return vault.DoseSealed{}, err
	case refused != nil:
		return vault.DoseSealed{}, refused
	case enc.again != nil:
		return *enc.again, nil
	}
	if len(o.People) != 1 {
		return vault.DoseSealed{}, wrongCodeFault()
	}
	facts.code = enc.code
	offer := enc.booking.Offer
	offer.Product, offer.Day = facts.product.Code, facts.day
	if err := k.eligible(o.People[0], facts.sequence, offer); err != nil {
		return vault.DoseSealed{}, err
	}
	return k.sealDose(ctx, o.People[0], facts, enc, r.Receipts)
}

// opensEncounter asks the policies for the history of a person whose booking's code, or
// what stands for it, was right in a session that was open on its day.
func (t *txn) opensEncounter(enc encounter) policy.Permit {
	return t.k.permits.Opens(enc.row, enc.session.Centre, viewVerify, policy.Facts{Open: true, Rostered: enc.rostered, Evidence: policy.EvidenceCode})
}

// wrongCodeFault is one answer for every way a code can be wrong.
func wrongCodeFault() error {
	return fault.New(fault.Invalid, "APPOIN0045", "The security code does not match an appointment of this person at this centre today; see the slip: centre and day")
}

// staffWindow is over which wrong booking codes of a staff member are counted: a
// day in UTC. Office hours anywhere touch two such days at the most.
const staffWindow = 24 * time.Hour

// encounter checks the evidence, the code before all else about the person: who
// does not bring it learns nothing, not even whether a booking is here. A
// refusal is returned apart from an error, so that what it counted is kept.
func (t *txn) encounter(r vault.DoseRequest, f parsedDose) (enc encounter, refused, err error) {
	staff, row, used, err := t.Proof(r.Signed)
	if err != nil {
		return enc, nil, err
	}
	enc.staff = staff
	if enc.rostered, err = t.onRoster(staff, row, f.centre); err != nil {
		return enc, nil, err
	}
	permit := t.k.permits.May(row, policy.StaffDose, f.centre, policy.Facts{Rostered: enc.rostered})
	if !permit.Allowed() {
		return enc, notAtWork(permit, "only a vaccinator of the centre records its doses"), nil
	}
	enc.row, enc.policies = row, permit.Policies()
	wrong, err := t.Count(staffWindow, "staff-wrong", string(staff), 0)
	if err != nil {
		return enc, nil, err
	}
	if int(wrong) >= t.k.cfg.Limits.WrongStaffCodes {
		return enc, &fault.Error{Kind: fault.RateLimited, Code: "codes", Text: "too many wrong security codes today; a colleague has to go on", RetryAfter: t.k.now().Truncate(staffWindow).Add(staffWindow).Sub(t.k.now())}, nil
	}
	replayed := used && !ablate.Off(ablate.ProofReplay)
	p, ok, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil {
		return enc, nil, err
	}
	if !ok || p.Reference != f.reference || p.State == state.Removed || p.State == state.Merged || p.State == state.Left {
		if replayed {
			return enc, proof.Bad("the proof was used before"), nil
		}
		refused, err = t.wrongStaffCode(staff, "", p, "")
		return enc, refused, err
	}
	i, session, err := t.openBooking(p, f.centre, f.product.Code)
	if err != nil {
		return enc, nil, err
	}
	if i >= 0 {
		enc.session, enc.booking = session, p.Bookings[i]
		if f.code, err = t.codeOf(staff, r.Person, &p, i, f); err != nil {
			return enc, nil, err
		}
		enc.code = f.code
		if enc.again, err = t.sealedBefore(r.Person, p, i, f); err != nil {
			return enc, err, nil
		}
		if enc.again, err = t.overtaken(r, &p, enc.again); err != nil {
			return enc, nil, err
		}
	}
	if enc.again == nil {
		if replayed && !t.cameToNothing(r.Person, p, i, f) {
			return enc, proof.Bad("the proof was used before"), nil
		}
		if _, right := t.rightCodeFor(r.Person, &p, session, f.code); i < 0 || !right {
			refused, err = t.wrongStaffCode(staff, r.Person, p, t.refusedBy(permit, row, f.centre, viewVerify))
			return enc, refused, err
		}
	}
	today := t.k.today(session.Zone)
	if f.product.Code != session.Product || f.day != today || session.Day != today {
		return enc, fault.New(fault.Invalid, "session", "vaccine or date differ from the open session"), nil
	}
	return enc, nil, nil
}

// wrongStaffCode counts a wrong code, for the staff member and the booking, and
// notes the refusal where the person can see it.
func (t *txn) wrongStaffCode(staff id.Staff, person id.Person, p state.Person, policies string) (refused, err error) {
	if _, err := t.Count(staffWindow, "staff-wrong", string(staff), 1); err != nil {
		return nil, err
	}
	if person != "" {
		t.Append(engine.Entry{Kind: "refusal", Person: person, House: p.Household, View: viewVerify, Role: roleVaccinator, Actor: string(staff), Reason: "wrong security code", Policy: policies})
		if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
			return nil, err
		}
	}
	return wrongCodeFault(), nil
}

// openBooking finds the booking of a person whose session is open at the centre
// today: live, or just spent. Of several, of other programmes, the one for the
// product comes first.
func (t *txn) openBooking(p state.Person, centre id.Centre, product string) (int, state.OpenSession, error) {
	return t.openBookingAt(p, centre, product, t.k.now())
}

// openBookingAt is openBooking for the day of an instant.
func (t *txn) openBookingAt(p state.Person, centre id.Centre, product string, at time.Time) (int, state.OpenSession, error) {
	best, session, rank := -1, state.OpenSession{}, 0
	for i, b := range p.Bookings {
		if (b.Offer.Centre != centre && !ablate.Off(ablate.Presence)) || (b.State != state.Live && b.State != state.Spent) {
			continue
		}
		s, ok, err := engine.Get[state.OpenSession](t, state.OpenSessions, state.OpenSessionKey(b.Offer.Centre, b.Offer.Session, b.Offer.Day))
		if err != nil {
			return -1, s, err
		}
		if ablate.Off(ablate.Presence) {
			ok, s = true, state.OpenSession{Centre: b.Offer.Centre, Session: b.Offer.Session, Day: b.Offer.Day, Zone: b.Offer.Zone, Product: b.Offer.Product}
		}
		r := 1
		if b.State == state.Live {
			r++
		}
		if s.Product == product {
			r += 2
		}
		if ok && (s.Day == t.k.dayAt(s.Zone, at) || ablate.Off(ablate.Presence)) && r >= rank {
			best, session, rank = i, s, r
		}
	}
	return best, session, nil
}

// sealedBefore answers a repeated recording of the same booking: the pending
// seal again, or nothing to store when it is committed. nil: not sealed, or
// another code. fault.Conflict: what was recorded was something else, and must
// not seem to be corrected by saying it again.
func (t *txn) sealedBefore(person id.Person, p state.Person, i int, f parsedDose) (*vault.DoseSealed, error) {
	b := p.Bookings[i]
	if !hmac.Equal([]byte(f.code), []byte(t.k.securityCode(person, b))) {
		return nil, nil
	}
	out := &vault.DoseSealed{Seal: vault.Seal{Person: person}, Hold: b.Hold, Dose: b.Dose}
	j := slices.IndexFunc(p.Pending, func(s state.Seal) bool { return s.Hold == b.Hold })
	if j >= 0 {
		out.Seal.ID, out.Seal.Parts = p.Pending[j].ID, p.Pending[j].Parts
	}
	if j < 0 && b.State != state.Spent {
		return nil, nil
	}
	if b.Given != t.k.givenDigest(person, b.Hold, f) {
		return nil, fault.New(fault.Conflict, "recorded", "another dose was recorded for this appointment; it stays as it is")
	}
	return out, nil
}

// givenDigest tells two recordings of one booking apart without keeping what
// they say.
func (k *Keeper) givenDigest(person id.Person, hold id.Hold, f parsedDose) string {
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeBooking, []byte("given"), k.keys.RealmBytes(), []byte(person), []byte(hold), []byte(f.product.Code),
		[]byte(f.lot), []byte(strconv.Itoa(f.sequence)), []byte(f.day.String()), []byte(f.by))[:16])
}

// sealDose seals the event on top of the head.
func (k *Keeper) sealDose(ctx context.Context, op release.Person, f parsedDose, enc encounter, signed bool) (vault.DoseSealed, error) {
	var out vault.DoseSealed
	ev, now := enc.event, enc.at
	if ev == "" {
		ev = id.Event(id.NewOrdered())
	}
	if now.IsZero() {
		now = k.now()
	}
	doc := release.Dose{Schema: keyring.BlobSchema, Centre: enc.session.Centre, CentreName: enc.session.Name, District: enc.session.District,
		State: enc.session.State, Vaccinator: f.by, Staff: enc.staff, Hold: enc.booking.Hold,
		DoseEvent: rules.NewDoseEventIn(k.zone(enc.session.Zone), ev, f.product, f.lot, f.sequence, now.UnixMilli(), rules.SourceAdministered, string(enc.staff))}
	receipts, err := k.update(ctx, func(t *txn) error {
		t.Quiet = !signed
		p, err := t.Person(op.ID)
		if err != nil {
			return err
		}
		i, s, err := t.openBookingAt(p, enc.session.Centre, enc.session.Product, now)
		if err != nil {
			return err
		}
		if i < 0 || s.Session != enc.session.Session || p.Bookings[i].Hold != enc.booking.Hold {
			return fault.New(fault.Conflict, "booking", "the appointment changed meanwhile")
		}
		again, err := t.sealedBefore(op.ID, p, i, f)
		if err != nil {
			return err
		}
		if again != nil {
			out = *again
			return nil
		}
		if err := t.unchanged(op); err != nil {
			return err
		}
		if enc.event != "" {
			if err := t.holdEvent(enc.event, op.ID); err != nil {
				return err
			}
		}
		key, err := k.keys.DataKey(op.ID, p)
		if err != nil {
			return err
		}
		part := vault.Part(vault.PartDosePrefix + string(ev))
		sealed, err := k.keys.SealPart(op.ID, key, p.Seq+1, part, 1, doc)
		if err != nil {
			return err
		}
		seal := state.Seal{ID: id.New(), Parts: []vault.Sealed{sealed}, Hold: enc.booking.Hold}
		if seal.Count, err = k.figures.SealDose(op, release.Dose{}, doc); err != nil {
			return err
		}
		err = t.AddSeal(op.ID, &p, seal, engine.Entry{House: p.Household, View: "dose recorded", Role: roleVaccinator, Actor: string(enc.staff), Place: enc.session.Name, Policy: enc.policies})
		if err != nil {
			return err
		}
		if p.Bookings[i].Given == "" { // else it was counted, and lost to another writer
			if err := t.fromStock(enc.staff, enc.session.Centre, enc.session.Day, f.product.Code); err != nil {
				return err
			}
		}
		p.Bookings[i].Given = k.givenDigest(op.ID, enc.booking.Hold, f)
		if err := t.visitEnded(p, op.ID, enc.session.Centre, enc.session.Day, budget.GaveDose); err != nil {
			return err
		}
		if err := t.doseNotice(p.Household, seal.ID, enc); err != nil { // a dose that was sealed before has been told
			return err
		}
		out = vault.DoseSealed{Seal: vault.Seal{ID: seal.ID, Person: op.ID, Parts: seal.Parts}, Hold: enc.booking.Hold, Dose: f.sequence}
		return engine.Put(t, state.Persons, string(op.ID), p, 0)
	})
	if err != nil {
		return vault.DoseSealed{}, err
	}
	out.Seal.Receipt = done(receipts).Receipt
	return out, nil
}

func (k *Keeper) today(zone string) civil.Date { return k.dayAt(zone, k.now()) }

// dayAt is the civil day of an instant in a zone.
func (k *Keeper) dayAt(zone string, at time.Time) civil.Date { return civil.Of(at.In(k.zone(zone))) }

// zone is the time zone of a name, or UTC. Loading one reads a file, so it is done
// once for each of the few names there are.
func (k *Keeper) zone(name string) *time.Location {
	if loc, ok := k.zones.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	k.zones.Store(name, loc)
	return loc
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
