package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/internal/store/sqldb"
)

// BenchmarkUpdate inserts one row per call: with group commit, and as the
// measure for it with one plain transaction per call on one connection.
func BenchmarkUpdate(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
		plain   bool
	}{{"1", 1, false}, {"1/plain", 1, true}, {"64", 64, false}, {"64/plain", 64, true}, {"512", 512, false}} {
		b.Run(c.name, func(b *testing.B) {
			db := open(b, Options{})
			call := func(i int) error { return put(db, i, 1) }
			if c.plain {
				d := db.(*database)
				h, err := sql.Open("sqlite", dsn(d.path, d.opt, migrating))
				must(b, err)
				b.Cleanup(func() { h.Close() })
				h.SetMaxOpenConns(1)
				call = func(i int) error { return plainPut(h, i) }
			}
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range c.callers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := call(int(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func plainPut(h *sql.DB, i int) error {
	t, err := h.Begin()
	if err != nil {
		return err
	}
	if _, err := t.Exec("INSERT INTO counter (id, n) VALUES ($1, $2)", i, 1); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Commit()
}

// BenchmarkView reads one row by its key.
func BenchmarkView(b *testing.B) {
	db := open(b, Options{})
	must(b, put(db, 1, 1))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.View(context.Background(), func(tx sqldb.Tx) error {
				var n int
				return tx.QueryRow(context.Background(), "SELECT n FROM counter WHERE id = $1", 1).Scan(&n)
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
