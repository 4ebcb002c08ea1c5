package scheduling_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

func TestBookAndCancel(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(3, 1)
	h, refs := w.household(3)
	hold, err := w.svc.Book(ctx, h, input(s, "k", refs[0], refs[1]))
	if err != nil || !id.Valid(string(hold)) {
		t.Fatal(hold, err)
	}
	again, err := w.svc.Book(ctx, h, input(s, "k", refs[1], refs[0]))
	if err != nil || again != hold {
		t.Errorf("the same key answered %v %v", again, err)
	}
	other := input(s, "k", refs[0], refs[1])
	other.Slot = "11:00AM-01:00PM"
	if _, err := w.svc.Book(ctx, h, other); kind(err) != "conflict" {
		t.Errorf("the same key with another slot: %v", err)
	}
	if _, err := w.svc.Book(ctx, h, input(s, "k2", refs[2], refs[0])); kind(err) != "full" || fault.CodeOf(err) != "APPOIN0040" {
		t.Errorf("two people for one place: %v", err)
	}
	if w.taken(s) != 2 || w.svc.FindByPIN("999001", day(5), "")[0].Sessions[0].Available1 != 1 {
		t.Error("places in store and search")
	}
	slip, err := w.svc.Slip(ctx, h, hold)
	if err != nil || len(slip.People) != 2 || slip.Centre.Name != "Test PHC 1" {
		t.Errorf("slip %+v %v", slip, err)
	}
	p := w.person(h, refs[0])
	as, err := w.svc.Appointments(ctx, []id.Person{p, w.person(h, refs[2])})
	if err != nil || len(as) != 1 || as[p][0].Hold != hold || as[p][0].Place.Opens != 9*60 || as[p][0].Slot != slot || as[p][0].Day != day(5) {
		t.Errorf("appointments %+v %v", as, err)
	}
	stranger, _ := w.household(1)
	if err := w.svc.Cancel(ctx, stranger, hold, refs[:1]); kind(err) != "not_found" {
		t.Errorf("a stranger cancels: %v", err)
	}
	if _, err := w.svc.Slip(ctx, stranger, hold); kind(err) != "not_found" {
		t.Errorf("a stranger's slip: %v", err)
	}
	if err := w.svc.Cancel(ctx, h, hold, refs[:1]); err != nil {
		t.Fatal(err)
	}
	if err := w.svc.Cancel(ctx, h, hold, refs[:1]); kind(err) != "not_found" {
		t.Errorf("cancelling twice: %v", err)
	}
	if w.taken(s) != 1 {
		t.Error("the place is back once")
	}
	if _, err := w.svc.Book(ctx, h, input(s, "k3", refs[0])); err != nil {
		t.Errorf("booking anew: %v", err)
	}
	w.sweep()
	w.consistent()
}

func TestPools(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(0, 1)
	h, refs := w.household(1)
	if _, err := w.svc.Book(ctx, h, input(s, "k", refs[0])); kind(err) != "full" {
		t.Errorf("first dose from the second pool: %v", err)
	}
	for _, dose := range []int{2, 3} {
		in := input(s, fmt.Sprint(dose), refs[0])
		in.Dose = dose
		// The pool has room; the vault refuses and the place goes back.
		if _, err := w.svc.Book(ctx, h, in); kind(err) != "invalid" || fault.CodeOf(err) != "dose" {
			t.Errorf("dose %d: %v", dose, err)
		}
	}
	if w.taken(s) != 0 {
		t.Error("a refused booking keeps its place")
	}
	w.sweep()
	w.consistent()
}

