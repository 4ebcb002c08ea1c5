package registrydb

import (
	"context"
	"sync"

	"tikakosh/internal/store/sqldb"
)

// tidyAtOnce is how many buckets Tidy works on side by side.
const tidyAtOnce = 8

// Tidy deletes the rows that were marked as done with by who may not delete
// them, a page of each kind, and returns how many those were. Where everybody
// deletes for himself it finds nothing.
func (s *Scatter) Tidy(ctx context.Context) (n int, err error) {
	for _, kind := range []struct {
		find string
		arg  int64
		drop func(tx sqldb.Tx, o owned) error
	}{
		{`SELECT id, '', bucket FROM outbox WHERE due >= $1 ORDER BY due, id LIMIT $2`, doneDue, func(tx sqldb.Tx, o owned) error {
			return write(ctx, tx, `DELETE FROM outbox WHERE id = $1 AND due >= $2 AND bucket = $3`, o.key, doneDue, o.bucket)
		}},
		{`SELECT household, wish, bucket FROM wish WHERE until = $1 ORDER BY until LIMIT $2`, 0, func(tx sqldb.Tx, o owned) error {
			return write(ctx, tx, `DELETE FROM wish WHERE household = $1 AND wish = $2 AND until = 0 AND bucket = $3`, o.key, o.more, o.bucket)
		}},
	} {
		var rows []owned
		all := sqldb.Scatter(ctx)
		err := s.view(all, "tidy", func(tx sqldb.Tx) (err error) {
			rows, err = collect(all, tx, scanOwned, kind.find, kind.arg, purgePage)
			return err
		})
		if err == nil {
			err = s.dropEach(ctx, rows, kind.drop)
		}
		if err != nil {
			return n, err
		}
		n += len(rows)
	}
	return n, nil
}

// dropEach deletes rows, each bucket's in a transaction of its own.
func (s *Scatter) dropEach(ctx context.Context, rows []owned, drop func(sqldb.Tx, owned) error) error {
	buckets := map[int][]owned{}
	for _, o := range rows {
		buckets[o.bucket] = append(buckets[o.bucket], o)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	room := make(chan struct{}, tidyAtOnce)
	for _, list := range buckets {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			err := s.update(ctx, "tidy", func(tx sqldb.Tx) error {
				for _, o := range list {
					if err := drop(tx, o); err != nil {
						return err
					}
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return first
}
