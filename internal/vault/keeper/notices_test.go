package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// messages waits until n messages of a template went out, and a little longer
// for one too many, and returns them.
func (r *rig) messages(template string, n int) (out []keeper.Notice) {
	r.t.Helper()
	for range 200 {
		out = nil
		r.mu.Lock()
		for _, s := range r.sent {
			if s.Template == template {
				out = append(out, s)
			}
		}
		r.mu.Unlock()
		if len(out) >= n {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return out
}

// TestUndeliverable: a message that no route takes is given up at once, and
// others that have to wait, or a route that hangs, hold up no code.
func TestUndeliverable(t *testing.T) {
	c := newCentre(t, nil)
	c.messages("booking", 1)
	var tried atomic.Int64
	release := make(chan struct{})
	refuse := func(kind fault.Kind) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.route = func(ctx context.Context, n keeper.Notice) error {
			if n.Template == "code" {
				return nil
			}
			tried.Add(1)
			if kind == "" {
				select {
				case <-ctx.Done():
				case <-release:
				}
				return fault.New(fault.Unavailable, "courier", "hangs")
			}
			return fault.New(kind, "courier", "no route takes this message")
		}
	}
	n := 0
	book := func() {
		p := c.register(fmt.Sprintf("00000006%02d", n), 60+n)
		n++
		c.mustBook(p.holder, id.Hold(id.New()), 1, c.offer, p.person)
	}
	for i, kind := range []fault.Kind{fault.Invalid, fault.Internal} {
		refuse(kind)
		book()
		for range 200 {
			if strings.Count(c.log(), "message given up") == i+1 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(150 * time.Millisecond)
		if got := strings.Count(c.log(), "message given up"); got != i+1 || tried.Load() != int64(i+1) {
			t.Errorf("%s: given up %d of %d, tried %d times", kind, got, i+1, tried.Load())
		}
	}
	refuse(fault.Unavailable)
	for range 5 {
		book() // signs in: the code comes though messages wait
	}
	refuse("")
	for range 5 {
		book()
	}
	// Those that wait are not lost.
	c.mu.Lock()
	c.route = nil
	c.mu.Unlock()
	c.forget()
	close(release)
	if got := c.messages("booking", 10); len(got) < 10 {
		t.Errorf("%d messages of 10 came after the route was back", len(got))
	}
}

// TestWaitingHoldsNoSender: messages that wait for their next try hold no
// sender; one that is new is tried while they wait.
func TestWaitingHoldsNoSender(t *testing.T) {
	c := newCentre(t, nil)
	c.messages("booking", 1)
	var tried atomic.Int64
	c.mu.Lock()
	c.route = func(_ context.Context, n keeper.Notice) error {
		if n.Template == "code" {
			return nil
		}
		tried.Add(1)
		return fault.New(fault.Unavailable, "courier", "down")
	}
	c.mu.Unlock()
	book := func(n int) {
		p := c.register(fmt.Sprintf("00000006%02d", n), 60+n)
		c.mustBook(p.holder, id.Hold(id.New()), 1, c.offer, p.person)
	}
	for i := range 8 {
		book(i)
	}
	time.Sleep(1700 * time.Millisecond) // their waits have grown beyond a second
	p := c.register("0000000699", 99)
	before := tried.Load()
	c.mustBook(p.holder, id.Hold(id.New()), 1, c.offer, p.person)
	for range 20 {
		if tried.Load() > before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("a new message waits for those that wait")
}

// TestHouseholdNotices: a household gets twenty messages about bookings in a
// day, and still the one about a dose.
func TestHouseholdNotices(t *testing.T) {
	c := newCentre(t, nil)
	c.messages("booking", 1)
	hold := c.hold
	for i := range 25 {
		if _, err := c.k.Cancel(t.Context(), vault.CancelRequest{Holder: c.holder, Hold: hold, Persons: []id.Person{c.person}}); err != nil {
			t.Fatal(err)
		}
		hold = id.Hold(fmt.Sprint("again", i))
		c.mustBook(c.holder, hold, 1, c.offer, c.person)
		c.messages("booking", min(i+2, 20)) // what is cancelled before it was told is not told
	}
	if got := c.messages("booking", 20); len(got) != 20 {
		t.Errorf("%d messages about bookings, want 20", len(got))
	}
	time.Sleep(50 * time.Millisecond)
	if got := c.messages("booking", 20); len(got) != 20 || strings.Count(c.log(), "message dropped: the household's budget of the day is used up\" template=booking") != 6 {
		t.Errorf("%d messages about bookings, want 20\n%s", len(got), c.log())
	}
	if strings.Contains(c.log(), "0000000050") || strings.Contains(c.log(), string(c.person)) {
		t.Error("the log says whose messages are dropped")
	}
	other := c.register("0000000051", 51)
	c.mustBook(other.holder, "other", 1, c.offer, other.person)
	c.messages("booking", 1)
	d, err := c.dose(c.vaccinator, c.person, c.body(map[string]any{"security_code": c.slipCode(c.holder, hold, c.person)}))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.messages("dose", 1); len(got) != 1 || got[0].ID != "dose/"+d.Seal.ID {
		t.Errorf("the dose's message: %+v", got)
	}
	c.advance(24 * time.Hour)
	c.holder = c.signIn("0000000051")
	if _, err := c.k.Cancel(t.Context(), vault.CancelRequest{Holder: c.holder, Hold: "other", Persons: []id.Person{other.person}}); err != nil {
		t.Fatal(err)
	}
	c.forget()
	c.mustBook(c.holder, "next day", 1, c.rig.offer("COVISHIELD"), other.person)
	if got := c.messages("booking", 1); len(got) != 1 {
		t.Error("no message the next day")
	}
}

// TestOneDoseMessage: of two requests that record one dose at once, the one
// that comes second and finds it stored sends no message, least of all one
// under an id that everybody else's would have too.
func TestOneDoseMessage(t *testing.T) {
	var b *midway
	c := newCentre(t, func(r *rig) {
		r.wrap = func(st state.Store) state.Store { b = &midway{Store: st}; return b }
	})
	b.act = func() {
		d, err := c.dose(c.vaccinator, c.person, c.body(nil))
		if err != nil {
			t.Error(err)
		}
		c.store(d.Seal, true)
	}
	req := vault.DoseRequest{Signed: c.sign(c.vaccinator, doseURL, c.body(nil)), Person: c.person, Record: c.records(c.person)[0]}
	b.commits = 2
	again, err := c.k.RecordDose(t.Context(), req)
	if err != nil || again.Seal.ID != "" || again.Hold != c.hold {
		t.Fatalf("%+v %v", again, err)
	}
	time.Sleep(50 * time.Millisecond)
	got := c.messages("dose", 1)
	if len(got) != 1 || got[0].ID == "dose/" {
		t.Errorf("%+v", got)
	}
}

// TestContactAfterEntry: the last digits of the number are opened only when the
// entries of the opening are durable.
func TestContactAfterEntry(t *testing.T) {
	var f *inside
	r := rigWith(t, func(r *rig) {
		r.wrap = func(st state.Store) state.Store { f = &inside{Store: st}; return f }
	})
	p := r.register("0000000301", 1)
	opened, early := 0, 0
	r.k.WatchContact(func() {
		opened++
		if f.open.Load() {
			early++
		}
	})
	v, err := r.k.Open(t.Context(), vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)})
	if err != nil || v.People[0].MobileLast4 != "0301" {
		t.Fatalf("%+v %v", v, err)
	}
	if opened != 1 || early != 0 {
		t.Errorf("opened %d times, %d before the entry was durable", opened, early)
	}
}

// inside tells whether a transaction is under way.
type inside struct {
	state.Store
	open atomic.Bool
}

// Update implements state.Store.
func (f *inside) Update(ctx context.Context, fn func(state.Tx) error) error {
	f.open.Store(true)
	defer f.open.Store(false)
	return f.Store.Update(ctx, fn)
}
