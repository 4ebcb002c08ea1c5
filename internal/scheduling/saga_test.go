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

// saga is one act under test: act may be repeated; done checks that its whole
// effect is there; part checks that either all of it is there or nothing.
type saga struct {
	act        func() error
	done, part func(when string)
}

var sagas = map[string]func(w *world) saga{
	"book": func(w *world) saga {
		s := w.open(5, 0)
		h, refs := w.household(2)
		live := func() int { return w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`) }
		return saga{
			act: func() error { _, err := w.svc.Book(w.t.Context(), h, input(s, "k", refs...)); return err },
			done: func(when string) {
				if live() != 2 || w.taken(s) != 2 {
					w.t.Errorf("book %s: %d live, %d taken", when, live(), w.taken(s))
				}
			},
			part: func(when string) {
				if n := live(); n != w.taken(s) || (n != 0 && n != 2) {
					w.t.Errorf("book %s: %d live, %d taken", when, n, w.taken(s))
				}
			},
		}
	},
	"move": func(w *world) saga {
		from, to := session(centre(1), day(5), 5, 0), session(centre(2), day(6), 5, 0)
		w.add(centre(1), from)
		w.add(centre(2), to)
		h, refs := w.household(2)
		hold, err := w.svc.Book(w.t.Context(), h, input(from, "k", refs...))
		if err != nil {
			w.t.Fatal(err)
		}
		at := func(s scheduling.Session) int {
			return w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1 AND session = $1`, string(s.ID))
		}
		var answered id.Hold
		return saga{
			act: func() error {
				got, err := w.svc.Reschedule(w.t.Context(), h, scheduling.MoveInput{Old: hold, Session: to.ID, Slot: slot, Key: "move"})
				if err == nil && answered != "" && got != answered {
					w.t.Error("a repetition has another number")
				}
				if err == nil {
					answered = got
				}
				return err
			},
			done: func(when string) {
				if at(from) != 0 || at(to) != 2 || w.taken(from) != 0 || w.taken(to) != 2 {
					w.t.Errorf("move %s: %d live there, %d here; %d and %d taken", when, at(from), at(to), w.taken(from), w.taken(to))
				}
			},
			part: func(when string) {
				if at(from)+at(to) != 2 || at(from) == 1 || w.taken(from) != at(from) || w.taken(to) != at(to) {
					w.t.Errorf("move %s: %d live there, %d here; %d and %d taken", when, at(from), at(to), w.taken(from), w.taken(to))
				}
			},
		}
	},
	"reserve and confirm": func(w *world) saga {
		s := w.open(5, 0)
		w.linger = scheduling.ReserveTime + time.Minute
		h, refs := w.household(2)
		live := func() int { return w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`) }
		return saga{
			act: func() error {
				in := input(s, "k", refs...)
				if _, err := w.svc.Reserve(w.t.Context(), h, in); err != nil {
					return err
				}
				_, err := w.svc.Confirm(w.t.Context(), h, in)
				return err
			},
			done: func(when string) {
				if live() != 2 || w.taken(s) != 2 {
					w.t.Errorf("confirm %s: %d live, %d taken", when, live(), w.taken(s))
				}
			},
			part: func(when string) {
				if n := live(); n != w.taken(s) || (n != 0 && n != 2) {
					w.t.Errorf("confirm %s: %d live, %d taken", when, n, w.taken(s))
				}
			},
		}
	},
	"cancel": func(w *world) saga {
		s := w.open(5, 0)
		h, refs := w.household(3)
		hold, err := w.svc.Book(w.t.Context(), h, input(s, "k", refs...))
		if err != nil {
			w.t.Fatal(err)
		}
		done := func(when string) {
			if n := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`); n != 1 || w.taken(s) != 1 {
				w.t.Errorf("cancel %s: %d live, %d taken", when, n, w.taken(s))
			}
		}
		return saga{
			act: func() error {
				err := w.svc.Cancel(w.t.Context(), h, hold, refs[:2])
				if fault.Is(err, fault.NotFound) { // a repetition after the end
					return nil
				}
				return err
			},
			done: done,
			part: func(when string) {
				if n := w.taken(s); n != 3 {
					done(when)
				}
			},
		}
	},
}

// after runs the worker and the caller in one of three orders and checks.
func (w *world) after(sg saga, name, order string) {
	w.t.Helper()
	if order != "repeat first" {
		w.sweep()
		sg.part(name + ", swept")
		w.consistent()
	}
	if order != "never repeated" {
		if err := sg.act(); err != nil {
			w.t.Errorf("%s, %s: %v", name, order, err)
		}
		w.sweep()
		sg.done(name + ", " + order)
		w.consistent()
	}
}

var orders = []string{"repeat first", "sweep first", "never repeated"}

// TestCrashAtEveryStep ends each saga after each of its steps.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, prepare := range sagas {
		for _, order := range orders {
			for n := 1; ; n++ {
				w := newWorld(t)
				sg := prepare(w)
				left, at := n, ""
				w.svc.SetStep(func(point string) error {
					if left--; left == 0 {
						at = point
						return scheduling.ErrStop
					}
					return nil
				})
				err := sg.act()
				w.svc.SetStep(none)
				if at == "" {
					if err != nil || n < 4 {
						t.Fatalf("%s: %v after %d steps", name, err, n-1)
					}
					break
				}
				if !errors.Is(err, scheduling.ErrStop) {
					t.Fatalf("%s at %s: %v", name, at, err)
				}
				w.after(sg, name+" "+at, order)
			}
		}
	}
}

