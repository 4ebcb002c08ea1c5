package scheduling_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// moving is two sessions at two centres and a party booked in the first.
func moving(t *testing.T, people, there int) (w *world, from, to scheduling.Session, h vault.Holder, refs []id.Reference, hold id.Hold) {
	w = newWorld(t)
	from, to = session(centre(1), day(5), 6, 0), session(centre(2), day(6), there, 0)
	w.add(centre(1), from)
	w.add(centre(2), to)
	h, refs = w.household(people)
	hold, err := w.svc.Book(t.Context(), h, fresh(from, "b", refs...))
	if err != nil {
		t.Fatal(err)
	}
	return w, from, to, h, refs, hold
}

func move(old id.Hold, to scheduling.Session, at string) scheduling.MoveInput {
	return scheduling.MoveInput{Old: old, Session: to.ID, Slot: at, Key: id.New(), Fresh: true}
}

// TestRescheduleRefused: what is refused leaves everything as it was.
func TestRescheduleRefused(t *testing.T) {
	w, from, to, h, refs, hold := moving(t, 2, 1)
	ctx := t.Context()
	stranger, _ := w.household(1)
	other := session(centre(1), day(7), 5, 0)
	other.Programme, other.Product = "YF", "STAMARIL"
	w.add(centre(1), other)
	for name, x := range map[string]struct {
		h    vault.Holder
		in   scheduling.MoveInput
		kind string
	}{
		"same session and slot": {h, move(hold, from, slot), "invalid"},
		"too few places":        {h, move(hold, to, slot), "full"},
		"no such slot":          {h, move(hold, to, "x"), "invalid"},
		"no such appointment":   {h, move(id.Hold(id.New()), to, slot), "not_found"},
		"another's":             {stranger, move(hold, to, slot), "not_found"},
		"no key":                {h, scheduling.MoveInput{Old: hold, Session: to.ID, Slot: slot}, "invalid"},
	} {
		if _, err := w.svc.Reschedule(ctx, x.h, x.in); kind(err) != x.kind {
			t.Errorf("%s: %v, want %s", name, err, x.kind)
		}
	}
	w.vault.Before = func(method string) error {
		if method == "Book" {
			return fault.New(fault.Invalid, "too_early", "not yet")
		}
		return nil
	}
	wide := session(centre(2), day(6), 5, 0)
	w.add(centre(2), wide)
	if _, err := w.svc.Reschedule(ctx, h, move(hold, wide, slot)); kind(err) != "invalid" {
		t.Errorf("the vault refuses: %v", err)
	}
	w.vault.Before = nil
	w.sweep()
	w.consistent()
	for _, ref := range refs {
		if as := w.held(h, ref); len(as) != 1 || as[0].Hold != hold {
			t.Errorf("%+v", as)
		}
	}
	if w.taken(from) != 2 || w.taken(to) != 0 || w.taken(wide) != 0 {
		t.Errorf("%d, %d, %d taken", w.taken(from), w.taken(to), w.taken(wide))
	}
	// Another slot of the same session, then the day itself.
	again, err := w.svc.Reschedule(ctx, h, move(hold, from, "11:00AM-01:00PM"))
	if err != nil || w.taken(from) != 2 {
		t.Errorf("another slot: %v, %d taken", err, w.taken(from))
	}
	w.clock.Add(time.Date(2026, 2, 4, 18, 31, 0, 0, time.UTC).Sub(w.clock.Now())) // the day has come in India
	if _, err := w.svc.Reschedule(ctx, h, move(again, wide, slot)); kind(err) != "invalid" {
		t.Errorf("on the day itself: %v", err)
	}
	w.sweep()
	w.consistent()
}

// TestRescheduleSome moves those who still have the appointment: one gave it up.
func TestRescheduleSome(t *testing.T) {
	w, from, to, h, refs, hold := moving(t, 3, 6)
	ctx := t.Context()
	if err := w.svc.Cancel(ctx, h, hold, refs[1:2]); err != nil {
		t.Fatal(err)
	}
	got, err := w.svc.Reschedule(ctx, h, move(hold, to, slot))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.held(h, refs[1])) != 0 || w.held(h, refs[0])[0].Hold != got || w.held(h, refs[2])[0].Hold != got {
		t.Error("not those who had it moved")
	}
	w.sweep()
	w.consistent()
	if w.taken(from) != 0 || w.taken(to) != 2 {
		t.Errorf("%d and %d taken", w.taken(from), w.taken(to))
	}
}

// TestRescheduleAndCancel stops a move of two after the first has moved; what the
// holder sees of the first is cancelled, or given, before the sweep. The second
// ends with one appointment, and the places are right.
func TestRescheduleAndCancel(t *testing.T) {
	for _, then := range []string{"cancel", "dose", "nothing"} {
		w, from, to, h, refs, hold := moving(t, 2, 6)
		ctx := t.Context()
		w.stop("move:after-person")
		if _, err := w.svc.Reschedule(ctx, h, move(hold, to, slot)); !errors.Is(err, scheduling.ErrStop) {
			t.Fatal(err)
		}
		w.svc.SetStep(none)
		var first, second id.Reference
		var got id.Hold
		for _, ref := range refs {
			if as := w.held(h, ref); as[0].Session == to.ID {
				first, got = ref, as[0].Hold
			} else {
				second = ref
			}
		}
		if first == "" || second == "" {
			t.Fatal("not one moved and one not")
		}
		switch then {
		case "cancel":
			if err := w.svc.Cancel(ctx, h, got, []id.Reference{first}); err != nil {
				t.Fatal(err)
			}
		case "dose":
			if err := w.people.RecordDose(ctx, vault.Signed{Proof: registrytest.StaffProof, Body: []byte(got)}, first); err != nil {
				t.Fatal(err)
			}
		}
		w.sweep()
		w.consistent()
		as := w.held(h, second)
		if len(as) != 1 || as[0].Hold != got {
			t.Errorf("%s: the second has %+v", then, as)
		}
		want := 2
		if then == "cancel" {
			want = 1
		}
		if w.taken(from) != 0 || w.taken(to) != want {
			t.Errorf("%s: %d and %d taken", then, w.taken(from), w.taken(to))
		}
	}
}

