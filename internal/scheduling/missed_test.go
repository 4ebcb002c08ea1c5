package scheduling_test

import (
	"testing"
	"time"

	"tikakosh/internal/scheduling"
)

// TestMissedAppointment books again after a day nobody came on.
func TestMissedAppointment(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	first, second := session(centre(1), day(5), 2, 0), session(centre(1), day(9), 2, 0)
	w.add(centre(1), first, second)
	h, refs := w.household(1)
	old, err := w.svc.Book(ctx, h, fresh(first, "a", refs...))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(time.Date(2026, 2, 5, 18, 29, 0, 0, time.UTC).Sub(w.clock.Now())) // 23:59 in India
	if len(w.held(h, refs[0])) != 1 {
		t.Error("missed a minute before the day was over")
	}
	if _, err := w.svc.Book(ctx, h, fresh(second, "b", refs...)); kind(err) != "conflict" {
		t.Errorf("two live ones: %v", err)
	}
	w.clock.Add(2 * time.Minute)
	if as := w.held(h, refs[0]); len(as) != 0 {
		t.Errorf("a missed appointment is shown: %+v", as)
	}
	now, err := w.svc.Book(ctx, h, fresh(second, "c", refs...))
	if err != nil || now == old {
		t.Fatalf("after a missed one: %v", err)
	}
	as := w.held(h, refs[0])
	if len(as) != 1 || as[0].Hold != now || as[0].State != scheduling.Live {
		t.Errorf("%+v", as)
	}
	if n := w.count(`SELECT COUNT(*) FROM appointment WHERE state = 1`); n != 1 {
		t.Errorf("%d live rows", n)
	}
	w.sweep()
	if w.taken(second) != 1 {
		t.Errorf("%d taken", w.taken(second))
	}
}
