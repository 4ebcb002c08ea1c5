// Package engine keeps the vault's rows and its ledger together (ADR 28). A Txn reads and
// writes rows with their MACs and appends entries; every anchored row it writes changes the
// digest that its entries carry; receipts exist only after the commit. Verify compares all
// of it after a start, and until then nothing is let in. It is free of the vault's subject:
// who may do what is decided by those who use it.
package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Config is what an engine needs besides its store and keys.
type Config struct {
	Origin     string        // name of the ledger, as in its checkpoints
	Anchors    AnchorFile    // nil: every start reads every row before it serves
	BearerLife time.Duration // how far back sign-outs matter
	// Along is asked before each commit and returns what shares it, and what to call
	// when it is known whether it was made. nil: nothing does.
	Along func() (take func(context.Context, state.Tx) error, taken func(committed bool))
}

// Engine keeps the vault's rows and its ledger: no row is used that is not as this vault
// wrote it last, and none that grants something is written without an entry. It knows
// nothing of what the rows are about. It is safe for concurrent use.
type Engine struct {
	cfg       Config
	store     state.Store
	keys      *keyring.Ring
	now       func() time.Time
	log       *slog.Logger
	lastNext  atomic.Int64
	wakeC     chan struct{}
	seen      *memory
	comparing atomic.Pointer[comparison] // nil: every anchored row was compared
	shelves   anchoredShelves            // what the anchor file holds; Verify's, then keepAnchors'
	verified  chan struct{}              // closed when the rows were found to be the ledger's
	turnMu    sync.RWMutex               // held by transactions; alone by a change of keys
}

// New returns an engine that lets nothing in before Verify.
func New(cfg Config, st state.Store, keys *keyring.Ring, now func() time.Time, log *slog.Logger) *Engine {
	if cfg.Along == nil {
		cfg.Along = func() (func(context.Context, state.Tx) error, func(bool)) {
			return func(context.Context, state.Tx) error { return nil }, func(bool) {}
		}
	}
	return &Engine{cfg: cfg, store: st, keys: keys, now: now, log: log, verified: make(chan struct{}), wakeC: make(chan struct{}, 1), seen: newMemory()}
}

// ForAudit returns an engine for reading alone, which lets in at once: the audit
// itself is the comparison.
func ForAudit(cfg Config, st state.Store, keys *keyring.Ring, now func() time.Time, log *slog.Logger) *Engine {
	k := New(cfg, st, keys, now, log)
	close(k.verified)
	return k
}

// Ready is closed when requests are let in.
func (k *Engine) Ready() <-chan struct{} { return k.verified }

// Comparing reports whether rows are still being compared after a start.
func (k *Engine) Comparing() bool { return k.comparing.Load() != nil }

// Size is how many entries the ledger has, as far as this process knows.
func (k *Engine) Size() int64 { return k.lastNext.Load() }

// Ended reports whether the bearer whose row has this key was ended, whatever its row says.
func (k *Engine) Ended(key string) bool { return k.seen.isRevoked(key) }

// Wake is signalled after entries were committed; the ledger's files follow.
func (k *Engine) Wake() <-chan struct{} { return k.wakeC }

func (k *Engine) wake() {
	select {
	case k.wakeC <- struct{}{}:
	default:
	}
}

// Leaves returns committed leaves in index order, for the ledger's files.
func (k *Engine) Leaves(ctx context.Context, from uint64, limit int) ([][]byte, error) {
	// An entry is handed out only with the keys that were in force after it: what
	// signs a checkpoint over a change of the ledger's key is the new key.
	k.turnMu.RLock()
	defer k.turnMu.RUnlock()
	var out [][]byte
	err := k.store.View(ctx, func(tx state.Tx) error {
		rows, err := tx.Entries(ctx, int64(from), limit)
		if err != nil {
			return err
		}
		out = out[:0]
		for i, r := range rows {
			if r.Index != int64(from)+int64(i) {
				return state.Integrity("entry", "ledger indexes are not dense")
			}
			out = append(out, r.Leaf)
		}
		return nil
	})
	return out, err
}

func (k *Engine) raiseNext(n int64) {
	for {
		old := k.lastNext.Load()
		if n <= old || k.lastNext.CompareAndSwap(old, n) {
			return
		}
	}
}

// lastSeen is the version a row must at least have; see memory.last.
func (k *Engine) lastSeen(t state.Table, key string, began uint64) int64 {
	return k.seen.last(t, key, began, k.now().UnixMilli())
}

// ExpireRows drops, a thousand at a time, every row whose time is over.
func (k *Engine) ExpireRows(ctx context.Context) {
	before := k.now().UnixMilli()
	k.seen.swept.Store(max(before, k.seen.swept.Load()))
	k.seen.forget(before)
	for _, table := range state.Passing() {
		for n := int64(1000); n == 1000; {
			err := k.store.Update(ctx, func(tx state.Tx) (err error) {
				n, err = tx.Expire(ctx, table, before, 1000)
				return err
			})
			if err != nil {
				n = 0
				if ctx.Err() == nil {
					k.log.Warn("housekeeping failed", "table", table, "kind", fault.KindOf(err))
				}
			}
		}
	}
}
