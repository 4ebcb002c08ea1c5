package postgres

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// cursor is a result handed out: one of rows and row.
type cursor struct {
	rows *sql.Rows
	row  *sql.Row
}

// tx implements sqldb.Tx on a session.
type tx struct {
	s      *session
	refuse *sql.DB // makes a *sql.Row that holds an error
	view   bool
	over   atomic.Bool
	failed error // of the first statement that failed
	wrote  bool  // a statement ran that may have changed rows
	open   []cursor
}

var _ sqldb.Tx = (*tx)(nil)

// Exec implements sqldb.Tx.
func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.check(ctx, query); err != nil {
		return 0, err
	}
	t.wrote = true
	n, err := t.s.pipe.exec(query, args)
	return n, t.fail(err)
}

// Later implements sqldb.Later: the statement travels with the next one that needs
// an answer.
func (t *tx) Later(ctx context.Context, want int64, otherwise error, query string, args ...any) error {
	if t.view { // for the server to refuse
		_, err := t.Exec(ctx, query, args...)
		return err
	}
	if err := t.check(ctx, query); err != nil {
		return err
	}
	t.wrote = true
	return t.fail(t.s.pipe.queue(query, args, want, otherwise))
}

// Query implements sqldb.Tx.
func (t *tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.check(ctx, query); err != nil {
		return nil, err
	}
	t.wrote = t.wrote || !strings.HasPrefix(query, "SELECT ")
	rows, err := t.s.conn.QueryContext(t.during(ctx), query, args...)
	if err != nil {
		return nil, t.fail(err)
	}
	t.open = append(t.open, cursor{rows: rows})
	return rows, nil
}

// QueryRow implements sqldb.Tx.
func (t *tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := t.check(ctx, query); err != nil {
		// Only database/sql can make a Row with an error in it; the function
		// gets the end of a context, and Update returns the true error.
		gone, cancel := context.WithCancel(ctx)
		cancel()
		return t.refuse.QueryRowContext(gone, "SELECT 1")
	}
	t.wrote = t.wrote || !strings.HasPrefix(query, "SELECT ")
	row := t.s.conn.QueryRowContext(t.during(ctx), query, args...)
	_ = t.fail(row.Err())
	t.open = append(t.open, cursor{row: row})
	return row
}

// during is the context a statement runs under: a long read of a caller who
// goes is given up, with its connection; all else is over soon.
func (t *tx) during(ctx context.Context) context.Context {
	if t.view && sqldb.IsScatter(ctx) {
		return ctx
	}
	return background
}

func (t *tx) fail(err error) error {
	err = t.s.named(err)
	if !t.view && stateOf(err) == readOnlyServer {
		err = &lostError{err} // this server was demoted: the next connection finds the other
	}
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// check refuses a statement in a transaction that is over or has failed, for
// a caller who has gone, and one that would end the transaction itself. What an
// earlier statement left unread is closed: the line carries one result at a time.
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
	if err := allowed(query); err != nil {
		return t.fail(err)
	}
	t.settle()
	return t.failed
}

// settle closes the results that are still open and notes errors met while
// reading. A statement between two rows of a list would not run on this
// engine, so it must fail where SQLite would let it pass: the list ends early.
func (t *tx) settle() {
	for _, c := range t.open {
		if c.rows == nil {
			_ = c.row.Scan() // closes its rows when the function did not
			continue
		}
		if _, err := c.rows.Columns(); err == nil { // open
			if t.over.Load() {
				_ = t.fail(errors.Join(c.rows.Err(), c.rows.Close()))
			} else {
				_ = t.fail(fault.New(fault.Internal, "statement", "a statement ran while the rows of another were being read"))
				_ = c.rows.Close()
			}
			continue
		}
		_ = t.fail(c.rows.Err())
	}
	t.open = t.open[:0]
}

// end closes what the function left open and notes errors met while reading.
func (t *tx) end() {
	t.over.Store(true)
	t.settle()
}

// result is what Update or View returns after the function returned err: the
// failure of a statement that the function ignored, or could not see because
// a *sql.Row only carried the end of a context or the driver's own words.
func (t *tx) result(err error) error {
	var late *lateError
	if errors.As(t.failed, &late) && !isLost(t.failed) {
		return told(t.failed, "statement")
	}
	if t.failed != nil && (err == nil || errors.Is(err, context.Canceled) || isLost(t.failed)) {
		return sqldb.Classify(t.failed, "statement")
	}
	return err
}

// told is what the caller gets of an error: the one that a statement of Later was
// given, as it is.
func told(err error, what string) error {
	var late *lateError
	var own *fault.Error
	if errors.As(err, &late) && errors.As(late.err, &own) {
		return late.err
	}
	return sqldb.Classify(err, what)
}

// foreign reports whether what failed was left by another function of the group.
func (t *tx) foreign() bool {
	var late *lateError
	return errors.As(t.failed, &late) && late.owner != t
}

// allowed refuses what would take the transaction or the session's settings
// out of this package's hands, and a second statement in one text. A semicolon
// inside a literal is refused too, except in definitions.
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

// call runs a function and turns a panic into an error.
func (d *database) call(fn func(sqldb.Tx) error, t *tx) error {
	return sqldb.Call(d.opt.Logger, fn, t, t.end)
}
