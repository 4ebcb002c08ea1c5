package changes

import (
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

const modesPage = 500 // rows read at once

// modeMark names one time that a centre's roster mode was switched on.
func modeMark(c id.Centre, since int64) string {
	return vault.ChangeRosterMode + "/" + decimal(int64(c)) + "/" + decimal(since)
}

// markMode marks that a centre's roster mode, as it is on now, was ended. The caller appends
// the entry.
func (o *Office) markMode(t *engine.Txn, c id.Centre) error {
	row, _, err := engine.Get[state.Budget](t, state.Budgets, budgets.RosterPrefix+decimal(int64(c)))
	if err == nil && row.On {
		t.Mark(o.salt(modeMark(c, row.At)))
	}
	return err
}

// AfterGap is what a vault does that goes on from a copy behind its ledger: what was ended
// in what was lost does not come back. A roster mode that was marked as ended is off again.
// What waits may have been withdrawn: it lapses and is proposed anew. Rules that were
// replaced wait for two people to say what is right.
func (o *Office) AfterGap(t *engine.Txn, ended func(what string) bool) error {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return err
	}
	for _, name := range slices.Clone(index.Open) {
		row, _, err := engine.Get[state.Change](t, state.Changes, name)
		if err != nil {
			return err
		}
		row.State = state.ChangeLapsed
		t.Append(engine.Entry{Kind: kindChange, View: "lapsed: " + row.Kind + ": after a restore", Role: "system", Reason: row.Digest, Evidence: name})
		if err := o.end(t, name, row); err != nil {
			return err
		}
	}
	if err := o.outlived(t, ended); err != nil {
		return err
	}
	for after := budgets.RosterPrefix; ; {
		rows, err := t.Tx.Scan(t.Ctx, state.Budgets, after, modesPage)
		if err != nil {
			return err
		}
		for _, s := range rows {
			after = s.Key
			number, ok := strings.CutPrefix(s.Key, budgets.RosterPrefix)
			if !ok {
				return nil
			}
			if err := o.endAgain(t, s.Key, number, ended); err != nil {
				return err
			}
		}
		if len(rows) < modesPage {
			return nil
		}
	}
}

// endAgain switches a centre's roster mode off if it was marked as ended.
func (o *Office) endAgain(t *engine.Txn, key, number string, ended func(what string) bool) error {
	row, _, err := engine.Get[state.Budget](t, state.Budgets, key)
	if err != nil || !row.On {
		return err
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return state.Integrity(state.Budgets, "a centre's row has no centre's name")
	}
	c := id.Centre(n)
	if !ended(modeMark(c, row.At)) {
		return nil
	}
	t.Append(engine.Entry{Kind: kindChange, View: "roster mode ended again after a restore", Role: "system", Place: place(c), Reason: rosterDigest(c, false)})
	row.On, row.At = false, o.ms()
	return engine.Put(t, state.Budgets, key, row, 0)
}
