package keeper

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/figures"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

// seedling is one synthetic person, sealed, before it has a place in a household.
type seedling struct {
	person id.Person
	row    state.Person
	seal   state.Seal
	tags   keyring.Tags
}

// Seed adds synthetic households with past doses, sealed and ledgered like any
// other, all of one request in one transaction: people are sealed before it, and
// its first entry, which is about nobody, names the rows that it wrote. It exists
// only in a vault started for a demo, and only for the seeding role's socket. It
// may be repeated: who is stored is left out, who is not gets the same seal.
func (k *Keeper) Seed(ctx context.Context, r vault.SeedRequest) (vault.Seeded, error) {
	if !k.cfg.Demo {
		return vault.Seeded{}, fault.New(fault.Forbidden, "seed", "this vault was not started for a demo")
	}
	if len(r.Households) > vault.MaxSeedHouseholds {
		return vault.Seeded{}, fault.New(fault.Invalid, "seed", "too many households at once")
	}
	mobiles := make([]string, len(r.Households))
	members := make([][]seedling, len(r.Households))
	for i, h := range r.Households {
		var err error
		if h.Mobile == "" && len(h.Members) != 1 {
			return vault.Seeded{}, fault.New(fault.Invalid, "seed", "without a mobile there is one person to a household")
		}
		if h.Mobile != "" {
			if mobiles[i], err = rules.ParseMobile(h.Mobile, true); err != nil {
				return vault.Seeded{}, err
			}
		}
		for _, m := range h.Members {
			s, err := k.seedling(m)
			if err != nil {
				return vault.Seeded{}, err
			}
			members[i] = append(members[i], s)
		}
	}
	var out vault.Seeded
	_, err := k.update(ctx, func(t *txn) error {
		out, t.Quiet = vault.Seeded{}, true
		if len(r.Households) > 1 {
			t.Append(engine.Entry{Kind: "demo", View: "demo data", Role: "system"})
		}
		for i, mobile := range mobiles {
			add := t.seedHousehold
			if mobile == "" {
				add = t.seedUnlinked
			}
			people, err := add(mobile, members[i])
			if err != nil {
				return err
			}
			out.People = append(out.People, people...)
		}
		if len(out.People) == 0 { // all of them were there
			t.Withdraw()
		}
		return nil
	})
	return out, err
}

// seedling checks and seals one synthetic person with the doses of the past.
func (k *Keeper) seedling(m vault.SeedMember) (seedling, error) {
	var s seedling
	doc, number, err := k.checkedIdentity(m.Identity)
	if err != nil {
		return s, err
	}
	if s.tags, err = k.keys.Tags(m.Identity.IDType, number); err != nil {
		return s, err
	}
	now := k.now().UnixMilli()
	s.person, doc.Reference = id.Person(id.New()), id.NewReference()
	s.row = state.Person{Reference: doc.Reference, State: state.Pending, Chain: vault.ChainStart(k.keys.Realm, s.person), Created: now,
		Born: k.sealBorn(s.person, doc.Birth())}
	s.row.Epoch, s.row.Wrapped = k.keys.NewDataKey(s.person)
	key, err := k.keys.DataKey(s.person, s.row)
	if err != nil {
		return s, err
	}
	s.seal = state.Seal{ID: id.New(), Key: "seed"}
	add := func(part vault.Part, doc any) error {
		sealed, err := k.keys.SealPart(s.person, key, int64(len(s.seal.Parts))+1, part, 1, doc)
		s.seal.Parts = append(s.seal.Parts, sealed)
		return err
	}
	if err := add(vault.PartIdentity, doc); err != nil {
		return s, err
	}
	ev := id.Event(id.NewOrdered())
	if err := add(vault.Part(vault.PartConsentPrefix+string(ev)), release.Consent{Schema: keyring.BlobSchema, Event: ev, Version: m.Consent.Version,
		Language: m.Consent.Language, Purpose: m.Consent.Purpose, By: "holder", At: now}); err != nil {
		return s, err
	}
	change := figures.Counts{}
	s.row.Band = k.figures.Registered(change, s.person, doc)
	for _, d := range m.Doses {
		ev, dose, err := k.seedDose(d, now)
		if err != nil {
			return s, err
		}
		if err := add(vault.Part(vault.PartDosePrefix+string(ev)), dose); err != nil {
			return s, err
		}
		change.Changed(release.Dose{}, dose, doc.GenderID)
	}
	s.seal.Count, err = k.figures.Seal(s.person, change)
	return s, err
}

// seedDose is a past dose as its event is sealed.
func (k *Keeper) seedDose(d vault.SeedDose, now int64) (id.Event, release.Dose, error) {
	product, ok := rules.LookupProduct(d.Product)
	if !ok {
		return "", release.Dose{}, fault.New(fault.Invalid, "unknown_product", "unknown product in demo data")
	}
	loc, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		return "", release.Dose{}, fault.Wrap(fault.Internal, err, "zone")
	}
	ev := id.Event(id.NewOrdered())
	at := d.Given.In(loc).Add(11 * time.Hour).UnixMilli()
	doc := release.Dose{Schema: keyring.BlobSchema, Centre: d.Centre, CentreName: d.CentreName, District: d.District, State: d.State, Vaccinator: d.Vaccinator,
		DoseEvent: rules.NewDoseEvent(ev, product, d.Lot, d.Sequence, at, "Asia/Kolkata", rules.SourceHistorical, "demo")}
	doc.RecordedAt = now
	return ev, doc, nil
}

