//go:build ablation

package keeper_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestRosterMatters plays each attack on openings from a list, and on presence, with its
// control and without: only then does it succeed.
func TestRosterMatters(t *testing.T) {
	for control, attack := range map[string]func(t *testing.T) (succeeded bool){
		"presence":        otherCentre,
		"roster-mode":     listWithoutLeave,
		"fresh-assertion": withoutPasskey,
		"pending-cap":     func(t *testing.T) bool { opened, _ := walk(t, nil); return opened > 25 },
		"no-dose-cap": func(t *testing.T) bool {
			t.Setenv("TIKAKOSH_ABLATE", env()+",step-up")
			_, n := walk(t, closing)
			return n > 20
		},
		"step-up":        func(t *testing.T) bool { opened, _ := walk(t, closing); return opened > 5 },
		"confirmed-only": func(t *testing.T) bool { opened, _ := walk(t, madeUp); return opened > 30 },
		"phantoms":       blindly,
		"budget-strict":  race,
	} {
		t.Run(control, func(t *testing.T) {
			for off, want := range map[string]bool{"": false, control: true} {
				t.Setenv("TIKAKOSH_ABLATE", off)
				switchedOff.Store(&off)
				if got := attack(t); got != want {
					t.Errorf("without %q the attack succeeds: %v, want %v", off, got, want)
				}
			}
		})
	}
}

// switchedOff is what the run goes without.
var switchedOff atomic.Pointer[string]

func env() string { return *switchedOff.Load() }

func closing(l *listed, row string, _ id.Person) bool { return l.closeRow(l.vaccinator, row) == nil }

func madeUp(l *listed, _ string, p id.Person) bool { l.unconfirmed(p); return true }

// walk opens a list row by row and ends each visit in some way.
func walk(t *testing.T, end func(*listed, string, id.Person) bool) (opened, ended int) {
	l := newListed(t, 42)
	real, order, _ := l.rows(l.vaccinator)
	for _, row := range order {
		if _, err := l.openRow(l.vaccinator, row, real[row]); err != nil {
			continue
		}
		opened++
		if end != nil && end(l, row, real[row]) {
			ended++
		}
	}
	return opened, ended
}

// otherCentre brings the right code of an appointment at another centre.
func otherCentre(t *testing.T) bool {
	r := newRig(t)
	s := r.site("COVISHIELD")
	o := s.offer
	o.Centre, o.Session = 8, "session-8"
	r.openDay(r.staff("manager", 8), o)
	p := r.register("0000000050", 50)
	hold := id.Hold(id.New())
	r.mustBook(p.holder, hold, 1, o, p.person)
	code := r.slipCode(p.holder, hold, p.person)
	_, err := r.staffView(s.vaccinator, p.person, p.ref, vault.Evidence{Code: code})
	return err == nil
}

// listWithoutLeave opens from the list of a centre that may not.
func listWithoutLeave(t *testing.T) bool {
	l := newListed(t, 2)
	real, order, _ := l.rows(l.vaccinator)
	l.allow(false)
	_, err := l.openRow(l.vaccinator, order[0], real[order[0]])
	return err == nil
}

// withoutPasskey opens with a key that no passkey stands behind.
func withoutPasskey(t *testing.T) bool {
	l := newListed(t, 2)
	real, order, _ := l.rows(l.vaccinator)
	l.close()
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	_, err := l.openRow(l.vaccinator, order[0], real[order[0]])
	return err == nil
}

// blindly opens a list from its first row on.
func blindly(t *testing.T) bool {
	l := newListed(t, 20)
	opened := 0
	for _, row := range l.list(l.vaccinator) {
		if _, err := l.openRow(l.vaccinator, row.Row, l.who(l.vaccinator, row.Row)); err == nil {
			opened++
		}
	}
	return opened >= 20
}

// race opens at one time.
func race(t *testing.T) bool {
	l := newListed(t, 42)
	real, order, _ := l.rows(l.vaccinator)
	var opened atomic.Int64
	var wg sync.WaitGroup
	for _, row := range order {
		wg.Go(func() {
			for range 20 {
				_, err := l.openRow(l.vaccinator, row, real[row])
				if err == nil {
					opened.Add(1)
				}
				if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Unavailable) {
					return
				}
			}
		})
	}
	wg.Wait()
	return opened.Load() > 25
}
