package keeper_test

import (
	"maps"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// sums are the true cells without those that are zero.
func (r *rig) sums() map[string]int64 {
	out := map[string]int64{}
	for key, s := range r.counted() {
		if _, ok := statistics.ParseKey(key); ok && s.N != 0 {
			out[key] = s.N
		}
	}
	return out
}

// registrations are those counted, of all ages.
func (r *rig) registrations() (n int64) {
	for key, v := range r.sums() {
		if cell, _ := statistics.ParseKey(key); cell.Band != "" {
			n += v
		}
	}
	return n
}

// TestRecount: people of before the counters are counted once with what their records
// hold, whatever is repeated; it is an opening that they see; it does not look like
// the growth of a day; and what changes before, during and after is counted once too.
func TestRecount(t *testing.T) {
	c := newCentre(t, nil)
	c.staff("vaccinator", testCentre) // with three people nothing waits
	seeded := c.seeded("0100000001", doses{"Asha Test", 2}, doses{"Asha Test B", 1})
	d, err := c.rig.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	all := append([]id.Person{c.person}, seeded...)
	want := c.sums()
	if len(want) < 3 {
		t.Fatalf("%v", want)
	}
	if err := c.k.Uncount(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	recount := func(r vault.RecountRequest) vault.Recounted {
		t.Helper()
		got, err := c.k.Recount(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := recount(vault.RecountRequest{Persons: append(all, "nobody")}); got.Done || len(got.Left) != 3 {
		t.Fatalf("%+v", got)
	}
	// A dose of one of them is revoked before the recount: nothing is counted of it yet.
	c.revokeFirst(t)
	if n := c.sums(); len(n) != 0 {
		t.Errorf("counted before the recount: %v", n)
	}
	for key := range want { // the one dose of COVISHIELD is gone
		if cell, _ := statistics.ParseKey(key); cell.Product == "COVISHIELD" {
			delete(want, key)
		}
	}
	for range 2 {
		if got := recount(vault.RecountRequest{Records: c.records(append(all, all...)...)}); got.Done || len(got.Left) != 0 {
			t.Errorf("%+v", got)
		}
		if got := c.sums(); !maps.Equal(got, want) {
			t.Fatalf("counted %v, want %v", got, want)
		}
	}
	if h := c.history(c.holder, c.person); h[len(h)-1] != "opening: counted for the public figures" {
		t.Errorf("%q", h)
	}
	for key, s := range c.counted() {
		if s.N != 0 && s.AsOf(c.today()) != s.N {
			t.Errorf("%s counts as today's: %+v", key, s)
		}
	}
	if got := recount(vault.RecountRequest{Persons: all}); len(got.Left) != 0 {
		t.Errorf("%+v", got)
	}
	if !recount(vault.RecountRequest{Finished: true}).Done || !recount(vault.RecountRequest{Persons: all}).Done {
		t.Error("it does not end")
	}
	if err := c.reopen(); err != nil {
		t.Fatal(err)
	}
	if !recount(vault.RecountRequest{}).Done || !maps.Equal(c.sums(), want) {
		t.Error("a restart begins anew")
	}
	if _, err := c.k.Statistics(t.Context(), vault.Empty{}); err != nil {
		t.Error(err)
	}
	c.audit()
}

// TestRecountWaits: somebody whose dose is being stored is left for later, and a change
// that was decided before the recount does not go in without being counted.
func TestRecountWaits(t *testing.T) {
	c := newCentre(t, nil)
	if err := c.k.Uncount(t.Context(), c.person); err != nil {
		t.Fatal(err)
	}
	d, err := c.rig.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	bring := func() int {
		t.Helper()
		got, err := c.k.Recount(t.Context(), vault.RecountRequest{Records: c.records(c.person)})
		if err != nil {
			t.Fatal(err)
		}
		return len(got.Left)
	}
	if bring() != 1 || len(c.sums()) != 0 {
		t.Errorf("counted while a dose is stored: %v", c.sums())
	}
	c.store(d.Seal, false) // stored, not reported: the record shows it
	if bring() != 0 || c.doses1() != 1 {
		t.Errorf("counted %v", c.sums())
	}
	if _, err := c.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{d.Seal.ID}}); err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	if c.doses1() != 1 {
		t.Errorf("counted %v", c.sums())
	}
}

// TestCountedNet: a deleted registration is taken off, once; a registration that ends in
// another one is too, and neither people nor doses are counted twice.
func TestCountedNet(t *testing.T) {
	r := newRig(t)
	registered := r.registrations
	p := r.register("0000000201", 1)
	waiting := r.enrol(p.holder, "second", asha(2)) // never stored
	if n := registered(); n != 1 {
		t.Errorf("%d registrations", n)
	}
	for range 2 {
		_, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: p.holder, Record: r.records(p.person)[0]})
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	if n := registered(); n != 0 {
		t.Errorf("%d registrations after one was deleted", n)
	}
	r.advance(25 * time.Hour)
	r.store(waiting.Seal, true)
	if n := registered(); n != 1 {
		t.Errorf("%d registrations", n)
	}
	r.audit()
}

// oneFewer remembers how many are registered, for a check that one has gone.
func (r *rig) oneFewer() (check func()) {
	before := r.registrations()
	return func() {
		r.t.Helper()
		if n := r.registrations(); n != before-1 {
			r.t.Errorf("%d registrations after one of %d was joined with another", n, before)
		}
	}
}
