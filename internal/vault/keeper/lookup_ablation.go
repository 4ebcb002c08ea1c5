//go:build ablation

package keeper

import (
	"context"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// lookupMethods has the look-up by a number that CoWIN is described to have had. It is here
// to be compared with (docs/BOT.md), in a test build alone. As there, each access is
// recorded.
func (k *Keeper) lookupMethods() []method {
	if !ablate.Off(ablate.Lookup) {
		return nil
	}
	return []method{{vault.MethodLookup, []Caller{CallerWeb}, bind(k.lookup)}}
}

func (k *Keeper) lookup(ctx context.Context, r vault.LookupRequest) (out vault.Looked, err error) {
	mobile, err := rules.ParseMobile(r.Mobile, true)
	if err != nil {
		return out, err
	}
	var row state.Staff
	var staff id.Staff
	find := func(t *txn) error {
		out.Found = nil
		if staff, row, err = t.Proven(r.Signed); err != nil {
			return err
		}
		index, ok, err := engine.Get[state.MobileIndex](t, state.MobileIndexes, k.keys.BlindIndex(mobile))
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "person", "nobody has this number")
		}
		house, err := t.Household(index.Household)
		for _, m := range house.Members {
			if m.State == state.Active {
				out.Found = append(out.Found, m.Person)
			}
		}
		return err
	}
	if len(r.Records) == 0 {
		err = k.view(ctx, func(t *txn) error { t.ReadOnly(); return find(t) })
		return out, err
	}
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		if err := find(t); err != nil {
			return err
		}
		records := map[id.Person]vault.Record{}
		for _, rec := range r.Records {
			records[rec.Person] = rec
		}
		return t.Release(o, out.Found, records, release.Claim{View: viewVerify, Role: roleVaccinator, Actor: string(staff), Reason: "looked up by number",
			Permit: k.permits.Opens(row, row.Centre, viewVerify, policy.Facts{Open: true, Rostered: true, Evidence: policy.EvidenceCard})})
	})
	if err != nil {
		return out, err
	}
	for _, p := range o.People {
		v, err := k.bookingView(p)
		if err != nil {
			return out, err
		}
		out.People = append(out.People, v)
	}
	out.ViewRef, out.Receipts = k.release.ViewRef(o.ViewID), o.Receipts
	return out, nil
}
