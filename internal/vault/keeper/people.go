package keeper

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
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

// Membership implements the vault's word.
func (k *Keeper) Membership(ctx context.Context, h vault.Holder) (vault.Membership, error) {
	var out vault.Membership
	err := k.view(ctx, func(t *txn) error {
		v, err := k.partners.Visit(t.Txn, h, "", false)
		if err != nil {
			return err
		}
		out = vault.Membership{Household: v.House, ExpiresAt: v.Bearer.Expires}
		if v.House == "" {
			return nil // a partner's, for a number that nobody is registered under
		}
		row, err := t.Household(v.House)
		if err != nil {
			return err
		}
		for _, m := range signin.ActiveMembers(row) {
			p, err := t.Person(m.Person)
			if err != nil {
				return err
			}
			out.Members = append(out.Members, vault.Member{Person: m.Person, Slot: m.Slot, Pending: p.State == state.Pending})
		}
		return nil
	})
	return out, err
}

// member returns a person of the holder's household; fault.NotFound otherwise,
// whether the person exists or not.
func (t *txn) member(row state.Household, p id.Person) (state.Person, error) {
	for _, m := range signin.ActiveMembers(row) {
		if m.Person == p || ablate.Off(ablate.Ownership) {
			return t.Person(p)
		}
	}
	return state.Person{}, signin.NotYours()
}

// checkedIdentity validates an identity and splits the id number off it.
func (k *Keeper) checkedIdentity(in vault.Identity) (doc release.Identity, canonicalID string, err error) {
	normal := rules.NormalizeName
	if ablate.Off(ablate.NameForm) {
		normal = func(raw string) (string, error) { return raw, nil }
	}
	name, err := normal(in.Name)
	if err != nil {
		return doc, "", err
	}
	local, guardian := "", ""
	if in.NameLocal != "" {
		if local, err = normal(in.NameLocal); err != nil {
			return doc, "", err
		}
	}
	if in.Guardian != "" {
		if guardian, err = normal(in.Guardian); err != nil {
			return doc, "", err
		}
	}
	if !rules.ValidGender(in.GenderID) {
		return doc, "", fault.New(fault.Invalid, "USRRES0001", "gender_id is not one of the listed genders")
	}
	canonicalID, err = rules.ParseIDNumber(in.IDType, in.IDNumber)
	if err != nil {
		return doc, "", err
	}
	birth := rules.Birth{Year: in.BirthYear, Date: in.BirthDate}
	today := civil.Of(k.now())
	if err := birth.Check(today); err != nil {
		return doc, "", err
	}
	doc = release.Identity{Schema: keyring.BlobSchema, Name: name, NameLocal: local, BirthYear: in.BirthYear, BirthDate: in.BirthDate.String(),
		GenderID: in.GenderID, IDType: in.IDType, IDLast4: rules.Last4(canonicalID), Comorbidity: in.Comorbidity, Guardian: guardian,
		Created: k.now().UnixMilli()}
	return doc, canonicalID, nil
}

// Enrol implements the vault's word.
func (k *Keeper) Enrol(ctx context.Context, r vault.EnrolRequest) (vault.Enrolled, error) {
	doc, number, err := k.checkedIdentity(r.Identity)
	if err != nil {
		return vault.Enrolled{}, err
	}
	if r.Consent.Version == "" || len(r.Consent.Version) > 32 {
		return vault.Enrolled{}, fault.New(fault.Invalid, "USRRES0001", "consent_version is missing")
	}
	if !rules.PublishedConsent(r.Consent.Version) {
		return vault.Enrolled{}, fault.New(fault.Invalid, "consent", "consent_version is not one that was published")
	}
	tags, err := k.keys.Tags(r.Identity.IDType, number)
	if err != nil {
		return vault.Enrolled{}, err
	}
	r.Identity.IDNumber = tags.Oldest()
	digest, err := k.enrolDigest(r.Identity, r.Consent)
	if err != nil {
		return vault.Enrolled{}, err
	}
	var out vault.Enrolled
	receipts, err := k.update(ctx, func(t *txn) error {
		out, t.Quiet = vault.Enrolled{}, !r.Receipts
		house, bearer, err := t.Early(r.Holder)
		if err != nil {
			return err
		}
		if bearer.Person != "" {
			return signin.CardCannot()
		}
		done, err := t.enrolledBefore(house, r.Key, digest, &out)
		if err == nil && !done {
			err = t.enrol(house, r, doc, tags, digest, &out)
		}
		out.ExpiresAt = bearer.Expires
		return err
	})
	if err == nil && len(receipts) > 0 {
		out.Seal.Receipt = receipts[0]
	}
	return out, err
}

