package keeper

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/figures"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

const viewMerge = "both registrations, to join them"

// Merge implements the vault's word. It opens both people as a ledgered view,
// compares them, and seals the doses of the one who ends anew under the key of
// the one who goes on. The end of the other is tied to the commit of that seal
// (finishMerge), so that a crash leaves two people or one, never one and a half.
func (k *Keeper) Merge(ctx context.Context, r vault.MergeRequest) (vault.MergeSealed, error) {
	keep, other := r.Keep.Person, r.Merge.Person
	if keep == "" || other == "" || keep == other {
		return vault.MergeSealed{}, fault.New(fault.Invalid, "USRRES0002", "two different beneficiaries are joined")
	}
	var again *vault.MergeSealed
	o, err := k.open(ctx, func(t *txn, o *release.Opening) (err error) {
		again, err = t.mayMerge(r)
		if err != nil || again != nil {
			return err
		}
		records := map[id.Person]vault.Record{keep: r.Keep, other: r.Merge}
		return t.Release(o, []id.Person{keep, other}, records, release.Claim{View: viewMerge, Role: "holder"})
	})
	if err != nil {
		return vault.MergeSealed{}, err
	}
	if again != nil {
		return *again, nil
	}
	if len(o.People) != 2 {
		return vault.MergeSealed{}, signin.NotYours()
	}
	docs, err := k.joined(o.People[0], o.People[1])
	if err != nil {
		return vault.MergeSealed{}, err
	}
	var out vault.MergeSealed
	receipts, err := k.update(ctx, func(t *txn) (err error) {
		if again, err = t.mayMerge(r); err != nil {
			return err
		}
		if again != nil {
			out = *again
			return nil
		}
		for _, p := range o.People {
			if err := t.unchanged(p); err != nil {
				return err
			}
		}
		out, err = t.sealMerge(o.People[0], o.People[1], docs)
		return err
	})
	if err != nil {
		return vault.MergeSealed{}, err
	}
	out.Seal.Receipt = done(receipts).Receipt
	return out, nil
}

// mayMerge checks the evidence and that nothing of the person who is to end is
// under way. It answers a repeated request with the seal that waits.
func (t *txn) mayMerge(r vault.MergeRequest) (*vault.MergeSealed, error) {
	house, bearer, err := t.Live(r.Holder)
	if err != nil {
		return nil, err
	}
	if bearer.Person != "" {
		return nil, signin.CardCannot()
	}
	h, err := t.Household(house)
	if err != nil {
		return nil, err
	}
	keep, err := t.member(h, r.Keep.Person)
	if err != nil {
		return nil, err
	}
	other, err := t.member(h, r.Merge.Person)
	if err != nil && ablate.Off(ablate.Ownership) {
		other, err = t.Person(r.Merge.Person)
	}
	if err != nil {
		return nil, err
	}
	for _, one := range []struct {
		id  id.Person
		row state.Person
	}{{r.Keep.Person, keep}, {r.Merge.Person, other}} {
		if err := t.guarded(bearer, house, one.id, one.row); err != nil {
			return nil, err
		}
	}
	for _, s := range keep.Pending {
		if s.Merge == r.Merge.Person && s.Base == keep.Seq && s.MergeSeq == other.Seq && int64(len(r.Keep.Parts)) == keep.Seq {
			return &vault.MergeSealed{Seal: vault.Seal{ID: s.ID, Person: r.Keep.Person, Parts: s.Parts}, Merged: s.Merge}, nil
		}
	}
	if again, err := t.storedMerge(r, keep); err != nil || again != nil {
		return again, err
	}
	for _, p := range []state.Person{keep, other} {
		if busy, err := t.Merging(p); err != nil || busy {
			return nil, cmp.Or(err, release.ErrMerging())
		}
	}
	for _, b := range other.Bookings {
		if pendingDraw(b) && !t.over(b) {
			return nil, fault.New(fault.Conflict, "booked", "cancel the appointment of the registration that ends first")
		}
	}
	if len(release.UnderWay(other, t.k.now())) > 0 && int64(len(r.Merge.Parts)) <= other.Seq {
		return nil, fault.New(fault.Conflict, "record", "the record changed meanwhile; try again")
	}
	return nil, nil
}

