package keeper_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// family registers n stored people under one number.
func (r *rig) family(mobile string, n int) (vault.Holder, []id.Person) {
	r.t.Helper()
	h := r.signIn(mobile)
	var people []id.Person
	for i := range n {
		e := r.enrol(h, fmt.Sprint("k", i), asha(atLeast(mobile)+i))
		r.store(e.Seal, true)
		people = append(people, e.Seal.Person)
	}
	return h, people
}

// atLeast keeps the id numbers of two families apart.
func atLeast(mobile string) int { return int(mobile[9]-'0')*100 + 1000 }

func TestBookingRules(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 3)
	a, b, c := people[0], people[1], people[2]
	stranger := r.register("0000000202", 90)
	child := asha(91)
	child.BirthYear = 2014
	e := r.enrol(h, "child", child)
	r.store(e.Seal, true)
	o := r.offer("COVISHIELD")
	with := func(change func(*vault.Offer)) vault.Offer { x := o; change(&x); return x }
	for name, x := range map[string]struct {
		err  error
		want fault.Kind
		code string
	}{
		"no hold":            {r.book(h, "", 1, o, a), fault.Invalid, "USRRES0001"},
		"nobody":             {r.book(h, "x1", 1, o), fault.Invalid, "USRRES0001"},
		"no such vaccine":    {r.book(h, "x2", 1, with(func(o *vault.Offer) { o.Product = "WATER" }), a), fault.Invalid, "unknown_product"},
		"the second dose":    {r.book(h, "x3", 2, o, a), fault.Invalid, "wrong_dose"},
		"a child":            {r.book(h, "x4", 1, o, e.Seal.Person), fault.Invalid, "too_young"},
		"a session for 45+":  {r.book(h, "x5", 1, with(func(o *vault.Offer) { o.MinAge = 60 }), a), fault.Invalid, "too_young"},
		"a session up to 40": {r.book(h, "x6", 1, with(func(o *vault.Offer) { o.MaxAge = 40 }), a), fault.Invalid, "too_old"},
		"somebody else":      {r.book(h, "x7", 1, o, stranger.person), fault.NotFound, "person"},
		"one of two else":    {r.book(h, "x8", 1, o, a, stranger.person), fault.NotFound, "person"},
		"one of two a child": {r.book(h, "x9", 1, o, a, e.Seal.Person), fault.Invalid, "too_young"},
	} {
		if !fault.Is(x.err, x.want) || fault.CodeOf(x.err) != x.code {
			t.Errorf("%s: %v, want %s %s", name, x.err, x.want, x.code)
		}
	}
	for _, p := range people {
		if row, err := r.k.Person(t.Context(), p); err != nil || len(row.Bookings) != 0 {
			t.Fatalf("a refused booking left %+v (%v)", row.Bookings, err)
		}
	}
	r.mustBook(h, "h1", 1, o, a, b)
	r.mustBook(h, "h1", 1, o, a, b) // repeated
	if err := r.book(h, "h2", 1, o, c, a); fault.CodeOf(err) != "APPOIN0022" {
		t.Errorf("a second live booking: %v", err)
	}
	if row, err := r.k.Person(t.Context(), c); err != nil || len(row.Bookings) != 0 {
		t.Errorf("one was booked though the other could not be: %+v (%v)", row.Bookings, err)
	}
	r.mustBook(h, "h3", 1, r.offer("STAMARIL"), a) // another programme
}