// enrolDigest tells a repeated enrolment from another one. It stays in the
// database next to the id tag, and names are few: without the key it must
// confirm nobody's, so it is a MAC.
func (k *Keeper) enrolDigest(in vault.Identity, c vault.Consent) (vault.Hash, error) {
	raw, err := json.Marshal(struct {
		I vault.Identity
		C vault.Consent
	}{in, c})
	if err != nil {
		return vault.Hash{}, fault.Wrap(fault.Internal, err, "digest")
	}
	return vault.Hash(k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("enrolment"), raw)), nil
}

// enrolledBefore answers a repeated key: the same seal while it is pending, no
// parts once it is committed.
func (t *txn) enrolledBefore(house id.Household, key string, digest vault.Hash, out *vault.Enrolled) (bool, error) {
	if key == "" || len(key) > 200 {
		return false, fault.New(fault.Internal, "key", "an enrolment needs an idempotency key")
	}
	row, ok, err := engine.Get[state.Idempotency](t, state.Idempotencies, string(house)+"/"+key)
	if err != nil || !ok {
		return false, err
	}
	if row.Digest != digest {
		return false, fault.New(fault.Conflict, "key", "this idempotency key was used with another request")
	}
	return true, t.answerEnrolled(house, row.Person, out)
}

func (t *txn) answerEnrolled(house id.Household, person id.Person, out *vault.Enrolled) error {
	h, err := t.Household(house)
	if err != nil {
		return err
	}
	p, err := t.member(h, person)
	if err != nil {
		return err
	}
	*out = vault.Enrolled{Seal: vault.Seal{Person: person}, Reference: p.Reference, Household: house}
	for _, m := range h.Members {
		if m.Person == person {
			out.Slot = m.Slot
		}
	}
	if len(p.Pending) > 0 {
		out.Seal.ID, out.Seal.Parts = p.Pending[0].ID, p.Pending[0].Parts
	}
	return nil
}

// enrol seals a new person into the holder's household.
func (t *txn) enrol(house id.Household, r vault.EnrolRequest, doc release.Identity, tags keyring.Tags, digest vault.Hash, out *vault.Enrolled) error {
	return t.enrolBy(house, r, doc, tags, digest, engine.Entry{Role: "holder"}, out)
}

// enrolBy is enrol by whom an entry names.
func (t *txn) enrolBy(house id.Household, r vault.EnrolRequest, doc release.Identity, tags keyring.Tags, digest vault.Hash, by engine.Entry, out *vault.Enrolled) error {
	h, err := t.Household(house)
	if err != nil {
		return err
	}
	if again, err := t.enrolling(house, h, tags, digest, out); err != nil || again {
		return err
	}
	slot, err := t.freeSlot(house, &h, tags)
	if err != nil {
		return err
	}
	if err := t.within(boundEnrolments, house); err != nil {
		return err
	}
	person := id.Person(id.New())
	now := t.k.now().UnixMilli()
	doc.Reference = id.NewReference()
	p := state.Person{Household: house, Reference: doc.Reference, State: state.Pending, Chain: vault.ChainStart(t.k.keys.Realm, person), Created: now,
		Born: t.k.sealBorn(person, doc.Birth())}
	p.Epoch, p.Wrapped = t.k.keys.NewDataKey(person)
	key, err := t.k.keys.DataKey(person, p)
	if err != nil {
		return err
	}
	ev := id.Event(id.NewOrdered())
	docs := []struct {
		part vault.Part
		doc  any
	}{
		{vault.PartIdentity, doc},
		{vault.Part(vault.PartConsentPrefix + string(ev)), release.Consent{Schema: keyring.BlobSchema, Event: ev, Version: r.Consent.Version,
			Language: r.Consent.Language, Purpose: r.Consent.Purpose, By: by.Role, At: now}},
	}
	seal := state.Seal{ID: id.New(), Key: r.Key, Made: digest}
	first := figures.Counts{}
	p.Band = t.k.figures.Registered(first, person, doc)
	if seal.Count, err = t.k.figures.Seal(person, first); err != nil {
		return err
	}
	for i, d := range docs {
		s, err := t.k.keys.SealPart(person, key, int64(i)+1, d.part, 1, d.doc)
		if err != nil {
			return err
		}
		seal.Parts = append(seal.Parts, s)
	}
	if p.Flags, err = t.useTag(tags, house, person, now); err != nil {
		return err
	}
	by.House, by.View = house, "registration"
	if err := t.AddSeal(person, &p, seal, by); err != nil {
		return err
	}
	h.Members = append(h.Members, state.Member{Slot: slot, Person: person, State: state.Active, IDTag: tags.Current})
	if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
		return err
	}
	if err := engine.Put(t, state.Persons, string(person), p, 0); err != nil {
		return err
	}
	*out = vault.Enrolled{Seal: vault.Seal{ID: seal.ID, Person: person, Parts: seal.Parts}, Reference: doc.Reference, Household: house, Slot: slot}
	for _, m := range signin.ActiveMembers(h) {
		out.Members = append(out.Members, vault.Member{Person: m.Person, Slot: m.Slot})
	}
	row := state.Idempotency{Person: person, Digest: digest}
	return engine.Put(t, state.Idempotencies, string(house)+"/"+r.Key, row, now+release.PendingLife.Milliseconds())
}

