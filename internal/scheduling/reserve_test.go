package scheduling_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/scheduling"
)

// lapse is after how long a hold that nobody confirmed is over.
const lapse = scheduling.ReserveTime + time.Minute + time.Second

// TestReserve: places are held while somebody confirms, all or none, and once; a second
// sending of either form changes nothing.
func TestReserve(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(4, 0)
	h, refs := w.household(4)
	in := input(s, "k", refs...)
	got, err := w.svc.Reserve(ctx, h, in)
	if err != nil || got.Until != w.clock.Now().Add(scheduling.ReserveTime).UnixMilli() || got.Booked || got.Place.ID != s.Centre || got.Offer.Slot != slot {
		t.Fatalf("%+v %v", got, err)
	}
	if again, err := w.svc.Reserve(ctx, h, in); err != nil || again.Hold != got.Hold || w.taken(s) != 4 {
		t.Errorf("sent twice: %+v %v, %d taken", again, err, w.taken(s))
	}
	if live, _ := w.vault.Live(); len(live) != 0 {
		t.Error("a hold is a booking")
	}
	stranger, theirs := w.household(1)
	if _, err := w.svc.Reserve(ctx, stranger, input(s, "k", theirs...)); !fault.Is(err, fault.Full) {
		t.Errorf("a fifth: %v", err)
	}
	if _, err := w.svc.Book(ctx, stranger, input(s, "b", theirs...)); !fault.Is(err, fault.Full) {
		t.Errorf("a fifth at once: %v", err)
	}
	w.clock.Add(scheduling.ReserveTime) // the last moment that was promised
	if _, err := w.sweeper.Sweep(ctx, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		booked, err := w.svc.Confirm(ctx, h, in)
		if err != nil || booked.Hold != got.Hold {
			t.Fatalf("%+v %v", booked, err)
		}
	}
	if again, err := w.svc.Reserve(ctx, h, in); err != nil || !again.Booked || again.Hold != got.Hold {
		t.Errorf("the first form again: %+v %v", again, err)
	}
	if _, err := w.svc.Reserve(ctx, h, input(s, "k", refs[0])); !fault.Is(err, fault.Conflict) {
		t.Errorf("the key for another party: %v", err)
	}
	w.sweep()
	w.consistent()
	if _, err := w.svc.Reserve(ctx, h, input(s, "other", refs[0])); fault.CodeOf(err) != "APPOIN0022" && !fault.Is(err, fault.Full) {
		t.Errorf("somebody who is booked: %v", err)
	}
}

// TestReserveEnds: what is given up, refused, replaced or forgotten is free again.
func TestReserveEnds(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	one, two := session(centre(1), day(5), 3, 0), session(centre(1), day(6), 3, 0)
	w.add(centre(1), one, two)
	h, refs := w.household(3)
	reserve := func(in scheduling.BookInput) error { _, err := w.svc.Reserve(ctx, h, in); return err }
	if err := reserve(input(one, "a", refs...)); err != nil || w.taken(one) != 3 {
		t.Fatalf("%v, %d taken", err, w.taken(one))
	}
	if err := reserve(input(two, "b", refs[:2]...)); err != nil || w.taken(one) != 0 || w.taken(two) != 2 {
		t.Errorf("the next one: %v, %d and %d taken", err, w.taken(one), w.taken(two))
	}
	for range 2 {
		if err := w.svc.LetGo(ctx, h); err != nil || w.taken(two) != 0 {
			t.Errorf("let go: %v, %d taken", err, w.taken(two))
		}
	}
	wrong := input(one, "c", refs...)
	wrong.Dose = 2
	var no *scheduling.Refusal
	if err := reserve(wrong); err == nil || w.taken(one) != 0 {
		t.Errorf("a second dose, no places for it: %v", err)
	}
	three := session(centre(1), day(7), 0, 3)
	w.add(centre(1), three)
	wrong.Session = three.ID
	if err := reserve(wrong); !errors.As(err, &no) || no.Chance.Code != "wrong_dose" || !fault.Is(err, fault.Invalid) || w.taken(three) != 0 {
		t.Errorf("refused by the rules: %v, %d taken", err, w.taken(three))
	}
	if err := reserve(input(one, "d", refs...)); err != nil {
		t.Fatal(err)
	}
	// What is full leaves the household the hold it had.
	stranger, theirs := w.household(3)
	if _, err := w.svc.Book(ctx, stranger, input(two, "x", theirs...)); err != nil {
		t.Fatal(err)
	}
	if err := reserve(input(two, "e", refs...)); !fault.Is(err, fault.Full) || w.taken(one) != 3 {
		t.Errorf("full: %v, %d taken", err, w.taken(one))
	}
	if err := reserve(input(three, "f", refs...)); !fault.Is(err, fault.Full) || w.taken(one) != 3 {
		t.Errorf("none of this dose: %v, %d taken", err, w.taken(one))
	}
	w.clock.Add(lapse)
	w.sweep()
	if w.taken(one) != 0 {
		t.Errorf("forgotten: %d taken", w.taken(one))
	}
	w.vault.Before = func(m string) error {
		if m == "Chances" {
			return fault.New(fault.Unauthorized, "bearer", "no session")
		}
		return nil
	}
	if err := reserve(input(one, "g", refs...)); !fault.Is(err, fault.Unauthorized) || w.taken(one) != 0 {
		t.Errorf("signed out meanwhile: %v, %d taken", err, w.taken(one))
	}
	w.vault.Before = nil
	w.consistent()
}

