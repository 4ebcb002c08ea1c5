// Package sqlite opens a SQLite file behind the sqldb seam: one writer with
// group commit, and a pool of connections that cannot write.
//
// Update calls of a process queue up; the writer takes what waits, runs each
// function in its own savepoint of one transaction and commits once for all of
// them, so that one sync to disk serves up to Options.GroupMax callers. A
// caller that is alone is committed at once; nothing waits for a timer. With
// synchronous=FULL and a write-ahead log, a COMMIT that returned survives a
// power cut, and a process killed at any point leaves a file that opens
// without repair.
//
// Several processes may open one file for writing. They exclude each other by
// BEGIN IMMEDIATE, which is retried for Options.BusyTimeout.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// The defaults of Options.
const (
	DefaultMaxReaders  = 8
	DefaultGroupMax    = 128
	DefaultQueueMax    = 4096
	DefaultBusyTimeout = 10 * time.Second
	DefaultFileMode    = fs.FileMode(0o600)
)

// The steps at which Options.Hook is called, in order, once per group.
const (
	StepBegin        = sqldb.StepBegin
	StepBeforeCommit = sqldb.StepBeforeCommit
	StepAfterCommit  = sqldb.StepAfterCommit
)

// Options of a database. The zero value is right for production.
type Options struct {
	// ReadOnly opens an existing file without a writer; Update is Forbidden.
	ReadOnly bool
	// SyncOff sets synchronous=OFF: a power cut loses acknowledged writes and
	// may damage the file. For tests only. Otherwise synchronous is FULL.
	SyncOff bool
	// SecureDelete overwrites what is deleted or replaced wherever the page is
	// written anyway (PRAGMA secure_delete = FAST).
	SecureDelete bool
	// MaxReaders bounds the connections for View.
	MaxReaders int
	// GroupMax bounds how many Update calls share a COMMIT.
	GroupMax int
	// QueueMax bounds how many Update calls wait; one more is Unavailable.
	QueueMax int
	// BusyTimeout bounds how long a group waits for another process's
	// transaction. One that long fails the group with Unavailable.
	BusyTimeout time.Duration
	// FileMode is the mode of a new file, whatever the umask; SQLite gives
	// its -wal and -shm files the same. An existing file keeps its mode.
	FileMode fs.FileMode
	// Logger gets the stacks of panics. Default: none.
	Logger *slog.Logger
	// Hook, for crash tests, is called at each Step; its error makes the
	// step fail: at StepBegin and StepBeforeCommit the group is rolled back,
	// at StepAfterCommit it is stored. Callers get Unavailable at StepBegin,
	// else Unknown.
	Hook func(step string) error
	// Watch hears of commits. Default: nobody.
	Watch sqldb.Watch
}

func (o Options) withDefaults() Options {
	if o.MaxReaders <= 0 {
		o.MaxReaders = DefaultMaxReaders
	}
	if o.GroupMax <= 0 {
		o.GroupMax = DefaultGroupMax
	}
	if o.QueueMax <= 0 {
		o.QueueMax = DefaultQueueMax
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = DefaultBusyTimeout
	}
	if o.FileMode == 0 {
		o.FileMode = DefaultFileMode
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Hook == nil {
		o.Hook = func(string) error { return nil }
	}
	if o.Watch == nil {
		o.Watch = unwatched{}
	}
	return o
}

// database implements sqldb.DB.
type database struct {
	path    string
	opt     Options
	readers *sql.DB
	pool    *pool   // connections of readers
	writer  *writer // nil when read-only
	group   *sqldb.Writer

	closed atomic.Bool
	once   sync.Once
	err    error // of Close
}

// Open opens the database file at path and, unless read-only, creates it. The
// folder must exist. The caller closes the result.
//
// Errors: Unavailable when the file cannot be opened or is busy, Integrity
// when it is not a database or damaged.
func Open(ctx context.Context, path string, o Options) (sqldb.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "find the database file")
	}
	d := &database{path: path, opt: o.withDefaults()}
	if !o.ReadOnly {
		if err := create(path, d.opt.FileMode); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "create the database file")
		}
		if d.writer, err = newWriter(ctx, path, d.opt); err != nil {
			return nil, sqldb.Classify(err, "open the database for writing")
		}
		o := d.opt
		d.group = sqldb.NewWriter(d.writer, sqldb.WriterOptions{GroupMax: o.GroupMax, QueueMax: o.QueueMax, Watch: o.Watch, Hook: o.Hook})
	}
	if d.readers, err = sql.Open("sqlite", dsn(path, d.opt, reading)); err == nil {
		d.readers.SetMaxOpenConns(d.opt.MaxReaders + 1) // one more while a connection that is thrown away closes
		d.readers.SetMaxIdleConns(d.opt.MaxReaders)
		err = d.opt.busy().Do(ctx, func() error {
			var n int // read the header: opening alone reads nothing
			return d.readers.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n)
		})
	}
	if err != nil {
		return nil, errors.Join(sqldb.Classify(err, "open the database"), d.Close())
	}
	d.pool = newPool(d.readers, d.opt.MaxReaders)
	return d, nil
}

