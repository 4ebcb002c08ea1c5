// Package postgres opens a PostgreSQL database behind the sqldb seam, for
// every server that speaks its protocol and has its SQL: it needs no advisory
// locks, no LISTEN, no sequences.
//
// The registry's transactions run side by side, each on a connection of a small
// pool, at READ COMMITTED: every statement of the stores that decides something
// carries its own condition or holds the row it decides on (ADR 22). The
// vault's run one after the other (Options.Serial) on one connection, as many
// as wait in one transaction, as on SQLite; several processes are kept apart
// by Options.Guard.
//
// A View is one snapshot (REPEATABLE READ, READ ONLY). A COMMIT that returned is
// on the server's disk, and on its synchronous standby where it has one.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// The defaults of Options.
const (
	DefaultGroupMax         = 128
	DefaultQueueMax         = 4096
	DefaultBusyTimeout      = 10 * time.Second
	DefaultConnectTimeout   = 5 * time.Second
	DefaultStatementTimeout = 30 * time.Second
	DefaultLockTimeout      = 5 * time.Second
	DefaultIdleTimeout      = 30 * time.Second
)

// The steps at which Options.Hook is called, in order, once per transaction.
const (
	StepBegin        = sqldb.StepBegin
	StepBeforeCommit = sqldb.StepBeforeCommit
	StepAfterCommit  = sqldb.StepAfterCommit
)

// Options of a database. The zero value is right for production.
type Options struct {
	// Name is the role's name, shown in the server's list of sessions.
	Name string
	// ReadOnly makes Update Forbidden and lets the URL name standbys.
	ReadOnly bool
	// MayBeAway lets Open succeed when the server does not answer: a replica that
	// others can do without.
	MayBeAway bool
	// KeepRows says that the user of the URL may delete nothing.
	KeepRows bool
	// Serial runs the functions of Update one after the other, those that wait
	// in one transaction.
	Serial bool
	// Guard, with Serial, runs first in every writing transaction; its error
	// ends the transaction and is every caller's. It may run twice.
	Guard func(context.Context, sqldb.Tx) error
	// Connections bounds the connections of this process. Default: four for
	// each core that the process may use, at least eight.
	Connections int
	// GroupMax bounds how many Update calls share a COMMIT when Serial.
	GroupMax int
	// QueueMax bounds how many Update calls wait when Serial; one more is
	// Unavailable.
	QueueMax int
	// BusyTimeout bounds how long one Update is tried again after conflicts
	// with others. A server that cannot be reached is Unavailable much sooner.
	BusyTimeout time.Duration
	// StatementTimeout, LockTimeout and IdleTimeout (in a transaction) are the
	// session's settings of these names.
	StatementTimeout, LockTimeout, IdleTimeout time.Duration
	// Logger gets the stacks of panics. Default: none.
	Logger *slog.Logger
	// Watch hears of commits. Default: nobody.
	Watch sqldb.Watch
	// Hook, for crash tests, is called at each Step; its error makes the step
	// fail as sqlite.Options.Hook's does. It may be called side by side.
	Hook func(step string) error
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = max(8, 4*runtime.GOMAXPROCS(0))
	}
	if o.GroupMax <= 0 {
		o.GroupMax = DefaultGroupMax
	}
	if o.QueueMax <= 0 {
		o.QueueMax = DefaultQueueMax
	}
	o.BusyTimeout = orDefault(o.BusyTimeout, DefaultBusyTimeout)
	o.StatementTimeout = orDefault(o.StatementTimeout, DefaultStatementTimeout)
	o.LockTimeout = orDefault(o.LockTimeout, DefaultLockTimeout)
	o.IdleTimeout = orDefault(o.IdleTimeout, DefaultIdleTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Watch == nil {
		o.Watch = unwatched{}
	}
	if o.Hook == nil {
		o.Hook = func(string) error { return nil }
	}
	return o
}

func orDefault(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}

// conflicts is how an Update waits between tries.
func (o Options) conflicts() sqldb.Backoff {
	return sqldb.Backoff{First: time.Millisecond, Max: 50 * time.Millisecond, Total: o.BusyTimeout}
}

// database implements sqldb.DB.
type database struct {
	opt    Options
	handle *sql.DB // of the usual driver, for migrations and COPY
	lines  *sql.DB // of pipes
	pool   *pool
	writer *sqldb.Writer // of Serial, on serial
	serial *serial

	closed atomic.Bool
	once   sync.Once
	err    error // of Close
}

