package keeper

import (
	"context"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// TakeAsFresh says of which requests a passkey was touched.
func (k *Keeper) TakeAsFresh(f func(vault.Signed) error) {
	k.fresh = func(_ *txn, s vault.Signed) error { return f(s) }
}

// AllowRoster lets a centre open from its list, or not.
func (k *Keeper) AllowRoster(ctx context.Context, c id.Centre, on bool) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "test", Role: "system"})
		return budgets.SetRoster(budgetRows{t}, c, on, "one", "two", k.now().UnixMilli())
	})
	return err
}

// SetBudgets puts figures into force.
func (k *Keeper) SetBudgets(ctx context.Context, change func(*budget.Settings)) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "test", Role: "system"})
		s := budget.DefaultSettings()
		change(&s)
		return budgets.SetSettings(budgetRows{t}, s, "one", "two", k.now().UnixMilli())
	})
	return err
}

// MemberDay is what is kept of a member's day.
func (k *Keeper) MemberDay(ctx context.Context, staff id.Staff) (m budget.Member, err error) {
	err = k.view(ctx, func(t *txn) error {
		row, ok, err := budgetRows{t}.Get("member/" + string(staff))
		if err != nil || !ok {
			return err
		}
		return m.UnmarshalBinary(row.State)
	})
	return m, err
}

// ParseRoster reads a body about a day's list; only what is taken matters.
func ParseRoster(body []byte) (row, reason string, err error) {
	f, err := parseRoster(body)
	return f.Row, f.Reason, err
}

// OnlyBudget is a transaction with an entry and, if wanted, the budgets of a codeless
// opening by somebody else than those a benchmark opens with.
func (k *Keeper) OnlyBudget(ctx context.Context, o vault.Offer, person id.Person, counted bool) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "test", Role: "system"})
		if !counted {
			return nil
		}
		_, err := t.budgeted("somebody", state.OpenSession{Centre: o.Centre, Day: o.Day, State: "S", District: "D"}, budget.OpenBare, person)
		return err
	})
	return err
}

// SettleChanges puts into force what is due, as before each request.
func (k *Keeper) SettleChanges(ctx context.Context) error { return k.changes.Settle(ctx) }

// RosterMode reports whether a centre opens from its list.
func (k *Keeper) RosterMode(ctx context.Context, c id.Centre) (on bool, err error) {
	err = k.view(ctx, func(t *txn) error { on, err = t.rosterMode(c); return err })
	return on, err
}

// FillProposals puts device links of a member that nobody can use any more.
func (k *Keeper) FillProposals(ctx context.Context, member string, n int) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "test", Role: "system"})
		for range n {
			p := state.StaffProposal{Kind: state.ProposeDevice, Member: member, By: member, At: k.now().UnixMilli(), Expires: k.now().UnixMilli(), State: state.ProposalWaiting}
			if err := engine.Put(t, state.StaffProposals, id.NewOrdered(), p, 0); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// RulesNow is what everybody is shown of the rules.
func (k *Keeper) RulesNow(ctx context.Context) (vault.Rules, error) {
	return k.changes.Rules(ctx, vault.Empty{})
}