func TestBookRefusals(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(10, 10)
	h, refs := w.household(2)
	_, strangers := w.household(1)
	in := func(change func(*scheduling.BookInput)) scheduling.BookInput {
		v := input(s, "k", refs[0])
		change(&v)
		return v
	}
	cases := []struct {
		name, kind, code string
		in               scheduling.BookInput
	}{
		{"no key", "invalid", "key", in(func(v *scheduling.BookInput) { v.Key = "" })},
		{"long key", "invalid", "key", in(func(v *scheduling.BookInput) { v.Key = strings.Repeat("x", 201) })},
		{"dose 0", "invalid", "USRRES0002", in(func(v *scheduling.BookInput) { v.Dose = 0 })},
		{"dose 2 first", "invalid", "dose", in(func(v *scheduling.BookInput) { v.Dose = 2 })},
		{"nobody", "invalid", "USRRES0001", in(func(v *scheduling.BookInput) { v.References = nil })},
		{"seven", "invalid", "USRRES0001", in(func(v *scheduling.BookInput) { v.References = make([]id.Reference, 7) })},
		{"twice", "invalid", "USRRES0002", in(func(v *scheduling.BookInput) { v.References = []id.Reference{refs[0], refs[0]} })},
		{"stranger", "not_found", "reference", in(func(v *scheduling.BookInput) { v.References = strangers })},
		{"unknown", "not_found", "reference", in(func(v *scheduling.BookInput) { v.References = []id.Reference{id.NewReference()} })},
		{"no session", "invalid", "APPOIN0015", in(func(v *scheduling.BookInput) { v.Session = "" })},
		{"unknown session", "invalid", "APPOIN0015", in(func(v *scheduling.BookInput) { v.Session = id.Session(id.New()) })},
		{"unknown slot", "invalid", "APPOIN0015", in(func(v *scheduling.BookInput) { v.Slot = "09:00AM-11:00" })},
	}
	for _, c := range cases {
		if c.in.Key == "k" {
			c.in.Key = c.name
		}
		if _, err := w.svc.Book(ctx, h, c.in); kind(err) != c.kind || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := w.svc.Book(ctx, vault.Holder{}, input(s, "k", refs[0])); kind(err) != "unauthorized" {
		t.Error(err)
	}
	if _, err := w.svc.Book(ctx, h, input(s, "a", refs[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Book(ctx, h, input(s, "b", refs[1], refs[0])); kind(err) != "conflict" || w.taken(s) != 1 {
		t.Errorf("one of two has a booking: %v, taken %d", err, w.taken(s))
	}
	w.sweep()
	w.consistent()
}

// TestFence lets the sweep run while a client is between the vault's leave
// and the binding, or in the middle of the binding.
func TestFence(t *testing.T) {
	for _, c := range []struct {
		point string
		want  string
	}{{"book:after-hold", "conflict"}, {"book:after-vault", "conflict"}, {"book:after-bind", "conflict"}, {"book:after-confirm", ""}} {
		w, ctx := newWorld(t), t.Context()
		s := w.open(2, 0)
		h, refs := w.household(2)
		once := false
		w.svc.SetStep(func(point string) error {
			if point == c.point && !once {
				once = true
				w.sweep()
			}
			return nil
		})
		_, err := w.svc.Book(ctx, h, input(s, "k", refs...))
		if kind(err) != c.want {
			t.Errorf("%s: %v", c.point, err)
		}
		// At once, without a sweep: the refusal has given everything back.
		if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); err != nil {
			t.Errorf("%s: the same key later: %v", c.point, err)
		}
		w.sweep()
		w.consistent()
		if w.taken(s) != 2 {
			t.Errorf("%s: %d taken", c.point, w.taken(s))
		}
	}
}

func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	s := w.open(20, 0)
	for range 20 {
		h, refs := w.household(2)
		var wg sync.WaitGroup
		var got [8]id.Hold
		for i := range got {
			wg.Go(func() {
				hold, err := w.svc.Book(ctx, h, input(s, "k", refs...))
				if err != nil && !fault.Is(err, fault.Full) {
					t.Error(err)
				}
				got[i] = hold
			})
		}
		wg.Wait()
		for _, g := range got {
			if g != got[0] {
				t.Errorf("one key, two answers: %v", got)
			}
		}
	}
	w.sweep()
	w.consistent()
	if w.taken(s) != 20 {
		t.Errorf("%d taken", w.taken(s))
	}
}

// TestStampede sends 64 people for 5 places, 40 times.
func TestStampede(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	type client struct {
		h   vault.Holder
		ref id.Reference
	}
	var clients []client
	for range 64 {
		h, refs := w.household(1)
		clients = append(clients, client{h, refs[0]})
	}
	for round := range 40 {
		s := session(centre(1), day(5), 5, 0)
		w.add(centre(1), s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := map[int]id.Hold{}
		for i, c := range clients {
			wg.Go(func() {
				hold, err := w.svc.Book(ctx, c.h, input(s, fmt.Sprint(round), c.ref))
				switch {
				case err == nil:
					mu.Lock()
					won[i] = hold
					mu.Unlock()
				case !fault.Is(err, fault.Full):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 5 || w.taken(s) != 5 {
			t.Fatalf("round %d: %d won, %d taken", round, len(won), w.taken(s))
		}
		for i, hold := range won {
			if err := w.svc.Cancel(ctx, clients[i].h, hold, []id.Reference{clients[i].ref}); err != nil {
				t.Fatal(err)
			}
		}
		if w.taken(s) != 0 {
			t.Fatalf("round %d: %d taken after cancelling", round, w.taken(s))
		}
	}
	w.sweep()
	w.consistent()
}

// TestSimulation is the booking protocol under crashes (scale.md 6.3): a crash
// after each step with 4 %, 2 % of the steps slower than the hold while the sweep
// runs; alone, and with bookings that share calls and commits. TIKAKOSH_FULL=1
// has the size of the measurement there.
func TestSimulation(t *testing.T) {
	t.Parallel()
	people, sessions, places := 900, 12, 50
	if os.Getenv("TIKAKOSH_FULL") == "1" {
		people, sessions, places = 9000, 60, 100
	}
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			t.Parallel()
			simulate(t, people, sessions, places, shared)
		})
	}
}

func simulate(t *testing.T, people, sessions, places int, shared bool) {
	w, ctx := newWorld(t), t.Context()
	type client struct {
		h    vault.Holder
		refs []id.Reference
	}
	var clients []client
	for n := 0; n < people; {
		size := 1 + n%3
		h, refs := w.household(size)
		clients = append(clients, client{h, refs})
		n += size
	}
	var all []scheduling.Session
	for i := range sessions {
		all = append(all, session(centre(i), day(5), places, 0))
		w.add(centre(i), all[i])
	}
	if shared {
		w.shared()
	}
	var crashes, slow atomic.Int64
	w.svc.SetStep(func(point string) error {
		switch r := rand.Float64(); {
		case r < 0.04:
			crashes.Add(1)
			return scheduling.ErrStop
		case r < 0.06 && !strings.HasPrefix(point, "end:"): // a sweep does not sweep
			slow.Add(1)
			w.clock.Add(scheduling.HoldTime + time.Second)
			// The sweep crashes as well; what it leaves the next one ends.
			_, _ = w.sweeper.Sweep(ctx, w.clock.Now())
		}
		return nil
	})
	round := func(r int) {
		var wg sync.WaitGroup
		work := make(chan client)
		for range 32 {
			wg.Go(func() {
				for c := range work {
					in := input(all[rand.IntN(len(all))], fmt.Sprint(r), c.refs...)
					_, err := w.svc.Book(ctx, c.h, in)
					if err != nil && rand.IntN(2) == 0 { // half of them repeat
						_, _ = w.svc.Book(ctx, c.h, in)
					}
				}
			})
		}
		for _, c := range clients {
			work <- c
		}
		close(work)
		wg.Wait()
	}
	for r := range 2 {
		round(r)
	}
	w.svc.SetStep(none)
	w.sweep()
	w.consistent()
	filled := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`)
	// Whoever has no place yet now asks for one alone wherever there is room.
	for _, c := range clients {
		for _, ref := range c.refs {
			for len(all) > 0 && w.taken(all[0]) == places {
				all = all[1:]
			}
			if len(all) == 0 {
				break
			}
			_, err := w.svc.Book(ctx, c.h, input(all[0], "fill "+string(ref), ref))
			if err != nil && !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		}
	}
	w.sweep()
	w.consistent()
	if n := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`); n != sessions*places {
		t.Errorf("%d of %d places filled", n, sessions*places)
	}
	t.Logf("%d crashes, %d slow steps, %d places filled under crashes", crashes.Load(), slow.Load(), filled)
}

func TestAblationOff(t *testing.T) {
	// In a normal build neither control can be switched off by the environment.
	t.Setenv("TIKAKOSH_ABLATE", "capacity,one-live-booking")
	w, ctx := newWorld(t), t.Context()
	s := w.open(1, 0)
	h, refs := w.household(1)
	if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); err != nil {
		t.Fatal(err)
	}
	st, err := w.store.Bind(ctx, scheduling.Appointment{Person: w.person(h, refs[0]), Hold: id.Hold(id.New()), Centre: s.Centre,
		Session: s.ID, Dose: 1, Programme: scheduling.DefaultProgramme})
	if err != nil || st != scheduling.None {
		t.Errorf("a second live booking: %v %v", st, err)
	}
}

// TestBookReadsTwice books while the vault finds a record behind its head once.
func TestBookReadsTwice(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(2, 0)
	h, refs := w.household(1)
	for _, left := range []int{1, 2} {
		n := left
		w.vault.Before = func(method string) error {
			if method == "Book" && n > 0 {
				n--
				return fault.New(fault.Integrity, "head", "behind")
			}
			return nil
		}
		_, err := w.svc.Book(ctx, h, input(s, fmt.Sprint(left), refs...))
		if want := map[int]string{1: "", 2: "integrity"}[left]; kind(err) != want {
			t.Errorf("%d times behind: %v", left, err)
		}
		if left == 1 {
			live, _ := w.vault.Live()
			if err := w.svc.Cancel(ctx, h, live[w.person(h, refs[0])], refs); err != nil {
				t.Fatal(err)
			}
		}
	}
	if w.taken(s) != 0 {
		t.Errorf("%d taken", w.taken(s))
	}
	w.vault.Before = nil
	w.sweep()
	w.consistent()
}

// TestCallerGoes cancels the caller's context in the middle of a refusal.
func TestCallerGoes(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := w.open(2, 0)
	h, refs := w.household(1)
	w.vault.Before = func(method string) error {
		if method == "Book" {
			cancel()
			return fault.New(fault.Invalid, "dose", "too early")
		}
		return nil
	}
	if _, err := w.svc.Book(ctx, h, input(s, "k", refs...)); kind(err) != "invalid" || w.taken(s) != 0 {
		t.Errorf("%v, %d taken", err, w.taken(s))
	}
}
