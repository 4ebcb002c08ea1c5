package scheduling_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// drawn is a session of so many places whose draw is held a day later, with
// entries of parties of one, two, three, one, … people.
type drawn struct {
	*world
	s       scheduling.Session
	drawer  *scheduling.Drawer
	size    int64 // of the newest checkpoint
	parties []party
}

type party struct {
	seeker
	refs    []id.Reference
	applied scheduling.Applied
}

const checkpointText = "test.example/ledger\n%d\nroot\n\n— signature\n"

func newDrawn(t *testing.T, places, parties int) *drawn {
	w := &drawn{world: newWorld(t)}
	w.s = session(centre(1), day(5), places, 0)
	w.s.DrawAt = start.Add(24 * time.Hour).UnixMilli()
	w.add(centre(1), w.s)
	w.drawer = scheduling.NewDrawer(w.svc, w.scatter, func() (string, int64, error) {
		return fmt.Sprintf(checkpointText, w.size), w.size, nil
	})
	for i := range parties {
		h, refs := w.household(1 + i%3)
		p := party{seeker: seeker{h, refs[0]}, refs: refs}
		a, err := w.svc.Apply(t.Context(), h, fresh(w.s, id.New(), refs...))
		if err != nil || a.Entry != i+1 || a.DrawAt != w.s.DrawAt {
			t.Fatalf("entry %d: %+v %v", i, a, err)
		}
		p.applied = a
		w.parties = append(w.parties, p)
	}
	return w
}

// hold runs the worker until the draw has ended.
func (w *drawn) hold() {
	w.t.Helper()
	w.clock.Add(24 * time.Hour)
	for range 20 {
		if v, err := w.svc.DrawOf(w.t.Context(), w.s.ID); err == nil && v.State == scheduling.DrawDone {
			return
		}
		n, err := w.drawer.Run(w.t.Context(), w.clock.Now())
		if err != nil && !errors.Is(err, scheduling.ErrStop) {
			w.t.Fatal(err)
		}
		if w.clock.Add(3 * time.Second); n == 1 {
			return
		}
		w.size += 4
		w.clock.Add(3 * time.Second) // a view is kept for two
	}
	w.t.Fatal("the draw does not end")
}

// recomputed is the draw as a stranger computes it from what is published,
// written down here anew.
func recomputed(t *testing.T, v scheduling.DrawView) []int {
	t.Helper()
	text := "tikakosh/draw/v1\n" + string(v.Session)
	for _, c := range v.Commitments {
		text += "\n" + c
	}
	digest := sha256.Sum256([]byte(text))
	if hex.EncodeToString(digest[:]) != v.Digest || len(v.Commitments) != v.Entries {
		t.Error("the published digest is not that of the published commitments")
	}
	seed := sha256.Sum256([]byte("tikakosh/draw-seed/v1\n" + v.Digest + "\n" + v.Checkpoint))
	if hex.EncodeToString(seed[:]) != v.Seed {
		t.Error("the published seed does not follow from digest and checkpoint")
	}
	type turn struct {
		key    string
		number int
	}
	var turns []turn
	for n := 1; n <= v.Entries; n++ {
		m := hmac.New(sha256.New, []byte(v.Seed))
		fmt.Fprint(m, n)
		turns = append(turns, turn{string(m.Sum(nil)), n})
	}
	sort.Slice(turns, func(i, j int) bool { return turns[i].key < turns[j].key })
	var order []int
	for _, x := range turns {
		order = append(order, x.number)
	}
	return order
}