// TestConfirmAfterSweep: who confirms too late gets what is left, without asking again; a
// booking of the same people elsewhere is not made twice.
func TestConfirmAfterSweep(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(2, 0)
	h, refs := w.household(2)
	in := input(s, "k", refs...)
	first, err := w.svc.Reserve(ctx, h, in)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(lapse)
	w.sweep()
	late, err := w.svc.Confirm(ctx, h, in)
	if err != nil || late.Hold == first.Hold || w.taken(s) != 2 {
		t.Fatalf("%+v %v, %d taken", late, err, w.taken(s))
	}
	if err := w.svc.Cancel(ctx, h, late.Hold, refs); err != nil {
		t.Fatal(err)
	}
	again := input(s, "again", refs...)
	if _, err := w.svc.Reserve(ctx, h, again); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(lapse)
	w.sweep()
	stranger, theirs := w.household(1)
	if _, err := w.svc.Book(ctx, stranger, input(s, "x", theirs...)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Confirm(ctx, h, again); !fault.Is(err, fault.Full) || w.taken(s) != 1 {
		t.Errorf("lost: %v, %d taken", err, w.taken(s))
	}
	w.consistent()
}

// TestReserveBounds: holds that come to nothing are counted, those that are booked or looked
// at again are not, and after a while it starts anew.
func TestReserveBounds(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(20, 0)
	h, refs := w.household(2)
	for i := range 6 { // two times of one session, to and fro: one hold all the while
		in := input(s, fmt.Sprint("look", i), refs...)
		in.Slot = s.Slots[i%2]
		if _, err := w.svc.Reserve(ctx, h, in); err != nil || w.taken(s) != 2 {
			t.Fatalf("look %d: %v, %d taken", i, err, w.taken(s))
		}
	}
	for i := range 2 {
		w.clock.Add(lapse)
		if _, err := w.svc.Reserve(ctx, h, input(s, fmt.Sprint("k", i), refs...)); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	w.clock.Add(lapse)
	_, err := w.svc.Reserve(ctx, h, input(s, "one more", refs...))
	if !fault.Is(err, fault.RateLimited) || fault.RetryAfter(err) <= 0 || fault.RetryAfter(err) > 30*time.Minute {
		t.Errorf("a fourth within half an hour: %v", err)
	}
	w.sweep()
	if w.taken(s) != 0 {
		t.Errorf("%d taken", w.taken(s))
	}
	if _, err := w.svc.Book(ctx, h, input(s, "book", refs[0])); err != nil {
		t.Errorf("without a hold: %v", err)
	}
	w.clock.Add(31 * time.Minute)
	for i := range 5 { // booked and given up: the vault's own bounds count that
		in := input(s, fmt.Sprint("b", i), refs[1])
		if _, err := w.svc.Reserve(ctx, h, in); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		got, err := w.svc.Confirm(ctx, h, in)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.svc.Cancel(ctx, h, got.Hold, refs[1:]); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for ; n < 60; n++ { // session after session
		one := session(centre(1), day(5), 2, 0)
		w.add(centre(1), one)
		if _, err = w.svc.Reserve(ctx, h, input(one, fmt.Sprint("s", n), refs[1])); err != nil {
			break
		}
		if err := w.svc.LetGo(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if !fault.Is(err, fault.RateLimited) || n < 30 || n > 40 {
		t.Errorf("after %d holds: %v", n, err)
	}
	w.clock.Add(24 * time.Hour)
	if _, err := w.svc.Reserve(ctx, h, input(s, "tomorrow", refs[1])); err != nil {
		t.Errorf("tomorrow: %v", err)
	}
}

// TestReserveRace: 64 households for 5 places: five hold and book, nobody else does.
func TestReserveRace(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(5, 0)
	var won, lost atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		h, refs := w.household(1)
		all.Go(func() {
			in := input(s, "k", refs...)
			_, err := w.svc.Reserve(ctx, h, in)
			if err == nil {
				_, err = w.svc.Confirm(ctx, h, in)
			}
			switch {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Full):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 5 || lost.Load() != 59 || w.taken(s) != 5 {
		t.Errorf("%d won, %d lost, %d taken", won.Load(), lost.Load(), w.taken(s))
	}
	w.sweep()
	w.consistent()
}

// TestReserveHouseholdRace: one household that asks for many sessions at once is left with
// one hold.
func TestReserveHouseholdRace(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	var sessions []scheduling.Session
	for i := range 12 {
		sessions = append(sessions, session(centre(1), day(5+i), 6, 0))
	}
	w.add(centre(1), sessions...)
	h, refs := w.household(6)
	var all sync.WaitGroup
	for i, s := range sessions {
		all.Go(func() {
			_, err := w.svc.Reserve(ctx, h, input(s, fmt.Sprint("k", i), refs...))
			if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.RateLimited) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	held := 0
	for _, s := range sessions {
		held += w.taken(s)
	}
	if held != 6 {
		t.Errorf("%d places are held by one household of six", held)
	}
	if err := w.svc.LetGo(ctx, h); err != nil {
		t.Fatal(err)
	}
	w.sweep()
	w.consistent()
}

// TestReserveMove: the old places stay until the new ones are booked.
func TestReserveMove(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	from, to := session(centre(1), day(5), 2, 0), session(centre(2), day(6), 2, 0)
	w.add(centre(1), from)
	w.add(centre(2), to)
	h, refs := w.household(2)
	old, err := w.svc.Book(ctx, h, input(from, "k", refs...))
	if err != nil {
		t.Fatal(err)
	}
	in := scheduling.MoveInput{Old: old, Session: to.ID, Slot: slot, Key: "m"}
	if got, err := w.svc.ReserveMove(ctx, h, in); err != nil || got.Until == 0 || w.taken(from) != 2 || w.taken(to) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if err := w.svc.LetGo(ctx, h); err != nil || w.taken(to) != 0 || w.taken(from) != 2 {
		t.Fatalf("let go: %v, %d and %d taken", err, w.taken(from), w.taken(to))
	}
	live, _ := w.vault.Live()
	for _, hold := range live {
		if hold != old {
			t.Error("the old appointment is not the live one")
		}
	}
	held, err := w.svc.ReserveMove(ctx, h, in)
	if err != nil || w.taken(to) != 2 {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := w.svc.ConfirmMove(ctx, h, in); err != nil || got != held.Hold || w.taken(from) != 0 || w.taken(to) != 2 {
			t.Fatalf("%v %v, %d and %d taken", got, err, w.taken(from), w.taken(to))
		}
	}
	if again, err := w.svc.ReserveMove(ctx, h, in); err != nil || !again.Booked {
		t.Errorf("%+v %v", again, err)
	}
	w.sweep()
	w.consistent()
}
