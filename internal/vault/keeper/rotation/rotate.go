package rotation

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// kinds are the keys an operator can change, by the word for them.
func kinds() map[string]string {
	return map[string]string{vault.KeyEpoch: keyring.PurposeEpoch, vault.KeyIndex: keyring.PurposeMobile, vault.KeyToken: keyring.PurposeBearer,
		vault.KeyCertificate: keyring.PurposeCertificate, vault.KeyLedger: keyring.PurposeCheckpoint, vault.KeyIDTag: keyring.PurposeIDTag}
}

// signs reports whether a purpose's key is published before it is used.
func signs(purpose string) bool {
	return purpose == keyring.PurposeBearer || purpose == keyring.PurposeCertificate || purpose == keyring.PurposeCheckpoint
}

// entry is the ledger entry of one thing that happened to a key.
func (k *Desk) entry(what, name, role string, public []byte) engine.Entry {
	e := engine.Entry{Kind: "key", View: what, Reason: name, Role: role, Place: k.Custody, Topic: topic}
	if public != nil {
		sum := sha256.Sum256(public)
		e.Evidence = hex.EncodeToString(sum[:])
	}
	return e
}

// Rotate implements the vault's word: it makes the next version of a key and,
// where rows are named or wrapped by it, uses it at once. What follows the vault
// does by itself, also over a restart. fault.Conflict while a change of that key
// is under way.
func (k *Desk) Rotate(ctx context.Context, r vault.KeyRotateRequest) (vault.KeyRotated, error) {
	return k.rotate(ctx, r, "operator")
}

// rotate is Rotate by the operator or, after erasures, by the vault itself.
func (k *Desk) rotate(ctx context.Context, r vault.KeyRotateRequest, role string) (vault.KeyRotated, error) {
	purpose, known := kinds()[r.Kind]
	if !known {
		return vault.KeyRotated{}, fault.New(fault.Invalid, "key-kind", "keys that can change: token, certificate, epoch, ledger, index, id-tag")
	}
	if r.Compromised && purpose != keyring.PurposeIDTag {
		return vault.KeyRotated{}, fault.New(fault.Invalid, "key-kind", "only the id-tag key takes --compromised: its old tags are worth nothing then and are removed")
	}
	if err := k.eng.Gate(ctx); err != nil {
		return vault.KeyRotated{}, err
	}
	set := k.Keys.Now().Sets[purpose]
	version := set.Versions[len(set.Versions)-1].Version + 1
	rows, fresh, public, err := k.newVersion(purpose, version)
	if err != nil {
		return vault.KeyRotated{}, err
	}
	name := keyring.Name(k.Keys.Realm, purpose, version)
	err = k.turnSet(ctx, purpose, fresh, func(t *engine.Txn, set *state.KeySet) error {
		now := k.Now().UnixMilli()
		v := state.KeyVersion{Custody: k.Custody, Public: public}
		if err := keyset.Add(set, v, now, signs(purpose), purpose == keyring.PurposeIDTag); err != nil {
			return err
		}
		if last := set.Versions[len(set.Versions)-1]; last.Version != version {
			return fault.New(fault.Conflict, "key-change", "another change of this key came first")
		}
		if r.Compromised {
			for i := range set.Versions {
				if v := &set.Versions[i]; v.State == state.KeyOld {
					v.Until = now // no longer looked at; its tags go
				}
			}
		}
		for _, row := range rows {
			if err := t.Tx.Put(t.Ctx, state.KeyRing, row); err != nil {
				return err
			}
		}
		what := "made and in use"
		switch {
		case signs(purpose):
			what = "made and published"
		case r.Compromised:
			what = "made and in use, the older ones compromised"
		}
		t.Append(k.entry(what, name, role, public))
		return nil
	})
	return vault.KeyRotated{Key: name}, err
}

// newVersion makes the secret of a new version and its rows: before the change,
// because custody may take its time. What a change that does not come about
// leaves in custody is used by the next one.
func (k *Desk) newVersion(purpose string, version int) (rows []state.Stored, fresh map[string][]byte, public []byte, err error) {
	raw, err := k.Keys.NewKey(purpose, version)
	if err != nil {
		return nil, nil, nil, err
	}
	row, secret := purpose, raw
	if purpose == keyring.PurposeIDTag {
		if secret, err = k.Keys.TagCheck(version); err != nil {
			return nil, nil, nil, err
		}
		row = keyring.PurposeTagCheck
	} else {
		fresh = map[string][]byte{keyring.Name(k.Keys.Realm, purpose, version): raw}
	}
	if public, err = keyring.PublicHalf(purpose, raw); err != nil {
		return nil, nil, nil, err
	}
	s, err := k.Keys.Wrapped(row, version, secret, k.Now().UnixMilli())
	if err == nil && purpose == keyring.PurposeEpoch {
		fresh[keyring.Name(k.Keys.Realm, purpose, version)], err = k.Keys.Whole(state.Key{Purpose: purpose, Version: version, Held: true}, raw)
	}
	return []state.Stored{s}, fresh, public, err
}