// storedMerge ends a merge whose report has not come, when the record shows it
// as stored. It answers a seal without parts.
func (t *txn) storedMerge(r vault.MergeRequest, keep state.Person) (*vault.MergeSealed, error) {
	if !slices.ContainsFunc(keep.Pending, func(s state.Seal) bool { return s.Merge == r.Merge.Person }) {
		return nil, nil
	}
	i, err := t.k.release.MatchRecord(r.Keep.Person, keep, r.Keep)
	if err != nil || i < 0 || keep.Pending[i].Merge != r.Merge.Person {
		return nil, err
	}
	if err := t.Advance(r.Keep.Person, &keep, i); err != nil {
		return nil, err
	}
	out := &vault.MergeSealed{Seal: vault.Seal{Person: r.Keep.Person}, Merged: r.Merge.Person}
	return out, engine.Put(t, state.Persons, string(r.Keep.Person), keep, 0)
}

// joinedDose is a dose as it stands after the merge: of the person who goes on
// (part named), or of the one who ends.
type joinedDose struct {
	part vault.Part // "" for one that comes from the other
	doc  release.Dose
	was  release.Dose
}

// joined compares two people and numbers their doses anew.
func (k *Keeper) joined(keep, other release.Person) ([]joinedDose, error) {
	a, err := keep.Identity(k.keys)
	if err != nil {
		return nil, err
	}
	b, err := other.Identity(k.keys)
	if err != nil {
		return nil, err
	}
	dates := a.BirthDate == "" || b.BirthDate == "" || a.BirthDate == b.BirthDate
	if !strings.EqualFold(a.Name, b.Name) || a.BirthYear != b.BirthYear || a.GenderID != b.GenderID || !dates {
		return nil, fault.New(fault.Conflict, "different", "name, birth year and gender of the two registrations are not the same")
	}
	mine, err := keep.Doses(k.keys)
	if err != nil {
		return nil, err
	}
	theirs, err := other.Doses(k.keys)
	if err != nil {
		return nil, err
	}
	all := append(slices.Clone(mine), theirs...)
	birth := a.Birth()
	if birth.Date.IsZero() {
		birth = b.Birth()
	}
	var out []joinedDose
	for i, j := range rules.Join(release.Given(all), birth) {
		d := all[i]
		changed := i >= len(mine)
		if d.Counts() && (j.Dose != d.Sequence || !j.Counts) {
			changed = true
			d.Sequence = j.Dose
			if !j.Counts {
				d.Status, d.NotCounted = rules.StatusNotCounted, j.Reason
			}
		}
		if !changed {
			continue
		}
		jd := joinedDose{part: vault.Part(vault.PartDosePrefix + string(d.Event)), doc: d, was: all[i]}
		if i >= len(mine) {
			jd.part = ""
			jd.doc.FromPerson, jd.doc.FromReference, jd.doc.FromEvent = other.ID, b.Reference, d.Event
			jd.doc.Event = id.Event(id.NewOrdered())
		}
		out = append(out, jd)
	}
	return out, nil
}

