package postgres

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

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

// jobTries bounds how often one function runs again after a conflict or the
// end of a connection.
const jobTries = 5

// job is one call that waits for the writer.
type job struct {
	ctx      context.Context
	fn       func(sqldb.Tx) error
	state    atomic.Int32
	tries    int
	spoilt   bool // its last try wrote, or failed in the server
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

// writer runs the transactions of a Serial database one after the other. Its
// fields belong to its goroutine, but for the channels.
type writer struct {
	d        *database
	queue    chan *job
	finished chan struct{}
	group    []*job // being worked on
	running  *job   // whose function runs
	s        *session
}

func newWriter(d *database) *writer {
	w := &writer{d: d, queue: make(chan *job, d.opt.QueueMax), finished: make(chan struct{})}
	go w.loop(nil)
	return w
}

// nestedAfter is how long an Update waits before it looks whether it waits for
// itself.
const nestedAfter = 100 * time.Millisecond

func (d *database) submit(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return unavailable("the caller has gone", err)
	}
	d.mu.RLock()
	if d.closed {
		d.mu.RUnlock()
		return unavailable("the database is closed", nil)
	}
	select {
	case d.writer.queue <- j:
		d.mu.RUnlock()
	default:
		d.mu.RUnlock()
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
	w.release(true)
	close(w.finished)
}

// afterGoexit goes on in a new goroutine after a function called
// runtime.Goexit, as testing.T.FailNow does.
func (w *writer) afterGoexit() {
	w.release(false)
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

// release gives the connection back; a transaction may be open in one that is
// not whole.
func (w *writer) release(whole bool) {
	if w.s != nil {
		w.d.pool.give(w.s, whole)
		w.s = nil
	}
}

// gather takes what waits behind j, in arrival order, after the callers just
// answered could queue their next call.
func (w *writer) gather(j *job) []*job {
	if len(w.group) > 1 {
		runtime.Gosched()
	}
	group := []*job{j}
	for len(group) < w.d.opt.GroupMax {
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
// again, and whether each of them should get a transaction of its own. A group
// first runs without savepoints; when a job fails after it wrote, all is rolled
// back and the others run again, each in a savepoint.
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
	defer w.s.watch(w.d.opt.limit())()
	var kept []*job // ran, and are part of the transaction
	for i, j := range group {
		broken, cause, err := w.step(j, savepoints)
		switch {
		case err != nil && cause != nil && j.tries < jobTries:
			again = append(again, j)
		case err != nil:
			j.err = err
		default:
			kept = append(kept, j)
		}
		if broken { // the transaction is gone: what ran before did not happen
			w.release(false)
			return append(append(kept, again...), group[i+1:]...), false
		}
		if err != nil && !savepoints && j.spoilt && len(group) > 1 {
			w.rollback()
			return append(append(kept, again...), group[i+1:]...), false
		}
	}
	if len(kept) == 0 {
		w.rollback()
		return again, false
	}
	return w.commit(kept, again)
}

func (w *writer) commit(kept, again []*job) ([]*job, bool) {
	if err := w.d.opt.Hook(StepBeforeCommit); err != nil {
		w.rollback()
		failAll(kept, sqldb.Unknown(err))
		return again, false
	}
	committed := w.d.opt.Watch.Committing(len(kept))
	err := w.s.commit()
	committed(err)
	if err != nil {
		w.release(false)
		switch {
		case !certain(err):
			failAll(kept, sqldb.Unknown(err))
		case len(kept) > 1: // a deferred constraint of one of them
			return append(kept, again...), true
		default:
			failAll(kept, sqldb.Classify(err, "commit"))
		}
		return again, false
	}
	if err := w.d.opt.Hook(StepAfterCommit); err != nil {
		failAll(kept, sqldb.Unknown(err))
	}
	return again, false
}

func failAll(group []*job, err error) {
	for _, j := range group {
		j.err = err
	}
}

// begin opens a transaction, on a new connection when the one at hand has
// broken, and lets the guard look.
func (w *writer) begin() (err error) {
	for range lostTries {
		if w.s == nil {
			if w.s, err = w.d.pool.take(background); err != nil {
				w.s = nil
				return sqldb.Classify(err, "begin")
			}
		}
		stop := w.s.watch(w.d.opt.limit())
		err = w.s.control("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
		if stop(); err == nil {
			break
		}
		w.release(false)
	}
	if err != nil {
		return sqldb.Classify(err, "begin")
	}
	defer w.s.watch(w.d.opt.limit())()
	if err := w.d.opt.Hook(StepBegin); err != nil {
		w.rollback()
		return unavailable("begin", err)
	}
	if w.d.opt.Guard == nil {
		return nil
	}
	t := &tx{s: w.s, refuse: w.d.handle}
	err = w.d.opt.Guard(background, t)
	t.end()
	if err = t.result(err); err != nil {
		w.rollback()
	}
	return err
}

func (w *writer) rollback() {
	if w.s != nil && w.s.control("ROLLBACK") != nil {
		w.release(false)
	}
}

// step runs one job. broken says that the transaction no longer exists; cause
// that the job may run again; err is the job's own.
func (w *writer) step(j *job, savepoint bool) (broken bool, cause, err error) {
	j.tries++
	if savepoint {
		if err := w.s.control("SAVEPOINT job"); err != nil {
			return true, err, sqldb.Classify(err, "savepoint")
		}
	}
	t := &tx{s: w.s, refuse: w.d.handle}
	w.running = j
	err = w.d.call(j.fn, t)
	w.running = nil
	j.spoilt = t.wrote || t.failed != nil
	err = t.result(err)
	cause = again(t.failed)
	if isLost(t.failed) {
		return true, cause, err
	}
	if !savepoint {
		return false, cause, err
	}
	if err != nil {
		if e := w.s.control("ROLLBACK TO job"); e != nil {
			return true, cause, err
		}
	}
	if e := w.s.control("RELEASE job"); e != nil {
		if err == nil {
			err = sqldb.Classify(e, "savepoint")
		}
		return true, e, err
	}
	return false, cause, err
}
