package scheduling_test

import (
	"sync"
	"testing"

	"tikakosh/internal/id"
	"tikakosh/internal/store/sqldb"
)

// BenchmarkRush is the registry's and the service's part of completed bookings
// of one session, 128 people at a time, over a vault in memory.
func BenchmarkRush(b *testing.B) {
	w := newWorld(b)
	w.db.DB = sqldb.Unwrap(w.db.DB) // without the checker
	s := w.open(1_000_000, 0)
	all := w.crowd(b.N)
	w.shared()
	b.ResetTimer()
	var wg sync.WaitGroup
	gate := make(chan struct{}, 128)
	for _, p := range all {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if _, err := w.svc.Apply(b.Context(), p.h, fresh(s, id.New(), p.ref)); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}
