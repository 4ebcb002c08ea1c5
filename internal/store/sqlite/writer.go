package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// maxStatements bounds the prepared statements kept. Stores have some hundred
// texts; only lists of changing length make more.
const maxStatements = 512

// writer owns the one connection that writes. It implements sqldb.GroupEngine.
type writer struct {
	opt    Options
	handle *sql.DB
	refuse *sql.DB
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
}

var _ sqldb.GroupEngine = (*writer)(nil)

// background has no Done channel: a statement that began is finished. SQLite
// answers an interrupted write by rolling the whole group back.
var background = context.Background()

func newWriter(ctx context.Context, path string, o Options) (*writer, error) {
	h, err := sql.Open("sqlite", dsn(path, o, writing))
	if err != nil {
		return nil, err
	}
	h.SetMaxOpenConns(1)
	w := &writer{opt: o, handle: h, refuse: h}
	// Setting the journal mode of a new file can meet another process's lock.
	if err := o.busy().Do(ctx, func() error { return w.connect(ctx) }); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return w, nil
}

func (w *writer) connect(ctx context.Context) (err error) {
	w.stmts = map[string]*sql.Stmt{}
	w.conn, err = w.handle.Conn(ctx)
	return err
}

// Discard implements sqldb.GroupEngine: a new connection replaces it at once.
func (w *writer) Discard() {
	if w.conn != nil {
		// SQLite keeps a closed connection, and its locks, while statements
		// of it live.
		_, _ = w.conn.ExecContext(background, "ROLLBACK")
		_ = w.dropStatements()
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = w.conn.Close()
	}
	if err := w.connect(background); err != nil {
		w.conn = nil // Begin tries again
	}
}

// close empties the log and closes the connection; the group writer has ended.
func (w *writer) close() error {
	var err error
	if w.conn != nil {
		// Another process may be reading; then the log stays, and is right.
		if e := checkpoint(background, w.conn); !fault.Is(e, fault.Unavailable) {
			err = e
		}
		err = errors.Join(err, w.dropStatements(), w.conn.Close())
	}
	return errors.Join(err, w.handle.Close())
}

func (w *writer) dropStatements() (err error) {
	for _, s := range w.stmts {
		err = errors.Join(err, s.Close())
	}
	w.stmts = map[string]*sql.Stmt{}
	return err
}

// maintain runs fn on the connection, outside a transaction.
func (w *writer) maintain(fn func(context.Context, *sql.Conn) error) error {
	if w.conn == nil {
		if err := w.connect(background); err != nil {
			return sqldb.Classify(err, "connect")
		}
	}
	return fn(background, w.conn)
}

// control runs BEGIN, COMMIT and their like.
func (w *writer) control(text string) error {
	_, err := w.exec(background, text, nil, true)
	return err
}

// Begin implements sqldb.GroupEngine: the transaction holds the write lock.
func (w *writer) Begin() error {
	err := w.opt.busy().Do(background, func() error {
		if w.conn == nil {
			if err := w.connect(background); err != nil {
				return err
			}
		}
		return w.control("BEGIN IMMEDIATE")
	})
	if err != nil {
		if !sqldb.IsBusy(err) {
			w.Discard()
		}
		return sqldb.Classify(err, "begin")
	}
	if err := w.opt.Hook(StepBegin); err != nil {
		w.Rollback()
		return unavailable("begin", err)
	}
	return nil
}

// Rollback implements sqldb.GroupEngine.
func (w *writer) Rollback() {
	if err := w.control("ROLLBACK"); err != nil {
		w.Discard()
	}
}

// Commit implements sqldb.GroupEngine.
func (w *writer) Commit() sqldb.Ended {
	err := w.control("COMMIT")
	if err == nil {
		return sqldb.Ended{}
	}
	w.Discard()
	if sqldb.IsConstraint(err) { // a deferred constraint: certainly not stored
		return sqldb.Ended{Err: sqldb.Classify(err, "commit"), Certain: true}
	}
	return sqldb.Ended{Err: err}
}

// Run implements sqldb.GroupEngine.
func (w *writer) Run(fn func(sqldb.Tx) error, savepoint bool) (r sqldb.Ran) {
	if savepoint {
		if err := w.control("SAVEPOINT job"); err != nil {
			return sqldb.Ran{Err: sqldb.Classify(err, "savepoint"), Again: sqldb.IsBusy(err), Spoilt: true, Broken: true}
		}
	}
	t := &tx{run: w, refuse: w.refuse}
	r.Err = t.result(sqldb.Call(w.opt.Logger, fn, t, t.end))
	r.Spoilt = t.wrote
	if savepoint {
		if r.Err != nil && w.control("ROLLBACK TO job") != nil {
			r.Broken = true
		} else if err := w.control("RELEASE job"); err != nil {
			r.Broken = true
			if r.Err == nil {
				r.Err = sqldb.Classify(err, "savepoint")
			}
		}
	}
	r.Again = sqldb.IsBusy(r.Err)
	return r
}

// prepare returns the statement of a text, kept for as long as the connection.
func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	if len(w.stmts) >= maxStatements {
		if err := w.dropStatements(); err != nil {
			return nil, err
		}
	}
	s, err := w.conn.PrepareContext(background, query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

func (w *writer) exec(_ context.Context, query string, args []any, reuse bool) (sql.Result, error) {
	if !reuse {
		return w.conn.ExecContext(background, query, args...)
	}
	s, err := w.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(background, args...)
}

func (w *writer) query(_ context.Context, query string, args []any, reuse bool) (*sql.Rows, error) {
	if !reuse {
		return w.conn.QueryContext(background, query, args...)
	}
	s, err := w.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(background, args...)
}

func (w *writer) row(_ context.Context, query string, args []any, reuse bool) (*sql.Row, error) {
	if !reuse {
		return w.conn.QueryRowContext(background, query, args...), nil
	}
	s, err := w.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(background, args...), nil
}
