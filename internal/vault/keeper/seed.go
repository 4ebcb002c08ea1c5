package keeper

import (
	"context"
	"fmt"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// Seed adds one synthetic household with past doses, sealed and ledgered like
// any other. It exists only in a vault started for a demo, and only for the
// seeding role's socket.
func (k *Keeper) Seed(ctx context.Context, r vault.SeedRequest) (vault.Seeded, error) {
	if !k.cfg.Demo {
		return vault.Seeded{}, fault.New(fault.Forbidden, "seed", "this vault was not started for a demo")
	}
	mobile, err := rules.ParseMobile(r.Mobile, true)
	if err != nil {
		return vault.Seeded{}, err
	}
	var out vault.Seeded
	_, err = k.update(ctx, func(t *txn) error {
		out = vault.Seeded{}
		house, _, err := t.householdOf(k.blindIndex(mobile), []byte(mobile), []byte(mobile[len(mobile)-4:]), k.now().UnixMilli())
		if err != nil {
			return err
		}
		for i, m := range r.Members {
			e, err := t.seedMember(house, fmt.Sprintf("seed-%d", i), m)
			if err != nil {
				return err
			}
			if e.Seal.ID != "" {
				out.People = append(out.People, e)
			}
		}
		return nil
	})
	return out, err
}

func (t *txn) seedMember(house id.Household, key string, m vault.SeedMember) (vault.Enrolled, error) {
	var out vault.Enrolled
	doc, number, err := t.k.checkedIdentity(m.Identity)
	if err != nil {
		return out, err
	}
	tag, err := t.k.idTag(m.Identity.IDType, number)
	if err != nil {
		return out, err
	}
	if done, err := t.enrolledBefore(house, key, vault.Hash{}, &out); err != nil || done {
		return out, err
	}
	// A key is remembered for a day; a demo may be started again after that.
	if there, err := t.seeded(house, tag); err != nil || there {
		return out, err
	}
	req := vault.EnrolRequest{Key: key, Identity: m.Identity, Consent: m.Consent}
	if err := t.enrol(house, req, doc, tag, vault.Hash{}, &out); err != nil {
		return out, err
	}
	return out, t.seedDoses(&out, m.Doses)
}

func (t *txn) seeded(house id.Household, tag string) (bool, error) {
	h, err := t.household(house)
	if err != nil {
		return false, err
	}
	for _, m := range activeMembers(h) {
		if m.IDTag == tag {
			p, err := t.person(m.Person)
			return p.State == state.Active, err
		}
	}
	return false, nil
}

// seedDoses adds past doses to the pending seal of a new person.
func (t *txn) seedDoses(out *vault.Enrolled, doses []vault.SeedDose) error {
	person := out.Seal.Person
	p, err := t.person(person)
	if err != nil || len(doses) == 0 {
		return err
	}
	key, err := t.k.dataKey(person, p)
	if err != nil {
		return err
	}
	seal := p.Pending[0]
	p.Pending = nil
	if err := t.tx.EndTask(t.ctx, "seal/"+seal.ID); err != nil {
		return err
	}
	for _, d := range doses {
		product, ok := rules.LookupProduct(d.Product)
		if !ok {
			return fault.New(fault.Invalid, "unknown_product", "unknown product in demo data")
		}
		loc, err := time.LoadLocation("Asia/Kolkata")
		if err != nil {
			return fault.Wrap(fault.Internal, err, "zone")
		}
		ev := id.Event(id.NewOrdered())
		at := d.Given.In(loc).Add(11 * time.Hour).UnixMilli()
		doc := doseDoc{Schema: blobSchema, Centre: d.Centre, CentreName: d.CentreName, District: d.District, State: d.State, Vaccinator: d.Vaccinator,
			DoseEvent: rules.NewDoseEvent(ev, product, d.Lot, d.Sequence, at, "Asia/Kolkata", rules.SourceHistorical, "demo")}
		doc.RecordedAt = t.k.now().UnixMilli()
		s, err := t.k.sealPart(person, key, int64(len(seal.Parts))+1, vault.Part(vault.PartDosePrefix+string(ev)), 1, doc)
		if err != nil {
			return err
		}
		seal.Parts = append(seal.Parts, s)
	}
	seal.ID = id.New()
	out.Seal.ID, out.Seal.Parts = seal.ID, seal.Parts
	if err := t.addSeal(person, &p, seal, entry{House: p.Household, View: "demo data", Role: "system"}); err != nil {
		return err
	}
	return put(t, state.Persons, string(person), p, 0)
}
