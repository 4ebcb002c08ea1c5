package scheduling

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// sweepBatch bounds how much of each kind of work one sweep takes.
const sweepBatch = 500

// maxDefer bounds the wait between two attempts at one note.
const maxDefer = 10 * time.Minute

// Sweeper ends what requests have left behind. It belongs to the worker: it
// alone reads across buckets.
type Sweeper struct {
	s       *Service
	overdue Overdue

	mu    sync.Mutex // guards where the next pages begin
	holds Hold
	marks map[string]vault.WorkMark // by kind of work
}

// NewSweeper makes the sweeper of a service over the overdue work of all buckets.
func NewSweeper(s *Service, o Overdue) *Sweeper {
	return &Sweeper{s: s, overdue: o, marks: map[string]vault.WorkMark{}}
}

// Sweep ends holds that expired before now, carries out cancellations whose
// note is due, and then asks the vault for bookings and cancellations whose
// end it has not seen. Of holds and of the vault's work it takes a page; the
// next sweep takes the page after it, so that work that cannot be ended does not
// keep the rest waiting. It returns how many it ended. A failure does not stop
// the others; the first one is returned. Any number may run at the same time.
func (w *Sweeper) Sweep(ctx context.Context, now time.Time) (n int, err error) {
	ms := now.UnixMilli()
	var first error
	count := func(err error) {
		if err == nil {
			n++
		} else if first == nil {
			first = err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	holds, err := w.overdue.ExpiredHolds(ctx, ms, w.holds, sweepBatch)
	if err != nil {
		count(err)
	}
	w.holds = Hold{}
	if len(holds) == sweepBatch {
		w.holds = holds[sweepBatch-1]
	}
	for _, h := range holds {
		_, err := w.s.finish(ctx, h)
		count(err)
	}
	notes, err := w.overdue.CancelNotes(ctx, ms, sweepBatch)
	if err != nil {
		count(err)
	}
	for _, note := range notes {
		err := w.s.giveBack(ctx, note)
		if err != nil {
			wait := min(maxDefer, 2*time.Second<<min(note.Attempts, 10))
			if derr := w.s.store.DeferNote(ctx, note, ms+wait.Milliseconds()); derr != nil {
				err = derr
			}
		}
		count(err)
	}
	for _, kind := range []string{vault.WorkBook, vault.WorkCancel} {
		work, err := w.unfinished(ctx, kind, ms-HoldTime.Milliseconds())
		if err != nil {
			count(err)
		}
		for _, work := range work {
			if kind == vault.WorkBook {
				count(w.booked(ctx, work, ms))
			} else {
				count(w.s.cancelled(ctx, work.Person, work.Hold))
			}
		}
	}
	return n, first
}

// unfinished asks for the next page of the vault's work of one kind.
func (w *Sweeper) unfinished(ctx context.Context, kind string, before int64) ([]vault.Work, error) {
	u, err := w.s.vault.Unfinished(ctx, vault.UnfinishedRequest{Kind: kind, Before: before, After: w.marks[kind], Limit: sweepBatch})
	if err != nil {
		return nil, err
	}
	w.marks[kind] = u.Next
	return u.Work, nil
}

// booked tells the vault how a booking it granted has ended in the registry.
func (w *Sweeper) booked(ctx context.Context, work vault.Work, now int64) error {
	h, err := w.s.store.FindHold(ctx, work.Centre, work.Hold)
	if err != nil {
		return err
	}
	one := []id.Person{work.Person}
	switch {
	case h.State == Holding && h.Expires >= now:
		return nil // still under way
	case h.State == Holding:
		_, err := w.s.finish(ctx, h)
		return err
	}
	// Released, or never held: nothing can be bound under it once a fence is
	// there. Confirmed: everybody is bound, or fenced beside somebody whose dose
	// was given.
	fence := Appointment{Person: work.Person, Hold: work.Hold, Centre: work.Centre, Session: work.Session, Dose: 1, State: Fenced, Created: work.Since}
	var st State
	if err := settle(func() (err error) { st, err = w.s.store.Fence(ctx, fence); return err }); err != nil {
		return err
	}
	if st != Fenced {
		return w.s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkBook, Hold: work.Hold, Persons: one})
	}
	_, err = w.s.vault.Release(ctx, vault.ReleaseRequest{Hold: work.Hold, Persons: one})
	return err
}
