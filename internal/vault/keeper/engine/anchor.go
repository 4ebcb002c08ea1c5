package engine

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime"
	"sync"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

// gateWait is how long a request waits while the rows are still being compared
// after a start, before it is told to come back.
const gateWait = 2 * time.Second

// Gate holds everything back that reads rows or writes the ledger until Verify
// has found all anchored rows to be those of the ledger.
func (k *Engine) Gate(ctx context.Context) error {
	select {
	case <-k.verified:
		return nil
	default:
	}
	late := time.NewTimer(gateWait)
	defer late.Stop()
	select {
	case <-k.verified:
		return nil
	case <-ctx.Done():
	case <-late.C:
	}
	return &fault.Error{Kind: fault.Unavailable, Code: "comparing", Text: "the vault is comparing its rows with the ledger after a start", RetryAfter: gateWait}
}

// Verify recomputes the digest of all anchored rows, compares it with the
// ledger's head and its last entry, remembers the rows' versions, and lets
// requests in. It reads the tables side by side: nothing of this vault writes
// before it is through, and what others change meanwhile changes the digest or
// is older than what is remembered. fault.Integrity: a row was edited, removed or
// rolled back while the vault was down; it then stays closed.
//
// With an anchor file that leads to the ledger's end, requests are let in at once: a
// shelf is compared before the first of its rows is used, and the others before Verify
// returns. A difference then is refused to the request that meets it, and ends the vault.
//
// Before requests are let in it calls first, whose entry is the first of this start, and
// then; both write with Transact.
func (k *Engine) Verify(ctx context.Context, first, then func(context.Context) error) error {
	var want Tip
	var next int64
	err := k.store.View(ctx, func(tx state.Tx) (err error) {
		t := k.begin(ctx, 0, 0, tx)
		if next, want, err = t.Anchor(); err != nil {
			return err
		}
		return k.readSignOuts(t, next, want)
	})
	if err != nil {
		return err
	}
	if a, ok := k.startShelves(ctx, next, want.Sum); ok {
		return k.verifyLater(ctx, a, next, want, first, then)
	}
	k.shelves = anchoredShelves{next: next, sums: shelves{}}
	sum, err := k.sumRows(ctx, append(state.Anchored(), state.Passing()...), k.shelves.sums)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum[:], want.Sum[:]) != 1 && !ablate.Off(ablate.GuardAnchor) {
		return state.Integrity("household, person, staff or session", "the rows do not have the digest the ledger anchors: a row was edited, removed or rolled back")
	}
	return k.letIn(ctx, next, want, first, then)
}

// verifyLater lets requests in when what passes is remembered, and compares meanwhile.
func (k *Engine) verifyLater(ctx context.Context, a anchoredShelves, next int64, want Tip, first, then func(context.Context) error) error {
	k.shelves = a
	c := newComparison(a.sums)
	k.comparing.Store(c)
	if _, err := k.sumRows(ctx, state.Passing(), nil); err != nil {
		return err
	}
	if err := k.letIn(ctx, next, want, first, then); err != nil {
		return err
	}
	return k.compareAll(ctx, c)
}

// letIn writes what a start has to say and opens the gate.
func (k *Engine) letIn(ctx context.Context, next int64, want Tip, first, then func(context.Context) error) error {
	k.raiseNext(next)
	if err := first(ctx); err != nil {
		return err
	}
	if want.old {
		if err := k.chainSignOuts(ctx); err != nil {
			return err
		}
	}
	if err := then(ctx); err != nil {
		return err
	}
	close(k.verified)
	return nil
}

// chainSignOuts says once more which bearers have ended, where the ledger's head
// does not chain sign-outs yet. A head that does is written with them.
func (k *Engine) chainSignOuts(ctx context.Context) error {
	_, err := k.Transact(ctx, func(t *Txn) error {
		for _, key := range k.seen.ended() {
			t.Append(Entry{Kind: SignOut, View: "again", Role: "system", Evidence: key})
		}
		return nil
	})
	return err
}

// sumBatch is how many rows a reader hands on at a time.
const sumBatch = 256

// sumRows reads every row of some tables: every anchored row once, checks its MAC, adds up the digest and
// remembers the versions; then those of the rows that expire, as far as memory
// goes: of these one whose MAC is wrong is refused when it is used. Each table has
// a reader, and every core checks what the readers bring.
func (k *Engine) sumRows(ctx context.Context, tables []state.Table, into shelves) (total [32]byte, err error) {
	type batch struct {
		table state.Table
		rows  []state.Stored
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan batch, 8)
	var readers, checkers sync.WaitGroup
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		checkers.Go(func() {
			sums := shelves{}
			for b := range work {
				if anchored(b.table) {
					if err := k.shelve(sums, b.table, b.rows); err != nil {
						cancel(err)
					}
				}
				k.seen.learn(b.table, b.rows)
			}
			mu.Lock()
			defer mu.Unlock()
			for shelf, sum := range sums {
				subtle.XORBytes(total[:], total[:], sum[:])
				if into != nil {
					into.move(shelf, sum[:])
				}
			}
		})
	}
	for _, table := range tables {
		readers.Go(func() {
			b := batch{table: table}
			left := passingLimit
			err := k.store.View(ctx, func(tx state.Tx) error {
				return tx.All(ctx, table, func(s state.Stored) error {
					if !anchored(table) {
						if left--; left < 0 {
							return errEnough
						}
						if !hmac.Equal(s.MAC, k.keys.RowMAC(table, s)) && !ablate.Off(ablate.RowMAC) {
							return nil
						}
					}
					if b.rows = append(b.rows, s); len(b.rows) == sumBatch {
						work <- b
						b.rows = nil
					}
					return context.Cause(ctx)
				})
			})
			if err != nil && !errors.Is(err, errEnough) {
				cancel(err)
			}
			work <- b
		})
	}
	readers.Wait()
	close(work)
	checkers.Wait()
	return total, context.Cause(ctx)
}