// TestStoreFailsAtEveryStep lets each transaction of each saga fail, without
// effect and with an effect whose answer is lost.
func TestStoreFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, prepare := range sagas {
		for _, how := range []registrytest.Fault{registrytest.Failed, registrytest.Lost} {
			for _, order := range orders {
				for n := 1; ; n++ {
					w := newWorld(t)
					sg := prepare(w)
					w.db.FailAt(n, how)
					err := sg.act()
					seen := w.db.Seen()
					w.db.FailAt(0, registrytest.NoFault)
					if seen < n {
						break
					}
					if err != nil && (how == registrytest.Lost || kind(err) != "unavailable") {
						t.Errorf("%s, update %d: %v", name, n, err)
					}
					w.after(sg, fmt.Sprintf("%s, update %d of kind %d", name, n, how), order)
				}
			}
		}
	}
}

// TestVaultFailsAtEveryStep lets each call of the vault fail before and after
// its effect.
func TestVaultFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "vault", "down")
	for name, prepare := range sagas {
		for _, late := range []bool{false, true} {
			for _, order := range orders {
				for n := 1; ; n++ {
					w := newWorld(t)
					sg := prepare(w)
					calls := 0
					hook := func(string) error {
						if calls++; calls == n {
							return down
						}
						return nil
					}
					if late {
						w.vault.After = hook
					} else {
						w.vault.Before = hook
					}
					err := sg.act()
					w.vault.Before, w.vault.After = nil, nil
					if calls < n {
						break
					}
					if err != nil && kind(err) != "unavailable" {
						t.Errorf("%s, call %d: %v", name, n, err)
					}
					w.after(sg, fmt.Sprintf("%s, call %d late %v", name, n, late), order)
				}
			}
		}
	}
}

// TestSweepFails lets each transaction and call of the sweep itself fail.
func TestSweepFails(t *testing.T) {
	t.Parallel()
	for _, stop := range []string{"book:after-hold", "book:after-vault", "book:after-bind"} {
		for _, how := range []registrytest.Fault{registrytest.Failed, registrytest.Lost} {
			for n := 1; ; n++ {
				w := newWorld(t)
				sg := sagas["book"](w)
				w.svc.SetStep(func(point string) error {
					if point == stop {
						return scheduling.ErrStop
					}
					return nil
				})
				if err := sg.act(); !errors.Is(err, scheduling.ErrStop) {
					t.Fatal(err)
				}
				w.svc.SetStep(none)
				w.clock.Add(2 * scheduling.HoldTime)
				w.db.FailAt(n, how)
				_, _ = w.sweeper.Sweep(t.Context(), w.clock.Now())
				seen := w.db.Seen()
				w.db.FailAt(0, registrytest.NoFault)
				if seen < n {
					break
				}
				w.after(sg, fmt.Sprintf("sweep after %s, update %d", stop, n), "sweep first")
			}
		}
	}
}

// TestDoseUsesTheBookingUp gives a dose under a booking and checks that its
// place stays taken and cannot be cancelled.
func TestDoseUsesTheBookingUp(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(1, 1)
	h, refs := w.household(1)
	hold, err := w.svc.Book(ctx, h, input(s, "k", refs...))
	if err != nil {
		t.Fatal(err)
	}
	signed := vault.Signed{Proof: registrytest.StaffProof, Body: []byte(hold)}
	if err := w.people.RecordDose(ctx, signed, refs[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.people.RecordDose(ctx, signed, refs[0]); err != nil {
		t.Errorf("repeated: %v", err)
	}
	if err := w.svc.Cancel(ctx, h, hold, refs); kind(err) != "not_found" {
		t.Errorf("cancelling a given dose: %v", err)
	}
	as, err := w.svc.Appointments(ctx, []id.Person{w.person(h, refs[0])})
	if err != nil || as[w.person(h, refs[0])][0].State != scheduling.Given {
		t.Errorf("%+v %v", as, err)
	}
	in := input(s, "second", refs...)
	in.Dose = 2
	if _, err := w.svc.Book(ctx, h, in); err != nil {
		t.Errorf("the second dose: %v", err)
	}
	w.sweep()
	w.consistent()
	if w.taken(s) != 2 {
		t.Errorf("%d taken", w.taken(s))
	}
}

// TestVaultKnowsMore ends bookings that only the vault knows of.
func TestVaultKnowsMore(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(2, 0)
	h, refs := w.household(1)
	recs, err := w.people.Persons(ctx, h, refs)
	if err != nil {
		t.Fatal(err)
	}
	book := vault.BookRequest{Holder: h, Hold: id.Hold(id.New()), Dose: 1, Offer: vault.Offer{Centre: s.Centre, Session: s.ID}, Records: recs}
	if _, err := w.vault.Book(ctx, book); err != nil {
		t.Fatal(err)
	}
	w.sweep()
	w.consistent()
	// The same leave again, after the fence: it comes to nothing as well.
	if _, err := w.vault.Book(ctx, book); err != nil {
		t.Fatal(err)
	}
	book.Hold = id.Hold(id.New())
	if _, err := w.vault.Book(ctx, book); kind(err) != "conflict" {
		t.Errorf("two live bookings: %v", err)
	}
	w.sweep()
	w.consistent()
	if live, _ := w.vault.Live(); len(live) != 0 {
		t.Errorf("%v", live)
	}
}
