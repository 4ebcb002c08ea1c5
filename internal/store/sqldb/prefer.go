package sqldb

import (
	"context"
	"errors"

	"tikakosh/internal/fault"
)

// preferring sends views to one database while it answers.
type preferring struct {
	DB
	read DB
}

// Prefer returns db with every View sent to read, a replica that may be a
// little behind, and to db itself while read is Unavailable. Close closes both.
func Prefer(read, db DB) DB { return &preferring{DB: db, read: read} }

// Unwrap returns the database that takes the writes.
func (p *preferring) Unwrap() DB { return p.DB }

// View implements DB.
func (p *preferring) View(ctx context.Context, fn func(Tx) error) error {
	err := p.read.View(ctx, fn)
	if err == nil || ctx.Err() != nil || !fault.Is(Classify(err, "read"), fault.Unavailable) {
		return err
	}
	return p.DB.View(ctx, fn)
}

// Close implements DB.
func (p *preferring) Close() error { return errors.Join(p.read.Close(), p.DB.Close()) }