// errEnough ends a reading early.
var errEnough = fault.New(fault.Internal, "enough", "enough rows were read")

// shelve adds rows of one table to the digests of their shelves.
func (k *Engine) shelve(sums shelves, table state.Table, rows []state.Stored) error {
	for i := range rows {
		var sum [32]byte
		if err := k.addRows(&sum, table, rows[i:i+1]); err != nil {
			return err
		}
		sums.move(shelfOf(table, rows[i].Key), sum[:])
	}
	return nil
}

func (k *Engine) addRows(sum *[32]byte, table state.Table, rows []state.Stored) error {
	for _, s := range rows {
		if !hmac.Equal(s.MAC, k.keys.RowMAC(table, s)) && !ablate.Off(ablate.RowMAC) {
			return state.Integrity(table, "a row's MAC does not match")
		}
		subtle.XORBytes(sum[:], sum[:], k.RowDigest(table, s))
	}
	return nil
}

// Anchor is the ledger's head, compared with its last entry.
func (t *Txn) Anchor() (next int64, at Tip, err error) {
	if next, at, err = t.Head(); err != nil {
		return 0, at, err
	}
	last, err := t.Tx.Entries(t.Ctx, max(next-1, 0), 2)
	if err != nil || (next == 0 && len(last) == 0) {
		return next, at, err
	}
	if next == 0 || len(last) != 1 {
		return 0, at, state.Integrity("entry", "the ledger's last entry is missing or not the last")
	}
	e, err := t.k.OpenEntry(last[0])
	if err != nil {
		return 0, at, err
	}
	if e.Digest != hex.EncodeToString(at.Sum[:]) || (!at.old && e.LastOut != at.out) {
		return 0, at, state.Integrity("ledger_head", "the digest differs from the last entry's")
	}
	return next, at, nil
}

// Tip is what the ledger's head seals: the combined digest of the anchored rows,
// and which entry is the newest sign-out (its index and one; 0: none). Old heads,
// of before sign-outs were chained, hold the digest alone.
type Tip struct {
	Sum [32]byte
	out int64
	old bool
}

func (p Tip) bytes() []byte { return binary.BigEndian.AppendUint64(p.Sum[:], uint64(p.out)) }

func readTip(raw []byte) (p Tip, ok bool) {
	switch len(raw) {
	case len(p.Sum):
		return Tip{Sum: [32]byte(raw), old: true}, true
	case len(p.Sum) + 8:
		return Tip{Sum: [32]byte(raw), out: int64(binary.BigEndian.Uint64(raw[len(p.Sum):]))}, true
	}
	return p, false
}

// Each calls fn with every row of a table, in no order, and whether its MAC is
// right.
func (t *Txn) Each(table state.Table, fn func(s state.Stored, right bool)) error {
	return t.Tx.All(t.Ctx, table, func(s state.Stored) error {
		fn(s, hmac.Equal(s.MAC, t.k.keys.RowMAC(table, s)) || ablate.Off(ablate.RowMAC))
		return nil
	})
}

// SignOut is the ledger entry of an ended bearer; its Evidence is the key of
// the bearer's row. The row alone could be set back while the vault is down.
const SignOut = "signed out"

func (k *Engine) noteSignOut(e Entry) {
	if e.Kind == SignOut {
		k.seen.revoke(e.Evidence, e.At+k.cfg.BearerLife.Milliseconds())
	}
}

// readSignOuts follows the chain of sign-outs back over the life of a bearer. The
// head names the newest and each names the one before it, all inside what is
// sealed to its place, so that none can be left out.
func (k *Engine) readSignOuts(t *Txn, next int64, at Tip) error {
	if at.old {
		return k.scanSignOuts(t, next)
	}
	since := k.now().Add(-k.cfg.BearerLife - time.Minute).UnixMilli()
	for out := at.out; out > 0; {
		rows, err := t.Tx.Entries(t.Ctx, out-1, 1)
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0].Index != out-1 {
			return state.Integrity("entry", "a sign-out is missing")
		}
		e, err := k.OpenEntry(rows[0])
		if err != nil {
			return err
		}
		if e.Kind != SignOut || e.PrevOut >= out {
			return state.Integrity("entry", "the chain of sign-outs is broken")
		}
		if e.At < since {
			return nil
		}
		k.noteSignOut(e)
		out = e.PrevOut
	}
	return nil
}

// scanSignOuts reads the whole ledger backwards over the life of a bearer: once,
// after a start on a database whose head chains no sign-outs yet.
func (k *Engine) scanSignOuts(t *Txn, next int64) error {
	const page = 500
	since := k.now().Add(-k.cfg.BearerLife - time.Minute).UnixMilli()
	for next > 0 {
		from := max(next-page, 0)
		rows, err := t.Tx.Entries(t.Ctx, from, int(next-from))
		if err != nil {
			return err
		}
		if int64(len(rows)) != next-from {
			return state.Integrity("entry", "ledger indexes are not dense")
		}
		recent := false
		for i, row := range rows {
			if row.Index != from+int64(i) {
				return state.Integrity("entry", "ledger indexes are not dense")
			}
			e, err := k.OpenEntry(row)
			if err != nil {
				return err
			}
			recent = recent || e.At >= since
			k.noteSignOut(e)
		}
		if !recent {
			return nil
		}
		next = from
	}
	return nil
}
