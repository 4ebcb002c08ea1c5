package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// session is one connection. It belongs to one transaction at a time.
type session struct {
	conn *sql.Conn // hands out rows
	pipe *pipe     // what it hands them out of
	line net.Conn  // below it

	began int // the pipe's trips when the transaction began
}

// watch closes the line when a transaction lasts longer than any may: the server
// or its machine has vanished or hangs, or the session's own time-outs would
// have ended it. No context says so, because one that can end costs a goroutine
// at every statement.
func (s *session) watch(limit time.Duration) (stop func() bool) {
	return time.AfterFunc(limit, func() { _ = s.line.Close() }).Stop
}

// lostError is the end of a connection, however the driver says it.
type lostError struct{ err error }

// Error implements error.
func (e *lostError) Error() string { return "the connection to the database was lost" }

// Unwrap gives the driver's error.
func (e *lostError) Unwrap() error { return e.err }

// SQLState is "connection failure", which the seam knows.
func (e *lostError) SQLState() string { return "08006" }

func isLost(err error) bool {
	var l *lostError
	return errors.As(err, &l)
}

// stateOf returns the SQLSTATE in err, or "".
func stateOf(err error) string {
	var c interface {
		error
		SQLState() string
	}
	if errors.As(err, &c) {
		return c.SQLState()
	}
	return ""
}

// readOnlyServer is the state of a write on a server that takes none.
const readOnlyServer = "25006"

// endsSession reports whether a state ends the session.
func endsSession(state string) bool {
	switch state {
	case "57P01", "57P02", "57P03", "57P04", "57P05", "25P03":
		return true
	}
	return len(state) == 5 && state[:2] == "08"
}

// named gives the end of a connection its own error.
func (s *session) named(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || isLost(err) {
		return err
	}
	if state := stateOf(err); state != "" {
		if endsSession(state) || forgotten(err, state) {
			return &lostError{err}
		}
		return err
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.ErrUnexpectedEOF) || s.gone() {
		return &lostError{err}
	}
	return err
}

// forgotten reports whether the server no longer has a statement as this
// connection prepared it: its table changed. A new connection prepares it anew.
func forgotten(err error, state string) bool {
	var pg *pgconn.PgError
	return state == "26000" || state == "0A000" && errors.As(err, &pg) && pg.Routine == "RevalidateCachedQuery"
}

// gone reports whether the driver has closed the connection.
func (s *session) gone() bool { return s.pipe.gone() }

// control runs BEGIN, SAVEPOINT and their like, behind what is queued.
func (s *session) control(text string) error {
	s.pipe.control(text)
	_, err := s.pipe.flush()
	return s.named(err)
}

// begin lets the next statement carry the beginning of a transaction.
func (s *session) begin(text string) {
	s.began = s.pipe.trips
	s.pipe.begin(text)
}

// abandon ends a transaction that nothing came of. Nobody waits for the answer:
// the next transaction reads it. It reports whether the connection is whole.
func (s *session) abandon() bool {
	s.pipe.drop(0)
	if s.pipe.trips == s.began { // BEGIN was not even sent
		return !s.gone()
	}
	s.pipe.control("ROLLBACK")
	return s.pipe.post() == nil && !s.gone()
}

// commit ends a transaction that has not failed. What is queued goes along with
// COMMIT, and an error of it skips that; it goes before it when it may turn out to
// be wrong although the server runs it, or when this transaction has not heard of
// the server yet, so that the end of an idle connection is not an unknown COMMIT.
// certain says of an error that nothing was stored.
func (s *session) commit() (certain bool, err error) {
	if s.pipe.trips == s.began || s.pipe.checks() {
		if _, err := s.pipe.flush(); err != nil {
			return true, s.named(err)
		}
	}
	if s.pipe.pg.TxStatus() != 'T' {
		return true, errNotOpen
	}
	delete(s.pipe.pg.CustomData(), warned)
	s.pipe.owner = committing{}
	s.pipe.control("COMMIT")
	tag, err := s.pipe.flush()
	switch err := s.named(err); {
	case err != nil:
		return sure(err), err
	case tag != "COMMIT": // the server answers the COMMIT of a failed one with a rollback
		return true, errNotOpen
	case s.pipe.pg.CustomData()[warned] != nil:
		return false, errDoubtful
	}
	return false, nil
}

// warned, in a connection's own data, says that the server sent a warning.
const warned = "tikakosh.warned"

