package keeper

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// The kinds of correction.
const (
	correctAssign  = "assign"  // a dose without a person, or disputed by another, is this person's
	correctConfirm = "confirm" // a dose without evidence was this person's: both have seen them
	correctFacts   = "correct" // product, lot, day or number were written down wrongly
	correctRevoke  = "revoke"  // the dose was not given
	correctDetails = "details" // name, birth or gender were written down wrongly
)

// viewCorrection is one dose event, opened inside the vault to be corrected.
const viewCorrection = "one dose event, for a correction"

// correctionLife is how long a proposal waits for the second person.
const correctionLife = 30 * 24 * time.Hour

// maxUnmatched bounds one list of doses without a person.
const maxUnmatched = 100

// correction is the body of a proposal. Who approves it signs the same body with
// the proposal's id, so that both have signed what is done.
type correction struct {
	ID        string       `json:"correction_id,omitempty"`
	Kind      string       `json:"kind"`
	Centre    id.Centre    `json:"center_id"`
	Event     id.Event     `json:"event_id"`
	Reference id.Reference `json:"beneficiary_reference_id"`
	Vaccine   string       `json:"vaccine,omitempty"`
	Batch     string       `json:"vaccine_batch,omitempty"`
	Dose      int          `json:"dose,omitempty"`
	Date      string       `json:"date,omitempty"`
	Name      string       `json:"name,omitempty"`
	BirthYear int          `json:"birth_year,omitempty"`
	BirthDate string       `json:"birth_date,omitempty"`
	GenderID  int          `json:"gender_id,omitempty"`
	Seen      bool         `json:"person_seen,omitempty"`
	Reason    string       `json:"reason"`
}

func parseCorrection(body []byte) (c correction, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if len(body) > 4096 || dec.Decode(&c) != nil {
		return c, fault.New(fault.Invalid, "USRRES0001", "the correction is malformed")
	}
	if c.Reason, err = reasonText(c.Reason); err != nil {
		return c, err
	}
	if c.Reference, err = id.ParseReference(string(c.Reference)); err != nil {
		return c, err
	}
	details := c.Name != "" || c.BirthYear != 0 || c.BirthDate != "" || c.GenderID != 0
	switch {
	case !slices.Contains([]string{correctAssign, correctConfirm, correctFacts, correctRevoke, correctDetails}, c.Kind):
		return c, fault.New(fault.Invalid, "USRRES0001", "kind is assign, confirm, correct, revoke or details")
	case c.Centre <= 0:
		return c, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	case c.Kind == correctDetails:
		return c, c.detailed()
	case details:
		return c, fault.New(fault.Invalid, "USRRES0001", "name, birth_year, birth_date and gender_id belong to a correction of details")
	case !id.Valid(string(c.Event)):
		return c, fault.New(fault.Invalid, "USRRES0001", "event_id is not an id of a dose event, as the list of doses has it")
	case c.Dose < 0 || c.Dose > 9:
		return c, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: dose")
	case c.Kind == correctFacts && c.Vaccine == "" && c.Batch == "" && c.Dose == 0 && c.Date == "":
		return c, fault.New(fault.Invalid, "USRRES0001", "a correction says what is right: vaccine, vaccine_batch, dose or date")
	case c.Kind == correctConfirm && !c.Seen:
		return c, fault.New(fault.Invalid, "USRRES0001", "who confirms a dose has seen the person: person_seen")
	case c.Kind != correctConfirm && c.Seen:
		return c, fault.New(fault.Invalid, "USRRES0001", "person_seen belongs to a confirmation")
	}
	_, err = c.apply(release.Dose{})
	return c, err
}

