package postgres

import (
	"errors"

	"tikakosh/internal/store/sqldb"
)

// serial is the connection of a Serial database. It implements sqldb.GroupEngine.
type serial struct {
	d    *database
	s    *session    // nil: none
	stop func() bool // of the watch over the transaction
}

var _ sqldb.GroupEngine = (*serial)(nil)

// release gives the connection back; a transaction may be open in one that is
// not whole.
func (w *serial) release(whole bool) {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
	if w.s != nil {
		w.d.pool.give(w.s, whole)
		w.s = nil
	}
}

// Discard implements sqldb.GroupEngine.
func (w *serial) Discard() { w.release(false) }

// Begin implements sqldb.GroupEngine. BEGIN and the guard's statement travel with
// the first one that needs an answer.
func (w *serial) Begin() (err error) {
	if w.s == nil {
		if w.s, err = w.d.pool.take(background); err != nil {
			w.s = nil
			return sqldb.Classify(err, "begin")
		}
	}
	w.stop = w.s.watch(w.d.opt.limit())
	w.s.pipe.owner = w
	w.s.begin(beginWrite)
	if err := w.d.opt.Hook(StepBegin); err != nil {
		w.Rollback()
		return unavailable("begin", err)
	}
	if w.d.opt.Guard == nil {
		return nil
	}
	t := &tx{s: w.s, refuse: w.d.handle}
	err = w.d.opt.Guard(background, t)
	t.end()
	if err = t.result(err); err != nil {
		if isLost(t.failed) {
			w.Discard()
		} else {
			w.Rollback()
		}
	}
	return err
}

// Rollback implements sqldb.GroupEngine.
func (w *serial) Rollback() {
	if w.s == nil {
		return
	}
	w.stop()
	w.stop = nil
	if !w.s.abandon() {
		w.release(false)
	}
}

// Commit implements sqldb.GroupEngine.
func (w *serial) Commit() sqldb.Ended {
	certain, err := w.s.commit()
	w.stop()
	w.stop = nil
	if err == nil {
		return sqldb.Ended{}
	}
	w.release(false)
	if !certain {
		return sqldb.Ended{Err: err}
	}
	return sqldb.Ended{Err: told(err, "commit"), Certain: true, Again: again(err) != nil}
}

// Run implements sqldb.GroupEngine.
func (w *serial) Run(fn func(sqldb.Tx) error, savepoint bool) (r sqldb.Ran) {
	p := w.s.pipe
	queued, trips := len(p.todo), p.trips
	t := &tx{s: w.s, refuse: w.d.handle}
	p.owner = t
	if savepoint {
		p.control("SAVEPOINT job")
	}
	r.Err = w.d.call(fn, t)
	if savepoint && r.Err == nil && t.failed == nil {
		_, err := p.flush() // what fails now is this function's
		t.failed = w.s.named(err)
	}
	r.Err = t.result(r.Err)
	r.Again, r.Broken, r.Foreign = again(t.failed) != nil, isLost(t.failed), t.foreign()
	r.Spoilt = t.wrote || t.failed != nil
	switch {
	case r.Broken || r.Foreign:
	case r.Err != nil && p.trips == trips: // nothing of it was sent
		p.drop(queued)
		r.Spoilt = false
	case r.Err == nil && savepoint:
		p.control("RELEASE job")
	case savepoint:
		p.drop(0)
		if err := errors.Join(w.s.control("ROLLBACK TO job"), w.s.control("RELEASE job")); err != nil {
			r.Broken = true
		}
	}
	return r
}