// seedHousehold adds people to the household of a mobile, made where there is
// none.
func (t *txn) seedHousehold(mobile string, members []seedling) ([]vault.Enrolled, error) {
	_, idx, there, err := numbers.Find(t, t.k.keys, mobile)
	if err != nil {
		return nil, err
	}
	house, h := idx.Household, state.Household{}
	if there {
		if h, err = t.Household(house); err != nil {
			return nil, err
		}
		if others(h, members) {
			return nil, nil
		}
	} else {
		house = id.Household(id.New())
		h = state.Household{Created: t.k.now().UnixMilli(), Seen: t.k.now().UnixMilli(),
			Mobile: t.k.keys.Contact.Seal(nil, nil, []byte(mobile), t.k.keys.ContactAAD("mobile", string(house))),
			Last4:  t.k.keys.Contact.Seal(nil, nil, []byte(mobile[len(mobile)-4:]), t.k.keys.ContactAAD("last4", string(house)))}
		if err := engine.Put(t, state.MobileIndexes, t.k.keys.BlindIndex(mobile), state.MobileIndex{Household: house}, 0); err != nil {
			return nil, err
		}
		t.Append(engine.Entry{Kind: "household", House: house, Role: "holder"})
	}
	var out []vault.Enrolled
	grown := !there
	for _, s := range members {
		e, added, err := t.seedMember(house, &h, s)
		if err != nil {
			return nil, err
		}
		grown = grown || added
		if e.Seal.ID != "" {
			out = append(out, e)
		}
	}
	if !grown {
		return out, nil
	}
	return out, engine.Put(t, state.Households, string(house), h, 0)
}

// seedUnlinked adds somebody without a mobile, in a household of their own that no
// number leads to, with a card that nobody has in hand. Their id tag finds them again.
func (t *txn) seedUnlinked(_ string, members []seedling) ([]vault.Enrolled, error) {
	s := members[0]
	row, _, err := engine.Get[state.IDTag](t, state.IDTags, s.tags.Current)
	if err != nil {
		return nil, err
	}
	if len(row.Uses) > 0 {
		u := row.Uses[0]
		p, err := t.Person(u.Person)
		if err != nil || p.State == state.Active || len(p.Pending) == 0 {
			return nil, err
		}
		seal := p.Pending[0]
		return []vault.Enrolled{{Seal: vault.Seal{ID: seal.ID, Person: u.Person, Parts: seal.Parts}, Reference: p.Reference, Household: u.Household, Slot: 1}}, nil
	}
	house := id.Household(id.New())
	h := state.Household{Created: t.k.now().UnixMilli(), Members: []state.Member{{Slot: 1, Person: s.person, State: state.Active, IDTag: s.tags.Current}}}
	if err := engine.Put(t, state.Households, string(house), h, 0); err != nil {
		return nil, err
	}
	e := vault.Enrolled{Seal: vault.Seal{ID: s.seal.ID, Person: s.person, Parts: s.seal.Parts}, Reference: s.row.Reference, Household: house, Slot: 1}
	return []vault.Enrolled{e}, t.seedPerson(house, s, true)
}

// others reports that a household has members and none of them is to be seeded: it
// is a visitor's, or stems from another programme, and stays as it is.
func others(h state.Household, members []seedling) bool {
	have := signin.ActiveMembers(h)
	return len(have) > 0 && !slices.ContainsFunc(have, func(m state.Member) bool {
		return slices.ContainsFunc(members, func(s seedling) bool { return s.tags.Is(m.IDTag) })
	})
}

// seedMember finds a synthetic person in the household, or adds it.
func (t *txn) seedMember(house id.Household, h *state.Household, s seedling) (e vault.Enrolled, added bool, err error) {
	for _, m := range signin.ActiveMembers(*h) {
		if !s.tags.Is(m.IDTag) {
			continue
		}
		p, err := t.Person(m.Person)
		if err != nil || p.State == state.Active || len(p.Pending) == 0 {
			return e, false, err
		}
		seal := p.Pending[0]
		return vault.Enrolled{Seal: vault.Seal{ID: seal.ID, Person: m.Person, Parts: seal.Parts}, Reference: p.Reference, Household: house, Slot: m.Slot}, false, nil
	}
	slot := len(h.Members) + 1
	if slot > signin.MaxMembers {
		return e, false, nil // visitors have filled it
	}
	h.Members = append(h.Members, state.Member{Slot: slot, Person: s.person, State: state.Active, IDTag: s.tags.Current})
	e = vault.Enrolled{Seal: vault.Seal{ID: s.seal.ID, Person: s.person, Parts: s.seal.Parts}, Reference: s.row.Reference, Household: house, Slot: slot}
	return e, true, t.seedPerson(house, s, false)
}

// seedPerson is the one place where a synthetic registration with its doses goes
// into the vault's rows and onto the ledger, perhaps with a card.
func (t *txn) seedPerson(house id.Household, s seedling, card bool) (err error) {
	p := s.row
	p.Household, p.Pending = house, nil
	if p.Flags, err = t.useTag(s.tags, house, s.person, p.Created); err != nil {
		return err
	}
	if err := t.AddSeal(s.person, &p, s.seal, engine.Entry{House: house, View: "demo data", Role: "system"}); err != nil {
		return err
	}
	if card {
		if _, _, err := t.issueCard(s.person, &p, engine.Entry{Role: "system"}); err != nil {
			return err
		}
	}
	return engine.Put(t, state.Persons, string(s.person), p, 0)
}
