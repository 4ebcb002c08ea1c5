package sqldb

import (
	"context"
	"sync"
)

// Freezer is a DB whose writes can be held back for a moment, so that a copy of
// this database and one of another can begin at the same point of both. Reads go
// on. It is safe for concurrent use.
type Freezer struct {
	db   DB
	gate sync.RWMutex // held for reading by every Update
}

// NewFreezer wraps a database.
func NewFreezer(db DB) *Freezer { return &Freezer{db: db} }

// Update implements DB. While the database is frozen it waits; a caller whose
// context ends meanwhile gets what the database says to one.
func (f *Freezer) Update(ctx context.Context, fn func(Tx) error) error {
	f.gate.RLock()
	defer f.gate.RUnlock()
	return f.db.Update(ctx, fn)
}

// View implements DB.
func (f *Freezer) View(ctx context.Context, fn func(Tx) error) error { return f.db.View(ctx, fn) }

// Close implements DB.
func (f *Freezer) Close() error { return f.db.Close() }

// Unwrap returns the database below.
func (f *Freezer) Unwrap() DB { return f.db }

// Freeze waits until no Update runs, holds new ones back, and returns the end of
// it, which may be called more than once. Whoever freezes must end it within
// moments: requests wait.
func (f *Freezer) Freeze() (thaw func()) {
	f.gate.Lock()
	return sync.OnceFunc(f.gate.Unlock)
}

// SchemaVersion returns the newest migration that was applied to the database of
// a transaction, 0 for none.
func SchemaVersion(ctx context.Context, tx Tx) (int64, error) {
	var v int64
	err := tx.QueryRow(Scatter(ctx), "SELECT COALESCE(MAX(version_id), 0) FROM "+DefaultTable).Scan(&v)
	return v, Classify(err, "read the version of the database")
}