// TestDraw enters thirty parties for twenty places and recomputes the draw.
func TestDraw(t *testing.T) {
	w := newDrawn(t, 20, 30)
	ctx := t.Context()
	first := w.parties[0]
	again, err := w.svc.Apply(ctx, first.h, fresh(w.s, id.New(), first.refs...))
	if err != nil || again != first.applied {
		t.Errorf("entered again: %+v %v", again, err)
	}
	couple := w.parties[1] // of two: one of them alone is another entry, and refused
	if _, err := w.svc.Apply(ctx, couple.h, fresh(w.s, id.New(), couple.refs[0])); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second entry of a person: %v", err)
	}
	if _, err := w.svc.Book(ctx, first.h, fresh(session(centre(1), day(6), 5, 0), "x", first.refs...)); err == nil {
		t.Error("a session that does not exist was booked")
	}
	// One withdraws.
	gone := w.parties[3]
	if err := w.svc.Cancel(ctx, gone.h, gone.applied.Hold, gone.refs); err != nil {
		t.Fatal(err)
	}
	if v, err := w.svc.DrawOf(ctx, w.s.ID); err != nil || v.State != scheduling.DrawOpen || v.Entries != 0 || v.Commitments != nil {
		t.Errorf("before the draw: %+v %v", v, err)
	}
	if n, err := w.drawer.Run(ctx, w.clock.Now()); n != 0 || err != nil || w.taken(w.s) != 0 {
		t.Errorf("drawn before its time: %d %v", n, err)
	}
	w.hold()
	v, err := w.svc.DrawOf(ctx, w.s.ID)
	if err != nil || v.State != scheduling.DrawDone || v.Entries != 31 {
		t.Fatalf("%+v %v", v, err)
	}
	order := recomputed(t, v)
	if !slices.Equal(order, v.Order) {
		t.Error("the published order is not the one that follows from the seed")
	}
	// Who got a place follows from the order: as long as the party fits.
	size := map[int]int{}
	for _, p := range w.parties {
		size[p.applied.Entry] = len(p.refs)
	}
	left, want := 20, []int{}
	for _, n := range order {
		if n == gone.applied.Entry || size[n] == 0 || size[n] > left {
			continue
		}
		left -= size[n]
		want = append(want, n)
	}
	slices.Sort(want)
	if !slices.Equal(want, v.Won) {
		t.Errorf("won %v, the order gives %v", v.Won, want)
	}
	for _, p := range w.parties {
		if v.Commitments[p.applied.Entry-1] != scheduling.Commitment(p.applied.Hold) {
			t.Error("an entry is not where it was told")
		}
		booked := len(w.held(p.h, p.refs[0])) == 1
		if booked != slices.Contains(v.Won, p.applied.Entry) {
			t.Errorf("entry %d: booked %v", p.applied.Entry, booked)
		}
	}
	w.sweep()
	w.consistent()
	if w.taken(w.s) != 20-left {
		t.Errorf("%d taken, %d left by the order", w.taken(w.s), left)
	}
	// Who lost may book elsewhere; what is left here goes in order of arrival.
	other := session(centre(2), day(5), 5, 0)
	w.add(centre(2), other)
	for _, p := range w.parties {
		if !slices.Contains(v.Won, p.applied.Entry) {
			if _, err := w.svc.Book(ctx, p.h, fresh(other, id.New(), p.refs[0])); err != nil {
				t.Errorf("a loser books elsewhere: %v", err)
			}
			break
		}
	}
	h, refs := w.household(3)
	if a, err := w.svc.Apply(ctx, h, fresh(w.s, id.New(), refs[:max(1, left)]...)); (err == nil) != (left > 0) || a.Entry != 0 {
		t.Errorf("after the draw, %d left: %+v %v", left, a, err)
	}
}

