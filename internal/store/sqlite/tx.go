package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// runner runs statements on one connection. reuse says that a prepared
// statement of the same text is free: the driver has one cursor in each, and
// running it again would move the rows somebody is still reading.
type runner interface {
	exec(ctx context.Context, query string, args []any, reuse bool) (sql.Result, error)
	query(ctx context.Context, query string, args []any, reuse bool) (*sql.Rows, error)
	row(ctx context.Context, query string, args []any, reuse bool) (*sql.Row, error)
}

// cursor is a result handed out: one of rows and row.
type cursor struct {
	query string
	rows  *sql.Rows
	row   *sql.Row
}

// tx implements sqldb.Tx over a runner.
type tx struct {
	run    runner
	refuse *sql.DB // makes a *sql.Row that holds an error
	over   atomic.Bool
	failed error // of the first statement that failed
	wrote  bool  // a statement ran that may have changed rows
	open   []cursor
}

// Exec implements sqldb.Tx.
func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.check(ctx, query); err != nil {
		return 0, err
	}
	t.wrote = true
	r, err := t.run.exec(ctx, query, args, t.free(query))
	if err != nil {
		return 0, t.fail(err)
	}
	n, err := r.RowsAffected()
	return n, t.fail(err)
}

// Query implements sqldb.Tx.
func (t *tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.check(ctx, query); err != nil {
		return nil, err
	}
	t.wrote = t.wrote || !reads(query)
	rows, err := t.run.query(ctx, query, args, t.free(query))
	if err != nil {
		return nil, t.fail(err)
	}
	t.open = append(t.open, cursor{query: query, rows: rows})
	return rows, nil
}

// QueryRow implements sqldb.Tx.
func (t *tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	err := t.check(ctx, query)
	if err == nil {
		t.wrote = t.wrote || !reads(query)
		var row *sql.Row
		if row, err = t.run.row(ctx, query, args, t.free(query)); err == nil {
			_ = t.fail(row.Err())
			t.open = append(t.open, cursor{query: query, row: row})
			return row
		}
		_ = t.fail(err)
	}
	// Only database/sql can make a Row with an error in it; the function
	// gets the end of a context, and Update returns the true error.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	return t.refuse.QueryRowContext(gone, "SELECT 1")
}

// reads reports whether a statement certainly changes nothing. INSERT … RETURNING
// is a query too.
func reads(query string) bool { return strings.HasPrefix(query, "SELECT ") }

func (t *tx) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// check refuses a statement in a transaction that is over or has failed, for
// a caller who has gone, and one that would end the transaction itself.
func (t *tx) check(ctx context.Context, query string) error {
	switch {
	case t.over.Load():
		return fault.New(fault.Internal, "database", "a transaction was used after its end")
	case t.failed != nil:
		return t.failed
	}
	if err := ctx.Err(); err != nil {
		return t.fail(unavailable("the caller has gone", err))
	}
	return t.fail(allowed(query))
}

// end closes what the function left open and notes errors met while reading.
func (t *tx) end() {
	t.over.Store(true)
	for _, c := range t.open {
		if c.rows != nil {
			_ = t.fail(errors.Join(c.rows.Err(), c.rows.Close()))
		} else {
			_ = c.row.Scan() // closes its rows when the function did not
		}
	}
	t.open = nil
}

// free reports whether no result of the same text may still be open. A *sql.Row
// does not tell, so it counts as open. Results that were read to their end are
// forgotten here.
func (t *tx) free(query string) bool {
	free, kept := true, t.open[:0]
	for _, c := range t.open {
		if c.rows != nil {
			if _, err := c.rows.Columns(); err != nil && c.rows.Err() == nil {
				continue // closed, and without an error that end would have to note
			}
		}
		free = free && c.query != query
		kept = append(kept, c)
	}
	clear(t.open[len(kept):])
	t.open = kept
	return free
}

// result is what Update or View returns after the function returned err: the
// failure of a statement that the function ignored, or could not see because
// a *sql.Row only carried the end of a context.
func (t *tx) result(err error) error {
	if t.failed != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return sqldb.Classify(t.failed, "statement")
	}
	return err
}

// allowed refuses what would take the group's transaction or the connection's
// settings out of the writer's hands: transaction control, PRAGMA, ATTACH, and
// a second statement in one text. A semicolon inside a literal is refused too,
// except in the definition of a trigger.
func allowed(query string) error {
	word := strings.TrimSpace(query)
	if i := strings.IndexFunc(word, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }); i >= 0 {
		word = word[:i]
	}
	switch strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES":
		if i := strings.IndexByte(query, ';'); i < 0 || strings.TrimSpace(query[i+1:]) == "" {
			return nil
		}
	case "CREATE", "DROP", "ALTER":
		return nil
	}
	return fault.New(fault.Internal, "statement", "a transaction runs one statement at a time, and none that controls it")
}

var _ sqldb.Tx = (*tx)(nil)