// enrolling answers the pending seal again when the same person is already being
// enrolled under another key: the first try broke off, or was sent twice.
func (t *txn) enrolling(house id.Household, h state.Household, tags keyring.Tags, digest vault.Hash, out *vault.Enrolled) (bool, error) {
	for _, m := range signin.ActiveMembers(h) {
		if !tags.Is(m.IDTag) {
			continue
		}
		p, err := t.Person(m.Person)
		if err != nil {
			return false, err
		}
		if p.State == state.Pending && len(p.Pending) > 0 && p.Pending[0].Made == digest {
			return true, t.answerEnrolled(house, m.Person, out)
		}
	}
	return false, nil
}

// freeSlot finds a place, refusing a second use of an id number inside the
// household and a seventh member. An enrolment that nothing is known to be
// stored of after a day may be stored all the same, its report being late: it
// keeps its place until the place or its id is needed, and then it ends as a
// deletion does.
func (t *txn) freeSlot(house id.Household, h *state.Household, tags keyring.Tags) (int, error) {
	used := map[int]bool{}
	oldest, since := -1, t.k.now().Add(-release.PendingLife).UnixMilli()
	for i, m := range h.Members {
		if m.State == state.Removed {
			continue
		}
		p, err := t.Person(m.Person)
		if err != nil {
			return 0, err
		}
		lost := p.State == state.Pending && p.Created < since
		if tags.Is(m.IDTag) {
			if !lost {
				return 0, fault.New(fault.Conflict, "id-in-use", "this id document is already registered under this mobile")
			}
			if err := t.evict(house, &h.Members[i], p); err != nil {
				return 0, err
			}
			continue
		}
		used[m.Slot] = true
		if lost && oldest < 0 { // members stand in the order they came
			oldest = i
		}
	}
	for slot := 1; slot <= signin.MaxMembers; slot++ {
		if !used[slot] {
			return slot, nil
		}
	}
	if oldest < 0 {
		return 0, fault.New(fault.Full, "household", "six people can be registered under one mobile")
	}
	m := &h.Members[oldest]
	p, err := t.Person(m.Person)
	if err != nil {
		return 0, err
	}
	return m.Slot, t.evict(house, m, p)
}

// evict ends an enrolment that was never reported as stored.
func (t *txn) evict(house id.Household, m *state.Member, p state.Person) error {
	return t.leave(house, m, &p, engine.Entry{View: "registration never stored", Role: "system"})
}

// leave takes a person out of the household for good: tag, seals and data key
// go, and the registry is told through a task. The caller puts the household.
func (t *txn) leave(house id.Household, m *state.Member, p *state.Person, e engine.Entry) error {
	if err := t.dropTag(m.IDTag, m.Person); err != nil {
		return err
	}
	m.State, m.IDTag = state.Removed, ""
	if err := t.EndSeals(p); err != nil {
		return err
	}
	if err := t.voidCard(p); err != nil {
		return err
	}
	if err := t.k.figures.Unregistered(t.Engine(), &t.counted, m.Person, p); err != nil {
		return err
	}
	p.State, p.Wrapped, p.Flags, p.Born = state.Removed, nil, nil, nil
	t.mark(markErased, m.Person, 0)
	if e.Role != "system" { // one that was never stored is in no set
		if err := t.k.turns.Erased(t.Engine()); err != nil {
			return err
		}
	}
	e.Kind, e.Person, e.House = "removed", m.Person, house
	t.Append(e)
	task := state.Task{ID: removeTask(m.Person), Kind: "remove", Person: m.Person, Since: t.k.now().UnixMilli()}
	if err := t.Tx.AddTask(t.Ctx, task); err != nil {
		return err
	}
	return engine.Put(t, state.Persons, string(m.Person), *p, 0)
}