// Open opens the database that a URL names (postgres://…, several hosts
// allowed) and looks whether it answers, is the one that takes writes (unless
// ReadOnly), stores text as UTF-8 and orders it by code point. The caller
// closes the result.
//
// Errors: Invalid for a malformed or unsafe URL, Unauthorized when the server
// refuses the user, Unavailable when it does not answer, Conflict with code
// "collation" for a database made with a language's order.
func Open(ctx context.Context, url string, o Options) (sqldb.DB, error) {
	d, err := open(url, o)
	if err != nil {
		return nil, err
	}
	if err := d.look(ctx); err != nil && !(o.MayBeAway && fault.Is(err, fault.Unavailable)) {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func open(url string, o Options) (*database, error) {
	o = o.withDefaults()
	cfg, err := config(url, &o)
	if err != nil {
		return nil, err
	}
	d := &database{opt: o, handle: stdlib.OpenDB(*cfg), lines: sql.OpenDB(connector{cfg})}
	d.handle.SetMaxIdleConns(1)
	d.handle.SetConnMaxIdleTime(DefaultConnectTimeout)
	d.lines.SetMaxOpenConns(o.Connections + 1) // one more while a connection that is thrown away closes
	d.lines.SetMaxIdleConns(0)                 // the pool keeps them
	d.pool = newPool(d.lines, o)
	if o.Serial && !o.ReadOnly {
		d.serial = &serial{d: d}
		d.writer = sqldb.NewWriter(d.serial, sqldb.WriterOptions{GroupMax: o.GroupMax, QueueMax: o.QueueMax, Watch: o.Watch, Hook: o.Hook})
	}
	return d, nil
}

// look reads what must be right before anything is stored.
func (d *database) look(ctx context.Context) error {
	return d.View(ctx, func(tx sqldb.Tx) error {
		var encoding string
		var ordered bool
		err := tx.QueryRow(ctx, "SELECT current_setting('server_encoding'), 'B' < 'a' AND 'a_' > 'a-b'").Scan(&encoding, &ordered)
		if err != nil {
			return sqldb.Classify(err, "open the database")
		}
		if encoding != "UTF8" || !ordered {
			return fault.New(fault.Conflict, "collation",
				"the database must be made with CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8': this one orders text by a language's rules")
		}
		return nil
	})
}

func unavailable(text string, cause error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: "database", Text: text, RetryAfter: time.Second, Err: cause}
}

// Update implements sqldb.DB.
func (d *database) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.opt.ReadOnly {
		return fault.New(fault.Forbidden, "readonly", "the database is open for reading only")
	}
	if err := sqldb.Nested(); err != nil {
		return err
	}
	if d.writer != nil {
		return d.writer.Update(ctx, fn)
	}
	if d.closed.Load() {
		return unavailable("the database is closed", nil)
	}
	if err := ctx.Err(); err != nil {
		return unavailable("the caller has gone", err)
	}
	return d.side(ctx, fn)
}

// lostTries bounds how often a transaction starts over on a new connection
// after its connection broke; one that cannot be made fails at once.
const lostTries = 3

// side runs one transaction beside others, again after conflicts.
func (d *database) side(ctx context.Context, fn func(sqldb.Tx) error) (err error) {
	var lost, unique int
	_ = d.opt.conflicts().Do(ctx, func() error {
		for {
			var cause error
			cause, err = d.attempt(ctx, fn)
			switch {
			case cause == nil || ctx.Err() != nil:
				return nil //nolint:nilerr // err is for the caller, nil ends the waiting
			case isLost(cause):
				if lost++; lost >= lostTries {
					return nil
				}
			case sqldb.IsUnique(cause):
				// What a concurrent transaction stored after this one looked: it
				// looks again once.
				if unique++; unique > 1 {
					return nil
				}
			default:
				return cause // busy: after a wait
			}
		}
	})
	return err
}

// The beginnings of transactions.
const (
	beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	beginRead  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
)

