package registrydb_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// suite are the tests that run on PostgreSQL too, as the worker's user.
func suite() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"TestElsewhere": TestElsewhere, "TestSealedParts": TestSealedParts, "TestAuditPages": TestAuditPages, "TestMembers": TestMembers, "TestReferences": TestReferences,
		"TestNotes": TestNotes, "TestWhatIsStoredStays": TestWhatIsStoredStays, "TestListingPages": TestListingPages, "TestClosedDatabase": TestClosedDatabase,
		"TestHoldLife": TestHoldLife, "TestReleaseAfterReturn": TestReleaseAfterReturn, "TestBindFenceCancel": TestBindFenceCancel, "TestClaims": TestClaims,
		"TestPurge": TestPurge, "TestReports": TestReports,
	}
}

func TestPostgres(t *testing.T) { pgtest.Run(t, pgtest.Suite{Run: suite()}) }

// TestPostgresWeb runs the suite as the web role's user, who deletes nothing;
// what only the worker does is left out.
func TestPostgresWeb(t *testing.T) {
	if !pgtest.On() {
		return
	}
	for name, fn := range suite() {
		if name != "TestPurge" && name != "TestReports" {
			t.Run(name, fn)
		}
	}
}

// racing runs a function for each of n on w goroutines.
func racing(n, w int, fn func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range w {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				fn(int(i))
			}
		})
	}
	wg.Wait()
}

// TestPostgresSideBySide: what SQLite's one writer keeps apart holds where
// transactions run side by side. Each case races two acts of which one must
// see the other.
func TestPostgresSideBySide(t *testing.T) {
	if !pgtest.On() {
		return
	}
	t.Run("cases", func(t *testing.T) {
		db := sqldb.Unwrap(registrytest.OpenPostgres(t))
		people, books, ctx := registrydb.NewPeople(db), registrydb.NewBookings(db), t.Context()
		both := func(a, b func()) {
			var wg sync.WaitGroup
			wg.Go(a)
			wg.Go(b)
			wg.Wait()
		}
		fail := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		racing(60, 4, func(i int) { // a cancellation and a late binding: never both
			p := enrolled(t, people)
			a := scheduling.Appointment{Person: p, Hold: "h", Programme: "P", Dose: 1, Day: civil.Date{Year: 2026, Month: 2, Day: 2}}
			both(func() { _, err := books.Bind(ctx, a); fail(err) },
				func() {
					_, err := books.Cancel(ctx, scheduling.Note{ID: id.NewOrdered(), Person: p, Hold: "h", Created: 1, Due: 1})
					fail(err)
				})
			if got, err := books.Appointment(ctx, p, "h"); err != nil || got.State == scheduling.Live {
				t.Errorf("live after its cancellation: %+v %v", got, err)
			}
		})
		racing(60, 4, func(i int) { // the same write of two processes: stored once, nobody refused
			p := enrolled(t, people)
			w := registry.Write{Person: p, Parts: []vault.Sealed{part(2, "dose/a", 1, "two"), part(3, "dose/b", 1, "three")}, At: 9}
			w.Note = note(p)
			other := w
			other.Note = note(p)
			both(func() { fail(people.Store(ctx, w)) }, func() { fail(people.Store(ctx, other)) })
		})
		b := opened(t, db, 1, 0)
		v, err := b.Session(ctx, "s")
		fail(err)
		for i := range 20 { // entries and the closing of a draw: all that are there are counted
			v.ID = id.Session(fmt.Sprint("draw", i))
			fail(b.PutSession(ctx, v))
			both(func() {
				racing(6, 3, func(n int) {
					_, err := b.Enter(ctx, v.Centre, scheduling.Entry{Session: v.ID, Hold: id.Hold(fmt.Sprint("h", n)), Dose: 1, People: []id.Person{id.Person(fmt.Sprint("p", n))}})
					if err != nil && !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
				})
			}, func() {
				fail(b.PutDraw(ctx, v.Centre, scheduling.Draw{Session: v.ID, State: scheduling.DrawClosed, Closed: 1}))
			})
			all, err := b.Entries(ctx, v.Centre, v.ID)
			fail(err)
			if d, err := b.FindDraw(ctx, v.Centre, v.ID); err != nil || d.Entries != len(all) {
				t.Errorf("%d entries, %d in the digest, %v", len(all), d.Entries, err)
			}
		}
	})
}

// TestPostgresFeed: whoever follows the change feed while many write sees every
// change: numbers grow in the order of commits.
func TestPostgresFeed(t *testing.T) {
	if !pgtest.On() {
		return
	}
	db := sqldb.Unwrap(registrytest.OpenPostgres(t))
	b, sc, ctx := opened(t, db, 1, 0), registrydb.NewScatter(db), t.Context()
	v, err := b.Session(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		racing(300, 8, func(i int) {
			v := v
			v.ID = id.Session(fmt.Sprint("f", i))
			if err := b.PutSession(ctx, v); err != nil {
				t.Error(err)
			}
		})
		done.Store(true)
	})
	seen, mark := map[id.Session]bool{}, int64(0)
	for last := false; ; {
		page, err := sc.SessionsChanged(ctx, mark, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			seen[c.ID], mark = true, c.Seq
		}
		if len(page) == 0 && last {
			break
		}
		last = done.Load()
	}
	wg.Wait()
	if len(seen) != 301 {
		t.Errorf("%d of 301 changes seen", len(seen))
	}
}
