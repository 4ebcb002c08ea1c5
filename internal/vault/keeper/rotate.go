package keeper

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// KeyTimes are how long the steps of a change of keys wait; the zero value is
// DefaultKeyTimes.
type KeyTimes struct {
	Announce time.Duration // before a new bearer key signs: every web process asks for the keys each second
	Publish  time.Duration // before a new certificate or ledger key signs: the published keys may be cached for five minutes
	Drain    time.Duration // after a change, until every request of before it has ended
}

// DefaultKeyTimes are the figures of ADR 23.
func DefaultKeyTimes() KeyTimes {
	return KeyTimes{Announce: 10 * time.Second, Publish: 10 * time.Minute, Drain: time.Minute}
}

// keyKinds are the keys an operator can change, by the word for them.
func keyKinds() map[string]string {
	return map[string]string{vault.KeyEpoch: keyring.PurposeEpoch, vault.KeyIndex: keyring.PurposeMobile, vault.KeyToken: keyring.PurposeBearer,
		vault.KeyCertificate: keyring.PurposeCertificate, vault.KeyLedger: keyring.PurposeCheckpoint, vault.KeyIDTag: keyring.PurposeIDTag}
}

// signs reports whether a purpose's key is published before it is used.
func signs(purpose string) bool {
	return purpose == keyring.PurposeBearer || purpose == keyring.PurposeCertificate || purpose == keyring.PurposeCheckpoint
}

// keyTopic finds the ledger entries about keys.
const keyTopic = id.Person("keys")

// keyEntry is the ledger entry of one thing that happened to a key.
func (k *Keeper) keyEntry(what, name, role string, public []byte) engine.Entry {
	e := engine.Entry{Kind: "key", View: what, Reason: name, Role: role, Place: k.cfg.Custody, Topic: keyTopic}
	if public != nil {
		sum := sha256.Sum256(public)
		e.Evidence = hex.EncodeToString(sum[:])
	}
	return e
}

// recordKeys puts it on the ledger, once, that the realm's keys were made.
func (k *Keeper) recordKeys(ctx context.Context) error {
	_, err := k.transact(ctx, func(t *txn) error {
		last, err := t.Tx.ByPerson(ctx, k.keys.PersonTag(keyTopic), 0, 1)
		if err == nil && len(last) == 0 {
			t.Append(k.keyEntry("made", keyring.Name(k.keys.Realm, "*", 1), "system", nil))
		}
		return err
	})
	return err
}

// confirmKeys compares the sets of keys that the vault began with, before any row
// was compared with the ledger, with the compared ones.
func (k *Keeper) confirmKeys(ctx context.Context) error {
	return k.eng.Look(ctx, func(t *engine.Txn) error {
		for _, purpose := range keyring.Turning() {
			set, ok, err := engine.Get[state.KeySet](t, state.KeyStates, purpose)
			if err != nil {
				return err
			}
			used := k.keys.Now().Sets[purpose]
			if ok && !reflect.DeepEqual(set, used) || !ok && len(used.Versions) != 1 {
				return state.Integrity(state.KeyStates, "a row changed while the vault started")
			}
		}
		return nil
	})
}

// RotateKey implements the vault's word: it makes the next version of a key and,
// where rows are named or wrapped by it, uses it at once. What follows the vault
// does by itself, also over a restart. fault.Conflict while a change of that key
// is under way.
func (k *Keeper) RotateKey(ctx context.Context, r vault.KeyRotateRequest) (vault.KeyRotated, error) {
	return k.rotate(ctx, r, "operator")
}

