// Package registrydb stores what the registry and scheduling services need in
// the registry database. It is hand-written SQL in the subset that SQLite and
// PostgreSQL share: $n in order of appearance, no clock, no JSON functions.
//
// Every statement names its bucket, every transaction touches one bucket, and
// every list has a limit, so that the same statements run on a database spread
// over many machines. The only exception is Scatter, which reads across
// buckets for the worker, the slot search and the ledger's audit, and is
// handed to nothing that serves requests.
package registrydb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

var (
	_ registry.Store     = (*People)(nil)
	_ scheduling.Store   = (*Bookings)(nil)
	_ registry.Outbox    = (*Scatter)(nil)
	_ registry.Audit     = (*Scatter)(nil)
	_ scheduling.Listing = (*Scatter)(nil)
	_ scheduling.Overdue = (*Scatter)(nil)
)

// People implements registry.Store. Safe for concurrent use.
type People struct{ base }

// Bookings implements scheduling.Store. Safe for concurrent use.
type Bookings struct{ base }

// Scatter implements the reads across buckets: registry.Outbox and
// registry.Audit, scheduling.Listing and scheduling.Overdue. Never hand it to
// what serves requests. Safe for concurrent use.
type Scatter struct{ base }

type base struct{ db sqldb.DB }

// doneDue is when a row of the outbox is due that is done with and that who
// finished it may not delete: never. The worker deletes it.
const doneDue = int64(1) << 62

// NewPeople makes the storage of people over a migrated registry database.
func NewPeople(db sqldb.DB) *People { return &People{base{db}} }

// NewBookings makes the storage of centres and bookings.
func NewBookings(db sqldb.DB) *Bookings { return &Bookings{base{db}} }

// NewScatter makes the reads across buckets.
func NewScatter(db sqldb.DB) *Scatter { return &Scatter{base{db}} }

// wrap gives a database error its fault kind. What these functions decided
// themselves, and what the database has already named, passes unchanged.
func wrap(err error, what string) error {
	var own *fault.Error
	if errors.As(err, &own) && own.Code != "" {
		return err
	}
	return sqldb.Classify(err, what)
}

func (b base) update(ctx context.Context, what string, f func(sqldb.Tx) error) error {
	return wrap(b.db.Update(ctx, f), what)
}

func (b base) view(ctx context.Context, what string, f func(sqldb.Tx) error) error {
	return wrap(b.db.View(ctx, f), what)
}

// write runs a statement whose rows nobody counts; it may travel with the next one
// (sqldb.Later).
func write(ctx context.Context, tx sqldb.Tx, query string, args ...any) error {
	return sqldb.Later(ctx, tx, sqldb.AnyRows, nil, query, args...)
}

func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// collect runs a query and reads every row with scan.
func collect[T any](ctx context.Context, tx sqldb.Tx, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func scanText[T ~string](rows *sql.Rows, v *T) error {
	var s string
	err := rows.Scan(&s)
	*v = T(s)
	return err
}

// day reads a stored date; a fence has none.
func day(text string) (civil.Date, error) {
	var d civil.Date
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return d, fault.New(fault.Integrity, "day", "a stored date is malformed")
	}
	return d, nil
}

// sessionBucket is the bucket of the row that leads from a session to its centre.
func sessionBucket(s id.Session) int { return id.Bucket("session/" + string(s)) }

func missing(what string) error {
	return fault.New(fault.NotFound, what, fmt.Sprintf("no such %s", what))
}

const insertNote = `INSERT INTO outbox (id, owner, kind, payload, created, due, attempts, bucket)
	VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`

// doneNote removes a row of the outbox.
func (b base) doneNote(ctx context.Context, noteID string, p id.Person) error {
	return b.update(ctx, "note done", func(tx sqldb.Tx) error {
		if sqldb.KeepsRows(b.db) {
			return write(ctx, tx, `UPDATE outbox SET due = $1, payload = '' WHERE id = $2 AND bucket = $3`, doneDue, noteID, p.Bucket())
		}
		return write(ctx, tx, `DELETE FROM outbox WHERE id = $1 AND bucket = $2`, noteID, p.Bucket())
	})
}

// deferNote counts an attempt and sets when the row is due again.
func (b base) deferNote(ctx context.Context, noteID string, p id.Person, due int64) error {
	return b.update(ctx, "note deferred", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE outbox SET attempts = attempts + 1, due = $1 WHERE id = $2 AND due < $3 AND bucket = $4`,
			due, noteID, doneDue, p.Bucket())
	})
}
