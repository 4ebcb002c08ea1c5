package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxStatements bounds the prepared statements that a connection keeps. Stores
// have some hundred texts; only lists of changing length make more.
const maxStatements = 512

// closeTime bounds how long the end of a connection takes.
const closeTime = 5 * time.Second

// maxQueued bounds the statements that wait to be sent.
const maxQueued = 256

// call is a statement on its way: not sent, or sent and not answered. With sync
// it is the end of what was sent together.
type call struct {
	query     string
	args      [][]byte
	formats   []int16
	plain     bool   // BEGIN and its like: not worth keeping prepared
	prepare   string // the name it is prepared under now; "": it was before
	want      int64  // rows that it has to change; any when negative
	otherwise error  // what another number means
	owner     any    // on whose behalf
	sync      bool
}

// lateError is the failure of a statement that was queued, met when the answer to
// another was read. The transaction has failed for its owner.
type lateError struct {
	owner any
	err   error
}

// Error implements error.
func (e *lateError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *lateError) Unwrap() error { return e.err }

// prepared is a statement that the server keeps for this connection.
type prepared struct {
	sd    *pgconn.StatementDescription
	names []string // of its columns
}

// pipe is one connection. Statements are queued and travel with the next one that
// needs an answer, so that BEGIN, writes whose outcome can wait, and a read cost
// one round trip together (Bind and Execute of each, one Sync: an error skips the
// rest). It implements what database/sql needs to hand out rows. It belongs to one
// goroutine at a time.
type pipe struct {
	pg     *pgconn.PgConn
	line   *pgconn.Pipeline
	known  map[string]prepared
	serial int
	todo   []*call // not sent
	sent   []*call // sent, not answered
	trips  int     // how often something was sent
	owner  any     // of what is queued now
	open   *answer // whose rows are being read
	dead   bool    // a caller went while the server worked
}

// connector makes pipes for database/sql.
type connector struct{ cfg *pgx.ConnConfig }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, c.cfg.Config.Copy())
	if err != nil {
		return nil, err
	}
	return &pipe{pg: pg, line: pg.StartPipeline(background), known: map[string]prepared{}}, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return noDriver{} }

// noDriver opens nothing by name.
type noDriver struct{}

// Open implements driver.Driver.
func (noDriver) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

// Prepare implements driver.Conn. Statements are prepared when they run.
func (p *pipe) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }

// Begin implements driver.Conn. The session begins and ends transactions.
func (p *pipe) Begin() (driver.Tx, error) { return nil, errors.ErrUnsupported }

// Close implements driver.Conn.
func (p *pipe) Close() error {
	ctx, cancel := context.WithTimeout(background, closeTime)
	defer cancel()
	return p.pg.Close(ctx)
}

func (p *pipe) gone() bool { return p.dead || p.pg.IsClosed() }

// queue puts a statement behind those that wait to be sent, and sends them when
// there are many.
func (p *pipe) queue(query string, args []any, want int64, otherwise error) error {
	if _, err := p.add(query, args, want, otherwise); err != nil {
		return err
	}
	if len(p.todo) < maxQueued {
		return nil
	}
	_, err := p.flush()
	return err
}

func (p *pipe) add(query string, args []any, want int64, otherwise error) (*call, error) {
	c := &call{query: query, want: want, otherwise: otherwise, owner: p.owner, plain: len(args) == 0 && !keeps(query)}
	if len(args) > 0 {
		c.args, c.formats = make([][]byte, len(args)), make([]int16, len(args))
		for i, v := range args {
			var err error
			if c.args[i], c.formats[i], err = encode(v); err != nil {
				return nil, err
			}
		}
	}
	p.todo = append(p.todo, c)
	return c, nil
}

// begin queues the beginning of a transaction.
func (p *pipe) begin(text string) {
	p.control(text)
	if len(p.known) > maxStatements {
		clear(p.known)
		p.control("DEALLOCATE ALL") // behind BEGIN, which must be the first
	}
}

// control queues a statement that controls a transaction.
func (p *pipe) control(text string) {
	p.todo = append(p.todo, &call{query: text, want: -1, plain: true, owner: p.owner})
}

