package keeper

import (
	"context"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/notary"
	"tikakosh/internal/vault/state"
)

// The views of the entry, with a set and without.
const (
	viewRestored = "restored"
	viewRebuilt  = "ledger files made anew"
)

// applyRestore carries an order out, once: its entry is the first after the
// restored ones. It belongs to Verify, which lets nobody in before.
func (k *Keeper) applyRestore(ctx context.Context) error {
	o := k.cfg.Restore
	if o == nil {
		return nil
	}
	_, err := k.transact(ctx, func(t *txn) error {
		last, err := t.Tx.ByPerson(ctx, k.keys.PersonTag(notary.Copies), 0, 1)
		if err != nil {
			return err
		}
		if len(last) == 1 { // a start that broke off after this transaction
			e, err := k.eng.OpenEntry(last[0])
			if err != nil {
				return err
			}
			if e.Kind == "restore" && e.Evidence == o.Evidence() && e.Index >= o.Ledger {
				return nil
			}
		}
		next, _, err := t.Head()
		if err != nil {
			return err
		}
		if next != o.Ledger {
			return fault.Newf(fault.Integrity, "restore", "the restore order is for a ledger of %d entries, the database has %d: restore the set again into an empty folder", o.Ledger, next)
		}
		e := engine.Entry{Kind: "restore", View: viewRestored, Role: "operator", Reason: o.Made, Evidence: o.Evidence(), Place: o.Known, Topic: notary.Copies}
		if o.Set == "" {
			e.View = viewRebuilt
		}
		if err := k.gap.Adopt(t.Engine(), o, &e); err != nil {
			return err
		}
		t.Append(e)
		if o.Set == "" {
			return nil
		}
		if !ablate.Off(ablate.ErasureReplay) {
			if err := t.replayErasures(o.All(), "again after a restore"); err != nil {
				return err
			}
		}
		if len(o.All()) > 0 {
			if err := t.afterGap(o); err != nil {
				return err
			}
		}
		return t.endSessions()
	})
	return err
}

// endSessions ends the sessions that were open when the copy was made: they may have
// been ended since. One-time codes are void after any start.
func (t *txn) endSessions() error {
	for after := ""; ; {
		rows, err := t.Tx.Scan(t.Ctx, state.Bearers, after, scanPage)
		if err != nil {
			return err
		}
		for _, r := range rows {
			after = r.Key
			b, ok, err := engine.Get[state.Bearer](t, state.Bearers, r.Key)
			if err != nil {
				return err
			}
			if !ok || b.Revoked {
				continue
			}
			b.Revoked = true
			if err := engine.Put(t, state.Bearers, r.Key, b, r.Expires); err != nil {
				return err
			}
		}
		if len(rows) < scanPage {
			return nil
		}
	}
}

// LedgerKeys returns the verifier keys of the ledger in a vault's database whose
// secret it has, newest first, from its wrapped keys: only who has the key that
// wraps them can have put them there. fault.Integrity when there is none.
func LedgerKeys(ctx context.Context, st state.Store, p keyring.Provider, realm id.Realm, origin string) (vkeys []string, err error) {
	keys, err := keyring.CheckpointKeys(ctx, st, p, realm)
	for _, key := range keys {
		_, vkey, err := ledger.NoteKeys(origin, key)
		if err != nil {
			return nil, err
		}
		vkeys = append(vkeys, vkey)
	}
	return vkeys, err
}

// LedgerChanges returns the changes of the ledger's key that a vault's database
// knows, oldest first. Each is signed by both keys; whom to trust is the caller's.
func LedgerChanges(ctx context.Context, st state.Store) (out []ledger.Transition, err error) {
	err = st.View(ctx, func(tx state.Tx) error {
		set, err := keyring.LedgerSet(ctx, tx)
		if err != nil {
			return err
		}
		var notes [][]byte
		for _, v := range set.Versions {
			if v.Note != nil {
				notes = append(notes, v.Note)
			}
		}
		out, err = ledger.ParseKeychain(ledger.Keychain(notes))
		return err
	})
	return out, err
}

// Restoring reports whether this start carries out a restore order.
func (k *Keeper) Restoring() bool { return k.cfg.Restore != nil }