// TestOneLiveBooking books one person under many holds at once.
func TestOneLiveBooking(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000201", 1)
	o := r.offer("COVISHIELD")
	rec := r.records(p.person)
	var ok, taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			_, err := r.k.Book(t.Context(), vault.BookRequest{Holder: p.holder, Hold: id.Hold(fmt.Sprint("h", i)), Dose: 1, Offer: o, Records: rec})
			switch {
			case err == nil:
				ok.Add(1)
			case fault.CodeOf(err) == "APPOIN0022":
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || taken.Load() != 23 {
		t.Errorf("%d booked, %d refused", ok.Load(), taken.Load())
	}
}

func (r *rig) unfinished(before time.Time) (out []string) {
	r.t.Helper()
	u, err := r.k.Unfinished(r.t.Context(), vault.UnfinishedRequest{Before: before.UnixMilli() + 1, Limit: 500})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, w := range u.Work {
		out = append(out, w.Kind+" "+string(w.Hold))
	}
	slices.Sort(out)
	return out
}

// TestBookingEnds goes through every end of a booking and what is left to do.
func TestBookingEnds(t *testing.T) {
	type world struct {
		*rig
		h vault.Holder
		p id.Person
		o vault.Offer
	}
	cancel := func(w world, people ...id.Person) error {
		_, err := w.k.Cancel(w.t.Context(), vault.CancelRequest{Holder: w.h, Hold: "h1", Persons: people})
		return err
	}
	release := func(w world) error {
		_, err := w.k.Release(w.t.Context(), vault.ReleaseRequest{Hold: "h1", Persons: []id.Person{w.p, "nobody"}})
		return err
	}
	settled := func(w world) error {
		return w.k.Settled(w.t.Context(), vault.SettledRequest{Kind: vault.WorkBook, Hold: "h1", Persons: []id.Person{w.p}})
	}
	carried := func(w world) error {
		return w.k.Settled(w.t.Context(), vault.SettledRequest{Kind: vault.WorkCancel, Hold: "h1", Persons: []id.Person{w.p}})
	}
	cases := map[string]struct {
		do    func(w world) error
		state string
		left  string
		again fault.Kind // what booking anew under another hold gives
	}{
		"booked":                  {func(w world) error { return nil }, "live", "book h1", fault.Conflict},
		"settled":                 {settled, "live", "", fault.Conflict},
		"cancelled":               {func(w world) error { return cancel(w, w.p) }, "cancelled", "cancel h1", ""},
		"cancelled twice":         {func(w world) error { return first(cancel(w, w.p), cancel(w, w.p)) }, "cancelled", "cancel h1", ""},
		"cancelled and settled":   {func(w world) error { return first(cancel(w, w.p), carried(w)) }, "cancelled", "", ""},
		"cancelled, then settled": {func(w world) error { return first(cancel(w, w.p), settled(w)) }, "cancelled", "cancel h1", ""},
		"booked, not cancelled":   {carried, "live", "book h1", fault.Conflict},
		"settled and cancelled":   {func(w world) error { return first(settled(w), cancel(w, w.p)) }, "cancelled", "cancel h1", ""},
		"released":                {release, "released", "", ""},
		"released twice":          {func(w world) error { return first(release(w), release(w)) }, "released", "", ""},
		"settled, not releasable": {func(w world) error { return first(settled(w), release(w)) }, "live", "", fault.Conflict},
		"cancelled and released":  {func(w world) error { return first(cancel(w, w.p), release(w)) }, "cancelled", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := r.register("0000000201", 1)
			w := world{r, p.holder, p.person, r.offer("COVISHIELD")}
			r.mustBook(w.h, "h1", 1, w.o, w.p)
			if err := c.do(w); err != nil {
				t.Fatal(err)
			}
			row, err := r.k.Person(t.Context(), w.p)
			if err != nil || row.Bookings[0].State != c.state {
				t.Errorf("the booking is %q, want %q (%v)", row.Bookings[0].State, c.state, err)
			}
			if left := strings.Join(r.unfinished(r.clock()), ","); left != c.left {
				t.Errorf("unfinished: %q, want %q", left, c.left)
			}
			_, err = r.k.Slip(t.Context(), vault.SlipRequest{Holder: w.h, Hold: "h1", Records: r.records(w.p)})
			if live := c.state == "live"; live != (err == nil) || (!live && !fault.Is(err, fault.NotFound)) {
				t.Errorf("the slip: %v", err)
			}
			if c.state != "live" { // an ended hold is not revived
				wantKind(t, r.book(w.h, "h1", 1, w.o, w.p), fault.Conflict)
			}
			if err := r.book(w.h, "h2", 1, w.o, w.p); fault.KindOf(err) != c.again {
				t.Errorf("booking anew: %v, want %q", err, c.again)
			}
			r.audit()
		})
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCancelRefused(t *testing.T) {
	c := newCentre(t, nil)
	ctx := t.Context()
	other := c.register("0000000202", 2)
	for name, x := range map[string]vault.CancelRequest{
		"another household": {Holder: other.holder, Hold: c.hold, Persons: []id.Person{c.person}},
		"another hold":      {Holder: c.holder, Hold: "other", Persons: []id.Person{c.person}},
		"another person":    {Holder: c.holder, Hold: c.hold, Persons: []id.Person{c.person, other.person}},
	} {
		if _, err := c.k.Cancel(ctx, x); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := c.dose(c.vaccinator, c.person, c.body(nil))
	if err != nil {
		t.Fatal(err)
	}
	c.store(d.Seal, true)
	_, err = c.k.Cancel(ctx, vault.CancelRequest{Holder: c.holder, Hold: c.hold, Persons: []id.Person{c.person}})
	wantKind(t, err, fault.Conflict) // the dose was recorded
}

// TestSlipCodes: every booking has a code of its own, shown again as it was,
// and stored nowhere.
func TestSlipCodes(t *testing.T) {
	r := newRig(t)
	h, people := r.family("0000000201", 2)
	o := r.offer("COVISHIELD")
	r.mustBook(h, "h1", 1, o, people...)
	s, err := r.k.Slip(t.Context(), vault.SlipRequest{Holder: h, Hold: "h1", Records: r.records(people...)})
	if err != nil || len(s.People) != 2 || s.Offer.Session != o.Session || len(s.ViewRef) != 13 || len(s.Receipts) != 2 {
		t.Fatalf("%+v %v", s, err)
	}
	if again := r.slipCode(h, "h1", people[0]); again != s.People[0].Code {
		t.Errorf("the code was %s, is %s", s.People[0].Code, again)
	}
	sent := map[string]bool{}
	for range 200 {
		r.mu.Lock()
		for _, n := range r.sent {
			if n.Template == "booking" {
				for one := range strings.SplitSeq(n.Params["people"], ",") {
					_, code, _ := strings.Cut(one, ":")
					sent[code] = true
				}
			}
		}
		r.mu.Unlock()
		if len(sent) == 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, p := range s.People {
		if !sent[p.Code] {
			t.Errorf("the message has no code %s: %v", p.Code, sent)
		}
	}
	r.audit()
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: "h1", Persons: people[:1]}); err != nil {
		t.Fatal(err)
	}
	r.mustBook(h, "h2", 1, o, people[0])
	codes := map[string]bool{s.People[0].Code: true}
	for i := range 6 { // one code may repeat by chance, six do not
		codes[r.slipCode(h, id.Hold(fmt.Sprint("h", i+2)), people[0])] = true
		if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: id.Hold(fmt.Sprint("h", i+2)), Persons: people[:1]}); err != nil {
			t.Fatal(err)
		}
		r.mustBook(h, id.Hold(fmt.Sprint("h", i+3)), 1, o, people[0])
	}
	if len(codes) < 3 {
		t.Errorf("seven bookings had the codes %v", codes)
	}
}

