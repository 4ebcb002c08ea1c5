// Package rotation changes the realm's keys while the vault serves (ADR 23): it makes the
// next version of a key, lets it be used when whoever checks it knows it, moves the rows that
// need the old one, and destroys that, each step with its ledger entry and over any restart.
// Which step follows which is vault/keyset's; what a key does is keyring's.
package rotation

import (
	"context"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Times are how long the steps of a change of keys wait; the zero value is DefaultTimes.
type Times struct {
	Announce time.Duration // before a new bearer key signs: every web process asks for the keys each second
	Publish  time.Duration // before a new certificate or ledger key signs: the published keys may be cached for five minutes
	Drain    time.Duration // after a change, until every request of before it has ended
}

// DefaultTimes are the figures of ADR 23.
func DefaultTimes() Times {
	return Times{Announce: 10 * time.Second, Publish: 10 * time.Minute, Drain: time.Minute}
}

// Config is what changes of keys need. Every field is trusted.
type Config struct {
	Origin     string // name of the ledger, as in its checkpoints
	Custody    string // what the key inventory calls the provider: "file", "pkcs11", …
	Times      Times
	EraseFinal time.Duration // how long backup sets of before a change of the epoch key still open; 0: 30 days
	Keys       *keyring.Ring
	Store      state.Store
	Now        func() time.Time
	Log        *slog.Logger
}

// Desk changes the keys of one vault. It is safe for concurrent use.
type Desk struct {
	Config
	eng    *engine.Engine
	began  time.Time    // of this process, in the vault's time
	erased atomic.Int64 // since when an erasure waits for the epoch key to change; 0: none
	stale  atomic.Bool  // a change of keys ended in doubt: the rows are to be read again
}

// New returns a desk over an engine; began is when this process began.
func New(cfg Config, eng *engine.Engine, began time.Time) *Desk {
	if cfg.Times == (Times{}) {
		cfg.Times = DefaultTimes()
	}
	return &Desk{Config: cfg, eng: eng, began: began}
}

// topic finds the ledger entries about keys.
const topic = id.Person("keys")

// Start is what a start does for the keys: the sets that the vault began with, before any row
// was compared with the ledger, are compared with the rows as they were found, and that the
// keys were made goes on the ledger, once. It belongs between the comparison and the first
// request. fault.Integrity: a row changed meanwhile.
func (k *Desk) Start(ctx context.Context) error {
	if err := k.confirm(ctx); err != nil {
		return err
	}
	_, err := k.eng.Transact(ctx, func(t *engine.Txn) error {
		last, err := t.Tx.ByPerson(ctx, k.Keys.PersonTag(topic), 0, 1)
		if err == nil && len(last) == 0 {
			t.Append(k.entry("made", keyring.Name(k.Keys.Realm, "*", 1), "system", nil))
		}
		return err
	})
	return err
}

func (k *Desk) confirm(ctx context.Context) error {
	return k.eng.Look(ctx, func(t *engine.Txn) error {
		for _, purpose := range keyring.Turning() {
			set, ok, err := engine.Get[state.KeySet](t, state.KeyStates, purpose)
			if err != nil {
				return err
			}
			used := k.Keys.Now().Sets[purpose]
			if ok && !reflect.DeepEqual(set, used) || !ok && len(used.Versions) != 1 {
				return state.Integrity(state.KeyStates, "a row changed while the vault started")
			}
		}
		return nil
	})
}
