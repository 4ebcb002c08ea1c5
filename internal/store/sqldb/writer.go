package sqldb

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/fault"
)

// The steps at which an engine's Hook is called, in order, once per transaction.
const (
	StepBegin        = "begin"         // the transaction is open, nothing ran
	StepBeforeCommit = "before-commit" // all functions ran
	StepAfterCommit  = "after-commit"  // durable, nobody has been told
)

// GroupEngine is what a Writer runs its transactions on: one connection. Its
// methods are called one after the other.
type GroupEngine interface {
	// Begin opens a transaction, on a new connection if need be. Its error is
	// every caller's, as it is.
	Begin() error
	// Run runs fn as a part of the transaction; with a savepoint, what a failed
	// one did is undone and the transaction goes on.
	Run(fn func(Tx) error, savepoint bool) Ran
	// Commit makes the transaction durable. After an error it is over.
	Commit() Ended
	// Rollback ends the transaction.
	Rollback()
	// Discard throws the connection away, with whatever transaction it is in.
	Discard()
}

// Ran is what became of one function.
type Ran struct {
	// Err is what its caller gets.
	Err error
	// Again: nothing of it is stored, and it may go well another time.
	Again bool
	// Spoilt: it left something in the transaction, or ended it.
	Spoilt bool
	// Broken: the transaction no longer exists.
	Broken bool
	// Foreign: what failed was left by a function before it.
	Foreign bool
}

// Ended is what became of a COMMIT.
type Ended struct {
	Err     error // classified when Certain
	Certain bool  // nothing was stored
	Again   bool  // and it may go well another time
}

// WriterOptions are the settings of a Writer.
type WriterOptions struct {
	// GroupMax bounds how many functions share a COMMIT, QueueMax how many wait;
	// one more is Unavailable.
	GroupMax, QueueMax int
	// Watch hears of commits.
	Watch Watch
	// Hook is called at StepBeforeCommit and StepAfterCommit; its error makes
	// the step fail.
	Hook func(step string) error
}

// The states of a job. A caller who goes drops a waiting job; the writer takes
// it before running it.
const (
	waiting int32 = iota
	taken
	dropped
)

// WriterTries bounds how often one function runs again after a conflict.
const WriterTries = 5

// job is one call that waits for the writer.
type job struct {
	ctx      context.Context
	fn       func(Tx) error
	maintain func() error // instead of fn, outside a transaction
	state    atomic.Int32
	tries    int
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

// Writer runs functions one after the other, as many as wait in one transaction
// (group commit). It is safe for concurrent use; its unexported fields belong to
// its goroutine, but for the channels and the lock.
type Writer struct {
	engine   GroupEngine
	opt      WriterOptions
	queue    chan *job
	finished chan struct{}
	group    []*job // being worked on
	running  *job   // whose function runs

	mu     sync.RWMutex // held for reading while a job is queued
	closed bool
}

// NewWriter starts the writer of an engine's connection.
func NewWriter(e GroupEngine, o WriterOptions) *Writer {
	w := &Writer{engine: e, opt: o, queue: make(chan *job, o.QueueMax), finished: make(chan struct{})}
	go w.loop(nil)
	return w
}

// Update runs fn and returns when it is durable or failed; errors as DB's.
func (w *Writer) Update(ctx context.Context, fn func(Tx) error) error {
	return w.submit(&job{ctx: ctx, fn: fn, done: make(chan struct{})})
}

// Maintain runs fn between two transactions.
func (w *Writer) Maintain(ctx context.Context, fn func() error) error {
	return w.submit(&job{ctx: ctx, maintain: fn, done: make(chan struct{})})
}

// Waiting is how many calls wait.
func (w *Writer) Waiting() int { return len(w.queue) }

// Close refuses new calls, lets those that wait finish, and returns then.
func (w *Writer) Close() {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if !again {
		close(w.queue)
	}
	<-w.finished
}

// nestedAfter is how long an Update waits before it looks whether it waits for
// itself.
const nestedAfter = 100 * time.Millisecond

func (w *Writer) submit(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return unavailable("the caller has gone", err)
	}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return unavailable("the database is closed", nil)
	}
	select {
	case w.queue <- j:
		w.mu.RUnlock()
	default:
		w.mu.RUnlock()
		return unavailable("too many writes are waiting", nil)
	}
	slow := time.NewTimer(nestedAfter)
	defer slow.Stop()
	for {
		select {
		case <-j.done:
			return j.err
		case <-slow.C:
			if !insideUpdate() || !j.state.CompareAndSwap(waiting, dropped) {
				continue
			}
			return nested()
		case <-j.ctx.Done():
		}
		if j.state.CompareAndSwap(waiting, dropped) {
			return unavailable("the caller has gone", j.ctx.Err())
		}
		<-j.done
		return j.err
	}
}