// apply puts the right facts into an event.
func (c correction) apply(d release.Dose) (release.Dose, error) {
	if c.Vaccine != "" {
		product, ok := rules.LookupProduct(c.Vaccine)
		if !ok {
			return d, fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
		}
		d.Product, d.Programme, d.Antigens = product.Code, product.Programme, product.Antigens
		d.Route, d.BodySite, d.Quantity = product.Route, product.BodySite, product.Quantity
	}
	if c.Batch != "" {
		lot, err := rules.ParseLot(c.Batch)
		if err != nil {
			return d, err
		}
		d.Lot = lot
	}
	if c.Dose != 0 {
		d.Sequence = c.Dose
	}
	if c.Date != "" {
		day, err := civil.ParseIndian(c.Date)
		if err != nil {
			return d, err
		}
		d.GivenDay, d.Precision = day, rules.PrecisionDay
		d.GivenAt = day.In(time.UTC).Add(12 * time.Hour).UnixMilli()
	}
	return d, nil
}

// sum is the keyed digest of everything proposed but its id.
func (k *Keeper) correctionSum(c correction) (string, error) {
	c.ID = ""
	raw, err := json.Marshal(c)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "correction")
	}
	return hex.EncodeToString(k.keys.MAC(keyring.PurposeBooking, []byte("correction"), k.keys.RealmBytes(), raw)[:16]), nil
}

func forbiddenAt(role string) error {
	return fault.New(fault.Forbidden, "role", "only "+role+" of the centre may do this")
}

// Propose implements the vault's word. Nothing changes until a second member of
// staff of the centre approves it.
func (k *Keeper) Propose(ctx context.Context, r vault.ProposeRequest) (vault.Proposed, error) {
	c, err := parseCorrection(r.Signed.Body)
	if err != nil {
		return vault.Proposed{}, err
	}
	if c.ID != "" {
		return vault.Proposed{}, fault.New(fault.Invalid, "USRRES0001", "a proposal has no correction_id yet")
	}
	sum, err := k.correctionSum(c)
	if err != nil {
		return vault.Proposed{}, err
	}
	name := id.NewOrdered()
	receipts, err := k.update(ctx, func(t *txn) error {
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit := t.k.permits.May(row, policy.CorrectionPropose, c.Centre, policy.Facts{})
		if !permit.Allowed() {
			return forbiddenAt("the manager")
		}
		p, ok, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
		if err != nil {
			return err
		}
		whom := r.Person // who is told when the proposal is shown to somebody
		if !ok || p.Reference != c.Reference || p.State != state.Active {
			whom = ""
		}
		sealed := k.keys.Contact.Seal(nil, nil, r.Signed.Body, k.keys.ContactAAD("correction", name))
		t.Append(engine.Entry{Kind: "correction", View: "proposed", Role: roleManager, Actor: string(staff), Reason: c.Kind, Evidence: name, Policy: permit.Policies()})
		return t.proposed(name, state.Correction{Centre: c.Centre, By: staff, Body: sealed, Sum: sum, Kind: c.Kind, Person: whom, State: state.CorrectionOpen, At: k.now().UnixMilli()})
	})
	return vault.Proposed{Correction: name, Receipt: done(receipts).Receipt}, err
}

// agreed is what two members of staff agree on: the second one's credential and leave.
type agreed struct {
	by, second id.Staff
	row        state.Staff
	rostered   bool // the second, today
	policies   string
}