// useTag notes the use of an id number and flags one that is in use in another
// household. The caller outside never learns it (design.md 10).
func (t *txn) useTag(tags keyring.Tags, house id.Household, person id.Person, now int64) ([]string, error) {
	var flags []string
	var row state.IDTag
	for _, tag := range append(slices.Clone(tags.Old), tags.Current) {
		var err error
		if row, _, err = engine.Get[state.IDTag](t, state.IDTags, tag); err != nil {
			return nil, err
		}
		for _, u := range row.Uses {
			if u.Household != house {
				flags = []string{"id-elsewhere"}
			}
		}
	}
	if len(row.Uses) < 16 {
		row.Uses = append(row.Uses, state.IDUse{Household: house, Person: person, At: now})
	}
	return flags, engine.Put(t, state.IDTags, tags.Current, row, 0)
}

// Remove implements the vault's word: a registration goes until the first dose.
// The data key is destroyed, so the sealed parts never open again.
func (k *Keeper) Remove(ctx context.Context, r vault.RemoveRequest) (vault.Done, error) {
	person := r.Record.Person
	receipts, err := k.update(ctx, func(t *txn) error {
		m, err := t.mine(r.Holder, person)
		if err != nil {
			return err
		}
		house, p := m.house, m.person
		if err := t.removable(person, &p, r.Record); err != nil {
			return err
		}
		h, err := t.Household(house)
		if err != nil { // a merge may have ended just now
			return err
		}
		i := slices.IndexFunc(h.Members, func(m state.Member) bool { return m.Person == person && m.State != state.Removed })
		if err := t.leave(house, &h.Members[i], &p, engine.Entry{View: "registration deleted", Role: "holder"}); err != nil {
			return err
		}
		if _, err := t.notice(state.Notice{ID: "removed/" + string(person), Household: house, Kind: noticeRemoved}, 0, noticeLife); err != nil {
			return err
		}
		return engine.Put(t, state.Households, string(house), h, 0)
	})
	return done(receipts), err
}

func removeTask(p id.Person) string { return "remove/" + string(p) }

func (t *txn) removable(person id.Person, p *state.Person, rec vault.Record) error {
	if err := t.settledAs(person, p, rec); err != nil {
		return err
	}
	for part := range p.Parts {
		if release.IsDose(part) {
			return fault.New(fault.Conflict, "vaccinated", "a vaccinated person's registration cannot be deleted")
		}
	}
	return t.unbooked(*p)
}

// settledAs checks that the person is not being joined with another one and that the record
// is theirs, and takes into p what it shows as stored.
func (t *txn) settledAs(person id.Person, p *state.Person, rec vault.Record) error {
	if busy, err := t.Merging(*p); err != nil || busy {
		return cmp.Or(err, release.ErrMerging())
	}
	i, err := t.k.release.MatchRecord(person, *p, rec)
	if err != nil || i < 0 {
		return err
	}
	return t.Advance(person, p, i)
}

// unbooked refuses to let go of somebody who has an appointment.
func (t *txn) unbooked(p state.Person) error {
	for _, b := range p.Bookings {
		if pendingDraw(b) && !t.over(b) {
			return fault.New(fault.Conflict, "booked", "cancel the appointment before deleting the registration")
		}
	}
	return nil
}

func (t *txn) dropTag(tag string, person id.Person) error {
	row, ok, err := engine.Get[state.IDTag](t, state.IDTags, tag)
	if err != nil || !ok {
		return err
	}
	kept := row.Uses[:0]
	for _, u := range row.Uses {
		if u.Person != person {
			kept = append(kept, u)
		}
	}
	return engine.Put(t, state.IDTags, tag, state.IDTag{Uses: kept}, 0)
}

func done(receipts []string) vault.Done {
	if len(receipts) == 0 {
		return vault.Done{}
	}
	return vault.Done{Receipt: receipts[len(receipts)-1]}
}