// turnSet changes the set of a purpose, alone and durably, and from then on works
// with it. fresh are the secrets that are new.
func (k *Desk) turnSet(ctx context.Context, purpose string, fresh map[string][]byte, change func(t *engine.Txn, set *state.KeySet) error) error {
	return k.eng.Alone(func() error { return k.turnSetAlone(ctx, purpose, fresh, change) })
}

func (k *Desk) turnSetAlone(ctx context.Context, purpose string, fresh map[string][]byte, change func(t *engine.Txn, set *state.KeySet) error) error {
	if k.stale.Load() {
		return fault.New(fault.Unavailable, "key-change", "the last change of keys ended in doubt and is being looked at; try again")
	}
	old := k.Keys.Now()
	var set state.KeySet
	_, err := k.eng.Commit(ctx, func(t *engine.Txn) (err error) {
		var ok bool
		if set, ok, err = engine.Get[state.KeySet](t, state.KeyStates, purpose); err != nil {
			return err
		}
		if !ok {
			set = old.Sets[purpose]
			set.Versions = slices.Clone(set.Versions)
		}
		if err := change(t, &set); err != nil {
			return err
		}
		return engine.Put(t, state.KeyStates, purpose, set, 0)
	})
	if err != nil {
		if fault.Is(err, fault.Unknown) {
			k.stale.Store(true)
		}
		return err
	}
	sets, raw := maps.Clone(old.Sets), maps.Clone(old.Raw)
	sets[purpose] = set
	maps.Copy(raw, fresh)
	for _, v := range set.Versions {
		if !keyset.Secret(v) {
			delete(raw, keyring.Name(k.Keys.Realm, purpose, v.Version))
		}
	}
	next, err := k.Keys.Build(sets, raw)
	if err != nil {
		return err
	}
	k.Keys.Turn.Store(next)
	return nil
}

// reload reads the sets again after a change whose commit was in doubt.
func (k *Desk) reload(ctx context.Context) error {
	return k.eng.Alone(func() error {
		return k.Store.View(ctx, func(tx state.Tx) error {
			next, err := k.Keys.Load(ctx, tx, k.Keys.Now().Raw)
			if err == nil {
				k.Keys.Turn.Store(next)
				k.stale.Store(false)
			}
			return err
		})
	})
}

// turnEvery is how often the vault looks whether a change of keys can go on.
const turnEvery = 200 * time.Millisecond

// Run takes every change of keys to its end, until ctx ends.
func (k *Desk) Run(ctx context.Context) {
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	passes := map[string]*pass{}
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := k.turnOn(ctx, passes)
		if err != nil && ctx.Err() == nil && !failing {
			k.Log.Warn("alarm: a change of keys does not go on; it is tried again", "alarm", "key-change", "error", err.Error())
		}
		failing = err != nil
	}
}

// turnOn does what can be done now.
func (k *Desk) turnOn(ctx context.Context, passes map[string]*pass) error {
	if k.stale.Load() {
		if err := k.reload(ctx); err != nil {
			return err
		}
	}
	if passes[keyring.PurposeTagCheck] == nil { // what was destroyed just before the process ended
		for _, v := range keyset.In(k.Keys.Now().Sets[keyring.PurposeIDTag], state.KeyDestroyed) {
			if err := k.Keys.Provider.DestroyTagKey(v.Version); err != nil {
				return err
			}
		}
		passes[keyring.PurposeTagCheck] = &pass{}
	}
	for _, purpose := range keyring.Turning() {
		if err := k.turnOne(ctx, purpose, passes); err != nil {
			return err
		}
	}
	return nil
}

func (k *Desk) turnOne(ctx context.Context, purpose string, passes map[string]*pass) error {
	set, now := k.Keys.Now().Sets[purpose], k.Now()
	if purpose == keyring.PurposeEpoch {
		if err := k.forgetEpochs(ctx, set); err != nil {
			return err
		}
		set = k.Keys.Now().Sets[purpose]
	}
	if next := keyset.In(set, state.KeyNext); len(next) == 1 {
		wait := k.Times.Publish
		if purpose == keyring.PurposeBearer {
			wait = k.Times.Announce
		}
		if now.Sub(time.UnixMilli(next[0].Since)) < wait || now.Sub(k.began) < min(wait, k.Times.Announce) {
			return nil
		}
		return k.switchKey(ctx, purpose)
	}
	var over []state.KeyVersion
	for _, v := range keyset.In(set, state.KeyVerifies) {
		if v.Until != 0 && v.Until <= now.UnixMilli() {
			over = append(over, v)
		}
	}
	if len(over) > 0 {
		return k.destroyKeys(ctx, purpose, over)
	}
	old := keyset.In(set, state.KeyOld)
	if purpose == keyring.PurposeIDTag {
		old = slices.DeleteFunc(old, func(v state.KeyVersion) bool { return v.Until == 0 })
	}
	if len(old) == 0 {
		delete(passes, purpose)
		return nil
	}
	done, err := k.moveRows(ctx, purpose, old, passes)
	if err != nil || !done {
		return err
	}
	delete(passes, purpose)
	return k.destroyKeys(ctx, purpose, old)
}

