package registrydb

import (
	"context"
	"database/sql"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

var (
	_ scheduling.WishStore = (*Bookings)(nil)
	_ scheduling.AllWishes = (*Scatter)(nil)
)

const wishColumns = `household, wish, district, pin, dose, product, until`

func scanWish(r *sql.Rows, w *scheduling.Wish) error {
	return r.Scan((*string)(&w.Household), &w.ID, &w.District, &w.PIN, &w.Dose, &w.Product, &w.Until)
}

// PutWish implements scheduling.WishStore.
func (s *Bookings) PutWish(ctx context.Context, w scheduling.Wish) error {
	return s.update(ctx, "wish", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO wish (`+wishColumns+`, bucket) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (household, wish, bucket) DO NOTHING`,
			string(w.Household), w.ID, w.District, w.PIN, w.Dose, w.Product, w.Until, w.Household.Bucket())
	})
}

// Wishes implements scheduling.WishStore.
func (s *Bookings) Wishes(ctx context.Context, h id.Household) (out []scheduling.Wish, err error) {
	err = s.view(ctx, "wishes", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, scanWish, `SELECT `+wishColumns+` FROM wish WHERE household = $1 AND until > 0 AND bucket = $2 ORDER BY until DESC, wish LIMIT 10`, string(h), h.Bucket())
		return err
	})
	return out, err
}

// DropWish implements scheduling.WishStore.
func (s *Bookings) DropWish(ctx context.Context, h id.Household, wish string) error {
	return s.update(ctx, "unwish", func(tx sqldb.Tx) error {
		if sqldb.KeepsRows(s.db) {
			return write(ctx, tx, `UPDATE wish SET until = 0 WHERE household = $1 AND wish = $2 AND bucket = $3`, string(h), wish, h.Bucket())
		}
		return write(ctx, tx, `DELETE FROM wish WHERE household = $1 AND wish = $2 AND bucket = $3`, string(h), wish, h.Bucket())
	})
}

// LiveWishes implements scheduling.AllWishes.
func (s *Scatter) LiveWishes(ctx context.Context, now int64, cursor scheduling.Wish, limit int) (out []scheduling.Wish, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "live wishes", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, scanWish, `SELECT `+wishColumns+` FROM wish WHERE until > $1 AND (household, wish) > ($2, $3) ORDER BY household, wish LIMIT $4`,
			now, string(cursor.Household), cursor.ID, limit)
		return err
	})
	return out, err
}