// sealMerge seals the joined doses, and the holder's act, on the head of the
// person who goes on.
func (t *txn) sealMerge(keep, other release.Person, docs []joinedDose) (vault.MergeSealed, error) {
	none := vault.MergeSealed{}
	p, err := t.Person(keep.ID)
	if err != nil {
		return none, err
	}
	o, err := t.Person(other.ID)
	if err != nil {
		return none, err
	}
	key, err := t.k.keys.DataKey(keep.ID, p)
	if err != nil {
		return none, err
	}
	now := t.k.now().UnixMilli()
	seal := state.Seal{ID: id.New(), Key: "merge/" + string(other.ID), Merge: other.ID, MergeSeq: o.Seq}
	who, err := keep.Identity(t.k.keys)
	if err != nil {
		return none, err
	}
	change := figures.Counts{}
	for _, d := range docs {
		// Of a person who is not counted yet nothing is; Recount does it.
		if d.part == "" && o.Band == nil || d.part != "" && p.Band == nil {
			d.was = release.Dose{}
		}
		if p.Band == nil {
			d.doc = release.Dose{}
		}
		change.Changed(d.was, d.doc, who.GenderID)
	}
	if seal.Count, err = t.k.figures.Seal(keep.ID, change); err != nil {
		return none, err
	}
	add := func(part vault.Part, version int, doc any) error {
		s, err := t.k.keys.SealPart(keep.ID, key, p.Seq+int64(len(seal.Parts))+1, part, version, doc)
		seal.Parts = append(seal.Parts, s)
		return err
	}
	for _, d := range docs {
		part, version := d.part, 1
		if part == "" {
			part = vault.Part(vault.PartDosePrefix + string(d.doc.Event))
		} else {
			version = p.Parts[part] + 1
		}
		if err := add(part, version, d.doc); err != nil {
			return none, err
		}
	}
	ev := id.Event(id.NewOrdered())
	act := release.Consent{Schema: keyring.BlobSchema, Event: ev, Version: "merge", Purpose: "joined with registration " + string(o.Reference), By: "holder", At: now}
	if err := add(vault.Part(vault.PartConsentPrefix+string(ev)), 1, act); err != nil {
		return none, err
	}
	if err := t.AddSeal(keep.ID, &p, seal, engine.Entry{House: p.Household, View: "registrations joined", Role: "holder"}); err != nil {
		return none, err
	}
	o.Merging = &state.MergeRef{Into: keep.ID, Seal: seal.ID, At: now}
	if err := t.Tx.AddTask(t.Ctx, state.Task{ID: release.MergeTask(seal.ID), Kind: vault.WorkMerge, Person: keep.ID, Ref: seal.ID, Since: now}); err != nil {
		return none, err
	}
	if err := engine.Put(t, state.Persons, string(other.ID), o, 0); err != nil {
		return none, err
	}
	out := vault.MergeSealed{Seal: vault.Seal{ID: seal.ID, Person: keep.ID, Parts: seal.Parts}, Merged: other.ID}
	return out, engine.Put(t, state.Persons, string(keep.ID), p, 0)
}

// finishMerge ends the other person once the merge is stored. Their parts and
// key stay as they are: nothing is lost, and nobody but an approved case opens
// them. A person who changed in spite of errMerging goes on.
func (t *txn) finishMerge(keep *state.Person, s state.Seal) error {
	o, err := t.Person(s.Merge)
	if err != nil || o.State == state.Merged || o.State == state.Removed {
		return err
	}
	if o.Seq != s.MergeSeq || o.Merging == nil || o.Merging.Seal != s.ID {
		t.k.log.Error("a merge was stored, but the other registration has changed: both go on")
		return nil
	}
	h, err := t.Household(o.Household)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(h.Members, func(m state.Member) bool { return m.Person == s.Merge && m.State != state.Removed })
	if i < 0 {
		return state.Integrity(state.Households, "a person is not in their household")
	}
	if err := t.dropTag(h.Members[i].IDTag, s.Merge); err != nil {
		return err
	}
	h.Members[i].State, h.Members[i].IDTag = state.Removed, ""
	if err := engine.Put(t, state.Households, string(o.Household), h, 0); err != nil {
		return err
	}
	if err := t.EndSeals(&o); err != nil {
		return err
	}
	if err := t.voidCard(&o); err != nil {
		return err
	}
	if err := t.k.figures.Unregistered(t.Engine(), &t.counted, s.Merge, &o); err != nil {
		return err
	}
	o.State, o.Flags = state.Merged, nil
	keep.Joined = append(append(keep.Joined, s.Merge), o.Joined...)
	t.Append(engine.Entry{Kind: "merged", Person: s.Merge, House: o.Household, View: "joined with another registration", Role: "holder", Evidence: string(o.Merging.Into)})
	const why = "joined with another registration"
	if err := t.revokeCertificates(s.Merge, o.Household, why); err != nil {
		return err
	}
	if slices.ContainsFunc(s.Parts, func(p vault.Sealed) bool { return p.Version > 1 }) { // a dose has another number now
		if err := t.revokeCertificates(o.Merging.Into, keep.Household, why); err != nil {
			return err
		}
	}
	task := state.Task{ID: removeTask(s.Merge), Kind: vault.WorkRemove, Person: s.Merge, Since: o.Merging.At}
	if err := t.Tx.AddTask(t.Ctx, task); err != nil {
		return err
	}
	return engine.Put(t, state.Persons, string(s.Merge), o, 0)
}