// rotate is RotateKey by the operator or, after erasures, by the vault itself.
func (k *Keeper) rotate(ctx context.Context, r vault.KeyRotateRequest, role string) (vault.KeyRotated, error) {
	purpose, known := keyKinds()[r.Kind]
	if !known {
		return vault.KeyRotated{}, fault.New(fault.Invalid, "key-kind", "keys that can change: token, certificate, epoch, ledger, index, id-tag")
	}
	if r.Compromised && purpose != keyring.PurposeIDTag {
		return vault.KeyRotated{}, fault.New(fault.Invalid, "key-kind", "only the id-tag key takes --compromised: its old tags are worth nothing then and are removed")
	}
	if err := k.eng.Gate(ctx); err != nil {
		return vault.KeyRotated{}, err
	}
	set := k.keys.Now().Sets[purpose]
	version := set.Versions[len(set.Versions)-1].Version + 1
	rows, fresh, public, err := k.newVersion(purpose, version)
	if err != nil {
		return vault.KeyRotated{}, err
	}
	name := keyring.Name(k.keys.Realm, purpose, version)
	err = k.turnSet(ctx, purpose, fresh, func(t *txn, set *state.KeySet) error {
		now := k.now().UnixMilli()
		v := state.KeyVersion{Custody: k.cfg.Custody, Public: public}
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
		t.Append(k.keyEntry(what, name, role, public))
		return nil
	})
	return vault.KeyRotated{Key: name}, err
}

// newVersion makes the secret of a new version and its rows: before the change,
// because custody may take its time. What a change that does not come about
// leaves in custody is used by the next one.
func (k *Keeper) newVersion(purpose string, version int) (rows []state.Stored, fresh map[string][]byte, public []byte, err error) {
	raw, err := k.keys.NewKey(purpose, version)
	if err != nil {
		return nil, nil, nil, err
	}
	row, secret := purpose, raw
	if purpose == keyring.PurposeIDTag {
		if secret, err = k.keys.TagCheck(version); err != nil {
			return nil, nil, nil, err
		}
		row = keyring.PurposeTagCheck
	} else {
		fresh = map[string][]byte{keyring.Name(k.keys.Realm, purpose, version): raw}
	}
	if public, err = keyring.PublicHalf(purpose, raw); err != nil {
		return nil, nil, nil, err
	}
	s, err := k.keys.Wrapped(row, version, secret, k.now().UnixMilli())
	if err == nil && purpose == keyring.PurposeEpoch {
		fresh[keyring.Name(k.keys.Realm, purpose, version)], err = k.keys.Whole(state.Key{Purpose: purpose, Version: version, Held: true}, raw)
	}
	return []state.Stored{s}, fresh, public, err
}

// turnSet changes the set of a purpose, alone and durably, and from then on works
// with it. fresh are the secrets that are new.
func (k *Keeper) turnSet(ctx context.Context, purpose string, fresh map[string][]byte, change func(t *txn, set *state.KeySet) error) error {
	return k.eng.Alone(func() error { return k.turnSetAlone(ctx, purpose, fresh, change) })
}

func (k *Keeper) turnSetAlone(ctx context.Context, purpose string, fresh map[string][]byte, change func(t *txn, set *state.KeySet) error) error {
	if k.stale.Load() {
		return fault.New(fault.Unavailable, "key-change", "the last change of keys ended in doubt and is being looked at; try again")
	}
	old := k.keys.Now()
	var set state.KeySet
	_, err := k.commit(ctx, func(t *txn) (err error) {
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
			delete(raw, keyring.Name(k.keys.Realm, purpose, v.Version))
		}
	}
	next, err := k.keys.Build(sets, raw)
	if err != nil {
		return err
	}
	k.keys.Turn.Store(next)
	return nil
}

// reload reads the sets again after a change whose commit was in doubt.
func (k *Keeper) reload(ctx context.Context) error {
	return k.eng.Alone(func() error {
		return k.store.View(ctx, func(tx state.Tx) error {
			next, err := k.keys.Load(ctx, tx, k.keys.Now().Raw)
			if err == nil {
				k.keys.Turn.Store(next)
				k.stale.Store(false)
			}
			return err
		})
	})
}

// turnEvery is how often the vault looks whether a change of keys can go on.
const turnEvery = 200 * time.Millisecond