// create makes an empty file with the given mode and makes its name durable,
// so that a first COMMIT is not lost with the directory entry.
func create(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

type purpose int

const (
	reading   purpose = iota
	writing           // the writer's connection: it waits for locks itself
	migrating         // a handle for goose, waiting inside SQLite
)

// lockPoll is how long SQLite itself waits for a lock on the writer's
// connection; the writer then tries again with a jitter, more often than
// SQLite would, or a busy process would starve the others.
const lockPoll = time.Millisecond

const (
	// writerCache is how much of the file the writer keeps, in KiB. Rows have
	// random keys, so a group of writes touches other pages than the one before.
	writerCache = 16 << 10
	// checkpointPages is how long the log gets, in pages of 4 KiB, before it is moved
	// into the file: a page that was written several times meanwhile is moved once, and
	// the writer stands still for the file's sync less often.
	checkpointPages = 4000
)

// dsn puts every setting into the data source name, where it holds for each
// connection of a pool; a PRAGMA run on the pool reaches only one of them.
func dsn(path string, o Options, p purpose) string {
	q := url.Values{}
	wait := o.BusyTimeout
	if p == writing {
		wait = lockPoll
	}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(wait.Milliseconds(), 10)+")")
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "trusted_schema(0)")
	q.Set("_dqs", "0") // "x" is a column or an error, never a string
	if o.SyncOff {
		q.Add("_pragma", "synchronous(OFF)")
	} else {
		q.Add("_pragma", "synchronous(FULL)")
	}
	switch {
	case p == reading:
		q.Add("_pragma", "query_only(1)")
	default:
		q.Add("_pragma", "temp_store(MEMORY)") // what a savepoint may have to restore
		q.Add("_pragma", "cache_size(-"+strconv.Itoa(writerCache)+")")
		q.Add("_pragma", "wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")")
		if o.SecureDelete {
			q.Add("_pragma", "secure_delete(FAST)")
		}
		q.Add("_pragma", "journal_mode(WAL)")
		q.Set("_txlock", "immediate")
	}
	q.Set("mode", "rw") // the file is there; never make another one
	if o.ReadOnly {
		q.Set("mode", "ro")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

func (o Options) busy() sqldb.Backoff {
	return sqldb.Backoff{First: time.Millisecond, Max: 4 * time.Millisecond, Total: o.BusyTimeout}
}

func unavailable(text string, cause error) error {
	return &fault.Error{Kind: fault.Unavailable, Code: "database", Text: text, RetryAfter: time.Second, Err: cause}
}

// Update implements sqldb.DB.
func (d *database) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.writer == nil {
		return fault.New(fault.Forbidden, "readonly", "the database is open for reading only")
	}
	if err := sqldb.Nested(); err != nil {
		return err
	}
	return d.group.Update(ctx, fn)
}

// viewTries bounds how often View runs its function again after a busy error.
const viewTries = 5

// View implements sqldb.DB.
func (d *database) View(ctx context.Context, fn func(sqldb.Tx) error) error {
	if d.closed.Load() {
		return unavailable("the database is closed", nil)
	}
	var err error
	for range viewTries {
		if err = d.view(ctx, fn); !sqldb.IsBusy(err) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// Close implements sqldb.DB. It moves the log into the database file, so that
// the last process to close a file leaves only that file.
func (d *database) Close() error {
	d.once.Do(func() {
		d.closed.Store(true)
		if d.group != nil {
			d.group.Close()
		}
		if d.pool != nil {
			d.err = d.pool.drain()
		}
		if d.readers != nil {
			d.err = errors.Join(d.err, d.readers.Close())
		}
		if d.writer != nil {
			d.err = errors.Join(d.err, d.writer.close())
		}
		d.err = sqldb.Classify(d.err, "close the database")
	})
	return d.err
}

// Checkpoint moves the write-ahead log into the database file and empties it,
// between two groups of writes. db comes from Open, possibly wrapped. Errors:
// Unavailable when readers or other processes held the log too long; nothing
// is lost then and the log only stays longer.
func Checkpoint(ctx context.Context, db sqldb.DB) error {
	d, err := own(db)
	if err != nil {
		return err
	}
	return d.group.Maintain(ctx, func() error { return d.writer.maintain(checkpoint) })
}

func checkpoint(ctx context.Context, conn *sql.Conn) error {
	var busy, frames, moved int
	err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		return unavailable("the log is in use", nil)
	}
	return sqldb.Classify(err, "checkpoint")
}

// Migrate brings the database to the newest migration in files (see
// sqldb.Migrate) over a connection of its own. db comes from Open, possibly
// wrapped.
func Migrate(ctx context.Context, db sqldb.DB, files fs.FS) error {
	return MigrateTo(ctx, db, files, 0)
}

// MigrateTo is Migrate that stops at a version; 0 is the newest.
func MigrateTo(ctx context.Context, db sqldb.DB, files fs.FS, version int64) error {
	d, err := own(db)
	if err != nil {
		return err
	}
	h, err := sql.Open("sqlite", dsn(d.path, d.opt, migrating))
	if err != nil {
		return sqldb.Classify(err, "open the database for migration")
	}
	h.SetMaxOpenConns(1)
	err = sqldb.MigrateTo(ctx, h, sqldb.SQLite, files, "", version)
	return errors.Join(err, sqldb.Classify(h.Close(), "close the database after migration"))
}

func own(db sqldb.DB) (*database, error) {
	d, ok := sqldb.Unwrap(db).(*database)
	if !ok || d.writer == nil {
		return nil, fault.New(fault.Internal, "readonly", "this needs a SQLite database open for writing")
	}
	return d, nil
}
