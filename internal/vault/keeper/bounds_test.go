package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

func (r *rig) cancelHold(h vault.Holder, hold id.Hold, people ...id.Person) error {
	_, err := r.k.Cancel(r.t.Context(), vault.CancelRequest{Holder: h, Hold: hold, Persons: people})
	return err
}

// TestBounds: a household books, cancels and registers so often and no more;
// another one is not touched by it, and the next day it may again.
func TestBounds(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.NoBounds = false })
	p, other := r.register("0000000201", 1), r.register("0000000202", 2)
	offer := func(session int) vault.Offer {
		o := r.offer("COVISHIELD")
		o.Session = id.Session(fmt.Sprint("s", session))
		return o
	}
	bound := func(what string, err error) {
		t.Helper()
		if !fault.Is(err, fault.RateLimited) || fault.CodeOf(err) != "bound" || fault.RetryAfter(err) <= 0 || fault.RetryAfter(err) > 24*time.Hour {
			t.Errorf("%s: %v, wait %v", what, err, fault.RetryAfter(err))
		}
	}
	// One session: three times, then a pause.
	for i := range 3 {
		hold := id.Hold(fmt.Sprint("a", i))
		r.mustBook(p.holder, hold, 1, offer(1), p.person)
		if err := r.cancelHold(p.holder, hold, p.person); err != nil {
			t.Fatal(err)
		}
	}
	bound("the same session again", r.book(p.holder, "a4", 1, offer(1), p.person))
	r.mustBook(p.holder, "b", 1, offer(2), p.person) // another one: yes
	for range 5 {
		r.mustBook(p.holder, "b", 1, offer(2), p.person) // a repetition is no booking
	}
	if err := r.cancelHold(p.holder, "b", p.person); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		hold := id.Hold(fmt.Sprint("c", i))
		r.mustBook(p.holder, hold, 1, offer(10+i), p.person)
		if err := r.cancelHold(p.holder, hold, p.person); err != nil {
			t.Fatal(err)
		}
	}
	r.mustBook(p.holder, "d", 1, offer(3), p.person)
	bound("an eleventh cancellation", r.cancelHold(p.holder, "d", p.person))
	r.mustBook(other.holder, "e", 1, offer(1), other.person)
	r.advance(24 * time.Hour)
	h := r.signIn("0000000201")
	if err := r.cancelHold(h, "d", p.person); err != nil {
		t.Errorf("the next day: %v", err)
	}
	// Registrations.
	count := 0
	for i := range 15 {
		e, err := r.k.Enrol(t.Context(), vault.EnrolRequest{Holder: h, Key: fmt.Sprint("n", i), Identity: asha(300 + i), Consent: vault.Consent{Version: "1"}})
		if err != nil {
			bound("a registration", err)
			break
		}
		count++
		r.store(e.Seal, true)
		if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: r.records(e.Seal.Person)[0]}); err != nil {
			t.Fatal(err)
		}
	}
	if count != 12 {
		t.Errorf("%d registrations in a day", count)
	}
}

// TestMissed: an appointment whose day is over does not keep a person from
// booking again, nor from leaving; and a dose that is overdue can be booked.
func TestMissed(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000201", 1)
	o := r.offer("COVISHIELD")
	r.mustBook(p.holder, "h1", 1, o, p.person)
	if err := r.book(p.holder, "h2", 1, o, p.person); fault.CodeOf(err) != "APPOIN0022" {
		t.Fatalf("before the day is over: %v", err)
	}
	until := time.Date(o.Day.Year, o.Day.Month, o.Day.Day+1, 0, 0, 0, 0, time.FixedZone("IST", 19800)).Sub(r.clock())
	r.advance(until - time.Minute)
	h := r.signIn("0000000201")
	later := o
	later.Day = o.Day.AddDays(7)
	if err := r.book(h, "h3", 1, later, p.person); fault.CodeOf(err) != "APPOIN0022" {
		t.Errorf("a minute before the day is over: %v", err)
	}
	r.advance(2 * time.Minute)
	r.mustBook(h, "h4", 1, later, p.person)
	row, err := r.k.Person(t.Context(), p.person)
	if err != nil || len(row.Bookings) != 2 || row.Bookings[0].State != state.Missed || row.Bookings[1].State != state.Live {
		t.Errorf("%+v %v", row.Bookings, err)
	}
	if err := r.cancelHold(h, "h1", p.person); !fault.Is(err, fault.NotFound) {
		t.Errorf("cancelling a missed one: %v", err)
	}
}