// TestRescheduleRace moves one appointment to two sessions at once, beside a
// cancellation: exactly one thing happens to it.
func TestRescheduleRace(t *testing.T) {
	t.Parallel()
	for round := range 30 {
		w, _, to, h, refs, hold := moving(t, 2, 6)
		third := session(centre(3), day(7), 6, 0)
		w.add(centre(3), third)
		if round%2 == 0 {
			w.shared()
		}
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				switch {
				case i < 4:
					_, _ = w.svc.Reschedule(t.Context(), h, move(hold, []scheduling.Session{to, third}[i%2], slot))
				case round%3 == 0:
					_ = w.svc.Cancel(t.Context(), h, hold, refs)
				}
			})
		}
		wg.Wait()
		w.sweep()
		w.consistent()
		n := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`)
		if n != 2 && (n != 0 || round%3 != 0) {
			t.Errorf("round %d: %d live appointments", round, n)
		}
	}
}

// TestRescheduleOne moves one of three under one number: the others keep their appointment,
// and can be moved afterwards; the same request again is the same move.
func TestRescheduleOne(t *testing.T) {
	w, from, to, h, refs, hold := moving(t, 3, 6)
	ctx := t.Context()
	in := move(hold, to, slot)
	in.Fresh, in.References = false, refs[1:2]
	got, err := w.svc.Reschedule(ctx, h, in)
	if err != nil || got == hold {
		t.Fatalf("%v %v", got, err)
	}
	if again, err := w.svc.Reschedule(ctx, h, in); err != nil || again != got {
		t.Errorf("again: %v %v", again, err)
	}
	in.References = refs[:1]
	if _, err := w.svc.Reschedule(ctx, h, in); kind(err) != "conflict" {
		t.Errorf("the same key for somebody else: %v", err)
	}
	w.sweep()
	w.consistent()
	for i, want := range []id.Hold{hold, got, hold} {
		if as := w.held(h, refs[i]); len(as) != 1 || as[0].Hold != want {
			t.Errorf("%d has %+v", i, as)
		}
	}
	if w.taken(from) != 2 || w.taken(to) != 1 {
		t.Errorf("%d and %d taken", w.taken(from), w.taken(to))
	}
	for name, refs := range map[string][]id.Reference{"who has moved": refs[1:2], "one who has and one who has not": refs[:2], "nobody of theirs": {"12345678901234"}, "twice": {refs[0], refs[0]}} {
		bad := move(hold, to, "11:00AM-01:00PM")
		bad.References = refs
		if _, err := w.svc.Reschedule(ctx, h, bad); kind(err) != "not_found" && kind(err) != "invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	rest, err := w.svc.Reschedule(ctx, h, move(hold, to, slot)) // everybody who is left
	if err != nil {
		t.Fatal(err)
	}
	w.sweep()
	w.consistent()
	if w.taken(from) != 0 || w.taken(to) != 3 || w.held(h, refs[0])[0].Hold != rest {
		t.Errorf("%d and %d taken", w.taken(from), w.taken(to))
	}
}

// TestFormer: what an appointment took the place of, and whether it is the same visit.
func TestFormer(t *testing.T) {
	w, from, to, h, refs, hold := moving(t, 2, 6)
	ctx := t.Context()
	former := func(ref id.Reference) []scheduling.Former {
		t.Helper()
		out, err := w.svc.Former(ctx, w.held(h, ref)[0])
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := former(refs[0]); len(got) != 0 {
		t.Errorf("never moved: %+v", got)
	}
	second, err := w.svc.Reschedule(ctx, h, move(hold, to, slot))
	if err != nil {
		t.Fatal(err)
	}
	third, err := w.svc.Reschedule(ctx, h, move(second, from, slot))
	if err != nil {
		t.Fatal(err)
	}
	if got := former(refs[0]); len(got) != 2 || got[0].Hold != second || got[1].Hold != hold || !got[0].Whole || !got[1].Whole || !got[0].Over || got[0].Session != to.ID {
		t.Errorf("moved twice: %+v", got)
	}
	alone := move(third, to, slot)
	alone.References = refs[:1]
	if _, err := w.svc.Reschedule(ctx, h, alone); err != nil {
		t.Fatal(err)
	}
	if got := former(refs[0]); len(got) != 3 || got[0].Hold != third || got[0].Whole || got[0].Over || !got[1].Whole {
		t.Errorf("one moved alone: %+v", got)
	}
	if _, err := w.svc.Reschedule(ctx, h, move(third, to, "11:00AM-01:00PM")); err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if got := former(ref); got[0].Hold != third || got[0].Whole || !got[0].Over {
			t.Errorf("the others moved after: %+v", got[0])
		}
	}
}