// approval checks the second person's signed request against the proposal.
func (t *txn) approval(s vault.Signed, c correction) (ok agreed, err error) {
	staff, staffRow, used, err := t.Proof(s)
	if err != nil {
		return agreed{}, err
	}
	row, found, err := engine.Get[state.Correction](t, state.Corrections, c.ID)
	if err != nil {
		return agreed{}, err
	}
	sum, err := t.k.correctionSum(c)
	if err != nil {
		return agreed{}, err
	}
	unknown := fault.New(fault.NotFound, "correction", "no such proposal at this centre, or it says something else")
	if !found || row.Centre != c.Centre || row.Sum != sum {
		return agreed{}, unknown
	}
	same, err := t.samePerson(row.By, staff)
	if err != nil {
		return agreed{}, err
	}
	rostered, err := t.onRoster(staff, staffRow, c.Centre)
	if err != nil {
		return agreed{}, err
	}
	permit := t.k.permits.May(staffRow, policy.CorrectionApprove, c.Centre, policy.Facts{Rostered: rostered, Second: !same || ablate.Off(ablate.SecondPerson)})
	switch missing := permit.Missing(); {
	case missing == policy.MissingRoster:
		return agreed{}, staffing.NotRostered()
	case !permit.Allowed() && missing != policy.MissingSecond:
		return agreed{}, unknown
	}
	ok = agreed{by: row.By, second: staff, row: staffRow, rostered: rostered, policies: permit.Policies()}
	if row.State == state.CorrectionDone && row.Second == staff {
		return ok, nil
	}
	switch {
	case used && !ablate.Off(ablate.ProofReplay):
		return agreed{}, proof.Bad("the proof was used before")
	case row.State != state.CorrectionOpen:
		return agreed{}, fault.New(fault.Conflict, "correction", "this correction was carried out already")
	case t.k.now().UnixMilli()-row.At > correctionLife.Milliseconds():
		return agreed{}, fault.New(fault.Conflict, "correction", "this proposal is too old; propose it again")
	}
	if err := t.mayApprove(row, staff); err != nil {
		return agreed{}, err
	}
	if !permit.Allowed() {
		return agreed{}, unknown
	}
	return ok, t.approved(c.ID, row, staff)
}

// Approve implements the vault's word.
func (k *Keeper) Approve(ctx context.Context, r vault.ApproveRequest) (vault.Amended, error) {
	c, err := parseCorrection(r.Signed.Body)
	if err != nil {
		return vault.Amended{}, err
	}
	switch c.Kind {
	case correctAssign:
		return k.assign(ctx, r, c)
	case correctDetails:
		if err := c.born(k.today(signin.HomeZone)); err != nil {
			return vault.Amended{}, err
		}
		return k.correctDetails(ctx, r, c)
	}
	var ok agreed
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		if ok, err = t.checkApproval(r, c); err != nil {
			return err
		}
		permit := t.k.permits.Opens(ok.row, c.Centre, viewCorrection, policy.Facts{Rostered: ok.rostered, Second: true, Evidence: policy.EvidenceCorrection})
		return t.Release(o, []id.Person{r.Person}, map[id.Person]vault.Record{r.Person: r.Record},
			release.Claim{View: viewCorrection, Role: roleManager, Actor: string(ok.second), Place: "", Reason: c.Reason, Evidence: c.ID, Permit: permit})
	})
	if err != nil {
		return vault.Amended{}, err
	}
	if len(o.People) != 1 {
		return vault.Amended{}, signin.NotYours()
	}
	op := o.People[0]
	doc, version, err := op.Dose(k.keys, c.Event)
	if err != nil {
		return vault.Amended{}, err
	}
	if doc.Centre != c.Centre {
		return vault.Amended{}, forbiddenAt("who gave the dose")
	}
	pair := string(ok.by) + "+" + string(ok.second)
	if doc.Change == c.ID {
		return vault.Amended{Seal: vault.Seal{Person: op.ID}}, nil // carried out before
	}
	before := doc
	if doc, err = c.apply(doc); err != nil {
		return vault.Amended{}, err
	}
	switch c.Kind {
	case correctConfirm:
		if doc.Status != rules.StatusUnconfirmed {
			return vault.Amended{}, fault.New(fault.Conflict, "confirmed", "this dose waits for no confirmation")
		}
		doc.Status = rules.StatusConfirmed
	case correctRevoke:
		doc.Status = rules.StatusRevoked
	}
	revokes := ""
	if before.Counts() {
		revokes = "dose corrected"
	}
	if err := op.Fits(k.keys, doc); err != nil {
		return vault.Amended{}, err
	}
	doc.Reason, doc.ChangedBy, doc.ChangedAt, doc.Change = c.Reason, pair, k.now().UnixMilli(), c.ID
	e := engine.Entry{View: "dose corrected: " + c.Kind, Role: roleManager, Actor: string(ok.second), Reason: c.Reason, Evidence: c.ID, Policy: ok.policies}
	return k.amend(ctx, op, doc, version+1, revokes, e, func(t *txn) error {
		_, err := t.approval(r.Signed, c)
		if err == nil && c.Kind == correctRevoke {
			err = t.freeEvent(c.Event, op.ID)
		}
		if err == nil {
			err = t.eventNotice(op.Row.Household, "correction/"+c.ID, doc)
		}
		return err
	})
}

