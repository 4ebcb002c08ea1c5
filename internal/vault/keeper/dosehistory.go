package keeper

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// viewDoses is every dose event of a person, as the person sees it.
const viewDoses = "all dose events"

// Doses implements the vault's word: every dose event of the household's people,
// also those that do not count.
func (k *Keeper) Doses(ctx context.Context, r vault.DosesRequest) (vault.Doses, error) {
	var withheld []id.Reference
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		withheld = nil
		house, bearer, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		people, records, err := signin.MembersOf(h, r.Records, true)
		if err != nil {
			return err
		}
		if people, withheld, err = t.unguarded(bearer, house, people); err != nil {
			return err
		}
		return t.Release(o, people, records, release.Claim{View: viewDoses, Role: "holder"})
	})
	if err != nil {
		return vault.Doses{}, err
	}
	out := vault.Doses{Events: []vault.DoseEvent{}, ViewRef: k.release.ViewRef(o.ViewID), Receipts: o.Receipts, Withheld: withheld}
	for _, p := range o.People {
		docs, err := p.Doses(k.keys)
		if err != nil {
			return vault.Doses{}, err
		}
		versions := release.Current(p.Record)
		for _, d := range docs {
			part := vault.Part(vault.PartDosePrefix + string(d.Event))
			out.Events = append(out.Events, vault.DoseEvent{Person: p.ID, Reference: p.Row.Reference, Event: d.Event, Product: d.Product, Lot: d.Lot,
				Sequence: d.Sequence, Day: d.Day(), Place: d.CentreName, Source: d.Source, Country: d.Country, Status: d.Status, Reason: d.Reason,
				Recorded: d.RecordedAt, Changes: versions[part].Version - 1})
		}
	}
	return out, nil
}

// reasonText checks a reason that people write.
func reasonText(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || !rules.Printable(text) {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: reason (a short text)")
	}
	return text, nil
}

// AnswerDose implements the vault's word: the holder confirms a dose that was
// recorded without evidence, or says that it is not theirs. Doses recorded with
// the person's code are not the holder's alone to change.
func (k *Keeper) AnswerDose(ctx context.Context, r vault.AnswerDoseRequest) (vault.Amended, error) {
	reason := "confirmed by the holder"
	if !r.Confirm {
		var err error
		if reason, err = reasonText(r.Reason); err != nil {
			return vault.Amended{}, err
		}
	}
	person := r.Record.Person
	mine := func(t *txn) error {
		house, bearer, err := t.Live(r.Holder)
		if err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil {
			return err
		}
		p, err := t.member(h, person)
		if err != nil && ablate.Off(ablate.Ownership) {
			return nil
		}
		if err == nil {
			err = t.guarded(bearer, house, person, p)
		}
		return err
	}
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		if err := mine(t); err != nil {
			return err
		}
		return t.Release(o, []id.Person{person}, map[id.Person]vault.Record{person: r.Record}, release.Claim{View: viewDoses, Role: "holder", Reason: "answer"})
	})
	if err != nil {
		return vault.Amended{}, err
	}
	if len(o.People) != 1 {
		return vault.Amended{}, signin.NotYours()
	}
	op := o.People[0]
	doc, version, err := op.Dose(k.keys, r.Event)
	if err != nil {
		return vault.Amended{}, err
	}
	want := rules.StatusConfirmed
	if !r.Confirm {
		want = rules.StatusRevoked
	}
	if doc.Status == want && doc.ChangedBy == "holder" {
		return vault.Amended{Seal: vault.Seal{Person: person}}, nil // said before
	}
	if doc.Status != rules.StatusUnconfirmed {
		return vault.Amended{}, fault.New(fault.Conflict, "confirmed", "this dose waits for no answer; what was recorded with your code is corrected at the centre")
	}
	doc.Status, doc.Reason, doc.ChangedBy, doc.ChangedAt, doc.Change = want, reason, "holder", k.now().UnixMilli(), ""
	if err := op.Fits(k.keys, doc); err != nil {
		return vault.Amended{}, err
	}
	how := "dose confirmed"
	if !r.Confirm {
		how = "dose disputed"
	}
	return k.amend(ctx, op, doc, version+1, "", engine.Entry{View: how, Role: "holder", Reason: reason}, func(t *txn) error {
		err := mine(t)
		switch {
		case err != nil:
		case !r.Confirm:
			err = t.freeEvent(r.Event, person)
		default:
			err = t.earned(person, doc)
		}
		return err
	})
}

// amend seals a further version of a dose event on top of the head that was
// opened; the versions before stay.
func (k *Keeper) amend(ctx context.Context, op release.Person, doc release.Dose, version int, revokes string, e engine.Entry, still func(*txn) error) (vault.Amended, error) {
	if err := doc.Validate(); err != nil {
		return vault.Amended{}, err
	}
	key := doc.Status + "/" + hex.EncodeToString(k.keys.MAC(keyring.PurposeBooking, []byte("amend"), []byte(doc.Reason), []byte(doc.ChangedBy))[:8])
	var before release.Dose
	if version > 1 {
		var err error
		if before, _, err = op.Dose(k.keys, doc.Event); err != nil {
			return vault.Amended{}, err
		}
	}
	count, err := k.figures.SealDose(op, before, doc)
	if err != nil {
		return vault.Amended{}, err
	}
	var out vault.Amended
	receipts, err := k.update(ctx, func(t *txn) error {
		if err := still(t); err != nil {
			return err
		}
		p, err := t.Person(op.ID)
		if err != nil {
			return err
		}
		if err := op.Grown(p); err != nil {
			return err
		}
		part := vault.Part(vault.PartDosePrefix + string(doc.Event))
		// The same change under way: its seal again, so that a repetition ends it.
		if i := slices.IndexFunc(p.Pending, func(s state.Seal) bool {
			return s.Base == p.Seq && slices.ContainsFunc(s.Parts, func(x vault.Sealed) bool { return x.Part == part && x.Version == version })
		}); i >= 0 && p.Pending[i].Key == key {
			out.Seal = vault.Seal{ID: p.Pending[i].ID, Person: op.ID, Parts: p.Pending[i].Parts}
			return nil
		}
		seal, err := t.sealDoc(op.ID, &p, part, version, doc, state.Seal{Key: key, Revokes: revokes, Count: count}, e)
		out.Seal = seal
		return err
	})
	if err == nil {
		out.Seal.Receipt = done(receipts).Receipt
	}
	return out, err
}