// loop serves the queue until it is closed and empty. rest is what an earlier
// loop left when a function ended its goroutine.
func (w *Writer) loop(rest []*job) {
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
func (w *Writer) afterGoexit() {
	w.engine.Discard()
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
func (w *Writer) gather(j *job) []*job {
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
func (w *Writer) work(group []*job) {
	w.group = group
	todo := make([]*job, 0, len(group))
	for _, j := range group {
		switch {
		case j.state.Load() != taken && !j.state.CompareAndSwap(waiting, taken):
			j.answer()
		case j.ctx.Err() != nil:
			j.err = unavailable("the caller has gone", j.ctx.Err())
		case j.maintain != nil:
			j.err = j.maintain()
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

// transaction runs a group in one transaction. It returns the jobs to run
// again, and whether each of them should get a transaction of its own.
//
// A group first runs without savepoints, which cost a statement each and on
// SQLite a copy of every page that changes: a job that fails before it wrote
// anything leaves nothing to undo, and most refusals are such. When one fails
// later, all is rolled back and those that did well run again, each in a savepoint.
func (w *Writer) transaction(group []*job) (again []*job, alone bool) {
	savepoints := false
	for _, j := range group {
		savepoints = savepoints || j.tries > 0
	}
	savepoints = savepoints && len(group) > 1
	if err := w.engine.Begin(); err != nil {
		failAll(group, err)
		return nil, false
	}
	var kept []*job // ran, and are part of the transaction
	for i, j := range group {
		r := w.run(j, savepoints)
		if r.Foreign && len(group) > 1 {
			w.end(r.Broken)
			return append(append(append(kept, again...), j), group[i+1:]...), true
		}
		switch {
		case r.Err != nil && r.Again && j.tries < WriterTries:
			again = append(again, j)
		case r.Err != nil:
			j.err = r.Err
		default:
			kept = append(kept, j)
		}
		// When the transaction is gone, what ran before did not happen.
		if r.Broken || r.Err != nil && !savepoints && r.Spoilt && len(group) > 1 {
			w.end(r.Broken)
			return append(append(kept, again...), group[i+1:]...), false
		}
	}
	if len(kept) == 0 {
		w.engine.Rollback()
		return again, false
	}
	return w.commit(kept, again)
}

func (w *Writer) run(j *job, savepoint bool) Ran {
	j.tries++
	w.running = j
	r := w.engine.Run(j.fn, savepoint)
	w.running = nil
	return r
}

func (w *Writer) end(broken bool) {
	if broken {
		w.engine.Discard()
		return
	}
	w.engine.Rollback()
}

func (w *Writer) commit(kept, again []*job) ([]*job, bool) {
	if err := w.opt.Hook(StepBeforeCommit); err != nil {
		w.engine.Rollback()
		failAll(kept, Unknown(err))
		return again, false
	}
	committed := w.opt.Watch.Committing(len(kept))
	e := w.engine.Commit()
	committed(e.Err)
	switch {
	case e.Err == nil:
		if err := w.opt.Hook(StepAfterCommit); err != nil {
			failAll(kept, Unknown(err))
		}
		return again, false
	case !e.Certain:
		failAll(kept, Unknown(e.Err))
	case len(kept) > 1: // one of them, such as by a deferred constraint
		return append(kept, again...), true
	case e.Again && kept[0].tries < WriterTries:
		return append(kept, again...), true
	default:
		failAll(kept, e.Err)
	}
	return again, false
}

func failAll(group []*job, err error) {
	for _, j := range group {
		j.err = err
	}
}
