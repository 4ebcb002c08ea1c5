package sqldb

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
)

// preferring sends views to one database while it answers.
type preferring struct {
	DB
	read DB
	away atomic.Bool // read did not answer just now
}

// replicaPause is how long a replica that did not answer is left alone: not every
// caller waits for a machine that has vanished.
const replicaPause = time.Second

// Prefer returns db with every View sent to read, a replica that may be a
// little behind, and to db itself while read is Unavailable: the view that meets it,
// and those of the second after. Close closes both.
func Prefer(read, db DB) DB { return &preferring{DB: db, read: read} }

// Unwrap returns the database that takes the writes.
func (p *preferring) Unwrap() DB { return p.DB }

// View implements DB.
func (p *preferring) View(ctx context.Context, fn func(Tx) error) error {
	if p.away.Load() {
		return p.DB.View(ctx, fn)
	}
	err := p.read.View(ctx, fn)
	if err == nil || ctx.Err() != nil || !fault.Is(Classify(err, "read"), fault.Unavailable) {
		return err
	}
	if p.away.CompareAndSwap(false, true) {
		time.AfterFunc(replicaPause, func() { p.away.Store(false) })
	}
	return p.DB.View(ctx, fn)
}

// Close implements DB.
func (p *preferring) Close() error { return errors.Join(p.read.Close(), p.DB.Close()) }
