package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// TestPostgresFailover: the first of the two servers in the URL ends while many
// write, the synchronous standby takes over, and the same handle goes on. Every
// acknowledged write is there, each once; what a COMMIT left open may be.
func TestPostgresFailover(t *testing.T) {
	if !pgtest.On() {
		return
	}
	one, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Stop)
	url := one.Empty(t)
	ddl := open1(t, url, Options{})
	err = ddl.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	two := one.Standby(t)
	side, serial := open1(t, pgtest.Both(url, two), Options{}), open1(t, pgtest.Both(url, two), Options{Serial: true})
	var acked sync.Map
	var next, unknown, refused atomic.Int64
	var last atomic.Int64 // when one was acknowledged
	var longest atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	last.Store(time.Now().UnixNano())
	var wg sync.WaitGroup
	for w := range 8 {
		db := []sqldb.DB{side, serial}[w%2]
		wg.Go(func() {
			for ctx.Err() == nil {
				id := int(next.Add(1))
				switch err := put(db, id, 1); {
				case err == nil:
					acked.Store(id, true)
					now := time.Now().UnixNano()
					if gap := now - last.Swap(now); gap > longest.Load() {
						longest.Store(gap)
					}
				case fault.Is(err, fault.Unknown):
					unknown.Add(1)
				case fault.Is(err, fault.Unavailable):
					refused.Add(1)
					time.Sleep(20 * time.Millisecond)
				default:
					t.Errorf("%v", err)
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	one.Down(t)
	time.Sleep(time.Second)
	two.Promote(t)
	time.Sleep(4 * time.Second)
	stop()
	ending := time.Now()
	wg.Wait()
	silent := ending.Sub(time.Unix(0, last.Load()))
	t.Logf("the last caller was answered %v after the end", time.Since(ending).Round(time.Millisecond))
	n, total := rows(t, side)
	count, missing := 0, 0
	there := map[int]bool{}
	err = side.View(t.Context(), func(tx sqldb.Tx) error {
		list, err := tx.Query(t.Context(), "SELECT id FROM counter LIMIT 1000000")
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var id int
			if err := list.Scan(&id); err != nil {
				return err
			}
			there[id] = true
		}
		return list.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	acked.Range(func(id, _ any) bool {
		count++
		if !there[id.(int)] {
			missing++
		}
		return true
	})
	t.Logf("%d acknowledged, %d missing; %d stored; %d unknown, %d refused; %v without an answer", count, missing, n, unknown.Load(), refused.Load(), time.Duration(longest.Load()).Round(time.Millisecond))
	if missing > 0 || n != total || int64(n-count) > unknown.Load() || count < 100 {
		t.Errorf("lost or doubled: %d acknowledged, %d missing, %d rows, sum %d", count, missing, n, total)
	}
	if silent > 3*time.Second {
		t.Errorf("nothing was stored for %v at the end", silent)
	}
}
