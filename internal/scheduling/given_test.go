package scheduling_test

import (
	"errors"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// TestGivenBeforeSweep lets the web role die after the first of two people on
// one hold is bound; that person gets the dose before the sweep. The place the
// dose used must stay taken, the other one must come back.
func TestGivenBeforeSweep(t *testing.T) {
	for _, stop := range []string{"", "end:after-fences", "end:after-undo", "end:after-release"} {
		w, ctx := newWorld(t), t.Context()
		s := w.open(2, 0)
		h, refs := w.household(2)
		bound := 0
		w.svc.SetStep(func(p string) error {
			if p == "book:after-bind" {
				bound++
				return scheduling.ErrStop
			}
			return nil
		})
		if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); !errors.Is(err, scheduling.ErrStop) || bound != 1 {
			t.Fatalf("%v, %d bound", err, bound)
		}
		w.svc.SetStep(none)
		var hold id.Hold
		var first id.Reference
		for _, ref := range refs {
			if as := w.held(h, ref); len(as) == 1 {
				hold, first = as[0].Hold, ref
			}
		}
		signed := vault.Signed{Proof: registrytest.StaffProof, Body: []byte(hold)}
		if err := w.people.RecordDose(ctx, signed, first); err != nil {
			t.Fatal(err)
		}
		if stop != "" { // the sweep dies too, once, after one of its own steps
			w.stop(stop)
			w.clock.Add(scheduling.HoldTime + time.Second)
			_, _ = w.sweeper.Sweep(ctx, w.clock.Now())
			w.svc.SetStep(none)
		}
		w.sweep()
		w.consistent()
		if n := w.taken(s); n != 1 {
			t.Errorf("%q: %d places are taken, want the given one", stop, n)
		}
		if as := w.held(h, first); len(as) != 1 || as[0].State != scheduling.Given {
			t.Errorf("%q: the given appointment: %+v", stop, as)
		}
		for _, ref := range refs {
			if ref != first {
				if _, err := w.svc.Book(ctx, h, input(s, "again", ref)); err != nil {
					t.Errorf("%q: the other one books again: %v", stop, err)
				}
			}
		}
		w.sweep()
		w.consistent()
	}
}