// turnKeys takes every change of keys to its end.
func (k *Keeper) turnKeys(ctx context.Context) {
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
			k.log.Warn("alarm: a change of keys does not go on; it is tried again", "alarm", "key-change", "error", err.Error())
		}
		failing = err != nil
	}
}

// turnOn does what can be done now.
func (k *Keeper) turnOn(ctx context.Context, passes map[string]*pass) error {
	if k.stale.Load() {
		if err := k.reload(ctx); err != nil {
			return err
		}
	}
	if passes[keyring.PurposeTagCheck] == nil { // what was destroyed just before the process ended
		for _, v := range keyset.In(k.keys.Now().Sets[keyring.PurposeIDTag], state.KeyDestroyed) {
			if err := k.keys.Provider.DestroyTagKey(v.Version); err != nil {
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

func (k *Keeper) turnOne(ctx context.Context, purpose string, passes map[string]*pass) error {
	set, now := k.keys.Now().Sets[purpose], k.now()
	if purpose == keyring.PurposeEpoch {
		if err := k.forgetEpochs(ctx, set); err != nil {
			return err
		}
		set = k.keys.Now().Sets[purpose]
	}
	if next := keyset.In(set, state.KeyNext); len(next) == 1 {
		wait := k.cfg.KeyTimes.Publish
		if purpose == keyring.PurposeBearer {
			wait = k.cfg.KeyTimes.Announce
		}
		if now.Sub(time.UnixMilli(next[0].Since)) < wait || now.Sub(k.began) < min(wait, k.cfg.KeyTimes.Announce) {
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
func (k *Keeper) switchKey(ctx context.Context, purpose string) error {
	now := k.now()
	until := int64(0)
	if purpose == keyring.PurposeBearer {
		until = now.Add(proof.BearerLife + time.Minute).UnixMilli()
	}
	keys := k.keys.Now()
	before := keyset.Current(keys.Sets[purpose])
	public, err := keyring.PublicHalf(purpose, keys.Raw[keyring.Name(k.keys.Realm, purpose, before.Version)])
	if err != nil {
		return err
	}
	return k.turnSet(ctx, purpose, nil, func(t *txn, set *state.KeySet) error {
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
				name = keyring.Name(k.keys.Realm, purpose, v.Version)
				if v.Note, err = k.transition(t, purpose, keys, v.Version); err != nil {
					return err
				}
				t.Append(k.keyEntry("in use", name, "system", slices.Concat(v.Public, v.Note)))
			}
		}
		t.Append(k.keyEntry("secret half destroyed", keyring.Name(k.keys.Realm, purpose, before.Version), "system", public))
		return t.Tx.Delete(t.Ctx, state.KeyRing, keyring.Name(k.keys.Realm, purpose, before.Version))
	})
}

// transition is the change of the ledger's key, signed by both; nil for another key.
func (k *Keeper) transition(t *txn, purpose string, keys *keyring.Current, version int) ([]byte, error) {
	if purpose != keyring.PurposeCheckpoint {
		return nil, nil
	}
	size, _, err := t.Head()
	if err != nil {
		return nil, err
	}
	return ledger.SignTransition(k.cfg.Origin, uint64(size), keys.Checkpoint, ed25519.NewKeyFromSeed(keys.Raw[keyring.Name(k.keys.Realm, purpose, version)]))
}

// destroyKeys ends versions for good: in the set, in the key ring, in memory, and
// in custody.
func (k *Keeper) destroyKeys(ctx context.Context, purpose string, versions []state.KeyVersion) error {
	err := k.turnSet(ctx, purpose, nil, func(t *txn, set *state.KeySet) error {
		keyset.Destroy(set, versions, k.now().UnixMilli())
		if purpose == keyring.PurposeEpoch {
			k.keepHalf(set, versions)
		}
		for _, v := range versions {
			row := purpose
			if purpose == keyring.PurposeIDTag {
				row = keyring.PurposeTagCheck
			}
			if err := t.Tx.Delete(t.Ctx, state.KeyRing, keyring.Name(k.keys.Realm, row, v.Version)); err != nil {
				return err
			}
			t.Append(k.keyEntry("destroyed", keyring.Name(k.keys.Realm, purpose, v.Version), "system", v.Public))
		}
		return nil
	})
	if err != nil || purpose != keyring.PurposeIDTag {
		return err
	}
	for _, v := range versions {
		// When custody does not answer, its key stays without use: nothing asks for it.
		if err := k.keys.Provider.DestroyTagKey(v.Version); err != nil {
			return err
		}
	}
	return nil
}

// LedgerKeys are what the ledger's files are signed with now.
func (k *Keeper) LedgerKeys() ledger.Keys {
	keys := k.keys.Now()
	return ledger.Keys{Key: keys.Checkpoint, Chain: k.ledgerChain()}
}

// ledgerChain is every change of the ledger's key, oldest first.
func (k *Keeper) ledgerChain() []byte {
	var notes [][]byte
	for _, v := range k.keys.Now().Sets[keyring.PurposeCheckpoint].Versions {
		if v.Note != nil {
			notes = append(notes, v.Note)
		}
	}
	return ledger.Keychain(notes)
}

// ListKeys implements the vault's word: every key there is or was, no secret.
func (k *Keeper) ListKeys(ctx context.Context, _ vault.Empty) (vault.KeyList, error) {
	out := vault.KeyList{Custody: k.cfg.Custody}
	err := k.store.View(ctx, func(tx state.Tx) error {
		out.Keys = nil
		for _, purpose := range append(keyring.Fixed(), keyring.PurposeReceipt) {
			row, err := keyring.Row(ctx, tx, k.keys.Realm, purpose, 1)
			if err != nil {
				return err
			}
			out.Keys = append(out.Keys, vault.KeyInfo{Purpose: purpose, Key: keyring.Name(k.keys.Realm, purpose, 1), Version: 1, Custody: k.cfg.Custody,
				Created: row.Created, Since: row.Created, State: state.KeyCurrent, Uses: keyUses(purpose)})
		}
		return nil
	})
	sets := k.keys.Now().Sets
	for _, purpose := range keyring.Turning() {
		for _, v := range sets[purpose].Versions {
			info := vault.KeyInfo{Purpose: purpose, Key: keyring.Name(k.keys.Realm, purpose, v.Version), Version: v.Version, Custody: v.Custody,
				Created: v.Created, Since: v.Since, Until: v.Until, State: v.State, Uses: keyUses(purpose)}
			if info.Custody == "" {
				info.Custody = k.cfg.Custody
			}
			out.Keys = append(out.Keys, info)
		}
	}
	slices.SortFunc(out.Keys, vault.KeyInfo.Compare)
	return out, err
}

func keyUses(purpose string) string {
	return map[string]string{
		keyring.PurposeMobile: "names mobile numbers in the vault's database", keyring.PurposeMatch: "names cards, enrolments and names asked about",
		keyring.PurposeContact: "seals mobile numbers and staff names", keyring.PurposeRow: "authenticates the vault's rows",
		keyring.PurposeDigest: "adds the rows up for the ledger", keyring.PurposeCode: "authenticates one-time codes", keyring.PurposeBooking: "makes security codes of bookings, checks PINs",
		keyring.PurposeView: "makes view references and pairwise subjects", keyring.PurposeEntry: "seals ledger bodies; the inbox key is made from it", keyring.PurposePersonTag: "finds a person's ledger entries",
		keyring.PurposeEpoch: "wraps the data key of each person", keyring.PurposeBearer: "signs bearers (ES256)", keyring.PurposeCertificate: "signs certificates, their revocation list and statuses (ES256)",
		keyring.PurposeReceipt: "signs receipts (Ed25519)", keyring.PurposeCheckpoint: "signs the ledger's checkpoints (Ed25519)", keyring.PurposeIDTag: "tags id numbers, inside custody",
	}[purpose]
}
