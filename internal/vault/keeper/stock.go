package keeper

import (
	"context"
	"encoding/json"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// What the manager and the privacy officer see of what no budget counts.
const (
	whyStock     = "stock"      // more doses were recorded than there were
	whyOffRoster = "off-roster" // somebody worked at a centre on whose roster they are not
)

const (
	maxStock  = 100_000 // doses of one session day
	stockKept = 96 * time.Hour
)

// restocked takes another number of doses in for a session that is open: vials that came
// later, or a mistake.
func (t *txn) restocked(staff id.Staff, permit policy.Permit, key string, s state.OpenSession, doses int64) error {
	if doses == 0 || doses == s.Doses {
		return nil
	}
	s.Doses = doses
	t.Append(engine.Entry{Kind: "session", View: "doses on hand: " + itoa(doses), Role: roleManager, Actor: string(staff), Place: s.Name, Evidence: string(s.Session), Policy: permit.Policies()})
	return engine.Put(t, state.OpenSessions, key, s, 0)
}

// fromStock counts a dose against what its centre has that day, where the manager said so
// of every session. More doses of a product than its vials hold are made up, or somebody
// else's: those who watch see it, and nothing is refused, for the dose may be the true one
// (R35).
func (t *txn) fromStock(staff id.Staff, c id.Centre, day civil.Date, product string) error {
	row, ok, err := engine.Get[state.OpenDay](t, state.OpenDays, openDayKey(c, day))
	if err != nil || !ok || ablate.Off(ablate.StockAlarm) {
		return err
	}
	var at state.OpenSession
	stock := int64(0)
	for _, name := range row.Sessions {
		s, found, err := engine.Get[state.OpenSession](t, state.OpenSessions, state.OpenSessionKey(c, name, day))
		if err != nil || !found || s.Doses == 0 {
			return err
		}
		if at = s; s.Product == product {
			stock += s.Doses
		}
	}
	name := "stock/" + openDayKey(c, day) + "/" + product
	n, _, err := engine.Get[state.Counter](t, state.Counters, name)
	if err != nil {
		return err
	}
	n.N++
	if err := engine.Put(t, state.Counters, name, n, t.k.now().Add(stockKept).UnixMilli()); err != nil || n.N <= stock {
		return err
	}
	if n.N == stock+1 {
		t.k.log.Warn("alarm: more doses were recorded at a centre than its vials hold", "alarm", "stock", "center", c)
	}
	return budgets.Note(budgetRows{t}, t.budgetPlace(staff, at), whyStock)
}

// noteOffRoster shows those who watch that somebody who signed in tried to work at a centre
// on whose roster they are not. The request itself was refused, and left nothing.
func (k *Keeper) noteOffRoster(ctx context.Context, body []byte, refused error) {
	var r struct{ Signed vault.Signed }
	if !fault.Is(refused, fault.Forbidden) || fault.CodeOf(refused) != "roster" || ablate.Off(ablate.RosterAlert) || json.Unmarshal(body, &r) != nil {
		return
	}
	_, err := k.update(ctx, func(t *txn) error {
		staff, claims, row, err := t.Parts(r.Signed)
		if err == nil {
			err = claims.Covers(r.Signed, "", k.now())
		}
		if err != nil || row.Session == "" || !row.Active {
			return err
		}
		t.Append(engine.Entry{Kind: "refusal", View: "work at a centre", Role: row.Role, Actor: string(staff), Place: "centre " + itoa(int64(row.Centre)), Reason: "not on its roster"})
		return budgets.Note(budgetRows{t}, budgets.Place{Staff: staff, Centre: row.Centre, Now: k.now().UnixMilli()}, whyOffRoster)
	})
	if err != nil {
		k.log.Warn("who is on no roster could not be noted", "kind", fault.KindOf(err))
	}
}
