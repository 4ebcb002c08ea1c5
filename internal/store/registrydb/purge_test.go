package registrydb_test

import (
	"testing"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/registrytest"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
)

// TestPurge deletes old keys, ended holds and fences, and nothing that is live
// or young.
func TestPurge(t *testing.T) {
	db, ctx := registrytest.Open(t), t.Context()
	b, p := registrydb.NewBookings(db), enrolled(t, registrydb.NewPeople(db))
	scatter := registrydb.NewScatter(db)
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ms := func(days int) int64 { return now.AddDate(0, 0, -days).UnixMilli() }
	count := func(query string) int { return registrytest.Count(t, db, query) }
	if err := b.PutCentre(ctx, scheduling.Centre{ID: 7, Name: "A", PIN: "110001", Zone: "Asia/Kolkata"}); err != nil {
		t.Fatal(err)
	}
	for name, days := range map[string]int{"past": 8, "week": 7, "coming": -3} {
		s := scheduling.Session{ID: id.Session(name), Centre: 7, Day: civil.Of(now).AddDays(-days), Zone: "Asia/Kolkata", Programme: "P", Product: "X", Slots: []string{"a"}, Cap1: 9}
		if err := b.PutSession(ctx, s); err != nil {
			t.Fatal(err)
		}
		for _, st := range []string{"held", "confirmed", "released"} {
			h := scheduling.Hold{ID: id.Hold(name + st), Centre: 7, Session: s.ID, Dose: 1, Created: ms(40), Expires: ms(40), Persons: []id.Person{p}}
			if _, err := b.Hold(ctx, h); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Confirm(ctx, 7, id.Hold(name+"confirmed")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Release(ctx, 7, id.Hold(name+"released"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for key, days := range map[string]int{"1": 44, "2": 46} {
		long := key + "000000000000000000000000000000000000000000000000000000000000000"
		if _, err := b.Claim(ctx, "house", scheduling.Claim{Key: long, Body: "b", Hold: "h", At: ms(days)}, ""); err != nil {
			t.Fatal(err)
		}
	}
	for hold, days := range map[id.Hold]int{"old": 46, "young": 44} {
		if _, err := b.Fence(ctx, scheduling.Appointment{Person: p, Hold: hold, Dose: 1, Created: ms(days)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, st := range []scheduling.State{scheduling.Live, scheduling.Cancelled} {
		hold := id.Hold([]string{"live", "ended"}[i])
		if _, err := b.Bind(ctx, scheduling.Appointment{Person: p, Hold: hold, Dose: 1, Programme: string(hold), Created: ms(400), Day: civil.Of(now)}); err != nil {
			t.Fatal(err)
		}
		if st == scheduling.Cancelled {
			if _, err := b.Cancel(ctx, scheduling.Note{ID: "n", Person: p, Hold: hold}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, v := range []id.Session{"past", "past", "coming"} {
		e, err := b.Enter(ctx, 7, scheduling.Entry{Session: v, Hold: id.Hold([]string{"e0", "e1", "e2"}[i]), Dose: 1, Slot: "a", People: []id.Person{p, id.Person([]string{"x", "y", "z"}[i])}, Created: ms(9)})
		if err == nil && i != 1 { // the second waits still
			err = b.EndEntry(ctx, 7, v, e.Number, scheduling.NotDrawn)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := scatter.Purge(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM idempotency`:                  1,
		`SELECT COUNT(*) FROM hold`:                         7,
		`SELECT COUNT(*) FROM hold WHERE session = 'past'`:  1,
		`SELECT COUNT(*) FROM hold_place`:                   7,
		`SELECT COUNT(*) FROM appointment WHERE state = 9`:  1,
		`SELECT COUNT(*) FROM appointment WHERE state <> 9`: 2,
		`SELECT COUNT(*) FROM draw_entry`:                   3,
		`SELECT COUNT(*) FROM draw_entry WHERE people = ''`: 1,
	} {
		if n := count(query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	// The database itself refuses to delete an appointment.
	err := db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM appointment WHERE person = $1 AND bucket = $2`, string(p), p.Bucket())
		return err
	})
	if err == nil {
		t.Error("appointments can be deleted")
	}
}