// checks reports whether something queued may turn out to be wrong although the
// server runs it.
func (p *pipe) checks() bool {
	for _, c := range p.todo {
		if c.want >= 0 {
			return true
		}
	}
	return false
}

// post sends what is queued and waits for nothing.
func (p *pipe) post() error {
	if err := p.finish(); err != nil {
		return err
	}
	if len(p.todo) == 0 {
		return nil
	}
	binary := []int16{1}
	var now map[string]string // names of what this trip prepares
	for _, c := range p.todo {
		k, ok := p.known[c.query]
		switch {
		case c.plain:
			p.line.SendQueryParams(c.query, nil, nil, nil, nil)
		case ok:
			p.line.SendQueryStatement(k.sd, c.args, c.formats, binary)
		case now[c.query] != "":
			p.line.SendQueryPrepared(now[c.query], c.args, c.formats, binary)
		default:
			p.serial++
			c.prepare = "s" + strconv.Itoa(p.serial)
			p.line.SendPrepare(c.prepare, c.query, nil)
			p.line.SendQueryPrepared(c.prepare, c.args, c.formats, binary)
			if now == nil {
				now = map[string]string{}
			}
			now[c.query] = c.prepare
		}
	}
	p.sent = append(append(p.sent, p.todo...), &call{sync: true})
	p.todo = nil
	p.trips++
	return p.line.Sync()
}

