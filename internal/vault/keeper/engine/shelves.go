package engine

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"maps"
	"slices"
	"strings"
	"sync"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault/state"
)

// A shelf is the anchored rows of a table whose keys begin alike: some hundred rows of
// a large table. The digests of all shelves, combined, are the digest that the ledger
// anchors. A vault that has them need not read every row before it serves: it compares
// a shelf before the first row of it is used, and the others meanwhile (ADR 26).

// shelfWidth is how many characters of a key name its shelf. Ids and tags are random
// and in hexadecimal; the first two of an id tag are the version of its key.
func shelfWidth(t state.Table) int {
	switch t {
	case state.Households, state.Persons, state.MobileIndexes, state.Cards, state.Issued, state.Shares:
		return 3
	case state.IDTags:
		return 5
	case state.OpenSessions: // by centre
		return 6
	}
	return 0 // one shelf: the table is small, or read as a whole
}

// shelfOf names the shelf of a row.
func shelfOf(t state.Table, key string) string {
	return string(t) + "/" + key[:min(len(key), shelfWidth(t))]
}

// shelves maps shelves to their digests. Shelves without rows are not in it.
type shelves map[string][32]byte

// move adds the digest of a row that has come or gone.
func (s shelves) move(shelf string, digest []byte) {
	sum := s[shelf]
	subtle.XORBytes(sum[:], sum[:], digest)
	if s[shelf] = sum; sum == [32]byte{} {
		delete(s, shelf)
	}
}

func (s shelves) total() (out [32]byte) {
	for _, sum := range s {
		subtle.XORBytes(out[:], out[:], sum[:])
	}
	return out
}

// comparison is what is known of the shelves while the rows are still being compared
// after a start. want is what they were at the start: nothing is written to a shelf
// before it was compared, so that it is what an uncompared one has to be in any
// snapshot.
type comparison struct {
	want shelves

	mu    sync.Mutex
	right map[string]bool
	busy  map[string]chan struct{}
}

func newComparison(want shelves) *comparison {
	return &comparison{want: want, right: map[string]bool{}, busy: map[string]chan struct{}{}}
}

func (c *comparison) is(shelf string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.right[shelf]
}

// judge compares what was read of a shelf that was not compared before and remembers
// its rows. fault.Integrity: a row of it was edited, removed, added or rolled back.
func (c *comparison) judge(k *Engine, table state.Table, shelf string, rows []state.Stored) error {
	var sum [32]byte
	if err := k.addRows(&sum, table, rows); err != nil {
		if c.is(shelf) { // compared and changed while it was read
			return nil
		}
		return err
	}
	want := c.want[shelf]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.right[shelf] {
		return nil
	}
	if !hmac.Equal(sum[:], want[:]) && !ablate.Off(ablate.GuardAnchor) {
		return state.Integrity(table, "some rows do not have the digest the ledger anchors: one was edited, removed or rolled back")
	}
	c.right[shelf] = true
	k.seen.learn(table, rows)
	return nil
}

// Compared returns when a row's shelf is compared.
func (k *Engine) Compared(ctx context.Context, table state.Table, key string) error {
	c := k.comparing.Load()
	if c == nil || !anchored(table) {
		return nil
	}
	return c.compare(ctx, k, table, shelfOf(table, key))
}

// compare reads a shelf, once for all who wait for it, unless it was compared.
func (c *comparison) compare(ctx context.Context, k *Engine, table state.Table, shelf string) error {
	for {
		c.mu.Lock()
		other := c.busy[shelf]
		switch {
		case c.right[shelf]:
			c.mu.Unlock()
			return nil
		case other == nil:
			done := make(chan struct{})
			c.busy[shelf] = done
			c.mu.Unlock()
			rows, err := k.readShelf(ctx, table, strings.TrimPrefix(shelf, string(table)+"/"))
			if err == nil {
				err = c.judge(k, table, shelf, rows)
			}
			c.mu.Lock()
			delete(c.busy, shelf)
			c.mu.Unlock()
			close(done)
			return err
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readShelf reads the rows whose keys begin with a prefix.
func (k *Engine) readShelf(ctx context.Context, table state.Table, prefix string) (out []state.Stored, err error) {
	err = k.store.View(ctx, func(tx state.Tx) error {
		out = nil
		for after := prefix; ; {
			rows, err := tx.Scan(ctx, table, after, sumBatch)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if !strings.HasPrefix(r.Key, prefix) {
					return nil
				}
				out = append(out, r)
			}
			if len(rows) < sumBatch {
				return nil
			}
			after = rows[len(rows)-1].Key
		}
	})
	return out, err
}

// compareAll compares every shelf that no request has wanted yet, then those that have no
// rows any more. What it finds ends the vault.
func (k *Engine) compareAll(ctx context.Context, c *comparison) error {
	for _, table := range state.Anchored() {
		if err := k.compareTable(ctx, c, table); err != nil {
			return err
		}
	}
	for _, shelf := range slices.Sorted(maps.Keys(c.want)) {
		table, _, _ := strings.Cut(shelf, "/")
		if err := c.compare(ctx, k, state.Table(table), shelf); err != nil {
			return err
		}
	}
	k.comparing.Store(nil)
	k.log.Info("every row has been compared with the ledger")
	return nil
}

// compareTable reads a table by key, page by page, and compares each shelf when its last
// row has come. A shelf that is written to meanwhile was compared before.
func (k *Engine) compareTable(ctx context.Context, c *comparison, table state.Table) error {
	var rows []state.Stored
	shelf, after := "", ""
	end := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := c.judge(k, table, shelf, rows)
		rows = nil
		return err
	}
	for {
		var page []state.Stored
		err := k.store.View(ctx, func(tx state.Tx) (err error) {
			page, err = tx.Scan(ctx, table, after, 4*sumBatch)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if s := shelfOf(table, r.Key); s != shelf {
				if err := end(); err != nil {
					return err
				}
				shelf = s
			}
			rows = append(rows, r)
		}
		if len(page) < 4*sumBatch {
			return end()
		}
		after = page[len(page)-1].Key
	}
}
