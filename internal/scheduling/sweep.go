package scheduling

import (
	"context"
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
}

// NewSweeper makes the sweeper of a service over the overdue work of all buckets.
func NewSweeper(s *Service, o Overdue) *Sweeper { return &Sweeper{s: s, overdue: o} }

// Sweep ends holds that expired before now, carries out cancellations whose
// note is due, and then asks the vault for bookings and cancellations whose
// end it has not seen. It returns how many it ended. A failure does not stop
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
	holds, err := w.overdue.ExpiredHolds(ctx, ms, sweepBatch)
	if err != nil {
		return 0, err
	}
	for _, h := range holds {
		_, err := w.s.finish(ctx, h)
		count(err)
	}
	notes, err := w.overdue.CancelNotes(ctx, ms, sweepBatch)
	if err != nil {
		return n, err
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
	u, err := w.s.vault.Unfinished(ctx, vault.UnfinishedRequest{Before: ms - HoldTime.Milliseconds(), Limit: sweepBatch})
	if err != nil {
		count(err)
		return n, first
	}
	for _, work := range u.Work {
		switch work.Kind {
		case "book":
			count(w.booked(ctx, work, ms))
		case "cancel":
			count(w.s.cancelled(ctx, work.Person, work.Hold))
		}
	}
	return n, first
}

// booked tells the vault how a booking it granted has ended in the registry.
func (w *Sweeper) booked(ctx context.Context, work vault.Work, now int64) error {
	h, err := w.s.store.FindHold(ctx, work.Centre, work.Hold)
	if err != nil {
		return err
	}
	one := []id.Person{work.Person}
	switch {
	case h.State == Confirmed:
		return w.s.vault.Settled(ctx, vault.SettledRequest{Hold: work.Hold, Persons: one})
	case h.State == Holding && h.Expires >= now:
		return nil // still under way
	case h.State == Holding:
		_, err := w.s.finish(ctx, h)
		return err
	}
	// Released, or never held: nothing can be bound under it once a fence is there.
	fence := Appointment{Person: work.Person, Hold: work.Hold, Centre: work.Centre, Session: work.Session, Dose: 1, State: Fenced, Created: work.Since}
	var st State
	if err := settle(func() (err error) { st, err = w.s.store.Fence(ctx, fence); return err }); err != nil {
		return err
	}
	if st != Fenced {
		return w.s.vault.Settled(ctx, vault.SettledRequest{Hold: work.Hold, Persons: one})
	}
	_, err = w.s.vault.Release(ctx, vault.ReleaseRequest{Hold: work.Hold, Persons: one})
	return err
}
