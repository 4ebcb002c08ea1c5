package keeper

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/proof"
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

// trippedAsked reads of a signed address which centre is meant. fault.Unauthorized,
// fault.Invalid.
func trippedAsked(s vault.Signed) (id.Centre, error) {
	u, err := url.Parse(s.URL)
	if err != nil || !strings.HasSuffix(u.Path, vault.RouteTripped) || len(s.Body) > 0 {
		return 0, proof.Bad("the proof is for another request")
	}
	n, err := strconv.ParseInt(u.Query().Get("center_id"), 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	}
	return id.Centre(n), nil
}

// Tripped implements the vault's word: why members of staff of a centre are asked for
// codes, for its manager. It names nobody who came, and is an entry.
func (k *Keeper) Tripped(ctx context.Context, r vault.TrippedRequest) (vault.Tripped, error) {
	n, err := trippedAsked(r.Signed)
	if err != nil {
		return vault.Tripped{}, err
	}
	var out vault.Tripped
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.Tripped{Rows: []vault.TrippedRow{}}
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit := k.permits.May(row, policy.StaffTripped, n, policy.Facts{})
		if !permit.Allowed() {
			return forbiddenAt("the manager")
		}
		rows, err := budgets.Tripped(budgetRows{t}, row.Centre)
		for _, w := range rows {
			out.Rows = append(out.Rows, vault.TrippedRow{At: w.At, Why: w.Why, Staff: w.Staff, Centre: w.Centre, Times: w.N})
		}
		t.Append(engine.Entry{Kind: "list", View: "what tripped", Role: roleManager, Actor: string(staff), Reason: strconv.Itoa(len(rows)) + " rows", Policy: permit.Policies()})
		return err
	})
	out.Receipts = receipts
	return out, err
}