// checkApproval is approval before it is spent: the proposal stays open until
// the change is sealed, so that a crash between the two loses nothing.
func (t *txn) checkApproval(r vault.ApproveRequest, c correction) (ok agreed, err error) {
	inner := t.k.with(t.Aside())
	inner.Only, inner.Returns = t.Only, t.Returns
	if ok, err = inner.approval(r.Signed, c); err != nil {
		return agreed{}, err
	}
	p, known, err := engine.Get[state.Person](t, state.Persons, string(r.Person))
	if err != nil {
		return agreed{}, err
	}
	if !known || p.Reference != c.Reference || p.State != state.Active {
		return agreed{}, fault.New(fault.NotFound, "reference", "no person has this reference id")
	}
	return ok, nil
}

// assign seals a dose that was recorded without a person into the record of the
// right one. The facts are the vaccinator's, as signed then, with what the
// correction says.
func (k *Keeper) assign(ctx context.Context, r vault.ApproveRequest, c correction) (vault.Amended, error) {
	key, err := k.keys.InboxKey()
	if err != nil {
		return vault.Amended{}, err
	}
	item, err := vault.OpenInbox(key, k.keys.Realm, c.Event, r.Item.Sealed)
	if err != nil {
		return vault.Amended{}, err
	}
	f, err := parseDose(item.Signed.Body)
	if err != nil || vault.InboxEvent(item.Signed.Proof) != c.Event {
		return vault.Amended{}, fault.New(fault.NotFound, "event", "no such dose without a person at this centre")
	}
	f.centre = c.Centre // that of the vaccinator, checked below, whatever was typed
	var out vault.Amended
	receipts, err := k.update(ctx, func(t *txn) error {
		ok, err := t.checkApproval(r, c)
		if err != nil {
			return err
		}
		p, err := t.Person(r.Person)
		if err != nil {
			return err
		}
		part := vault.Part(vault.PartDosePrefix + string(c.Event))
		if got, ok := sealedAs(r.Person, p, part); ok {
			out.Seal = got.Seal
			return nil
		}
		staff, claims, wrote, err := t.Parts(item.Signed)
		if err != nil {
			return err
		}
		if !t.k.permits.May(wrote, policy.StaffDose, c.Centre, policy.Facts{Rostered: true}).Allowed() {
			return fault.New(fault.NotFound, "event", "no such dose without a person at this centre")
		}
		if err := claims.Match(item.Signed); err != nil {
			return err
		}
		if _, err := t.approval(r.Signed, c); err != nil {
			return err
		}
		if i, err := k.release.MatchRecord(r.Person, p, r.Record); err != nil {
			return err
		} else if i >= 0 {
			if err := t.Advance(r.Person, &p, i); err != nil {
				return err
			}
		}
		doc, _, err := t.unconfirmed(c.Event, item, staff, f)
		if err != nil {
			return err
		}
		if doc, err = c.apply(doc); err != nil {
			return err
		}
		doc.Reason, doc.ChangedBy, doc.ChangedAt, doc.Change = c.Reason, string(ok.by)+"+"+string(ok.second), k.now().UnixMilli(), c.ID
		if err := doc.Validate(); err != nil {
			return err
		}
		if err := t.holdEvent(c.Event, r.Person); err != nil {
			return err
		}
		if err := t.eventNotice(p.Household, "correction/"+c.ID, doc); err != nil {
			return err
		}
		out.Seal, err = t.sealDoc(r.Person, &p, part, 1, doc, state.Seal{}, engine.Entry{View: "dose assigned", Role: roleManager, Actor: string(ok.second), Place: doc.CentreName, Reason: c.Reason, Evidence: c.ID, Policy: ok.policies})
		return err
	})
	if err == nil {
		out.Seal.Receipt = done(receipts).Receipt
	}
	return out, err
}

