package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// The states of a job. A caller who goes drops a waiting job; the writer takes
// it before running it.
const (
	waiting int32 = iota
	taken
	dropped
)

// jobTries bounds how often one function runs again after a busy error.
const jobTries = 5

// job is one call that waits for the writer.
type job struct {
	ctx      context.Context
	fn       func(sqldb.Tx) error
	maintain func(context.Context, *sql.Conn) error // instead of fn, outside a transaction
	state    atomic.Int32
	tries    int
	wrote    bool // ran a statement that may change rows, in its last try
	err      error
	answered bool
	done     chan struct{}
}

func (j *job) answer() {
	if !j.answered {
		j.answered = true
		close(j.done)
	}
}

// maxStatements bounds the prepared statements kept. Stores have some hundred
// texts; only lists of changing length make more.
const maxStatements = 512

// writer owns the one connection that writes. Its fields belong to its
// goroutine, but for the channels.
type writer struct {
	opt      Options
	handle   *sql.DB
	refuse   *sql.DB
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt
	queue    chan *job
	finished chan struct{}
	group    []*job // being worked on
	running  *job   // whose function runs
}

// background has no Done channel: a statement that began is finished. SQLite
// answers an interrupted write by rolling the whole group back.
var background = context.Background()

func newWriter(ctx context.Context, path string, o Options) (*writer, error) {
	h, err := sql.Open("sqlite", dsn(path, o, writing))
	if err != nil {
		return nil, err
	}
	h.SetMaxOpenConns(1)
	w := &writer{opt: o, handle: h, refuse: h, queue: make(chan *job, o.QueueMax), finished: make(chan struct{})}
	// Setting the journal mode of a new file can meet another process's lock.
	if err := o.busy().Do(ctx, func() error { return w.connect(ctx) }); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	go w.loop(nil)
	return w, nil
}

func (w *writer) connect(ctx context.Context) (err error) {
	w.stmts = map[string]*sql.Stmt{}
	w.conn, err = w.handle.Conn(ctx)
	return err
}

// reconnect throws the connection away, with whatever transaction it is in.
func (w *writer) reconnect() {
	if w.conn != nil {
		// SQLite keeps a closed connection, and its locks, while statements
		// of it live.
		_, _ = w.conn.ExecContext(background, "ROLLBACK")
		_ = w.dropStatements()
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = w.conn.Close()
	}
	if err := w.connect(background); err != nil {
		w.conn = nil // begin tries again
	}
}

// close empties the log and closes the connection; the loop has ended.
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

// loop serves the queue until it is closed and empty. rest is what an earlier
// loop left when a function ended its goroutine.
func (w *writer) loop(rest []*job) {
	ended := true
	defer func() {
		if ended {
			w.afterGoexit()
		}
	}()
	w.work(rest)
	for j := range w.queue {
		w.work(w.gather(j))
	}
	ended = false
	close(w.finished)
}

// afterGoexit goes on in a new goroutine after a function called
// runtime.Goexit, as testing.T.FailNow does.
func (w *writer) afterGoexit() {
	w.reconnect()
	if j := w.running; j != nil {
		j.err = fault.New(fault.Internal, "goexit", "the function of an Update ended its goroutine")
		j.answer()
	}
	var rest []*job
	for _, j := range w.group {
		if !j.answered {
			j.err = nil
			rest = append(rest, j)
		}
	}
	go w.loop(rest)
}

