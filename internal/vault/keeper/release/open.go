package release

import (
	"cmp"
	"context"
	"crypto/cipher"
	"encoding/base32"
	"slices"
	"strings"
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
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/state"
)

// Opening is a released right to read some people's parts: it exists only after
// its ledger entries are durable, and it is the only way to the plaintext.
type Opening struct {
	ViewID   string
	Receipts []string
	People   []Person

	entered []id.Person // those for whom Release wrote an entry
}

// Person is somebody whose parts may be opened now.
type Person struct {
	ID     id.Person
	Row    state.Person
	Key    cipher.AEAD
	Record vault.Record
}

// Claim is who asks and why; it becomes one entry per person. also is what else the
// transaction does for each person opened, nil for nothing.
type Claim struct {
	View, Role, Actor, Place, Reason, Evidence string
	Kind                                       string        // of the entry; "" is opening
	Permit                                     policy.Permit // of staff: the policies' leave for this view
	Also                                       func(person id.Person, viewID string) error
}

// Release checks that records match their heads inside t, advances heads over
// seals the records show as stored, and appends one opening entry per person. Without
// leave of the policies for the claim's view it is a fault.Forbidden.
func (t *Txn) Release(o *Opening, people []id.Person, records map[id.Person]vault.Record, c Claim) error {
	if c.Role == permits.Holder || c.Role == permits.Partner || c.Role == permits.System {
		c.Permit = t.k.asks.Own(c.Role, c.View)
	}
	if !c.Permit.Shows(c.View) {
		return permits.Denied()
	}
	o.ViewID, o.People, o.entered = NewViewID(), nil, nil
	for _, person := range people {
		p, err := t.Person(person)
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
		i, err := t.k.MatchRecord(person, p, rec)
		if err != nil {
			return err
		}
		if i >= 0 {
			if s := p.Pending[i]; s.Merge != "" { // the other ends now: one person is shown
				o.People = slices.DeleteFunc(o.People, func(p Person) bool { return p.ID == s.Merge })
			}
			if err := t.Advance(person, &p, i); err != nil {
				return err
			}
			if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
				return err
			}
		}
		t.Append(engine.Entry{Kind: cmp.Or(c.Kind, "opening"), Person: person, House: p.Household, View: c.View, Role: c.Role, Actor: c.Actor, Place: c.Place,
			Reason: c.Reason, Evidence: c.Evidence, ViewID: o.ViewID, Policy: c.Permit.Policies()})
		if c.Also != nil {
			if err := c.Also(person, o.ViewID); err != nil {
				return err
			}
		}
		o.People, o.entered = append(o.People, Person{ID: person, Row: p, Record: rec}), append(o.entered, person)
	}
	return nil
}

// Open runs decide in a transaction and, once its entries are durable, unwraps
// the data keys. No part of a person is decrypted before (I1).
func (k *Desk) Open(ctx context.Context, decide func(*engine.Txn, *Opening) error) (*Opening, error) {
	var o *Opening
	run := func(t *engine.Txn) error {
		o = &Opening{}
		return decide(t, o)
	}
	var err error
	if ablate.Off(ablate.ReceiptFirst) {
		err = k.openFirst(ctx, run)
	} else {
		var receipts []string
		receipts, err = k.eng.Update(ctx, run)
		if err == nil {
			o.Receipts = receipts
			ablate.Crash("open:after-receipt")
		}
	}
	if err != nil {
		return nil, err
	}
	if err := o.Unwrap(k.keys); err != nil {
		return nil, err
	}
	return o, nil
}

// Unwrap unwraps the data keys of an opening's people. It belongs after the commit of their
// entries. fault.Integrity for somebody whom Release wrote no entry for, whoever put them there.
func (o *Opening) Unwrap(keys *keyring.Ring) (err error) {
	for i := range o.People {
		p := &o.People[i]
		if !slices.Contains(o.entered, p.ID) {
			return fault.New(fault.Integrity, "opening", "nobody's data key is unwrapped without their entry")
		}
		if p.Key, err = keys.DataKey(p.ID, p.Row); err != nil {
			return err
		}
	}
	return nil
}

// openFirst decides without waiting for the ledger: the entries follow later,
// or never. Only in builds that switch controls off.
func (k *Desk) openFirst(ctx context.Context, run func(*engine.Txn) error) error {
	err := k.eng.View(ctx, func(t *engine.Txn) error {
		t.ReadOnly()
		return run(t)
	})
	go func() {
		time.Sleep(300 * time.Millisecond)
		ablate.Crash("open:after-receipt")
		_, _ = k.eng.Update(context.WithoutCancel(ctx), run)
	}()
	return err
}

// Identity opens who the person is.
func (p Person) Identity(keys *keyring.Ring) (Identity, error) {
	var doc Identity
	s, ok := Current(p.Record)[vault.PartIdentity]
	if !ok {
		return doc, keyring.Altered("a person without identity")
	}
	return doc, keys.OpenPart(p.ID, p.Key, s, &doc)
}

// IsDose says whether a part is a dose.
func IsDose(part vault.Part) bool { return strings.HasPrefix(string(part), vault.PartDosePrefix) }

// Doses opens a person's dose events, in the order they were sealed.
func (p Person) Doses(keys *keyring.Ring) ([]Dose, error) {
	cur := Current(p.Record)
	var out []Dose
	for _, s := range p.Record.Parts {
		if !IsDose(s.Part) || cur[s.Part].Version != s.Version {
			continue
		}
		var d Dose
		if err := keys.OpenPart(p.ID, p.Key, s, &d); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Birth of an identity document.
func (d Identity) Birth() rules.Birth {
	var day civil.Date
	_ = day.UnmarshalText([]byte(d.BirthDate)) // written by us; a bad one is no date
	return rules.Birth{Year: d.BirthYear, Date: day}
}

// ViewRef is the reference printed wherever a view is shown: 13 base32 digits
// (65 bits) of a MAC over the view's id.
func (k *Desk) ViewRef(viewID string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(k.keys.MAC(keyring.PurposeView, []byte("view"), []byte(viewID)))[:13]
}

// NewViewID is the random id of a view.
func NewViewID() string { return strings.ToUpper(id.Secret(16)) }

// Dose opens one event of a person. fault.NotFound when there is no such event.
func (p Person) Dose(keys *keyring.Ring, event id.Event) (Dose, int, error) {
	var doc Dose
	part := vault.Part(vault.PartDosePrefix + string(event))
	s, ok := Current(p.Record)[part]
	if !ok {
		return doc, 0, fault.New(fault.NotFound, "event", "no such dose of this person")
	}
	return doc, s.Version, keys.OpenPart(p.ID, p.Key, s, &doc)
}

// Fits refuses a dose that would count beside another one of the same number
// and programme: a person has one first dose. What was given outside its window
// was given all the same, and counts.
func (p Person) Fits(keys *keyring.Ring, doc Dose) error {
	if !doc.Counts() {
		return nil
	}
	all, err := p.Doses(keys)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Event != doc.Event && d.Counts() && d.Programme == doc.Programme && d.Sequence == doc.Sequence {
			return fault.New(fault.Conflict, "sequence", "a dose of this number is recorded already; the centre has to correct one of them first")
		}
	}
	return nil
}

// Grown is unchanged for a row that was read.
func (o Person) Grown(now state.Person) error {
	if now.Seq != o.Row.Seq || (now.Band == nil) != (o.Row.Band == nil) { // counted meanwhile: its change would be lost
		return fault.New(fault.Conflict, "record", "the record changed meanwhile; try again")
	}
	return nil
}