func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warned] = true
	}
}

// errDoubtful: the server answered COMMIT with a warning. It does so when an
// administrator cancelled the wait for the standby: the transaction is on one
// server only, and a failover would lose it.
var errDoubtful = errors.New("the server warned at COMMIT: the standby may lack the transaction")

// errNotOpen: the transaction had ended before COMMIT was sent.
var errNotOpen = &fault.Error{Kind: fault.Unavailable, Code: "database", Text: "the transaction had ended before its commit", RetryAfter: time.Second}

// committing is the owner of a COMMIT on its way.
type committing struct{}

// sure reports whether an error of COMMIT says that nothing was stored. All
// others leave it open: the server may have stored it and lost the line, or, where
// several servers commit together, on one of them.
func sure(err error) bool {
	var late *lateError
	if errors.As(err, &late) && late.owner != (committing{}) && !isLost(err) {
		return true // COMMIT was skipped
	}
	switch stateOf(err) {
	case "40001", "40P01", "25P02":
		return true
	}
	return sqldb.IsConstraint(err)
}

func (s *session) discard() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}

// pool hands out connections, in the order asked. A connection in it is in no
// transaction.
type pool struct {
	handle *sql.DB
	opt    Options
	room   chan struct{} // one token for each connection in use

	waiting atomic.Int64 // for a token

	mu   sync.Mutex
	idle []*session // the last one back is the first one out
}

func newPool(h *sql.DB, o Options) *pool {
	return &pool{handle: h, opt: o, room: make(chan struct{}, o.Connections)}
}

// background has no Done channel of a caller: a statement that began is
// finished, because the driver answers an interrupted one by closing the line.
var background = context.Background()

// limit is how long a transaction can last, whatever its server does.
func (o Options) limit() time.Duration { return 2 * o.StatementTimeout }

// take waits for a connection as long as ctx lasts. Its error is a lostError
// when the server cannot be reached.
func (p *pool) take(ctx context.Context) (*session, error) {
	select {
	case p.room <- struct{}{}:
	default:
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		select {
		case p.room <- struct{}{}:
		case <-ctx.Done():
			return nil, unavailable("the caller has gone", ctx.Err())
		}
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	s, err := p.connect()
	if err != nil {
		<-p.room
	}
	return s, err
}

// connect makes a connection, for as long as the hosts of the URL take to
// answer or not.
func (p *pool) connect() (*session, error) {
	ctx, cancel := context.WithTimeout(background, p.opt.StatementTimeout)
	defer cancel()
	conn, err := p.handle.Conn(ctx)
	if err == nil {
		s := &session{conn: conn}
		err = conn.Raw(func(c any) error {
			p, ok := c.(*pipe)
			if !ok {
				return driver.ErrBadConn
			}
			s.pipe, s.line = p, p.pg.Conn()
			return nil
		})
		if err == nil {
			return s, nil
		}
	}
	switch state := stateOf(err); {
	case state == "28P01" || state == "28000":
		return nil, &fault.Error{Kind: fault.Unauthorized, Code: "database_login", Text: "the database refuses this user or password", Err: &lostError{err}}
	case state == "3D000":
		return nil, &fault.Error{Kind: fault.NotFound, Code: "database_name", Text: "the database server has no database of this name", Err: &lostError{err}}
	case state == "53300":
		return nil, unavailable("the database server takes no more connections: raise its max_connections, or lower pool_max_conns in the URLs", &lostError{err})
	case state == "42501":
		return nil, &fault.Error{Kind: fault.Forbidden, Code: "database_login", Text: "the database does not let this user in", Err: &lostError{err}}
	}
	return nil, unavailable("the database cannot be reached", &lostError{unwrapNet(err)})
}

// unwrapNet keeps what a log may say of a failed connection: the driver's text
// holds the user's name, not the password.
func unwrapNet(err error) error {
	var ne net.Error
	if errors.As(err, &ne) {
		return ne
	}
	return err
}

// give takes a connection back, or closes it when it could not end its
// transaction. One that broke makes all that wait suspect.
func (p *pool) give(s *session, whole bool) {
	if whole {
		p.mu.Lock()
		p.idle = append(p.idle, s)
		p.mu.Unlock()
	} else {
		if s.gone() {
			p.drain()
		}
		s.discard()
	}
	<-p.room
}

// drain closes the connections that are not in use.
func (p *pool) drain() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		_ = s.conn.Close()
	}
}
