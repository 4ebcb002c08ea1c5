package keeper

import (
	"context"
	"crypto/cipher"
	"encoding/base32"
	"slices"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// The views of this version. A view is the least set of fields for a purpose.
const (
	viewBooking     = "booking view"
	viewEligibility = "eligibility"
	viewSlip        = "appointment slip"
	viewCertificate = "certificate"
	viewOpenings    = "access history"
	viewVerify      = "dose history at the centre"
)

// opening is a released right to read some people's parts: it exists only after
// its ledger entries are durable, and it is the only way to the plaintext.
type opening struct {
	viewID   string
	receipts []string
	people   []openPerson
}

type openPerson struct {
	id     id.Person
	row    state.Person
	key    cipher.AEAD
	record vault.Record
}

// claim is who asks and why; it becomes one entry per person.
type claim struct {
	view, role, actor, place, reason, evidence string
}

// released checks that records match their heads inside t, advances heads over
// seals the records show as stored, and appends one opening entry per person.
func (t *txn) released(o *opening, people []id.Person, records map[id.Person]vault.Record, c claim) error {
	o.viewID, o.people = newViewID(), nil
	for _, person := range people {
		p, err := t.person(person)
		if err != nil {
			return err
		}
		rec := records[person]
		if p.State == state.Pending && len(rec.Parts) == 0 {
			continue // enrolled, never stored: there is nothing to see yet
		}
		if p.State == state.Merged || (p.State == state.Left && !ablate.Off(ablate.LeaveHides)) {
			continue // ended while this was decided
		}
		i, err := t.k.matchRecord(person, p, rec)
		if err != nil {
			return err
		}
		if i >= 0 {
			if s := p.Pending[i]; s.Merge != "" { // the other ends now: one person is shown
				o.people = slices.DeleteFunc(o.people, func(p openPerson) bool { return p.id == s.Merge })
			}
			if err := t.advance(person, &p, i); err != nil {
				return err
			}
			if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
				return err
			}
		}
		t.Append(engine.Entry{Kind: "opening", Person: person, House: p.Household, View: c.view, Role: c.role, Actor: c.actor, Place: c.place,
			Reason: c.reason, Evidence: c.evidence, ViewID: o.viewID})
		if c.view == viewCertificate {
			if err := t.issue(person, o.viewID); err != nil {
				return err
			}
		}
		o.people = append(o.people, openPerson{id: person, row: p, record: rec})
	}
	return nil
}

