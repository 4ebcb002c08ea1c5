package registry_test

import (
	"errors"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// stopAt makes a saga end at its nth step.
func stopAt(n int) (func(string) error, *string) {
	var at string
	return func(point string) error {
		if n--; n == 0 {
			at = point
			return registry.ErrStop
		}
		return nil
	}, &at
}

func none(string) error { return nil }

// sagas are the acts under test: prepare returns the act, and how to see that
// its whole effect is there.
var sagas = map[string]func(w *world) (act func() error, check func()){
	"enrol": func(w *world) (func() error, func()) {
		h := w.vault.SignIn("a")
		var ref id.Reference
		act := func() (err error) {
			ref, err = w.svc.Enrol(w.t.Context(), h, "k", identity(1), vault.Consent{Version: "1"})
			return err
		}
		return act, func() {
			hh, err := w.svc.Household(w.t.Context(), h)
			if err != nil || len(hh.People) != 1 || hh.People[0].Reference != ref {
				w.t.Fatalf("household %+v %v", hh, err)
			}
			people, err := w.store.ByReference(w.t.Context(), ref)
			if err != nil || len(people) != 1 || people[0] != hh.People[0].Person {
				w.t.Errorf("reference row %v %v", people, err)
			}
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM member WHERE state = 1`); n != 1 {
				w.t.Errorf("%d member rows", n)
			}
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM person`); n != 1 || w.vault.Head(people[0]) != 2 {
				w.t.Errorf("%d people, head %d", n, w.vault.Head(people[0]))
			}
		}
	},
	"dose": func(w *world) (func() error, func()) {
		h := w.vault.SignIn("a")
		ref := w.enrol(h, 1)
		p := w.person(h, ref)
		hold := w.book(h, p, 1)
		act := func() error { return w.svc.RecordDose(w.t.Context(), staff(hold), ref) }
		return act, func() {
			hh, err := w.svc.Household(w.t.Context(), h)
			if err != nil || hh.People[0].Status != "Partially Vaccinated" || w.vault.Head(p) != 3 {
				w.t.Errorf("household %+v %v, head %d", hh, err, w.vault.Head(p))
			}
			as, err := w.books.Appointments(w.t.Context(), p)
			if err != nil || len(as) != 1 || as[0].State != scheduling.Given {
				w.t.Errorf("appointments %+v %v", as, err)
			}
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM sealed`); n != 3 {
				w.t.Errorf("%d sealed parts", n)
			}
		}
	},
	"remove": func(w *world) (func() error, func()) {
		h := w.vault.SignIn("a")
		ref := w.enrol(h, 1)
		act := func() error {
			err := w.svc.Remove(w.t.Context(), h, ref)
			if fault.Is(err, fault.NotFound) { // a repetition after the vault's part
				return nil
			}
			return err
		}
		return act, func() {
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM member WHERE state = 1`); n != 0 {
				w.t.Errorf("%d member rows", n)
			}
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM person WHERE state = 2`); n != 1 {
				w.t.Errorf("%d removed people", n)
			}
			if n := registrytest.Count(w.t, w.db, `SELECT COUNT(*) FROM sealed`); n != 2 {
				w.t.Errorf("%d sealed parts", n)
			}
		}
	},
}

// TestCrashAtEveryStep ends each saga after each of its steps, then lets the
// caller repeat it before or after the worker has run.
func TestCrashAtEveryStep(t *testing.T) {
	for name, prepare := range sagas {
		for _, workFirst := range []bool{false, true} {
			for n := 1; ; n++ {
				w := newWorld(t)
				act, check := prepare(w)
				step, at := stopAt(n)
				w.svc.SetStep(step)
				err := act()
				w.svc.SetStep(none)
				if *at == "" {
					if err != nil || n < 3 {
						t.Fatalf("%s: %v after %d steps", name, err, n-1)
					}
					break
				}
				if !errors.Is(err, registry.ErrStop) {
					t.Fatalf("%s at %s: %v", name, *at, err)
				}
				if workFirst {
					w.work()
				}
				if err := act(); err != nil {
					t.Errorf("%s after %s, repeated: %v", name, *at, err)
				}
				w.work()
				check()
				w.clean()
			}
		}
	}
}

// TestStoreFailsAtEveryStep lets each transaction of each saga fail, without
// effect and with an effect whose answer is lost.
func TestStoreFailsAtEveryStep(t *testing.T) {
	for name, prepare := range sagas {
		for _, how := range []registrytest.Fault{registrytest.Failed, registrytest.Lost} {
			for n := 1; ; n++ {
				w := newWorld(t)
				act, check := prepare(w)
				w.db.FailAt(n, how)
				err := act()
				steps := w.db.Seen()
				w.db.FailAt(0, registrytest.NoFault)
				if steps < n {
					break
				}
				if err != nil && (how == registrytest.Lost || kind(err) != "unavailable") {
					t.Errorf("%s, update %d, %v: %v", name, n, how, err)
				}
				if err != nil {
					if err := act(); err != nil {
						t.Errorf("%s, update %d, repeated: %v", name, n, err)
					}
				}
				w.work()
				check()
				w.clean()
			}
		}
	}
}

// TestVaultFailsAtEveryStep lets each call of the vault fail before and after
// its effect.
func TestVaultFailsAtEveryStep(t *testing.T) {
	down := fault.New(fault.Unavailable, "vault", "down")
	for name, prepare := range sagas {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				w := newWorld(t)
				act, check := prepare(w)
				calls := 0
				hook := func(string) error {
					if calls++; calls == n {
						return down
					}
					return nil
				}
				if after {
					w.vault.After = hook
				} else {
					w.vault.Before = hook
				}
				err := act()
				w.vault.Before, w.vault.After = nil, nil
				if calls < n {
					break
				}
				if err != nil {
					if kind(err) != "unavailable" {
						t.Errorf("%s, call %d: %v", name, n, err)
					}
					if err := act(); err != nil {
						t.Errorf("%s, call %d, repeated: %v", name, n, err)
					}
				}
				w.work()
				check()
				w.clean()
			}
		}
	}
}
