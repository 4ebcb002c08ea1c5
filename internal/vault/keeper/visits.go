package keeper

import (
	"context"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// VisitClose implements the vault's word: a visit that was opened from the list ended
// without a dose.
func (k *Keeper) VisitClose(ctx context.Context, r vault.VisitCloseRequest) (vault.Done, error) {
	f, err := parseRoster(r.Signed.Body)
	if err == nil && f.Row == "" {
		err = fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: row_id")
	}
	if err != nil {
		return vault.Done{}, err
	}
	reason, err := reasonText(f.Reason)
	if err != nil {
		return vault.Done{}, err
	}
	var refused error
	receipts, err := k.update(ctx, func(t *txn) error {
		refused = nil
		staff, row, session, policies, err := t.atWork(r.Signed, "", policy.StaffVisitClose)
		if err != nil {
			return err
		}
		sessions, err := t.openToday(row.Centre)
		if err != nil {
			return err
		}
		person, s, ok := t.rowOf(staff, sessions, f.Row)
		if !ok {
			refused = t.elsewhere(staff, row, session, "", state.Person{})
			return nil
		}
		v, err := t.budgeted(staff, s, budget.GaveNone, person)
		if err != nil {
			return err
		}
		e := engine.Entry{Kind: "visit", View: "closed without a dose", Role: roleVaccinator, Actor: string(staff), Place: s.Name, Reason: reason, Policy: policies}
		if v.Outcome != budget.Allow {
			e.Kind, refused = "refusal", needCode(v)
		}
		if !isPhantom(person) {
			p, err := t.Person(person)
			if err != nil {
				return err
			}
			e.Person, e.House = person, p.Household
		}
		t.Append(e)
		return nil
	})
	if err == nil {
		err = refused
	}
	return done(receipts), err
}