// TestDrawWaits: entries close at the time of the draw, and nothing is drawn
// before a checkpoint covers them.
func TestDrawWaits(t *testing.T) {
	w := newDrawn(t, 2, 4)
	ctx := t.Context()
	w.clock.Add(24 * time.Hour)
	h, refs := w.household(1)
	if _, err := w.svc.Apply(ctx, h, fresh(w.s, id.New(), refs...)); !fault.Is(err, fault.Conflict) {
		t.Errorf("entered too late: %v", err)
	}
	w.size = 7 // covers entries 0 to 6; the draw's is number 7
	for range 3 {
		if n, err := w.drawer.Run(ctx, w.clock.Now()); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	v, err := w.svc.DrawOf(ctx, w.s.ID)
	if err != nil || v.State != scheduling.DrawClosed || v.Digest == "" || v.Seed != "" || len(v.Commitments) != 4 || v.Won != nil {
		t.Errorf("%+v %v", v, err)
	}
	w.size = 8
	if n, err := w.drawer.Run(ctx, w.clock.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.clock.Add(3 * time.Second)
	if v, err = w.svc.DrawOf(ctx, w.s.ID); err != nil || v.Checkpoint != fmt.Sprintf(checkpointText, 8) {
		t.Errorf("%+v %v", v, err)
	}
	plain := w.open(1, 0)
	if _, err := w.svc.DrawOf(ctx, plain.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a session without a draw: %v", err)
	}
}

// TestDrawBreaks ends the worker after every step of the draw, and lets every
// transaction and every call of the vault fail once: the result is the one that
// the seed gives, all the same.
func TestDrawBreaks(t *testing.T) {
	t.Parallel()
	check := func(w *drawn, name string) {
		t.Helper()
		w.size = 8
		w.hold()
		v, err := w.svc.DrawOf(t.Context(), w.s.ID)
		if err != nil || v.State != scheduling.DrawDone {
			t.Fatalf("%s: %+v %v", name, v, err)
		}
		left := 4
		var want []int
		for _, n := range recomputed(t, v) {
			if k := len(w.parties[n-1].refs); k <= left {
				left -= k
				want = append(want, n)
			}
		}
		slices.Sort(want)
		if !slices.Equal(v.Won, want) || w.taken(w.s) != 4-left {
			t.Errorf("%s: won %v, want %v; %d taken", name, v.Won, want, w.taken(w.s))
		}
		w.sweep()
		w.consistent()
	}
	for n := 1; ; n++ {
		w := newDrawn(t, 4, 5)
		w.size = 8
		w.clock.Add(24 * time.Hour)
		left, at := n, ""
		w.svc.SetStep(func(point string) error {
			if left--; left == 0 {
				at = point
				return scheduling.ErrStop
			}
			return nil
		})
		_, _ = w.drawer.Run(t.Context(), w.clock.Now())
		w.svc.SetStep(none)
		if at == "" {
			break
		}
		w.clock.Add(-24 * time.Hour)
		check(w, "stopped at "+at)
	}
	for _, how := range []registrytest.Fault{registrytest.Failed, registrytest.Lost} {
		for n := 1; ; n++ {
			w := newDrawn(t, 4, 5)
			w.size = 8
			w.clock.Add(24 * time.Hour)
			w.db.FailAt(n, how)
			_, _ = w.drawer.Run(t.Context(), w.clock.Now())
			seen := w.db.Seen()
			w.db.FailAt(0, registrytest.NoFault)
			if seen < n {
				break
			}
			w.clock.Add(-24 * time.Hour)
			check(w, fmt.Sprintf("update %d of kind %d", n, how))
		}
	}
	for _, f := range []struct {
		err  error
		late bool
	}{{fault.New(fault.Unavailable, "vault", "down"), false}, {fault.New(fault.Unavailable, "vault", "down"), true},
		{fault.New(fault.Conflict, "record", "the record changed meanwhile; try again"), false}, {fault.New(fault.Internal, "x", "broken"), false}} {
		for n := 1; ; n++ {
			w := newDrawn(t, 4, 5)
			w.size = 8
			w.clock.Add(24 * time.Hour)
			calls := 0
			hook := func(string) error {
				if calls++; calls == n {
					return f.err
				}
				return nil
			}
			if f.late {
				w.vault.After = hook
			} else {
				w.vault.Before = hook
			}
			_, _ = w.drawer.Run(t.Context(), w.clock.Now())
			w.vault.Before, w.vault.After = nil, nil
			if calls < n {
				break
			}
			w.clock.Add(-24 * time.Hour)
			check(w, fmt.Sprintf("call %d, late %v, %v", n, f.late, f.err))
		}
	}
}

// TestDrawAskedAgain: an entry that stands is not lost because its people ask
// once more and are then refused: signed out, or too often today.
func TestDrawAskedAgain(t *testing.T) {
	w := newDrawn(t, 1, 1)
	p := w.parties[0]
	w.vault.Before = func(method string) error {
		if method == "Book" {
			return &fault.Error{Kind: fault.RateLimited, Code: "bound", RetryAfter: time.Hour}
		}
		return nil
	}
	if _, err := w.svc.Apply(t.Context(), p.h, fresh(w.s, id.New(), p.refs...)); !fault.Is(err, fault.RateLimited) {
		t.Fatalf("asked again too often: %v", err)
	}
	w.vault.Before = nil
	w.hold()
	if v, err := w.svc.DrawOf(t.Context(), w.s.ID); err != nil || len(v.Won) != 1 || w.taken(w.s) != 1 {
		t.Errorf("%d places taken, %+v %v", w.taken(w.s), v, err)
	}
}

// TestDrawRefusal: a real refusal ends an entry, and the place goes to the next in
// the order of the draw; a record that keeps changing holds the draw up and takes
// nobody's place.
func TestDrawRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		ends bool
	}{
		"not eligible": {fault.New(fault.Invalid, "DOSE0001", "too young"), true},
		"withdrawn":    {fault.New(fault.Conflict, vault.CodeHoldEnded, "ended"), true},
		"changing":     {fault.New(fault.Conflict, "record", "the record changed meanwhile; try again"), false},
		"version":      {fault.New(fault.Conflict, "version", "the row changed meanwhile"), false},
		"joining":      {fault.New(fault.Conflict, "merging", "try again"), false},
	} {
		w := newDrawn(t, 1, 1)
		for range 3 {
			h, refs := w.household(1)
			if _, err := w.svc.Apply(t.Context(), h, fresh(w.s, id.New(), refs...)); err != nil {
				t.Fatal(err)
			}
		}
		w.size = 8
		w.clock.Add(24 * time.Hour)
		calls := 0
		w.vault.Before = func(method string) error {
			if method != "Drawn" {
				return nil
			}
			if calls++; calls == 1 || !c.ends {
				return c.err
			}
			return nil
		}
		_, err := w.drawer.Run(t.Context(), w.clock.Now())
		if !c.ends {
			if !fault.Is(err, fault.Conflict) || w.taken(w.s) != 1 {
				t.Errorf("%s: %v, %d places taken", name, err, w.taken(w.s))
			}
			w.clock.Add(26 * time.Hour) // longer than any hold of an ordinary booking
			if _, err := w.sweeper.Sweep(t.Context(), w.clock.Now()); err != nil {
				t.Fatal(err)
			}
			w.vault.Before = nil
			_, err = w.drawer.Run(t.Context(), w.clock.Now())
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.clock.Add(3 * time.Second)
		v, err := w.svc.DrawOf(t.Context(), w.s.ID)
		if err != nil || v.State != scheduling.DrawDone || w.taken(w.s) != 1 || len(v.Won) != 1 {
			t.Fatalf("%s: %+v %v", name, v, err)
		}
		order := recomputed(t, v)
		want := order[0]
		if c.ends {
			want = order[1]
		}
		if v.Won[0] != want {
			t.Errorf("%s: won %v, in order %v", name, v.Won, order)
		}
	}
}
