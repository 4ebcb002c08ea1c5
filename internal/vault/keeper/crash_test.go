package keeper_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// failing makes the nth commit from now fail: with nothing stored
// (Unavailable), or stored and the answer lost (Unknown).
type failing struct {
	state.Store
	mu      sync.Mutex
	in      int // commits until the failure; 0: none
	persist bool
	commits int
}

// Update implements state.Store.
func (f *failing) Update(ctx context.Context, fn func(state.Tx) error) error {
	if keeper.Posting(ctx) { // sent notices being deleted meanwhile
		return f.Store.Update(ctx, fn)
	}
	f.mu.Lock()
	f.commits++
	hit := f.in == 1
	f.in = max(0, f.in-1)
	persist := f.persist
	f.mu.Unlock()
	if !hit {
		return f.Store.Update(ctx, fn)
	}
	lost := fault.New(fault.Unavailable, "test", "the commit failed")
	err := f.Store.Update(ctx, func(tx state.Tx) error {
		if err := fn(tx); err != nil || persist {
			return err
		}
		return lost
	})
	if err != nil {
		return err
	}
	return sqldb.Unknown(context.DeadlineExceeded)
}

func (f *failing) arm(in int, persist bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in, f.persist, f.commits = in, persist, 0
}

// TestFailureAtEveryCommit lets the store fail at each commit of enrolling,
// booking and recording a dose, in both ways. Then nothing half done may be
// seen, the same request must succeed, and doing it again answer the same.
func TestFailureAtEveryCommit(t *testing.T) {
	type act struct {
		name    string
		commits int
		// run does the act and returns what its answer is about.
		run func(c *centre) (string, error)
		// half finds a state that is neither before nor after.
		half func(c *centre) string
	}
	acts := []act{
		{"enrol", 1, func(c *centre) (string, error) {
			e, err := c.k.Enrol(c.t.Context(), vault.EnrolRequest{Holder: c.holder, Key: "second", Identity: asha(2), Consent: consentOne})
			return e.Seal.ID + string(e.Reference), err
		}, func(c *centre) string {
			m, err := c.k.Membership(c.t.Context(), c.holder)
			if err != nil || len(m.Members)-1 != c.count("idempotency")-1 || c.count("person") != len(m.Members) {
				return jsonish(m, err)
			}
			return ""
		}},
		{"book", 2, func(c *centre) (string, error) {
			return "", c.book(c.holder, "h2", 1, c.rig.offer("STAMARIL"), c.person)
		}, func(c *centre) string {
			p, err := c.k.Person(c.t.Context(), c.person)
			if err != nil || len(p.Bookings)-1 != len(c.unfinished(c.clock()))-1 {
				return jsonish(p.Bookings, err)
			}
			return ""
		}},
		{"dose", 2, func(c *centre) (string, error) {
			d, err := c.dose(c.vaccinator, c.person, c.body(nil))
			return d.Seal.ID, err
		}, func(c *centre) string {
			p, err := c.k.Person(c.t.Context(), c.person)
			if err != nil || len(p.Pending) > 1 || p.Bookings[0].State != "live" {
				return jsonish(p, err)
			}
			return ""
		}},
	}
	for _, a := range acts {
		store := &failing{}
		c := newCentre(t, func(r *rig) { r.wrap = func(s state.Store) state.Store { store.Store = s; return store } })
		store.arm(0, false)
		if _, err := a.run(c); err != nil || store.commits != a.commits {
			t.Errorf("%s makes %d commits, the table says %d (%v)", a.name, store.commits, a.commits, err)
		}
		for commit := 1; commit <= a.commits; commit++ {
			for _, persist := range []bool{false, true} {
				t.Run(a.name+" commit "+string('0'+rune(commit))+map[bool]string{false: " failed", true: " failed but stored"}[persist], func(t *testing.T) {
					store := &failing{}
					c := newCentre(t, func(r *rig) { r.wrap = func(s state.Store) state.Store { store.Store = s; return store } })
					store.arm(commit, persist)
					answer, err := a.run(c)
					want := map[bool]fault.Kind{false: fault.Unavailable, true: fault.Unknown}[persist]
					if !fault.Is(err, want) {
						t.Fatalf("got %v, want %s: the failure does not get through", err, want)
					}
					if half := a.half(c); half != "" {
						t.Errorf("half done: %s (%s)", half, answer)
					}
					if answer, err = a.run(c); err != nil {
						t.Fatalf("repeated: %v", err)
					}
					again, err := a.run(c)
					if err != nil || again != answer {
						t.Errorf("again: %q, was %q (%v)", again, answer, err)
					}
					if half := a.half(c); half != "" {
						t.Errorf("half done after repeating: %s", half)
					}
					c.audit()
					c.close()
					if err := c.open(); err != nil {
						t.Errorf("after a restart: %v", err)
					}
				})
			}
		}
	}
}