// switchKey lets the published version of a signing key sign.
func (k *Desk) switchKey(ctx context.Context, purpose string) error {
	now := k.Now()
	until := int64(0)
	if purpose == keyring.PurposeBearer {
		until = now.Add(proof.BearerLife + time.Minute).UnixMilli()
	}
	keys := k.Keys.Now()
	before := keyset.Current(keys.Sets[purpose])
	public, err := keyring.PublicHalf(purpose, keys.Raw[keyring.Name(k.Keys.Realm, purpose, before.Version)])
	if err != nil {
		return err
	}
	return k.turnSet(ctx, purpose, nil, func(t *engine.Txn, set *state.KeySet) error {
		if err := keyset.Switch(set, now.UnixMilli(), until); err != nil {
			return err
		}
		var name string
		for i := range set.Versions {
			v := &set.Versions[i]
			switch {
			case v.Version == before.Version: // its public half was never written when it was the first
				v.Public = public
			case v.State == state.KeyCurrent:
				name = keyring.Name(k.Keys.Realm, purpose, v.Version)
				if v.Note, err = k.transition(t, purpose, keys, v.Version); err != nil {
					return err
				}
				t.Append(k.entry("in use", name, "system", slices.Concat(v.Public, v.Note)))
			}
		}
		t.Append(k.entry("secret half destroyed", keyring.Name(k.Keys.Realm, purpose, before.Version), "system", public))
		return t.Tx.Delete(t.Ctx, state.KeyRing, keyring.Name(k.Keys.Realm, purpose, before.Version))
	})
}

// transition is the change of the ledger's key, signed by both; nil for another key.
func (k *Desk) transition(t *engine.Txn, purpose string, keys *keyring.Current, version int) ([]byte, error) {
	if purpose != keyring.PurposeCheckpoint {
		return nil, nil
	}
	size, _, err := t.Head()
	if err != nil {
		return nil, err
	}
	return ledger.SignTransition(k.Origin, uint64(size), keys.Checkpoint, ed25519.NewKeyFromSeed(keys.Raw[keyring.Name(k.Keys.Realm, purpose, version)]))
}

// destroyKeys ends versions for good: in the set, in the key ring, in memory, and
// in custody.
func (k *Desk) destroyKeys(ctx context.Context, purpose string, versions []state.KeyVersion) error {
	err := k.turnSet(ctx, purpose, nil, func(t *engine.Txn, set *state.KeySet) error {
		keyset.Destroy(set, versions, k.Now().UnixMilli())
		if purpose == keyring.PurposeEpoch {
			k.keepHalf(set, versions)
		}
		for _, v := range versions {
			row := purpose
			if purpose == keyring.PurposeIDTag {
				row = keyring.PurposeTagCheck
			}
			if err := t.Tx.Delete(t.Ctx, state.KeyRing, keyring.Name(k.Keys.Realm, row, v.Version)); err != nil {
				return err
			}
			t.Append(k.entry("destroyed", keyring.Name(k.Keys.Realm, purpose, v.Version), "system", v.Public))
		}
		return nil
	})
	if err != nil || purpose != keyring.PurposeIDTag {
		return err
	}
	for _, v := range versions {
		// When custody does not answer, its key stays without use: nothing asks for it.
		if err := k.Keys.Provider.DestroyTagKey(v.Version); err != nil {
			return err
		}
	}
	return nil
}

// LedgerKeys are what the ledger's files are signed with now.
func (k *Desk) LedgerKeys() ledger.Keys {
	keys := k.Keys.Now()
	return ledger.Keys{Key: keys.Checkpoint, Chain: k.Chain()}
}

// Chain is every change of the ledger's key, oldest first.
func (k *Desk) Chain() []byte {
	var notes [][]byte
	for _, v := range k.Keys.Now().Sets[keyring.PurposeCheckpoint].Versions {
		if v.Note != nil {
			notes = append(notes, v.Note)
		}
	}
	return ledger.Keychain(notes)
}
