//go:build !race

package keeper_test

import (
	"slices"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// TestRefusalsTakeAlike: how long a refusal takes does not tell a known card
// from an unknown one, nor a known reference number. A difference must show
// every time and be more than a millisecond (design.md 10, R11). The race detector
// changes what steps cost, so that its builds leave this out.
func TestRefusalsTakeAlike(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Limits.WrongStaffCodes = 1 << 20 })
	s := r.site("COVISHIELD")
	var known []vault.WalkedIn
	for n := range 24 {
		known = append(known, r.walkIn(s.vaccinator, n))
	}
	took := func(f func()) time.Duration { begin := time.Now(); f(); return time.Since(begin) }
	compare := func(name string, known, unknown func(i int)) {
		t.Helper()
		var gap time.Duration
		for range 6 { // beside other work on the machine one round says little; a real difference shows in each
			var a, b []time.Duration
			for i := range 72 {
				a = append(a, took(func() { known(i) }))
				b = append(b, took(func() { unknown(i) }))
			}
			slices.Sort(a)
			slices.Sort(b)
			gap = a[len(a)/2] - b[len(b)/2]
			t.Logf("%s: medians differ by %v", name, gap)
			if gap.Abs() <= time.Millisecond {
				return
			}
		}
		t.Errorf("%s: medians differ by %v", name, gap)
	}
	session := func(card, pin string) {
		_, _ = r.k.CardSession(t.Context(), vault.CardAnswer{Card: card, PIN: pin, Origin: "192.0.2.0/24"})
	}
	compare("card", func(i int) { w := known[i%24]; session(w.Card, wrongPIN(w.PIN)) },
		func(int) { session(vault.NewCardSecret().Text(), "000000") })
	compare("reference number", func(i int) {
		w := known[i%24]
		_, _ = r.staffView(s.vaccinator, w.Enrolled.Seal.Person, w.Enrolled.Reference, vault.Evidence{})
	}, func(int) { _, _ = r.staffView(s.vaccinator, "", id.NewReference(), vault.Evidence{}) })
}