// TestBookingsKept books and cancels more often than bookings are kept.
func TestBookingsKept(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000201", 1)
	o := r.offer("COVISHIELD")
	for i := range 25 {
		hold := id.Hold(fmt.Sprint("h", i))
		r.mustBook(p.holder, hold, 1, o, p.person)
		if i < 24 {
			if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: p.holder, Hold: hold, Persons: []id.Person{p.person}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	row, err := r.k.Person(t.Context(), p.person)
	if err != nil || len(row.Bookings) != 20 || row.Bookings[19].Hold != "h24" || row.Bookings[0].Hold != "h5" {
		t.Errorf("%d bookings kept (%v)", len(row.Bookings), err)
	}
}

// TestUnfinishedPages lists the oldest first, not the young, and not seals that
// nobody stores.
func TestUnfinishedPages(t *testing.T) {
	r := newRig(t)
	h := r.signIn("0000000201")
	r.enrol(h, "never stored", asha(9))
	start := r.clock()
	var people []id.Person
	for i := range 3 {
		e := r.enrol(h, fmt.Sprint("k", i), asha(i))
		r.store(e.Seal, true)
		people = append(people, e.Seal.Person)
		r.advance(time.Minute)
		r.mustBook(h, id.Hold(fmt.Sprint("h", i)), 1, r.offer("COVISHIELD"), e.Seal.Person)
	}
	page := func(before time.Time, limit int) (holds []string) {
		u, err := r.k.Unfinished(t.Context(), vault.UnfinishedRequest{Before: before.UnixMilli() + 1, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range u.Work {
			if w.Kind != "book" || w.Centre != testCentre || w.Session == "" || w.Since == 0 {
				t.Errorf("%+v", w)
			}
			holds = append(holds, string(w.Hold))
		}
		return holds
	}
	for _, c := range []struct {
		before time.Time
		limit  int
		want   []string
	}{{start, 10, nil}, {start.Add(time.Minute), 10, []string{"h0"}}, {r.clock(), 2, []string{"h0", "h1"}}, {r.clock(), 0, []string{"h0", "h1", "h2"}}} {
		if got := page(c.before, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	// A removal is listed until it is settled.
	if _, err := r.k.Cancel(t.Context(), vault.CancelRequest{Holder: h, Hold: "h0", Persons: people[:1]}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.k.Remove(t.Context(), vault.RemoveRequest{Holder: h, Record: r.records(people[0])[0]}); err != nil {
		t.Fatal(err)
	}
	if got := r.unfinished(r.clock()); !slices.Contains(got, "remove ") {
		t.Errorf("%q", got)
	}
	wantKind(t, r.k.Settled(t.Context(), vault.SettledRequest{Persons: people[:1]}), fault.Invalid)
	if err := r.k.Settled(t.Context(), vault.SettledRequest{Kind: vault.WorkRemove, Persons: people[:1]}); err != nil {
		t.Fatal(err)
	}
	if got := r.unfinished(r.clock()); slices.Contains(got, "remove ") {
		t.Errorf("%q", got)
	}
}
