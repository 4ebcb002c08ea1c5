package registrytest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// Clock is a clock that moves when told. Safe for concurrent use.
type Clock struct{ ms atomic.Int64 }

// NewClock starts a clock.
func NewClock(t time.Time) *Clock {
	c := &Clock{}
	c.ms.Store(t.UnixMilli())
	return c
}

// Now returns the clock's time, in UTC.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }

// Add moves the clock.
func (c *Clock) Add(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// Faulty is a database whose transactions can be made to fail, either before
// their first statement or after a commit whose answer is lost.
type Faulty struct {
	sqldb.DB
	mu   sync.Mutex
	left int
	how  Fault
	seen int
}

// Unwrap returns the database below.
func (f *Faulty) Unwrap() sqldb.DB { return f.DB }

// Fault says how a step fails.
type Fault int

// How a step fails.
const (
	NoFault Fault = iota
	Failed        // nothing was stored
	Lost          // stored, but the answer is lost
)

// FailAt makes the nth update from now (from 1) fail.
func (f *Faulty) FailAt(n int, how Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.how, f.seen = n, how, 0
}

// Seen returns how many updates there were since FailAt.
func (f *Faulty) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// Update implements sqldb.DB.
func (f *Faulty) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	f.mu.Lock()
	f.seen++
	f.left--
	how := NoFault
	if f.left == 0 {
		how = f.how
	}
	f.mu.Unlock()
	switch how {
	case Failed:
		return fault.New(fault.Unavailable, "test", "the database is down")
	case Lost:
		if err := f.DB.Update(ctx, fn); err != nil {
			return err
		}
		return fault.New(fault.Unknown, "test", "the commit's answer is lost")
	}
	return f.DB.Update(ctx, fn)
}

// Count reads one number, for a test's invariants.
func Count(t testing.TB, db sqldb.DB, query string, args ...any) int {
	t.Helper()
	var n int
	ctx := sqldb.Scatter(t.Context())
	err := db.View(ctx, func(tx sqldb.Tx) error { return tx.QueryRow(ctx, query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