// unmatchedBody is the body of a manager's request for the list.
type unmatchedBody struct {
	Centre id.Centre `json:"center_id"`
}

// Unmatched implements the vault's word: what the doses without a person of a
// centre say. The list is an entry; it names no registered person.
func (k *Keeper) Unmatched(ctx context.Context, r vault.UnmatchedRequest) (vault.Unmatched, error) {
	var b unmatchedBody
	dec := json.NewDecoder(bytes.NewReader(r.Signed.Body))
	dec.DisallowUnknownFields()
	if dec.Decode(&b) != nil || b.Centre <= 0 {
		return vault.Unmatched{}, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	}
	if len(r.Rows) > maxUnmatched {
		return vault.Unmatched{}, fault.New(fault.Invalid, "rows", "too many rows at once")
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit := t.k.permits.May(row, policy.StaffUnmatched, b.Centre, policy.Facts{})
		if !permit.Allowed() {
			return forbiddenAt("the manager")
		}
		t.Append(engine.Entry{Kind: "list", View: "doses without a person", Role: roleManager, Actor: string(staff), Reason: strconv.Itoa(len(r.Rows)) + " rows", Policy: permit.Policies()})
		return nil
	})
	if err != nil {
		return vault.Unmatched{}, err
	}
	key, err := k.keys.InboxKey()
	if err != nil {
		return vault.Unmatched{}, err
	}
	out := vault.Unmatched{Doses: []vault.UnmatchedDose{}, Receipts: receipts}
	for _, row := range r.Rows {
		item, err := vault.OpenInbox(key, k.keys.Realm, row.Event, row.Sealed)
		if err != nil {
			k.log.Warn("alarm: a sealed dose does not open", "alarm", "inbox")
			continue
		}
		f, err := parseDose(item.Signed.Body)
		if err != nil || !k.wroteAt(ctx, item, b.Centre) { // whatever was typed: nobody else's can be put right here
			continue
		}
		out.Doses = append(out.Doses, vault.UnmatchedDose{Event: row.Event, Typed: f.reference, Centre: f.centre, Product: f.product.Code, Lot: f.lot, Sequence: f.sequence,
			Day: f.day, Vaccinator: f.by, Received: item.Received})
	}
	return out, nil
}

func eventKey(event id.Event) string { return "event/" + string(event) }

// holdEvent notes whose record a dose without evidence is in. One dose is one
// person's: fault.Conflict while it is another's, until they said that it is not
// theirs or two members of staff revoked it.
func (t *txn) holdEvent(event id.Event, person id.Person) error {
	row, ok, err := engine.Get[state.Correction](t, state.Corrections, eventKey(event))
	if err != nil {
		return err
	}
	if ok && row.State == state.CorrectionOpen && row.Person != person {
		return fault.New(fault.Conflict, "assigned", "this dose is in another person's record: they dispute it, or it is revoked there, first")
	}
	row.Person, row.State, row.At = person, state.CorrectionOpen, t.k.now().UnixMilli()
	return engine.Put(t, state.Corrections, eventKey(event), row, 0)
}

// freeEvent ends that: the dose is not this person's.
func (t *txn) freeEvent(event id.Event, person id.Person) error {
	row, ok, err := engine.Get[state.Correction](t, state.Corrections, eventKey(event))
	if err != nil || !ok || row.Person != person || row.State != state.CorrectionOpen {
		return err
	}
	row.State = state.CorrectionDone
	return engine.Put(t, state.Corrections, eventKey(event), row, 0)
}