func jsonish(v any, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", v)
}

// TestNoReceiptNoPlaintext: when the entry of an opening cannot be stored,
// nothing is opened, whichever view it is (I1).
func TestNoReceiptNoPlaintext(t *testing.T) {
	for _, persist := range []bool{false, true} {
		store := &failing{}
		c := newCentre(t, func(r *rig) { r.wrap = func(s state.Store) state.Store { store.Store = s; return store } })
		d, err := c.dose(c.vaccinator, c.person, c.body(nil))
		if err != nil {
			t.Fatal(err)
		}
		c.store(d.Seal, true)
		rec := c.records(c.person)
		for name, view := range map[string]func() (any, error){
			"booking view": func() (any, error) { return c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: rec}) },
			"slip": func() (any, error) {
				return c.k.Slip(t.Context(), vault.SlipRequest{Holder: c.holder, Hold: c.hold, Records: rec})
			},
			"certificate": func() (any, error) {
				return c.k.Certificate(t.Context(), vault.CertificateRequest{Holder: c.holder, Record: rec[0]})
			},
			"openings": func() (any, error) { return c.k.Openings(t.Context(), vault.OpeningsRequest{Holder: c.holder}) },
		} {
			store.arm(1, persist)
			got, err := view()
			if empty := reflect.Zero(reflect.TypeOf(got)).Interface(); err == nil || !reflect.DeepEqual(got, empty) {
				t.Errorf("%s without a receipt: %+v %v", name, got, err)
			}
			got, err = view()
			if empty := reflect.Zero(reflect.TypeOf(got)).Interface(); err != nil || reflect.DeepEqual(got, empty) {
				t.Errorf("%s when the store works again: %v", name, err)
			}
		}
	}
}

// TestUnledgeredChange: a change of a row that grants something, without an
// entry, is refused even from inside.
func TestUnledgeredChange(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000401", 1)
	wantKind(t, r.k.WriteUnledgered(t.Context(), p.person), fault.Internal)
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
}

// TestCommittedReports: reports are idempotent, late, unknown, and too many.
func TestCommittedReports(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000401")
	e := r.enrol(h, "k", asha(1))
	report := func(seals ...string) int {
		t.Helper()
		got, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: seals})
		if err != nil {
			t.Fatal(err)
		}
		return got.Advanced
	}
	if n := report(id.New()); n != 0 {
		t.Errorf("an unknown seal advanced %d", n)
	}
	r.store(e.Seal, false)
	var wg sync.WaitGroup
	total := make([]int, 8)
	for i := range total {
		wg.Go(func() {
			got, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{e.Seal.ID, e.Seal.ID}})
			if err != nil {
				t.Error(err)
			}
			total[i] = got.Advanced
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range total {
		sum += n
	}
	if sum != 1 || report(e.Seal.ID) != 0 {
		t.Errorf("one seal advanced %d times", sum)
	}
	_, err := r.k.Committed(t.Context(), vault.CommittedRequest{Seals: make([]string, 501)})
	wantKind(t, err, fault.Invalid)
	r.audit()
}

// TestRivalSeals: two seals on the same head, of which the registry takes one;
// the other ends with it.
func TestRivalSeals(t *testing.T) {
	c := newCentre(t, nil)
	travel := c.rig.offer("STAMARIL")
	c.openDay(c.manager, travel)
	c.mustBook(c.holder, "travel", 1, travel, c.person)
	code := c.slipCode(c.holder, "travel", c.person)
	loser, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	winner, err := c.dose(c.vaccinator, c.person, doseBody(travel, c.ref, code, 1))
	if err != nil || winner.Seal.ID == loser.Seal.ID || winner.Seal.Parts[0].Seq != loser.Seal.Parts[0].Seq {
		t.Fatalf("%+v %v", winner, err)
	}
	c.store(winner.Seal, true)
	if got, err := c.k.Committed(t.Context(), vault.CommittedRequest{Seals: []string{loser.Seal.ID}}); err != nil || got.Advanced != 0 {
		t.Errorf("the loser advanced: %+v %v", got, err)
	}
	if _, err := c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)}); err != nil {
		t.Error(err)
	}
	c.audit()
	// Had the registry stored the loser instead, it would be found.
	c.regs[c.person][2] = loser.Seal.Parts[0]
	_, err = c.k.Open(t.Context(), vault.OpenRequest{Holder: c.holder, Records: c.records(c.person)})
	wantKind(t, err, fault.Integrity)
}