// keeps reports whether a statement without arguments is worth keeping prepared.
func keeps(query string) bool {
	switch query[:min(6, len(query))] {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// next reads the beginning of the answer to c.
func (p *pipe) next(c *call) (*pgconn.ResultReader, error) {
	if c.prepare != "" {
		r, err := p.line.GetResults()
		if err != nil {
			return nil, err
		}
		sd, ok := r.(*pgconn.StatementDescription)
		if !ok {
			return nil, errOrder
		}
		sd.Name, sd.SQL = c.prepare, c.query
		names := make([]string, len(sd.Fields))
		for i, f := range sd.Fields {
			names[i] = f.Name
		}
		p.known[c.query] = prepared{sd, names}
	}
	r, err := p.line.GetResults()
	if err != nil {
		return nil, err
	}
	rr, ok := r.(*pgconn.ResultReader)
	if !ok {
		return nil, errOrder
	}
	return rr, nil
}

// errOrder: the server answered something else than it was asked.
var errOrder = &lostError{errors.New("the database answered out of order")}

// skip reads up to the end of what was sent together.
func (p *pipe) skip() error {
	for len(p.sent) > 0 {
		c := p.sent[0]
		p.sent = p.sent[1:]
		if !c.sync {
			continue // after an error the server skips it too
		}
		for {
			r, err := p.line.GetResults()
			if _, ok := r.(*pgconn.PipelineSync); ok {
				return nil
			}
			if stateOf(err) == "" {
				p.sent = nil
				if err == nil {
					err = errOrder
				}
				return err
			}
		}
	}
	return nil
}

// until reads answers up to that of last, which it begins to read, or, with nil,
// of all. It returns the tag of the last one that was read to its end.
func (p *pipe) until(last *call) (rr *pgconn.ResultReader, tag pgconn.CommandTag, err error) {
	var wrong error
	for len(p.sent) > 0 {
		c := p.sent[0]
		if c.sync {
			if err := p.skip(); err != nil {
				return nil, tag, &lostError{err}
			}
			continue
		}
		p.sent = p.sent[1:]
		rr, err := p.next(c)
		if err == nil && c == last && wrong == nil {
			return rr, tag, nil
		}
		if err == nil {
			tag, err = rr.Close()
		}
		if err != nil {
			if stateOf(err) == "" {
				p.sent = nil
				return nil, tag, err
			}
			if e := p.skip(); e != nil {
				return nil, tag, errors.Join(err, e)
			}
			if wrong == nil && c == last {
				return nil, tag, err
			}
			if wrong == nil {
				wrong = &lateError{c.owner, err}
			}
		}
		if err == nil && wrong == nil && c.want >= 0 && tag.RowsAffected() != c.want {
			wrong = &lateError{c.owner, c.otherwise}
		}
	}
	return nil, tag, wrong
}

// run sends a statement with all that is queued and begins to read its answer. An
// error may be a lateError. Whoever got a reader closes it with finish.
func (p *pipe) run(query string, args []any) (*pgconn.ResultReader, error) {
	last, err := p.add(query, args, -1, nil)
	if err != nil {
		return nil, err
	}
	if err := p.post(); err != nil {
		return nil, err
	}
	rr, _, err := p.until(last)
	return rr, err
}

// exec runs a statement and says how many rows it changed.
func (p *pipe) exec(query string, args []any) (int64, error) {
	rr, err := p.run(query, args)
	if err != nil {
		return 0, err
	}
	tag, err := rr.Close()
	if e := p.rest(err); e != nil {
		return 0, e
	}
	return tag.RowsAffected(), nil
}

// rest reads what follows the answer that was read last.
func (p *pipe) rest(err error) error {
	if err != nil && stateOf(err) == "" {
		p.sent = nil
		return err
	}
	if e := p.skip(); err == nil {
		err = e
	}
	return err
}

// flush sends what is queued and reads every answer. It returns the tag of the
// last statement.
func (p *pipe) flush() (string, error) {
	if err := p.post(); err != nil {
		return "", err
	}
	_, tag, err := p.until(nil)
	return tag.String(), err
}

// drop forgets what was queued behind the first n.
func (p *pipe) drop(n int) { p.todo = p.todo[:min(n, len(p.todo))] }

// finish ends the reading of rows.
func (p *pipe) finish() error {
	if p.open == nil {
		return nil
	}
	return p.open.finish()
}

// QueryContext implements driver.QueryerContext. A context that can end closes
// the connection when it does: the server is told of nothing else.
func (p *pipe) QueryContext(ctx context.Context, query string, named []driver.NamedValue) (driver.Rows, error) {
	args := make([]any, len(named))
	for i, v := range named {
		args[i] = v.Value
	}
	a := &answer{p: p}
	if ctx.Done() != nil {
		a.stop = context.AfterFunc(ctx, func() { _ = p.pg.Conn().Close() })
	}
	rr, err := p.run(query, args)
	if err != nil {
		a.ended()
		return nil, err
	}
	a.rr, p.open = rr, a
	if k, ok := p.known[query]; ok {
		a.names, a.fields = k.names, k.sd.Fields
		return a, nil
	}
	for _, f := range rr.FieldDescriptions() {
		a.fields, a.names = append(a.fields, f), append(a.names, f.Name)
	}
	return a, nil
}

// answer implements driver.Rows.
type answer struct {
	p      *pipe
	rr     *pgconn.ResultReader
	names  []string
	fields []pgconn.FieldDescription
	stop   func() bool // of the watch over the caller
	over   bool
	err    error
}

// Columns implements driver.Rows.
func (a *answer) Columns() []string { return a.names }

// Close implements driver.Rows.
func (a *answer) Close() error { return a.finish() }

// Next implements driver.Rows. What it stores is valid until it is called again.
func (a *answer) Next(dest []driver.Value) (err error) {
	if a.over {
		return io.EOF
	}
	if !a.rr.NextRow() {
		if err := a.finish(); err != nil {
			return err
		}
		return io.EOF
	}
	for i, raw := range a.rr.Values() {
		if dest[i], err = decode(a.fields[i].DataTypeOID, raw); err != nil {
			return err
		}
	}
	return nil
}

func (a *answer) ended() {
	if a.stop != nil && !a.stop() {
		a.p.dead = true
	}
}

func (a *answer) finish() error {
	if a.over {
		return a.err
	}
	a.over, a.p.open = true, nil
	_, err := a.rr.Close()
	a.err = a.p.rest(err)
	a.ended()
	return a.err
}

var (
	_ driver.QueryerContext = (*pipe)(nil)
	_ driver.Rows           = (*answer)(nil)
)