// TestMove moves a booking in the vault, and back when the registry could not
// bind the new one.
func TestMove(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	a, b := people[0], people[1]
	o := r.offer("COVISHIELD")
	next := o
	next.Session, next.Day = "next", o.Day.AddDays(1)
	move := func(hold, old string, dose int, of vault.Offer, who ...id.Person) error {
		_, err := r.k.Book(t.Context(), vault.BookRequest{Holder: h, Hold: id.Hold(hold), Old: id.Hold(old), Dose: dose, Offer: of, Records: r.records(who...)})
		return err
	}
	states := func(p id.Person) (out string) {
		row, err := r.k.Person(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range row.Bookings {
			out += string(b.Hold) + " " + b.State + " "
		}
		return out
	}
	want := func(what string, p id.Person, s string) {
		t.Helper()
		if got := states(p); got != s {
			t.Errorf("%s: %q, want %q", what, got, s)
		}
	}
	r.mustBook(h, "h1", 1, o, a, b)
	for name, x := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"nothing to move":   {move("x1", "none", 1, next, a), fault.NotFound},
		"another dose":      {move("x2", "h1", 2, next, a), fault.Invalid},
		"another programme": {move("x3", "h1", 1, r.offer("STAMARIL"), a), fault.Invalid},
	} {
		if !fault.Is(x.err, x.kind) {
			t.Errorf("%s: %v", name, x.err)
		}
	}
	want("refused moves", a, "h1 live ")
	if err := move("h2", "h1", 1, next, a, b); err != nil {
		t.Fatal(err)
	}
	if err := move("h2", "h1", 1, next, a, b); err != nil {
		t.Errorf("repeated: %v", err)
	}
	want("moved", a, "h1 moved h2 live ")
	if err := r.cancelHold(h, "h1", a); !fault.Is(err, fault.NotFound) {
		t.Errorf("cancelling the old one: %v", err)
	}
	if err := r.book(h, "x4", 1, o, a); fault.CodeOf(err) != "APPOIN0022" {
		t.Errorf("a second one: %v", err)
	}
	if _, err := r.k.Release(t.Context(), vault.ReleaseRequest{Hold: "h2", Persons: []id.Person{a, b}}); err != nil {
		t.Fatal(err)
	}
	want("the registry could not", a, "h1 live h2 released ")
	want("the registry could not", b, "h1 live h2 released ")
	if err := move("h3", "h1", 1, next, a, b); err != nil {
		t.Fatal(err)
	}
	if err := r.k.Settled(t.Context(), vault.SettledRequest{Kind: vault.WorkBook, Hold: "h3", Persons: []id.Person{a, b}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Release(t.Context(), vault.ReleaseRequest{Hold: "h3", Persons: []id.Person{a, b}}); err != nil {
		t.Fatal(err)
	}
	want("settled: no way back", a, "h1 moved h2 released h3 live ")
	if err := r.cancelHold(h, "h3", a); err != nil {
		t.Fatal(err)
	}
	want("cancelled: the old one does not come back", a, "h1 moved h2 released h3 cancelled ")
}

// TestCertificateBound: whoever downloads in a loop makes the public list of
// revoked certificates no longer than a day's honest use would.
func TestCertificateBound(t *testing.T) {
	c := newCentre(t, func(r *rig) { r.cfg.NoBounds = false })
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	for i := range 60 {
		if _, err := c.certificate(c.holder, c.person); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := c.certificate(c.holder, c.person); !fault.Is(err, fault.RateLimited) || fault.CodeOf(err) != "bound" {
		t.Errorf("the sixty-first certificate of a day: %v", err)
	}
}

// TestStaffCertificateBound: what staff download for a person who shows a card counts
// as what the household downloads.
func TestStaffCertificateBound(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.NoBounds = false })
	s := r.site("COVISHIELD")
	w := r.walkIn(s.vaccinator, 1)
	p, ref := w.Enrolled.Seal.Person, w.Enrolled.Reference
	r.given(s, r.byCard(w), p, ref, 1)
	url := "http://127.0.0.1" + vault.RouteStaffCertificate + "?beneficiary_reference_id=" + string(ref)
	download := func() error {
		req := vault.StaffViewRequest{Signed: r.signGet(s.vaccinator, url, vault.Evidence{Card: w.Card}), Reference: ref, Person: p, Record: r.records(p)[0]}
		_, err := r.k.StaffCertificate(t.Context(), req)
		return err
	}
	for i := range 60 {
		if err := download(); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := download(); !fault.Is(err, fault.RateLimited) || fault.CodeOf(err) != "bound" {
		t.Errorf("the sixty-first certificate of a day: %v", err)
	}
	if _, err := r.k.Certificate(t.Context(), vault.CertificateRequest{Holder: r.byCard(w), Record: r.records(p)[0], Language: "en"}); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the person's own after them: %v", err)
	}
}
