// Package sqldb is the seam between the domain stores and a database engine:
// transactions, the classification of engine errors, retry and migrations.
// The engines implement DB; the stores write portable SQL against Tx.
//
// Portable SQL is the common subset of SQLite and PostgreSQL: placeholders
// $1..$n numbered in order of first appearance, ON CONFLICT instead of
// catching a failed statement, no SQL clock, no JSON operators, no LIKE, no
// FOR UPDATE. Package shardcheck holds a store to it in tests.
package sqldb

import (
	"context"
	"database/sql"
)

// Tx is one transaction. It is for the function it was given to, on that
// function's goroutine, and refuses work once that function has returned.
// Rows must be read before the function returns; what is left open is closed.
//
// A statement that fails ends the transaction, as it does on PostgreSQL:
// every later statement is refused and the transaction is rolled back even if
// the function returns nil. Only sql.ErrNoRows is not a failure.
//
// Errors are the driver's own; Classify gives them a fault kind, IsUnique and
// IsBusy look at their code.
type Tx interface {
	// Exec runs a statement and returns how many rows it changed.
	Exec(ctx context.Context, query string, args ...any) (rowsAffected int64, err error)
	// Query runs a statement that returns rows. The caller closes them.
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// QueryRow runs a statement that returns at most one row; Scan reports
	// sql.ErrNoRows when there is none.
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// DB is a database. It is safe for concurrent use.
type DB interface {
	// Update runs fn in a read-write transaction. nil means that the
	// transaction is durable: synced to disk, on PostgreSQL also on the
	// synchronous standby.
	//
	// fn may run twice and must have no effect outside its transaction. It
	// must be short: on SQLite all writers of the process wait for it. It must
	// not call Update, of this or another database: fault.Internal.
	//
	// An error of fn rolls back its transaction and is returned as it is; a
	// panic of fn is fault.Internal. fault.Unavailable: nothing was stored,
	// try again after RetryAfter. fault.Unknown: an error at COMMIT, the
	// transaction may or may not be stored; look the idempotency key up. A
	// context that ends before fn starts is fault.Unavailable wrapping the
	// context's error; one that ends while fn runs fails fn's next statement;
	// one that ends later changes nothing.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on a read-only snapshot, taken at its first statement. The
	// engine refuses writes. fn may run twice. Errors are as for Update,
	// without Unknown; a panic passes through.
	View(ctx context.Context, fn func(Tx) error) error
	// Close lets the queued transactions finish, refuses new ones with
	// fault.Unavailable and releases the files. It may be called again.
	Close() error
}

// Unwrap returns the engine's DB below wrappers that have a method
// Unwrap() DB, such as shardcheck's.
func Unwrap(db DB) DB {
	for {
		w, ok := db.(interface{ Unwrap() DB })
		if !ok {
			return db
		}
		db = w.Unwrap()
	}
}

// Bulk is a DB that stores many rows of one table at once, all or none, faster than
// statements. The error is the driver's.
type Bulk interface {
	Insert(ctx context.Context, table string, columns []string, rows [][]any) error
}

// KeepsRows reports whether who uses db may delete nothing: stores then mark
// rows that are done with, for the worker to delete.
func KeepsRows(db DB) bool {
	k, ok := Unwrap(db).(interface{ KeepsRows() bool })
	return ok && k.KeepsRows()
}

type scatterKey struct{}

// Scatter marks ctx for statements that read across buckets on purpose. Only
// the named scatter interface of a store uses it; shardcheck lets a marked
// SELECT pass without a bucket and nothing else.
func Scatter(ctx context.Context) context.Context {
	return context.WithValue(ctx, scatterKey{}, true)
}

// IsScatter reports whether ctx carries the mark of Scatter.
func IsScatter(ctx context.Context) bool { return ctx.Value(scatterKey{}) != nil }
