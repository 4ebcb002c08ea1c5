package registrydb_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/registrydb"
)

// BenchmarkPostgresFeed takes places of 200 sessions from 16 callers on 16
// connections, each batch a transaction, with the change feed and without: what its
// counter costs, on a server that syncs.
//
//	TIKAKOSH_PG=1 go test -run xxx -bench PostgresFeed ./internal/store/registrydb
func BenchmarkPostgresFeed(b *testing.B) {
	if !pgtest.On() {
		b.Fatal("set TIKAKOSH_PG=1")
	}
	server, err := pgtest.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Stop)
	url := server.Empty(b)
	db, err := postgres.Open(b.Context(), url, postgres.Options{Name: "bench", Connections: 16})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if err := postgres.Migrate(b.Context(), db, registry.Postgres()); err != nil {
		b.Fatal(err)
	}
	books, ctx := registrydb.NewBookings(db), context.Background()
	const sessions = 200
	for i := range sessions {
		c := id.Centre(1000 + i)
		v := scheduling.Session{ID: id.Session(fmt.Sprint("s", i)), Centre: c, Day: civil.Date{Year: 2026, Month: 2, Day: 5}, Zone: "Asia/Kolkata",
			Programme: "P", Product: "X", Slots: []string{"a"}, Cap1: 1 << 30}
		if err := books.PutCentre(ctx, scheduling.Centre{ID: c, Name: "T", PIN: "999001", Zone: "Asia/Kolkata"}); err != nil {
			b.Fatal(err)
		}
		if err := books.PutSession(ctx, v); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	run := func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := int(next.Add(1))
				c := id.Centre(1000 + i%sessions)
				h := scheduling.Hold{ID: id.Hold(fmt.Sprint("h", i)), Centre: c, Dose: 1, Created: 1, Expires: 1 << 40, Persons: []id.Person{id.Person(fmt.Sprint("p", i))}}
				if _, err := books.HoldMany(ctx, c, id.Session(fmt.Sprint("s", i%sessions)), []scheduling.HoldAsk{{Hold: h}}); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	}
	b.Run("feed", run)
	if err := pgtest.Do(url, "ALTER TABLE session DISABLE TRIGGER session_changes"); err != nil {
		b.Fatal(err)
	}
	b.Run("none", run)
}
