package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault/state"
)

// compareAnchors recomputes the digest of all anchored rows, compares it with
// the ledger's head and its last entry, and remembers the rows' versions.
func (k *Keeper) compareAnchors(ctx context.Context) error {
	var s summer
	var sum [32]byte
	err := k.view(ctx, func(t *txn) error {
		s = summer{k: k, versions: map[string]sighting{}}
		var next int64
		var err error
		if next, sum, err = t.anchor(); err != nil {
			return err
		}
		k.raiseNext(next)
		for _, table := range state.Anchored() {
			if err := s.add(t, table); err != nil {
				return err
			}
		}
		for _, table := range state.Passing() {
			if err := s.pass(t, table); err != nil {
				return err
			}
		}
		return k.readSignOuts(t, next)
	})
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(s.sum[:], sum[:]) != 1 && !ablate.Off(ablate.GuardAnchor) {
		return integrity("household, person, staff or session", "the rows do not have the digest the ledger anchors: a row was edited, removed or rolled back")
	}
	k.seen.remember(s.versions, nil, k.now().UnixMilli())
	return nil
}

// anchor is the ledger's head, compared with its last entry.
func (t *txn) anchor() (next int64, sum [32]byte, err error) {
	if next, sum, err = t.head(); err != nil {
		return 0, sum, err
	}
	last, err := t.tx.Entries(t.ctx, max(next-1, 0), 2)
	if err != nil || (next == 0 && len(last) == 0) {
		return next, sum, err
	}
	if next == 0 || len(last) != 1 {
		return 0, sum, integrity("entry", "the ledger's last entry is missing or not the last")
	}
	e, err := t.k.openEntry(last[0])
	if err != nil {
		return 0, sum, err
	}
	if e.Digest != hexString(sum[:]) {
		return 0, sum, integrity("ledger_head", "the digest differs from the last entry's")
	}
	return next, sum, nil
}

// summer adds up the digest of rows and collects what is to be remembered.
type summer struct {
	k        *Keeper
	sum      [32]byte
	versions map[string]sighting
	counts   [2]int // remembered of the limited classes
}

// each calls fn with every row of a table and whether its MAC is right, until
// fn says stop.
func (t *txn) each(table state.Table, fn func(s state.Stored, right bool) (more bool, err error)) error {
	for after := ""; ; {
		rows, err := t.tx.Scan(t.ctx, table, after, 500)
		if err != nil {
			return err
		}
		for _, s := range rows {
			right := hmac.Equal(s.MAC, t.k.rowMAC(table, s)) || ablate.Off(ablate.RowMAC)
			if more, err := fn(s, right); err != nil || !more {
				return err
			}
			after = s.Key
		}
		if len(rows) < 500 {
			return nil
		}
	}
}

func (s *summer) add(t *txn, table state.Table) error {
	return t.each(table, func(row state.Stored, right bool) (bool, error) {
		if !right {
			return false, integrity(table, "a row's MAC does not match")
		}
		s.include(table, row)
		return true, nil
	})
}

func (s *summer) include(table state.Table, row state.Stored) {
	subtle.XORBytes(s.sum[:], s.sum[:], s.k.rowDigest(table, row))
	if s.versions == nil {
		return
	}
	if _, limit := class(table); limit > 0 {
		if s.counts[0] >= limit {
			return
		}
		s.counts[0]++
	}
	s.versions[rowName(table, row.Key)] = sighting{version: row.Version, expires: row.Expires}
}

// pass remembers rows that expire; one whose MAC is wrong is refused when it is
// used.
func (s *summer) pass(t *txn, table state.Table) error {
	return t.each(table, func(row state.Stored, right bool) (bool, error) {
		if right {
			s.versions[rowName(table, row.Key)] = sighting{version: row.Version, expires: row.Expires}
			s.counts[1]++
		}
		return s.counts[1] < passingLimit, nil
	})
}

// signOut is the ledger entry of an ended bearer; its Evidence is the key of
// the bearer's row. The row alone could be set back while the vault is down.
const signOut = "signed out"

func (k *Keeper) noteSignOut(e entry) {
	if e.Kind == signOut {
		k.seen.revoke(e.Evidence, e.At+bearerLife.Milliseconds())
	}
}

// readSignOuts reads the ledger backwards over the life of a bearer.
func (k *Keeper) readSignOuts(t *txn, next int64) error {
	const page = 500
	since := k.now().Add(-bearerLife - time.Minute).UnixMilli()
	for next > 0 {
		from := max(next-page, 0)
		rows, err := t.tx.Entries(t.ctx, from, int(next-from))
		if err != nil {
			return err
		}
		if int64(len(rows)) != next-from {
			return integrity("entry", "ledger indexes are not dense")
		}
		recent := false
		for i, row := range rows {
			if row.Index != from+int64(i) {
				return integrity("entry", "ledger indexes are not dense")
			}
			e, err := k.openEntry(row)
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
