package rotation

import (
	"context"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// An erased person's data key still lies, wrapped, in every backup set of before,
// together with the epoch key that wraps it. So that such a set stops opening
// anybody, each epoch key is made of two halves: one in the database, wrapped
// under the root key as all others, and one that custody holds and is in no set.
// After an erasure the epoch key is changed and, when sets of before the change
// are to be gone, custody's half of the old one is destroyed (ADR 27).

// eraseBatch is how long an epoch key is at least in use before erasures change it:
// a change writes every person's row.
const eraseBatch = 7 * 24 * time.Hour

// eraseFinal is how long sets of before a change of the epoch key still open, when
// the configuration does not say.
const eraseFinal = 30 * 24 * time.Hour

// erasedRow is the row of key_state that says since when somebody's key waits for
// the epoch key to change.
const erasedRow = "erased"

// Erased notes, once for each epoch key, that a person was erased under it.
func (k *Desk) Erased(t *engine.Txn) error {
	row, _, err := engine.Get[state.KeySet](t, state.KeyStates, erasedRow)
	if err != nil || row.Erased > keyset.Current(k.Keys.Now().Sets[keyring.PurposeEpoch]).Since {
		return err
	}
	return engine.Put(t, state.KeyStates, erasedRow, state.KeySet{Purpose: erasedRow, Erased: k.Now().UnixMilli()}, 0)
}

// Waits is how long the oldest erasure has waited for the epoch key to change;
// 0 when none waits.
func (k *Desk) Waits() time.Duration {
	since := k.erased.Load()
	if since == 0 {
		return 0
	}
	return max(0, k.Now().Sub(time.UnixMilli(since)))
}

// Finish changes the epoch key when somebody was erased under it. The very
// first change of an installation whose epoch key custody holds no half of is the
// operator's: its copy of the key files has to follow.
func (k *Desk) Finish(ctx context.Context) {
	set, since, held := k.Keys.Now().Sets[keyring.PurposeEpoch], int64(0), false
	current := keyset.Current(set)
	err := k.eng.View(ctx, func(t *engine.Txn) error {
		row, _, err := engine.Get[state.KeySet](t, state.KeyStates, erasedRow)
		if err != nil {
			return err
		}
		if since = row.Erased; since <= current.Since {
			since = 0
		}
		ring, err := keyring.Row(ctx, t.Tx, k.Keys.Realm, keyring.PurposeEpoch, current.Version)
		held = ring.Held
		return err
	})
	if err == nil {
		k.erased.Store(since)
	}
	old := len(keyset.In(set, state.KeyOld)) > 0
	if err == nil && since > 0 && held && !old && k.Now().Sub(time.UnixMilli(current.Since)) >= eraseBatch && !ablate.Off(ablate.EraseFinal) {
		_, err = k.rotate(ctx, vault.KeyRotateRequest{Kind: vault.KeyEpoch}, "system")
	}
	if err != nil && ctx.Err() == nil {
		k.Log.Warn("the epoch key could not be changed after an erasure, it will be tried again", "kind", fault.KindOf(err))
	}
}

// forgetEpochs destroys custody's halves of epoch keys whose time is over.
func (k *Desk) forgetEpochs(ctx context.Context, set state.KeySet) error {
	now := k.Now().UnixMilli()
	for _, v := range keyset.In(set, state.KeyDestroyed) {
		if v.Until == 0 || v.Until > now || ablate.Off(ablate.EraseFinal) {
			continue
		}
		if err := k.Keys.Provider.DestroyTagKey(keyring.HeldBase + v.Version); err != nil {
			return err
		}
		if err := k.turnSet(ctx, keyring.PurposeEpoch, nil, func(t *engine.Txn, set *state.KeySet) error {
			for i := range set.Versions {
				if set.Versions[i].Version == v.Version {
					set.Versions[i].Until = 0
				}
			}
			t.Append(k.entry("custody's half destroyed", keyring.Name(k.Keys.Realm, keyring.PurposeEpoch, v.Version), "system", nil))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// keepHalf says, of epoch keys that are being destroyed, until when custody keeps
// its half for the sets of before.
func (k *Desk) keepHalf(set *state.KeySet, versions []state.KeyVersion) {
	keep := k.EraseFinal
	if keep <= 0 {
		keep = eraseFinal
	}
	for i := range set.Versions {
		for _, v := range versions {
			if v.Version == set.Versions[i].Version {
				set.Versions[i].Until = k.Now().Add(keep).UnixMilli()
			}
		}
	}
}
