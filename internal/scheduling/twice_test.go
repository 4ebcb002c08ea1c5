package scheduling_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// stop ends every saga at a point.
func (w *world) stop(at string) {
	w.svc.SetStep(func(p string) error {
		if p == at {
			return scheduling.ErrStop
		}
		return nil
	})
}

// held returns what a holder sees of a person's appointments.
func (w *world) held(h vault.Holder, ref id.Reference) []scheduling.Appointment {
	w.t.Helper()
	p := w.person(h, ref)
	as, err := w.svc.Appointments(w.t.Context(), []id.Person{p})
	if err != nil {
		w.t.Fatal(err)
	}
	return as[p]
}

// TestTwoCrashes ends a booking after one of its steps and then the cancellation
// of what the holder sees of it after one of its own, before any sweep.
func TestTwoCrashes(t *testing.T) {
	t.Parallel()
	for _, people := range []int{1, 2} {
		for _, first := range []string{"book:after-bind", "book:after-confirm"} {
			for _, second := range []string{"cancel:after-vault", "cancel:after-person"} {
				for _, order := range orders {
					name := fmt.Sprintf("%d people, %s, %s, %s", people, first, second, order)
					w, ctx := newWorld(t), t.Context()
					s := w.open(5, 0)
					h, refs := w.household(people)
					w.stop(first)
					if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); !errors.Is(err, scheduling.ErrStop) {
						t.Fatalf("%s: %v", name, err)
					}
					var hold id.Hold
					var seen []id.Reference
					for _, ref := range refs {
						for _, a := range w.held(h, ref) {
							hold, seen = a.Hold, append(seen, ref)
						}
					}
					w.stop(second)
					if err := w.svc.Cancel(ctx, h, hold, seen); !errors.Is(err, scheduling.ErrStop) {
						t.Fatalf("%s: %v", name, err)
					}
					w.svc.SetStep(none)
					if order == "repeat first" {
						if err := w.svc.Cancel(ctx, h, hold, seen); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
					w.sweep()
					if order == "sweep first" {
						if err := w.svc.Cancel(ctx, h, hold, seen); err != nil && kind(err) != "not_found" {
							t.Errorf("%s: %v", name, err)
						}
						w.sweep()
					}
					if n := w.taken(s); n != 0 {
						t.Errorf("%s: %d places are taken", name, n)
					}
					w.consistent()
					if _, err := w.svc.Book(ctx, h, input(s, "another", refs...)); err != nil {
						t.Errorf("%s: booking again: %v", name, err)
					}
				}
			}
		}
	}
}

// TestCrashAndLateReport cancels while the report of the booking's end is under
// way: the report must not end the cancellation.
func TestCrashAndLateReport(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(5, 0)
	h, refs := w.household(1)
	w.vault.Before = func(method string) error {
		if method != "Settled" {
			return nil
		}
		w.vault.Before = nil
		as := w.held(h, refs[0])
		w.stop("cancel:after-vault")
		defer w.svc.SetStep(none)
		if err := w.svc.Cancel(ctx, h, as[0].Hold, refs); !errors.Is(err, scheduling.ErrStop) {
			t.Error(err)
		}
		return nil
	}
	if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); err != nil {
		t.Fatal(err)
	}
	w.sweep()
	w.consistent()
	if w.taken(s) != 0 {
		t.Error("a cancelled place is taken")
	}
}

// TestStuckWork lets the oldest work fail for ever, with pages as small as it:
// the rest is ended all the same.
func TestStuckWork(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.vault.PageLimit = 1
	s := w.open(5, 0)
	var holds []id.Hold
	for i := range 4 {
		h, refs := w.household(1)
		hold, err := w.svc.Book(ctx, h, input(s, "k", refs...))
		if err != nil {
			t.Fatal(err)
		}
		w.stop("cancel:after-vault")
		if err := w.svc.Cancel(ctx, h, hold, refs); !errors.Is(err, scheduling.ErrStop) {
			t.Fatal(err)
		}
		w.svc.SetStep(none)
		if holds = append(holds, hold); i == 0 {
			w.clock.Add(time.Second) // the oldest
		}
	}
	stuck := fault.New(fault.Integrity, "person", "a row cannot be trusted")
	w.vault.Refuse = func(hold id.Hold) error {
		if hold == holds[0] {
			return stuck
		}
		return nil
	}
	for range 10 {
		w.clock.Add(scheduling.HoldTime + time.Second)
		_, _ = w.sweeper.Sweep(ctx, w.clock.Now())
	}
	if _, unsettled := w.vault.Live(); unsettled != 1 {
		t.Errorf("%d acts are not settled, want the stuck one", unsettled)
	}
	w.vault.Refuse = nil
	for range 4 {
		w.sweep()
	}
	w.consistent()
}

// TestMalformedNote leaves a note that cannot be read in front of another one.
func TestMalformedNote(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(5, 0)
	for range 2 {
		h, refs := w.household(1)
		hold, err := w.svc.Book(ctx, h, input(s, "k", refs...))
		if err != nil {
			t.Fatal(err)
		}
		w.stop("cancel:after-person")
		if err := w.svc.Cancel(ctx, h, hold, refs); !errors.Is(err, scheduling.ErrStop) {
			t.Fatal(err)
		}
		w.svc.SetStep(none)
		w.clock.Add(time.Second)
	}
	registrytest.SpoilNote(t, w.db)
	w.clock.Add(time.Minute)
	if _, err := w.sweeper.Sweep(ctx, w.clock.Now()); kind(err) != "integrity" {
		t.Errorf("%v", err)
	}
	if n := w.count(`SELECT COUNT(*) FROM outbox WHERE attempts = 0`); n != 0 {
		t.Errorf("%d notes were not tried", n)
	}
	if n := w.count(`SELECT COUNT(*) FROM outbox`); n != 1 {
		t.Errorf("%d notes are left, want the malformed one", n)
	}
}