// gather takes what waits behind j, in arrival order. It lets the callers just
// answered run once first: they are about to queue their next call, and would
// otherwise always miss the group that begins now.
func (w *writer) gather(j *job) []*job {
	if len(w.group) > 1 {
		runtime.Gosched()
	}
	group := []*job{j}
	for len(group) < w.opt.GroupMax {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// work brings every job of a group to an end and answers them in order.
func (w *writer) work(group []*job) {
	w.group = group
	todo := make([]*job, 0, len(group))
	for _, j := range group {
		switch {
		case j.state.Load() != taken && !j.state.CompareAndSwap(waiting, taken):
			j.answer()
		case j.ctx.Err() != nil:
			j.err = unavailable("the caller has gone", j.ctx.Err())
		case j.maintain != nil:
			j.err = w.maintain(j)
		default:
			todo = append(todo, j)
		}
	}
	alone := false
	for len(todo) > 0 {
		if !alone {
			todo, alone = w.transaction(todo)
			continue
		}
		var again []*job
		for _, j := range todo {
			more, _ := w.transaction([]*job{j})
			again = append(again, more...)
		}
		todo = again
	}
	for _, j := range group {
		j.answer()
	}
}

func (w *writer) maintain(j *job) error {
	if w.conn == nil {
		if err := w.connect(background); err != nil {
			return sqldb.Classify(err, "connect")
		}
	}
	return j.maintain(background, w.conn)
}

// transaction runs a group in one transaction. It returns the jobs to run
// again, and whether each of them should get a transaction of its own.
//
// A group first runs without savepoints, which would copy every page that it
// changes: a job that fails before it wrote anything leaves nothing to undo, and
// most refusals are such. When one fails later, all is rolled back and those
// that did well run again, each in a savepoint.
func (w *writer) transaction(group []*job) (again []*job, alone bool) {
	savepoints := false
	for _, j := range group {
		savepoints = savepoints || j.tries > 0
	}
	savepoints = savepoints && len(group) > 1
	if err := w.begin(); err != nil {
		failAll(group, err)
		return nil, false
	}
	var kept []*job // ran, and are part of the transaction
	for i, j := range group {
		broken, err := w.step(j, savepoints)
		switch {
		case err != nil && sqldb.IsBusy(err) && j.tries < jobTries:
			again = append(again, j)
		case err != nil:
			j.err = err
		default:
			kept = append(kept, j)
		}
		if broken { // the transaction is gone: what ran before did not happen
			w.reconnect()
			return append(append(kept, again...), group[i+1:]...), false
		}
		if err != nil && !savepoints && j.wrote && len(group) > 1 {
			w.rollback()
			return append(append(kept, again...), group[i+1:]...), false
		}
	}
	if len(kept) == 0 {
		w.rollback()
		return again, false
	}
	if err := w.opt.Hook(StepBeforeCommit); err != nil {
		w.rollback()
		failAll(kept, sqldb.Unknown(err))
		return again, false
	}
	committed := w.opt.Watch.Committing(len(kept))
	err := w.control("COMMIT")
	committed(err)
	if err != nil {
		w.reconnect()
		if sqldb.IsConstraint(err) { // a deferred constraint: certainly not stored
			if len(kept) > 1 {
				return append(kept, again...), true
			}
			failAll(kept, sqldb.Classify(err, "commit"))
			return again, false
		}
		failAll(kept, sqldb.Unknown(err))
		return again, false
	}
	if err := w.opt.Hook(StepAfterCommit); err != nil {
		failAll(kept, sqldb.Unknown(err))
	}
	return again, false
}

// control runs BEGIN, COMMIT and their like.
func (w *writer) control(text string) error {
	_, err := w.exec(background, text, nil, true)
	return err
}

func failAll(group []*job, err error) {
	for _, j := range group {
		j.err = err
	}
}

// begin opens a transaction that holds the write lock.
func (w *writer) begin() error {
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
			w.reconnect()
		}
		return sqldb.Classify(err, "begin")
	}
	if err := w.opt.Hook(StepBegin); err != nil {
		w.rollback()
		return unavailable("begin", err)
	}
	return nil
}

func (w *writer) rollback() {
	if err := w.control("ROLLBACK"); err != nil {
		w.reconnect()
	}
}

// step runs one job. broken says that the transaction no longer exists; err is
// the job's own.
func (w *writer) step(j *job, savepoint bool) (broken bool, err error) {
	j.tries++
	if !savepoint {
		return false, w.call(j)
	}
	if _, err := w.exec(background, "SAVEPOINT job", nil, true); err != nil {
		return true, sqldb.Classify(err, "savepoint")
	}
	err = w.call(j)
	if err != nil {
		if _, e := w.exec(background, "ROLLBACK TO job", nil, true); e != nil {
			return true, err
		}
	}
	if _, e := w.exec(background, "RELEASE job", nil, true); e != nil {
		if err == nil {
			err = sqldb.Classify(e, "savepoint")
		}
		return true, err
	}
	return false, err
}

// call runs a job's function and turns a panic into an error.
func (w *writer) call(j *job) (err error) {
	t := &tx{run: w, refuse: w.refuse}
	returned := false
	w.running = j
	defer func() {
		t.end()
		j.wrote = t.wrote
		if returned {
			w.running = nil
			err = t.result(err)
			return
		}
		p := recover()
		if p == nil {
			return // runtime.Goexit: loop goes on in another goroutine
		}
		w.running = nil
		w.opt.Logger.Error("panic in a transaction", slog.String("panic", panicText(p)), slog.String("stack", string(debug.Stack())))
		err = fault.New(fault.Internal, "panic", "the function of an Update panicked")
	}()
	err = runJob(j.fn, t)
	returned = true
	return err
}

// runJob is the frame that insideUpdate looks for.
//
//go:noinline
func runJob(fn func(sqldb.Tx) error, t sqldb.Tx) error { return fn(t) }

// maxDepth bounds how far up insideUpdate looks. A function of an Update runs
// near the root of the writer's goroutine.
const maxDepth = 64

// insideUpdate reports whether its caller was called by the function of an
// Update, which would wait for itself. It looks at the stack because nothing
// is passed that a nested call must use.
func insideUpdate() bool {
	var pcs [maxDepth]uintptr
	entry := reflect.ValueOf(runJob).Pointer()
	for _, pc := range pcs[:runtime.Callers(3, pcs[:])] {
		if f := runtime.FuncForPC(pc - 1); f != nil && f.Entry() == entry {
			return true
		}
	}
	return false
}

// panicText tells a runtime error; another value may hold anything, so only
// its type is told.
func panicText(p any) string {
	var re runtime.Error
	if err, ok := p.(error); ok && errors.As(err, &re) {
		return re.Error()
	}
	return fmt.Sprintf("%T", p)
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
