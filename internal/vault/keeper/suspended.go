package keeper

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/gap"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// roleCustodian is a staff role that can do one thing: approve, with another one,
// that a copy behind the ledger goes live.
const roleCustodian = "custodian"

// gapsTopic finds the entries that say what was lost with an approved restore.
const gapsTopic = id.Person("gaps")

// kindGap is the kind of such an entry, in every history of before.
const kindGap = "gap"

// Marks (erase.go) of what must not come back with an older copy.
const (
	markEnded   = staffing.MarkEnded // a staff key's or a partner's, by its thumbprint; of members what staffing says
	markVoid    = "card"             // by the card's key
	markChange  = "change"           // a centre's roster mode, by the centre and when it was switched on
	markRevoked = "revoked"          // all certificates of a person, by the person and how often that was
)

// changeSalt is that of a mark of what keeper/changes ended.
func (k *Keeper) changeSalt(what string) [32]byte { return k.markSalt(markChange, id.Person(what), 0) }

// afterGap is what a vault does first when it goes on from a copy behind its
// ledger. What ended in the gap is in nobody's memory but the lost entries'
// leaves: what was marked there ends again, and every credential that is left is
// suspended, because it may have been ended by something that left no mark. Entries
// that were never published are this version's own and of the last minute: only
// what they marked ends.
func (t *txn) afterGap(o *gap.Order) error {
	in := map[string]bool{}
	for _, l := range o.All() {
		in[string(l)] = true
	}
	if o.Gap != nil {
		t.Append(engine.Entry{Kind: kindGap, View: "entries lost in a restore", Role: roleCustodian, Evidence: o.Evidence(), Lost: int64(len(o.Gap.Lost)), Reason: itoa(o.Ledger), Topic: gapsTopic})
	}
	if ablate.Off(ablate.GapSuspends) {
		return nil
	}
	if err := t.suspend(in, o.Gap != nil); err != nil {
		return err
	}
	ended := func(what string) bool { return in[t.k.markLeaf(markChange, id.Person(what), 0)] }
	if err := t.k.changes.AfterGap(t.Engine(), ended); err != nil {
		return err
	}
	if err := t.k.relinks.AfterGap(t.Engine()); err != nil {
		return err
	}
	if err := t.voidAgain(in); err != nil {
		return err
	}
	if err := t.endShares(); err != nil {
		return err
	}
	return t.revokeAgain(in)
}

// suspend ends the credentials that were ended, and takes every other active one out
// of use if all is set.
func (t *txn) suspend(in map[string]bool, all bool) error {
	now := t.k.now().UnixMilli()
	ended := func(key string) bool { return in[t.k.markLeaf(markEnded, id.Person(key), 0)] }
	out := func(active *bool, suspended *int64, over bool) bool {
		switch {
		case over && (*active || *suspended > 0): // also one that an earlier restore suspended
			*active, *suspended = false, 0
		case all && !over && *active:
			*active, *suspended = false, now
		default:
			return false
		}
		return true
	}
	staff, err := eachRow(t, state.StaffKeys, func(key string, row *state.Staff) (bool, error) {
		return out(&row.Active, &row.Suspended, ended(key)), nil
	})
	if err != nil {
		return err
	}
	partners, err := eachRow(t, state.Partners, func(key string, row *state.Partner) (bool, error) {
		return out(&row.Active, &row.Suspended, ended(key)), nil
	})
	if err != nil {
		return err
	}
	what := "suspended after a restore"
	if !all {
		what = "ended again after a restore"
	}
	members, err := t.k.office.Suspend(t.Engine(), ended, all)
	if err != nil {
		return err
	}
	t.Append(engine.Entry{Kind: "staff", View: what, Role: "system", Reason: itoa(int64(staff)) + " staff keys, " + itoa(int64(partners)) + " partners, " + itoa(int64(members)) + " members of staff"})
	return nil
}

// voidAgain ends the cards that were replaced.
func (t *txn) voidAgain(in map[string]bool) error {
	people, err := chosen(t, state.Persons, func(_ string, p state.Person) bool {
		return p.Card != "" && in[t.k.markLeaf(markVoid, id.Person(p.Card), 0)]
	})
	if err != nil {
		return err
	}
	for _, person := range people {
		p, err := t.Person(id.Person(person))
		if err != nil {
			return err
		}
		t.Append(engine.Entry{Kind: "card", Person: id.Person(person), House: p.Household, View: "void again after a restore", Role: "system", Evidence: p.Card})
		if err := t.voidCard(&p); err != nil {
			return err
		}
		if err := engine.Put(t, state.Persons, person, p, 0); err != nil {
			return err
		}
	}
	return nil
}

