package registrydb

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// purgePage is how many rows of a kind one look brings and one call deletes at
// the most.
const purgePage = 500

// owned is a row to delete: its key and bucket.
type owned struct {
	key, more string
	bucket    int
}

func scanOwned(r *sql.Rows, o *owned) error { return r.Scan(&o.key, &o.more, &o.bucket) }

var _ scheduling.Purger = (*Scatter)(nil)

// Purge implements scheduling.Purger. It finds rows across all buckets and
// deletes each bucket's in a transaction of its own; a row that is live, or has
// become so since, is not deleted.
func (s *Scatter) Purge(ctx context.Context, now time.Time) (n int, err error) {
	keysBefore := now.Add(-scheduling.KeepKeys).UnixMilli()
	daysBefore := civil.Of(now.UTC()).AddDays(-scheduling.KeepHoldDays).String()
	fencesBefore := now.Add(-scheduling.KeepFences).UnixMilli()
	reservesBefore := now.Add(-scheduling.KeepReserves).UnixMilli()
	for _, kind := range []struct {
		find   string
		args   []any
		remove func(tx sqldb.Tx, o owned) error
	}{
		{`SELECT key, '', bucket FROM idempotency WHERE created < $1 ORDER BY created LIMIT $2`, []any{keysBefore, purgePage},
			func(tx sqldb.Tx, o owned) error {
				return write(ctx, tx, `DELETE FROM idempotency WHERE key = $1 AND created < $2 AND bucket = $3`, o.key, keysBefore, o.bucket)
			}},
		{`SELECT hold, '', bucket FROM hold WHERE state IN (2, 3) AND EXISTS
			(SELECT 1 FROM session WHERE session.session = hold.session AND session.bucket = hold.bucket AND session.day < $1) LIMIT $2`,
			[]any{daysBefore, purgePage},
			func(tx sqldb.Tx, o owned) error {
				err := write(ctx, tx, `DELETE FROM hold_place WHERE hold = $1 AND bucket = $2`, o.key, o.bucket)
				if err != nil {
					return err
				}
				return write(ctx, tx, `DELETE FROM hold WHERE hold = $1 AND state <> 1 AND bucket = $2`, o.key, o.bucket)
			}},
		{`SELECT person, hold, bucket FROM appointment WHERE state = 9 AND created < $1 ORDER BY created LIMIT $2`, []any{fencesBefore, purgePage},
			func(tx sqldb.Tx, o owned) error {
				return write(ctx, tx, `DELETE FROM appointment WHERE person = $1 AND hold = $2 AND state = 9 AND bucket = $3`, o.key, o.more, o.bucket)
			}},
		{`SELECT household, '', bucket FROM reserve WHERE since < $1 ORDER BY since LIMIT $2`, []any{reservesBefore, purgePage},
			func(tx sqldb.Tx, o owned) error {
				return write(ctx, tx, `DELETE FROM reserve WHERE household = $1 AND since < $2 AND bucket = $3`, o.key, reservesBefore, o.bucket)
			}},
		// A draw stays published by number; who had which number is forgotten.
		{`SELECT session, CAST(number AS TEXT), bucket FROM draw_entry WHERE people <> '' AND state <> 1 AND EXISTS
			(SELECT 1 FROM session WHERE session.session = draw_entry.session AND session.bucket = draw_entry.bucket AND session.day < $1) LIMIT $2`,
			[]any{daysBefore, purgePage},
			func(tx sqldb.Tx, o owned) error {
				number, err := strconv.Atoi(o.more)
				if err != nil {
					return err
				}
				return write(ctx, tx, `UPDATE draw_entry SET people = '' WHERE session = $1 AND number = $2 AND state <> 1 AND bucket = $3`, o.key, number, o.bucket)
			}},
	} {
		var rows []owned
		all := sqldb.Scatter(ctx)
		err := s.view(all, "purge", func(tx sqldb.Tx) (err error) {
			rows, err = collect(all, tx, scanOwned, kind.find, kind.args...)
			return err
		})
		if err != nil {
			return n, err
		}
		buckets := map[int][]owned{}
		for _, o := range rows {
			buckets[o.bucket] = append(buckets[o.bucket], o)
		}
		for _, list := range buckets {
			err := s.update(ctx, "purge", func(tx sqldb.Tx) error {
				for _, o := range list {
					if err := kind.remove(tx, o); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return n, err
			}
			n += len(list)
		}
	}
	return n, nil
}
