package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"tikakosh/internal/store/sqldb"
)

// reader is one connection for reading with the statements it has prepared:
// compiling a statement costs several times what a read by key does. It
// belongs to one View at a time.
type reader struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// pool hands out readers. A reader in it is in no transaction.
type pool struct {
	handle *sql.DB
	room   chan struct{} // one token for each reader in use
	idle   chan *reader
}

func newPool(h *sql.DB, size int) *pool {
	return &pool{handle: h, room: make(chan struct{}, size), idle: make(chan *reader, size)}
}

// take waits for a reader as long as ctx lasts.
func (p *pool) take(ctx context.Context) (*reader, error) {
	select {
	case p.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-p.idle:
		return r, nil
	default:
	}
	conn, err := p.handle.Conn(ctx)
	if err != nil {
		<-p.room
		return nil, err
	}
	return &reader{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

// give takes a reader back, or closes it when it could not end its transaction.
func (p *pool) give(r *reader, whole bool) {
	if whole {
		p.idle <- r // there is room: one for each token
	} else {
		r.discard()
	}
	<-p.room
}

// drain closes the readers that are not in use.
func (p *pool) drain() (err error) {
	for {
		select {
		case r := <-p.idle:
			err = errors.Join(err, r.close())
		default:
			return err
		}
	}
}

func (r *reader) close() error {
	var err error
	for _, s := range r.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, r.conn.Close())
}

// discard throws the connection away, with the transaction it may be in.
func (r *reader) discard() {
	for _, s := range r.stmts {
		_ = s.Close()
	}
	_ = r.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = r.conn.Close()
}

// view runs fn in a read transaction of the reader's connection. whole says
// that the connection can be used again.
func (r *reader) view(fn func(sqldb.Tx) error, refuse *sql.DB) (whole bool, err error) {
	if err := r.control("BEGIN"); err != nil {
		return false, sqldb.Classify(err, "begin a read")
	}
	v := &tx{run: r, refuse: refuse}
	defer func() {
		v.end()
		err = v.result(err)
		whole = r.control("ROLLBACK") == nil // nothing was written
	}()
	return false, fn(v) // a panic passes on, and the caller throws the connection away
}

func (r *reader) control(text string) error {
	s, err := r.prepare(text)
	if err == nil {
		_, err = s.ExecContext(background)
	}
	return err
}

// prepare returns the statement of a text, kept for as long as the connection.
func (r *reader) prepare(query string) (*sql.Stmt, error) {
	if s, ok := r.stmts[query]; ok {
		return s, nil
	}
	if len(r.stmts) >= maxStatements {
		for text, s := range r.stmts {
			delete(r.stmts, text)
			if err := s.Close(); err != nil {
				return nil, err
			}
		}
	}
	s, err := r.conn.PrepareContext(background, query)
	if err == nil {
		r.stmts[query] = s
	}
	return s, err
}

// during is the context a statement runs under. A read within one bucket is over
// before anybody could interrupt it, and watching a context costs a goroutine;
// any other read may be long and ends with its caller.
func during(ctx context.Context, query string) context.Context {
	if strings.Contains(query, "bucket = $") && !sqldb.IsScatter(ctx) {
		return background
	}
	return ctx
}

func (r *reader) exec(ctx context.Context, query string, args []any, reuse bool) (sql.Result, error) {
	ctx = during(ctx, query)
	if !reuse {
		return r.conn.ExecContext(ctx, query, args...)
	}
	s, err := r.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (r *reader) query(ctx context.Context, query string, args []any, reuse bool) (*sql.Rows, error) {
	ctx = during(ctx, query)
	if !reuse {
		return r.conn.QueryContext(ctx, query, args...)
	}
	s, err := r.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (r *reader) row(ctx context.Context, query string, args []any, reuse bool) (*sql.Row, error) {
	ctx = during(ctx, query)
	if !reuse {
		return r.conn.QueryRowContext(ctx, query, args...), nil
	}
	s, err := r.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(ctx, args...), nil
}

func (d *database) view(ctx context.Context, fn func(sqldb.Tx) error) error {
	r, err := d.pool.take(ctx)
	if err != nil {
		return sqldb.Classify(err, "begin a read")
	}
	whole := false
	defer func() { d.pool.give(r, whole && !d.closed.Load()) }()
	whole, err = r.view(fn, d.readers)
	return err
}
