package scheduling_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
)

// counted counts the rows a feed brings, and fails while down.
type counted struct {
	scheduling.Feed
	rows atomic.Int64
	down atomic.Bool
}

func (c *counted) SessionsChanged(ctx context.Context, after int64, limit int) ([]scheduling.ChangedSession, error) {
	if c.down.Load() {
		return nil, fault.New(fault.Unavailable, "test", "down")
	}
	out, err := c.Feed.SessionsChanged(ctx, after, limit)
	c.rows.Add(int64(len(out)))
	return out, err
}

func (c *counted) CentresChanged(ctx context.Context, after int64, limit int) ([]scheduling.ChangedCentre, error) {
	out, err := c.Feed.CentresChanged(ctx, after, limit)
	c.rows.Add(int64(len(out)))
	return out, err
}

// other is the picture of another process over the same database.
func (w *world) other() (*scheduling.Availability, *counted) {
	w.t.Helper()
	scatter := registrydb.NewScatter(w.db)
	a := scheduling.NewAvailability(scatter, 30, w.clock.Now, slog.New(slog.DiscardHandler))
	f := &counted{Feed: scatter}
	if err := a.LoadFrom(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
	return a, f
}

func (w *world) catchUp(a *scheduling.Availability, f scheduling.Feed) {
	w.t.Helper()
	if err := a.CatchUp(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// TestFeedTellsOthers: what one process does, the picture of another shows
// after one look, for every kind of change; and a look reads what changed.
func TestFeedTellsOthers(t *testing.T) {
	w := newWorld(t)
	s := w.open(3, 2)
	for n := 2; n < 60; n++ {
		w.add(centre(n), session(centre(n), day(5), 1, 1))
	}
	a, f := w.other()
	look := func(what string, rows int64, want string) {
		t.Helper()
		f.rows.Store(0)
		w.catchUp(a, f)
		if got := f.rows.Load(); got != rows {
			t.Errorf("%s: the look read %d rows, want %d", what, got, rows)
		}
		if got := fmt.Sprint(names(a.CalendarByCentre(900001, day(5), ""))); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	area := a.Ask(scheduling.Question{By: scheduling.ByPIN, Key: 999001, Day: day(5), Days: 1}).Area
	elsewhere := a.Ask(scheduling.Question{By: scheduling.ByPIN, Key: 999002, Day: day(5), Days: 1}).Area
	before, still := area.Version(), elsewhere.Version()
	look("nothing", 0, "[1 05-02-2026 COVISHIELD 3+2]")
	if area.Version() != before {
		t.Error("a look at nothing changed a version")
	}
	h, refs := w.household(2)
	hold, err := w.svc.Book(t.Context(), h, input(s, "k", refs...))
	if err != nil {
		t.Fatal(err)
	}
	look("booking", 1, "[1 05-02-2026 COVISHIELD 1+2]")
	if area.Version() == before || elsewhere.Version() != still {
		t.Error("a booking changes the version of its own areas and of no other")
	}
	if err := w.svc.Cancel(t.Context(), h, hold, refs[:1]); err != nil {
		t.Fatal(err)
	}
	look("cancellation", 1, "[1 05-02-2026 COVISHIELD 2+2]")
	// A hold left behind is swept.
	h2, refs2 := w.household(1)
	if _, err := w.store.Hold(t.Context(), scheduling.Hold{ID: "left", Centre: 900001, Session: s.ID, Dose: 2, State: scheduling.Holding,
		Created: w.clock.Now().UnixMilli(), Expires: w.clock.Now().UnixMilli() + 1, Persons: []id.Person{w.person(h2, refs2[0])}}); err != nil {
		t.Fatal(err)
	}
	look("hold", 1, "[1 05-02-2026 COVISHIELD 2+1]")
	w.sweep()
	look("sweep", 1, "[1 05-02-2026 COVISHIELD 2+2]")
	s.Cap1 = 10
	if err := w.svc.AddSessions(t.Context(), []scheduling.Session{s}); err != nil {
		t.Fatal(err)
	}
	look("new terms", 1, "[1 05-02-2026 COVISHIELD 9+2]")
	more := session(centre(1), day(6), 4, 4)
	if err := w.svc.AddSessions(t.Context(), []scheduling.Session{more}); err != nil {
		t.Fatal(err)
	}
	look("new session", 1, "[1 05-02-2026 COVISHIELD 9+2 1 06-02-2026 COVISHIELD 4+4]")
	moved := centre(1)
	moved.PIN, moved.Name = "999009", "Moved"
	if err := w.svc.AddCentres(t.Context(), []scheduling.Centre{moved}); err != nil {
		t.Fatal(err)
	}
	look("moved centre", 1, "[1 05-02-2026 COVISHIELD 9+2 1 06-02-2026 COVISHIELD 4+4]")
	if got := names(a.FindByPIN("999001", day(6), "")); len(got) != 0 {
		t.Errorf("the old PIN still finds %v", got)
	}
	if got := a.FindByPIN("999009", day(6), ""); len(got) != 1 || got[0].Centre.Name != "Moved" {
		t.Errorf("the new PIN finds %v", names(got))
	}
}

// TestOwnActsShowAtOnce: the acting process need not wait for the feed, and
// the feed does not count its act twice.
func TestOwnActsShowAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.open(5, 0)
	f := &counted{Feed: registrydb.NewScatter(w.db)}
	if err := w.avail.LoadFrom(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	h, refs := w.household(3)
	for i, ref := range refs {
		// The feed may be read between the commit and the note of it: then the
		// next look puts it right.
		if _, err := w.svc.Book(t.Context(), h, input(s, fmt.Sprint(i), ref)); err != nil {
			t.Fatal(err)
		}
		want := 5 - i - 1
		for look := range 3 {
			if got := w.avail.FindByPIN("999001", day(5), "")[0].Sessions[0]; got.Available1 != want || got.Taken1 != i+1 {
				t.Errorf("booking %d, look %d: %d free, want %d", i, look, got.Available1, want)
			}
			w.catchUp(w.avail, f)
		}
	}
	w.avail.AddForTest(s.ID, 1, 1) // as if the feed had told it before the act was noted
	w.catchUp(w.avail, f)
	if got := w.avail.FindByPIN("999001", day(5), "")[0].Sessions[0]; got.Available1 != 2 {
		t.Errorf("an act counted twice stays: %d free", got.Available1)
	}
	// While the database is down own acts stay noted.
	w.avail.AddForTest(s.ID, 1, 1)
	f.down.Store(true)
	if err := w.avail.CatchUp(t.Context(), f); err == nil {
		t.Error("no error")
	}
	if got := w.avail.FindByPIN("999001", day(5), "")[0].Sessions[0]; got.Available1 != 1 {
		t.Errorf("with the feed down %d free", got.Available1)
	}
	f.down.Store(false)
	w.catchUp(w.avail, f)
	if got := w.avail.FindByPIN("999001", day(5), "")[0].Sessions[0]; got.Available1 != 2 {
		t.Errorf("afterwards %d free", got.Available1)
	}
}

// TestFeedIsLoad does random acts; a picture that followed the feed must be
// the picture that a fresh load gives.
func TestFeedIsLoad(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	a, f := w.other()
	var all []scheduling.Session
	for step := range 300 {
		n := 1 + r.IntN(12)
		switch r.IntN(4) {
		case 0:
			c := centre(n)
			c.DistrictID, c.PIN = 9000+r.IntN(3), fmt.Sprintf("99900%d", r.IntN(3))
			if err := w.svc.AddCentres(t.Context(), []scheduling.Centre{c}); err != nil {
				t.Fatal(err)
			}
		case 1:
			s := session(centre(n), day(1+r.IntN(20)), r.IntN(5), r.IntN(5))
			if err := w.svc.AddSessions(t.Context(), []scheduling.Session{s}); err == nil {
				all = append(all, s)
			} else if !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
		case 2:
			if len(all) > 0 {
				s := &all[r.IntN(len(all))]
				s.Day, s.Cap1, s.Product = day(1+r.IntN(20)), r.IntN(9), []string{"COVAXIN", "COVISHIELD"}[r.IntN(2)]
				if err := w.svc.AddSessions(t.Context(), []scheduling.Session{*s}); err != nil {
					t.Fatal(err)
				}
			}
		default:
			if len(all) > 0 {
				s := all[r.IntN(len(all))]
				_, err := w.store.Hold(t.Context(), scheduling.Hold{ID: id.Hold(id.New()), Centre: s.Centre, Session: s.ID, Dose: 1 + r.IntN(2), State: scheduling.Holding,
					Created: 1, Expires: 2, Persons: []id.Person{id.Person(id.New())}})
				if err != nil && !fault.Is(err, fault.Full) {
					t.Fatal(err)
				}
			}
		}
		if r.IntN(3) > 0 {
			continue
		}
		w.catchUp(a, f)
		b, _ := w.other()
		for d := 1; d <= 20; d++ {
			for x := range 3 {
				if g, want := a.CalendarByDistrict(9000+x, day(d), ""), b.CalendarByDistrict(9000+x, day(d), ""); !reflect.DeepEqual(g, want) {
					t.Fatalf("step %d, district %d, day %d:\n%v\n%v", step, x, d, names(g), names(want))
				}
				pin := fmt.Sprintf("99900%d", x)
				if g, want := a.FindByPIN(pin, day(d), "COVAXIN"), b.FindByPIN(pin, day(d), "COVAXIN"); !reflect.DeepEqual(g, want) {
					t.Fatalf("step %d, pin %s, day %d", step, pin, d)
				}
			}
		}
		if err := a.LoadFrom(t.Context(), f); r.IntN(5) == 0 && err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnswerHolds: an answer names its version and until when it is right.
func TestAnswerHolds(t *testing.T) {
	w := newWorld(t)
	w.open(1, 1)
	q := scheduling.Question{By: scheduling.ByPIN, Key: 999001, Day: day(5), Days: 1, Free: true}
	first := w.avail.Ask(q)
	closes := time.Date(2026, 2, 5, 9, 30, 0, 0, time.UTC) // 15:00 in India
	if first.Area == nil || first.Version != first.Area.Version() || !first.Until.Equal(closes) || len(first.List) != 1 {
		t.Errorf("%+v", first)
	}
	w.clock.Add(closes.Sub(start))
	if late := w.avail.Ask(q); len(late.List) != 0 || !late.Until.IsZero() {
		t.Errorf("%+v", late)
	}
	for _, q := range []scheduling.Question{{By: scheduling.ByPIN, Key: 1, Day: day(5), Days: 1}, {By: scheduling.ByPIN, Key: 999001, Day: day(5).AddDays(60), Days: 7},
		{By: scheduling.ByPIN, Key: 999001, Day: day(5).AddDays(-60), Days: 7}} {
		if got := w.avail.Ask(q); got.Area != nil || got.List == nil || len(got.List) != 0 {
			t.Errorf("%+v: %+v", q, got)
		}
	}
}

// TestFollow runs two processes' pictures on one database file, each over a
// connection of its own.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	one, two := openWorld(t, path), openWorld(t, path)
	s := one.open(50, 0)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for _, w := range []*world{one, two} {
		go func() {
			w.avail.Follow(ctx, registrydb.NewScatter(w.db), 100*time.Millisecond, time.Hour)
			done <- struct{}{}
		}()
	}
	defer func() { stop(); <-done; <-done }()
	see := func(w *world, want int) {
		t.Helper()
		begin := time.Now()
		for {
			got := w.avail.FindByPIN("999001", day(5), "")
			if len(got) == 1 && got[0].Sessions[0].Available1 == want {
				break
			}
			if time.Since(begin) > time.Second {
				t.Fatalf("after a second %v, want %d free", names(got), want)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	see(two, 50)
	h, refs := one.household(6)
	for i, ref := range refs {
		if _, err := one.svc.Book(t.Context(), h, input(s, fmt.Sprint(i), ref)); err != nil {
			t.Fatal(err)
		}
		see(two, 50-i-1)
		see(one, 50-i-1)
	}
}
