package registrydb_test

import (
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
)

// opened stores centre 7 with session "s".
func opened(t *testing.T, db sqldb.DB, cap1, cap2 int) *registrydb.Bookings {
	t.Helper()
	b := registrydb.NewBookings(db)
	if err := b.PutCentre(t.Context(), scheduling.Centre{ID: 7, Name: "T", PIN: "999001", Zone: "Asia/Kolkata"}); err != nil {
		t.Fatal(err)
	}
	s := scheduling.Session{ID: "s", Centre: 7, Day: civil.Date{Year: 2026, Month: 2, Day: 5}, Zone: "Asia/Kolkata", Programme: "P", Product: "X",
		Slots: []string{"a"}, Cap1: cap1, Cap2: cap2}
	if err := b.PutSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := b.PutSessionPlace(t.Context(), "s", 7); err != nil {
		t.Fatal(err)
	}
	return b
}

func held(h id.Hold, dose int, people ...id.Person) scheduling.Hold {
	return scheduling.Hold{ID: h, Centre: 7, Session: "s", Dose: dose, State: scheduling.Holding, Created: 1, Expires: 10, Persons: people}
}

func TestHoldLife(t *testing.T) {
	db := registrytest.Open(t)
	b, ctx := opened(t, db, 3, 1), t.Context()
	taken := func(one, two int) {
		t.Helper()
		s, err := b.Session(ctx, "s")
		if err != nil || s.Taken1 != one || s.Taken2 != two {
			t.Errorf("taken %d+%d, want %d+%d, %v", s.Taken1, s.Taken2, one, two, err)
		}
	}
	for range 2 { // the second time it is there
		if h, err := b.Hold(ctx, held("h1", 1, "p1", "p2")); err != nil || h.State != scheduling.Holding || len(h.Persons) != 2 {
			t.Fatal(h, err)
		}
		taken(2, 0)
	}
	if _, err := b.Hold(ctx, held("h2", 1, "p3", "p4")); kind(err) != "full" {
		t.Error(err)
	}
	if h, err := b.FindHold(ctx, 7, "h2"); err != nil || h.State != scheduling.NoHold {
		t.Errorf("a refused hold is stored: %+v %v", h, err)
	}
	if _, err := b.Hold(ctx, held("h3", 3, "p3")); err != nil {
		t.Error(err)
	}
	taken(2, 1)
	overdue, err := registrydb.NewScatter(db).ExpiredHolds(ctx, 11, scheduling.Hold{}, 10)
	if err != nil || len(overdue) != 2 || len(overdue[0].Persons)+len(overdue[1].Persons) != 3 {
		t.Errorf("%+v %v", overdue, err)
	}
	if overdue, _ := registrydb.NewScatter(db).ExpiredHolds(ctx, 10, scheduling.Hold{}, 10); len(overdue) != 0 {
		t.Error("a hold lives to its last millisecond")
	}
	if err := b.Confirm(ctx, 7, "h1"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Release(ctx, 7, "h1", nil); n != 0 || err != nil {
		t.Errorf("a confirmed hold released: %d %v", n, err)
	}
	for _, want := range []bool{true, false} {
		if ok, err := b.Return(ctx, 7, "h1", "p1"); ok != want || err != nil {
			t.Errorf("return %v %v", ok, err)
		}
		taken(1, 1)
	}
	if ok, err := b.Return(ctx, 7, "h1", "stranger"); ok || err != nil {
		t.Error("a place nobody had came back")
	}
	for _, want := range []int{1, 0} {
		if n, err := b.Release(ctx, 7, "h3", nil); n != want || err != nil {
			t.Errorf("release %d %v", n, err)
		}
		taken(1, 0)
	}
	if err := b.Confirm(ctx, 7, "h3"); err != nil {
		t.Fatal(err)
	}
	if h, _ := b.FindHold(ctx, 7, "h3"); h.State != scheduling.Released {
		t.Error("a released hold was confirmed")
	}
}

func TestReleaseAfterReturn(t *testing.T) {
	b, ctx := opened(t, registrytest.Open(t), 2, 0), t.Context()
	if _, err := b.Hold(ctx, held("h", 1, "p1", "p2")); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.Return(ctx, 7, "h", "p2"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n, err := b.Release(ctx, 7, "h", nil); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if ok, _ := b.Return(ctx, 7, "h", "p1"); ok {
		t.Error("one place came back twice")
	}
	if s, _ := b.Session(ctx, "s"); s.Taken1 != 0 {
		t.Errorf("%d taken", s.Taken1)
	}
}

func TestBindFenceCancel(t *testing.T) {
	db := registrytest.Open(t)
	b, ctx := registrydb.NewBookings(db), t.Context()
	p := enrolled(t, registrydb.NewPeople(db))
	app := func(h id.Hold) scheduling.Appointment {
		return scheduling.Appointment{Person: p, Hold: h, Centre: 7, Session: "s", Programme: "P", Dose: 1, Created: 3}
	}
	bind := func(h id.Hold, want scheduling.State) {
		t.Helper()
		if st, err := b.Bind(ctx, app(h)); err != nil || st != want {
			t.Errorf("bind %s: %v %v", h, st, err)
		}
	}
	fence := func(h id.Hold, want scheduling.State) {
		t.Helper()
		if st, err := b.Fence(ctx, app(h)); err != nil || st != want {
			t.Errorf("fence %s: %v %v", h, st, err)
		}
	}
	cancel := func(h id.Hold, want scheduling.State) {
		t.Helper()
		a, err := b.Cancel(ctx, scheduling.Note{ID: id.NewOrdered(), Person: p, Hold: h, Due: 5})
		if err != nil || a.State != want || a.Hold != h {
			t.Errorf("cancel %s: %+v %v", h, a, err)
		}
	}
	fence("late", scheduling.Fenced)
	bind("late", scheduling.Fenced)
	bind("one", scheduling.Live)
	bind("one", scheduling.Live)
	bind("two", scheduling.None)
	fence("one", scheduling.Live)
	cancel("one", scheduling.Cancelled)
	cancel("one", scheduling.Cancelled)
	cancel("never", scheduling.Fenced)
	bind("one", scheduling.Cancelled)
	bind("two", scheduling.Live)
	if _, err := b.Undo(ctx, p, "two"); err != nil {
		t.Fatal(err)
	}
	bind("two", scheduling.Fenced)
	bind("three", scheduling.Live)
	as, err := b.Appointments(ctx, p)
	if err != nil || len(as) != 1 || as[0].Hold != "three" || as[0].Person != p {
		t.Errorf("%+v %v", as, err)
	}
	sc := registrydb.NewScatter(db)
	notes, err := sc.CancelNotes(ctx, 5, 10)
	if err != nil || len(notes) != 1 || notes[0].Hold != "one" || notes[0].Centre != 7 || notes[0].Session != "s" || notes[0].Dose != 1 || notes[0].Person != p {
		t.Fatalf("%+v %v", notes, err)
	}
	if other, err := sc.Notes(ctx, 5, 10); err != nil || len(other) != 1 || other[0].Kind != registryKind {
		t.Errorf("the registry's notes: %+v %v", other, err)
	}
	if err := b.DeferNote(ctx, notes[0], 8); err != nil {
		t.Fatal(err)
	}
	if left, _ := sc.CancelNotes(ctx, 7, 10); len(left) != 0 {
		t.Error("a deferred note is due")
	}
	if err := b.DoneNote(ctx, notes[0]); err != nil {
		t.Fatal(err)
	}
	if left, _ := sc.CancelNotes(ctx, 99, 10); len(left) != 0 {
		t.Error("a done note is there")
	}
}

const registryKind = "sealed"

func TestClaims(t *testing.T) {
	b, ctx := registrydb.NewBookings(registrytest.Open(t)), t.Context()
	h := id.Household(id.New())
	const key = "0123456789012345678901234567890123456789012345678901234567890123"
	for _, c := range []struct {
		name      string
		hold, old id.Hold
		body      string
		want      id.Hold
	}{
		{"first", "a", "", "x", "a"},
		{"another try", "b", "", "x", "a"},
		{"another body", "b", "a", "y", "a"},
		{"after release", "b", "a", "x", "b"},
		{"after release, too late", "c", "a", "x", "b"},
	} {
		got, err := b.Claim(ctx, h, scheduling.Claim{Key: key, Hold: c.hold, Body: c.body, At: 1}, c.old)
		if err != nil || got.Hold != c.want || got.Body != "x" {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
		if found, err := b.Claimed(ctx, h, key); err != nil || found != got {
			t.Errorf("%s: found %+v %v", c.name, found, err)
		}
	}
	if got, err := b.Claimed(ctx, id.Household(id.New()), key); err != nil || got.Hold != "" {
		t.Errorf("another household's key: %+v %v", got, err)
	}
}
