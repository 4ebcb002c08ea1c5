package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/state"
)

// AnchorFile keeps one small file beside the vault's database: the digests of its
// shelves at some entry of the ledger, sealed. Losing it, or an old one, costs a
// start its speed and nothing else.
type AnchorFile interface {
	// Load returns what was saved last; nothing and no error when there is none.
	Load() ([]byte, error)
	// Save replaces it; a crash leaves the former or the new one.
	Save(b []byte) error
}

// anchorEvery is how often the file follows the ledger.
const anchorEvery = time.Minute

// anchorPage is how many entries are read at a time.
const anchorPage = 1000

// errOldEntry ends a reading at an entry of before shelves were written down.
var errOldEntry = fault.New(fault.Internal, "old", "an entry does not say which shelves changed")

// anchored shelves are those after the first next entries.
type anchoredShelves struct {
	next int64
	sums shelves
}

func (k *Engine) anchorAAD(next int64) []byte {
	return []byte("tikakosh/anchors/v1\x00" + strconv.Itoa(int(k.keys.Realm)) + "\x00" + k.cfg.Origin + "\x00" + strconv.FormatInt(next, 10))
}

// sealAnchors is the file's content: the number of entries, and the digests sealed to it.
func (k *Engine) sealAnchors(a anchoredShelves) []byte {
	var raw []byte
	for _, shelf := range slices.Sorted(maps.Keys(a.sums)) {
		sum := a.sums[shelf]
		raw = append(append(append(raw, byte(len(shelf))), shelf...), sum[:]...)
	}
	return k.keys.Head.Seal(binary.BigEndian.AppendUint64(nil, uint64(a.next)), nil, raw, k.anchorAAD(a.next))
}

// openAnchors opens it; false when it is not what this vault has sealed.
func (k *Engine) openAnchors(b []byte) (a anchoredShelves, ok bool) {
	if len(b) < 8 {
		return a, false
	}
	a.next, a.sums = int64(binary.BigEndian.Uint64(b)), shelves{}
	raw, err := k.keys.Head.Open(nil, nil, b[8:], k.anchorAAD(a.next))
	if err != nil || a.next < 0 {
		return a, false
	}
	for len(raw) > 0 {
		n := int(raw[0])
		if len(raw) < 1+n+32 {
			return a, false
		}
		a.sums[string(raw[1:1+n])] = [32]byte(raw[1+n:])
		raw = raw[1+n+32:]
	}
	return a, true
}

// follow brings shelves to a later end of the ledger by what its entries say was moved.
// Entries are sealed to their places, so none can be left out, changed or put elsewhere.
func (k *Engine) follow(ctx context.Context, a anchoredShelves, to int64) (anchoredShelves, error) {
	a.sums = maps.Clone(a.sums)
	lost := int64(0) // entries without a body, which the next one has to answer for: an approved restore
	for a.next < to {
		var rows []state.Entry
		err := k.store.View(ctx, func(tx state.Tx) (err error) {
			rows, err = tx.Entries(ctx, a.next, int(min(anchorPage, to-a.next)))
			return err
		})
		if err != nil {
			return a, err
		}
		if len(rows) == 0 {
			return a, state.Integrity("entry", "ledger indexes are not dense")
		}
		for _, row := range rows {
			if len(row.Sealed) == 0 && row.Index == a.next {
				lost++
				a.next++
				continue
			}
			e, err := k.OpenEntry(row)
			if err != nil {
				return a, err
			}
			if e.Lost != lost {
				return a, state.Integrity("entry", "the body of a ledger entry is missing")
			}
			lost = 0
			if e.Index != a.next {
				return a, state.Integrity("entry", "ledger indexes are not dense")
			}
			if len(e.Rows) > 0 && len(e.Moved) == 0 {
				return a, errOldEntry
			}
			for shelf, digest := range e.Moved {
				if len(digest) != 32 {
					return a, errOldEntry
				}
				a.sums.move(shelf, digest)
			}
			a.next++
		}
	}
	if lost > 0 {
		return a, state.Integrity("entry", "the body of a ledger entry is missing")
	}
	return a, nil
}

// startShelves are the shelves at the ledger's end, from the file and the entries since;
// false when they cannot be had or do not add up to what the ledger anchors: then
// every row is read.
func (k *Engine) startShelves(ctx context.Context, next int64, want [32]byte) (anchoredShelves, bool) {
	if k.cfg.Anchors == nil {
		return anchoredShelves{}, false
	}
	b, err := k.cfg.Anchors.Load()
	if err != nil || len(b) == 0 {
		return anchoredShelves{}, false
	}
	a, ok := k.openAnchors(b)
	if !ok || a.next > next {
		k.log.Warn("the file of row digests is not this ledger's; every row is compared")
		return a, false
	}
	if a, err = k.follow(ctx, a, next); err != nil || a.sums.total() != want {
		k.log.Warn("the file of row digests does not lead to the ledger's end; every row is compared", "kind", fault.KindOf(err))
		return a, false
	}
	return a, true
}

// KeepAnchors lets the file follow the ledger until ctx ends, and once more then.
func (k *Engine) KeepAnchors(ctx context.Context) {
	if k.cfg.Anchors == nil {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-k.verified:
	}
	tick := time.NewTicker(anchorEvery)
	defer tick.Stop()
	for saved := int64(-1); ; {
		select {
		case <-ctx.Done():
			end, done := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			k.saveAnchors(end, saved)
			done()
			return
		case <-tick.C:
			saved = k.saveAnchors(ctx, saved)
		}
	}
}

// saveAnchors brings the file up to the ledger's end and returns where that is.
func (k *Engine) saveAnchors(ctx context.Context, saved int64) int64 {
	a, err := k.follow(ctx, k.shelves, k.lastNext.Load())
	if err == nil && a.next != saved {
		if err = k.cfg.Anchors.Save(k.sealAnchors(a)); err == nil {
			saved = a.next
		}
	}
	if err != nil {
		if !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			k.log.Warn("the file of row digests could not be written; the next start reads every row", "kind", fault.KindOf(err))
		}
		return saved
	}
	k.shelves = a
	return saved
}