// open runs decide in a transaction and, once its entries are durable, unwraps
// the data keys. No part of a person is decrypted before (I1).
func (k *Keeper) open(ctx context.Context, decide func(*txn, *opening) error) (*opening, error) {
	var o *opening
	run := func(t *txn) error {
		o = &opening{}
		return decide(t, o)
	}
	var err error
	if ablate.Off(ablate.ReceiptFirst) {
		err = k.openFirst(ctx, run)
	} else {
		var receipts []string
		receipts, err = k.update(ctx, run)
		if err == nil {
			o.receipts = receipts
			ablate.Crash("open:after-receipt")
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range o.people {
		if o.people[i].key, err = k.keys.DataKey(o.people[i].id, o.people[i].row); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// openFirst decides without waiting for the ledger: the entries follow later,
// or never. Only in builds that switch controls off.
func (k *Keeper) openFirst(ctx context.Context, run func(*txn) error) error {
	err := k.view(ctx, func(t *txn) error {
		t.ReadOnly()
		return run(t)
	})
	go func() {
		k.sleep(300)
		ablate.Crash("open:after-receipt")
		_, _ = k.update(context.WithoutCancel(ctx), run)
	}()
	return err
}

func (p openPerson) identity(k *Keeper) (identity, error) {
	var doc identity
	s, ok := current(p.record)[vault.PartIdentity]
	if !ok {
		return doc, keyring.Altered("a person without identity")
	}
	return doc, k.keys.OpenPart(p.id, p.key, s, &doc)
}

func isDose(part vault.Part) bool { return strings.HasPrefix(string(part), vault.PartDosePrefix) }

// doses opens a person's dose events, in the order they were sealed.
func (p openPerson) doses(k *Keeper) ([]doseDoc, error) {
	cur := current(p.record)
	var out []doseDoc
	for _, s := range p.record.Parts {
		if !isDose(s.Part) || cur[s.Part].Version != s.Version {
			continue
		}
		var d doseDoc
		if err := k.keys.OpenPart(p.id, p.key, s, &d); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Open implements the vault's word: the booking view of the household, for a
// partner the masked one.
func (k *Keeper) Open(ctx context.Context, r vault.OpenRequest) (vault.Opened, error) {
	var v visitor
	var sealed, place []byte // the number's last digits: opened after the entries
	o, err := k.open(ctx, func(t *txn, o *opening) (err error) {
		if v, err = t.visit(r.Holder, vault.ScopeSignIn, true); err != nil || v.house == "" {
			return err
		}
		h, err := t.household(v.house)
		if err != nil {
			return err
		}
		sealed, place = h.Last4, k.keys.ContactAAD("last4", string(v.house))
		people, records, err := membersOf(h, r.Records, true)
		if err != nil {
			return err
		}
		if r.Remembered && slices.ContainsFunc(people, func(p id.Person) bool { _, ok := records[p]; return !ok }) {
			return fault.New(fault.Conflict, "members", "the household has other members now")
		}
		c := v.claim(claim{view: viewBooking, role: "holder"})
		if v.partner != "" {
			c.view, sealed = viewMasked, nil
		}
		return t.released(o, people, records, c)
	})
	if err != nil {
		return vault.Opened{}, err
	}
	var last4 []byte
	if len(sealed) > 0 { // a person without a mobile has none
		if last4, err = k.keys.Contact.Open(nil, nil, sealed, place); err != nil {
			return vault.Opened{}, state.Integrity(state.Households, "a number does not open")
		}
	}
	if o.viewID == "" {
		o.viewID = newViewID()
	}
	out := vault.Opened{Masked: v.partner != "" && !ablate.Off(ablate.PartnerScope), ViewRef: k.viewRef(o.viewID), Receipts: o.receipts, People: []vault.Person{}}
	for _, p := range o.people {
		view, err := k.bookingView(p)
		if err != nil {
			return vault.Opened{}, err
		}
		view.MobileLast4 = string(last4)
		out.People = append(out.People, v.shownTo(view))
	}
	return out, nil
}

// membersOf pairs records with the household's members. With all set every
// member is opened, else only those whose record was brought.
func membersOf(h state.Household, records []vault.Record, all bool) ([]id.Person, map[id.Person]vault.Record, error) {
	if len(records) > MaxMembers {
		return nil, nil, fault.New(fault.Invalid, "records", "more records than people under one mobile")
	}
	byPerson := map[id.Person]vault.Record{}
	for _, r := range records {
		byPerson[r.Person] = r
	}
	var people []id.Person
	for _, m := range activeMembers(h) {
		if _, ok := byPerson[m.Person]; ok || all {
			people = append(people, m.Person)
		}
	}
	if !all && len(people) != len(byPerson) {
		if ablate.Off(ablate.Ownership) {
			people = people[:0]
			for p := range byPerson {
				people = append(people, p)
			}
			return people, byPerson, nil
		}
		return nil, nil, notYours()
	}
	return people, byPerson, nil
}

func (k *Keeper) bookingView(p openPerson) (vault.Person, error) {
	doc, err := p.identity(k)
	if err != nil {
		return vault.Person{}, err
	}
	doses, err := p.doses(k)
	if err != nil {
		return vault.Person{}, err
	}
	v := vault.Person{Person: p.id, Reference: doc.Reference, Name: doc.Name, BirthYear: doc.BirthYear, GenderID: doc.GenderID,
		IDType: doc.IDType, IDLast4: doc.IDLast4, Comorbidity: doc.Comorbidity}
	v.Joined, v.Draws = p.row.Joined, drawsOf(p.row)
	history := given(doses)
	v.Status = rules.Status(history)
	for _, d := range doses {
		if !d.counts() {
			continue
		}
		v.Product = d.Product
		switch d.Sequence {
		case 1:
			v.Dose1 = d.day()
		case 2:
			v.Dose2 = d.day()
		}
	}
	return v, nil
}

// birth of an identity document.
func (d identity) birth() rules.Birth {
	var day civil.Date
	_ = day.UnmarshalText([]byte(d.BirthDate)) // written by us; a bad one is no date
	return rules.Birth{Year: d.BirthYear, Date: day}
}

// Openings implements the vault's word: a person's own access history. Reading
// it is an opening too.
func (k *Keeper) Openings(ctx context.Context, r vault.OpeningsRequest) (vault.Openings, error) {
	if r.Limit < 1 || r.Limit > 200 {
		r.Limit = 50
	}
	var rows []state.Entry
	var who map[id.Person]id.Reference
	var viewID string
	var withheld []id.Reference
	receipts, err := k.update(ctx, func(t *txn) error {
		rows, who, viewID, withheld = nil, map[id.Person]id.Reference{}, newViewID(), nil
		house, bearer, err := t.live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.household(house)
		if err != nil {
			return err
		}
		found := r.Person == ""
		for _, m := range activeMembers(h) {
			if r.Person != "" && r.Person != m.Person {
				continue
			}
			found = true
			tag := k.keys.PersonTag(m.Person)
			p, err := t.person(m.Person)
			if err != nil {
				return err
			}
			if err := t.guarded(bearer, house, m.Person, p); fault.Is(err, fault.Forbidden) && r.Person == "" {
				withheld = append(withheld, p.Reference)
				continue
			} else if err != nil {
				return err
			}
			who[m.Person] = p.Reference
			page, err := t.Tx.ByPerson(ctx, tag, r.Before, r.Limit)
			if err != nil {
				return err
			}
			rows = append(rows, page...)
			t.Append(engine.Entry{Kind: "opening", Person: m.Person, House: house, View: viewOpenings, Role: "holder", ViewID: viewID})
		}
		if !found {
			return notYours()
		}
		return nil
	})
	if err != nil {
		return vault.Openings{}, err
	}
	out := vault.Openings{ViewRef: k.viewRef(viewID), Receipts: receipts, Entries: []vault.Opening{}, Withheld: withheld}
	sortNewest(rows)
	for _, row := range rows[:min(len(rows), r.Limit)] {
		e, err := k.eng.OpenEntry(row)
		if err != nil {
			return vault.Openings{}, err
		}
		o := vault.Opening{Index: e.Index, At: e.At, Person: e.Person, Reference: who[e.Person], Kind: e.Kind, View: e.View, Role: e.Role, Place: e.Place, Reason: e.Reason}
		if e.ViewID != "" {
			o.ViewRef = k.viewRef(e.ViewID)
		}
		out.Entries = append(out.Entries, o)
	}
	return out, nil
}

// viewRef is the reference printed wherever a view is shown: 13 base32 digits
// (65 bits) of a MAC over the view's id.
func (k *Keeper) viewRef(viewID string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(k.keys.MAC(keyring.PurposeView, []byte("view"), []byte(viewID)))[:13]
}

func newViewID() string { return strings.ToUpper(id.Secret(16)) }