// attempt runs fn once. cause, when not nil, says that nothing was stored and
// why it may help to run it again; err is what the caller gets otherwise.
func (d *database) attempt(ctx context.Context, fn func(sqldb.Tx) error) (cause, err error) {
	s, err := d.pool.take(ctx)
	if err != nil {
		return nil, sqldb.Classify(err, "begin")
	}
	whole := false
	defer func() { d.pool.give(s, whole && !d.closed.Load()) }()
	defer s.watch(d.opt.limit())()
	s.begin(beginWrite)
	if err := d.opt.Hook(StepBegin); err != nil {
		whole = s.abandon()
		return nil, unavailable("begin", err)
	}
	t := &tx{s: s, refuse: d.handle}
	err = d.call(fn, t)
	if err != nil || t.failed != nil {
		whole = !isLost(t.failed) && s.abandon()
		return again(t.failed), t.result(err)
	}
	if err := d.opt.Hook(StepBeforeCommit); err != nil {
		whole = s.abandon()
		return nil, sqldb.Unknown(err)
	}
	committed := d.opt.Watch.Committing(1)
	certain, err := s.commit()
	committed(err)
	if err != nil {
		if !certain {
			return nil, sqldb.Unknown(err)
		}
		return again(err), told(err, "commit")
	}
	whole = true
	if err := d.opt.Hook(StepAfterCommit); err != nil {
		return nil, sqldb.Unknown(err)
	}
	return nil, nil
}

// again returns an error after which the transaction may run again, or nil.
func again(err error) error {
	if sqldb.IsBusy(err) || sqldb.IsUnique(err) {
		return err
	}
	return nil
}

// viewTries bounds how often View runs its function again after a busy error.
const viewTries = 3

// Load implements sqldb.Busy: calls that wait for a connection or the writer,
// and connections in use.
func (d *database) Load() (waiting, reading int) {
	if d.writer != nil {
		waiting = d.writer.Waiting()
	}
	return waiting + int(d.pool.waiting.Load()), len(d.pool.room)
}

// unwatched is the Watch of a database without one.
type unwatched struct{}

// Committing implements sqldb.Watch.
func (unwatched) Committing(int) func(error) { return func(error) {} }

// KeepsRows is Options.KeepRows.
func (d *database) KeepsRows() bool { return d.opt.KeepRows }

// View implements sqldb.DB.
func (d *database) View(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.closed.Load() {
		return unavailable("the database is closed", nil)
	}
	var err error
	for range viewTries {
		var redo bool
		if redo, err = d.view(ctx, fn); !redo || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (d *database) view(ctx context.Context, fn func(sqldb.Tx) error) (redo bool, err error) {
	s, err := d.pool.take(ctx)
	if err != nil {
		return false, sqldb.Classify(err, "begin a read")
	}
	whole := false
	defer func() { d.pool.give(s, whole && !d.closed.Load()) }()
	defer s.watch(d.opt.limit())()
	s.begin(beginRead)
	t := &tx{s: s, refuse: d.handle, view: true}
	defer func() {
		t.end()
		err = t.result(err)
		whole = !isLost(t.failed) && s.abandon() // nothing was written
		redo = t.failed != nil && sqldb.IsBusy(t.failed)
	}()
	return false, fn(t) // a panic passes on, and the connection is thrown away
}

// Close implements sqldb.DB.
func (d *database) Close() error {
	d.once.Do(func() {
		d.closed.Store(true)
		if d.writer != nil {
			d.writer.Close()
			d.serial.release(true)
		}
		d.pool.drain()
		d.err = sqldb.Classify(errors.Join(d.lines.Close(), d.handle.Close()), "close the database")
	})
	return d.err
}

// Migrate brings the database to the newest migration in files (see
// sqldb.Migrate). db comes from Open, possibly wrapped, as a user that owns it.
func Migrate(ctx context.Context, db sqldb.DB, files fs.FS) error {
	return withHandle(db, func(h *sql.DB) error { return sqldb.Migrate(ctx, h, sqldb.PostgreSQL, files, "") })
}

// Check says whether the database is at the newest migration in files; it
// changes nothing (see sqldb.Check). Conflict with CodeFilling: a copy is being
// loaded into it.
func Check(ctx context.Context, db sqldb.DB, files fs.FS) error {
	return withHandle(db, func(h *sql.DB) error {
		if err := empty(ctx, h); fault.CodeOf(err) == CodeFilling {
			return err
		}
		return sqldb.Check(ctx, h, sqldb.PostgreSQL, files, "")
	})
}

// Pending lists the migrations in files that the database lacks; it changes
// nothing.
func Pending(ctx context.Context, db sqldb.DB, files fs.FS) (out []sqldb.Step, err error) {
	err = withHandle(db, func(h *sql.DB) error {
		out, err = sqldb.Pending(ctx, h, sqldb.PostgreSQL, files, "")
		return err
	})
	return out, err
}

func withHandle(db sqldb.DB, fn func(*sql.DB) error) error {
	d, ok := sqldb.Unwrap(db).(*database)
	if !ok {
		return fault.New(fault.Internal, "engine", "this needs a PostgreSQL database")
	}
	return fn(d.handle)
}