// revokeAgain takes the certificates of before back of whom they were taken back.
func (t *txn) revokeAgain(in map[string]bool) error {
	pages, err := chosen(t, state.Issued, func(key string, page state.IssuedPage) bool {
		person, first := firstPage(key)
		return first && in[t.k.markLeaf(markRevoked, person, page.Ends+1)]
	})
	if err != nil {
		return err
	}
	for _, key := range pages {
		person, _ := firstPage(key)
		p, err := t.Person(person)
		if err != nil {
			return err
		}
		if err := t.revokeCertificates(person, p.Household, "again after a restore"); err != nil {
			return err
		}
	}
	t.Unmark() // they are on the ledger
	return nil
}

// chosen are the keys of a large table's rows that is wants. What is done with them
// reads them again, and checks them.
func chosen[T any](t *txn, table state.Table, is func(key string, row T) bool) (keys []string, err error) {
	err = t.Tx.All(t.Ctx, table, func(s state.Stored) error {
		var row T
		if err := json.Unmarshal(s.Content, &row); err != nil {
			return state.Integrity(table, "a row is malformed")
		}
		if is(s.Key, row) {
			keys = append(keys, s.Key)
		}
		return nil
	})
	return keys, err
}

// firstPage is the person whose first list of certificates a row is.
func firstPage(key string) (id.Person, bool) {
	person, first := strings.CutSuffix(key, "/0")
	return id.Person(person), first
}

// eachRow reads every row of a small table in order and writes those that fn changed. It
// returns how many.
func eachRow[T any](t *txn, table state.Table, fn func(key string, row *T) (bool, error)) (changed int, err error) {
	for after := ""; ; {
		rows, err := t.Tx.Scan(t.Ctx, table, after, scanPage)
		if err != nil {
			return changed, err
		}
		for _, s := range rows {
			after = s.Key
			row, _, err := engine.Get[T](t, table, s.Key)
			if err != nil {
				return changed, err
			}
			did, err := fn(s.Key, &row)
			if err == nil && did {
				changed++
				err = engine.Put(t, table, s.Key, row, s.Expires)
			}
			if err != nil {
				return changed, err
			}
		}
		if len(rows) < scanPage {
			return changed, nil
		}
	}
}

// Resume implements the operator's word: a credential that a restore suspended is
// of use again. One that was ended stays so.
func (k *Keeper) Resume(ctx context.Context, r vault.ResumeRequest) (vault.Done, error) {
	none := fault.New(fault.NotFound, "suspended", "no such credential is suspended; `tikakosh staff list` and `tikakosh partner list` show which are")
	receipts, err := k.update(ctx, func(t *txn) error {
		if r.Partner != "" {
			row, ok, err := engine.Get[state.Partner](t, state.Partners, string(r.Partner))
			if err != nil || !ok || row.Suspended == 0 {
				return cmp.Or[error](err, none)
			}
			row.Active, row.Suspended = true, 0
			t.Append(engine.Entry{Kind: permits.Partner, View: "confirmed after a restore", Role: "operator", Actor: string(r.Partner), Place: row.Name})
			return engine.Put(t, state.Partners, string(r.Partner), row, 0)
		}
		if id.Valid(string(r.Staff)) { // a member's id: no key has one
			t.Append(engine.Entry{Kind: "staff", View: "confirmed after a restore", Role: "operator", Actor: string(r.Staff)})
			return t.k.office.Resume(t.Engine(), string(r.Staff))
		}
		row, ok, err := engine.Get[state.Staff](t, state.StaffKeys, string(r.Staff))
		if err != nil || !ok || row.Suspended == 0 {
			return cmp.Or[error](err, none)
		}
		row.Active, row.Suspended = true, 0
		t.Append(engine.Entry{Kind: "staff", View: "confirmed after a restore", Role: "operator", Actor: string(r.Staff)})
		return engine.Put(t, state.StaffKeys, string(r.Staff), row, 0)
	})
	return done(receipts), err
}
