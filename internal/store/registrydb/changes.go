package registrydb

import (
	"context"
	"database/sql"

	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

var _ scheduling.Feed = (*Scatter)(nil)

// numbered reads the change number behind the columns that scan knows.
type numbered struct {
	*sql.Rows
	seq *int64
}

// Scan implements scanner.
func (n numbered) Scan(dest ...any) error { return n.Rows.Scan(append(dest, n.seq)...) }

// Newest implements scheduling.Feed.
func (s *Scatter) Newest(ctx context.Context) (m scheduling.Mark, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "newest change", func(tx sqldb.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(changed), 0) FROM centre`).Scan(&m.Centre); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT COALESCE(MAX(changed), 0) FROM session`).Scan(&m.Session)
	})
	return m, err
}

// CentresChanged implements scheduling.Feed.
func (s *Scatter) CentresChanged(ctx context.Context, after int64, limit int) (out []scheduling.ChangedCentre, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "centres changed", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, c *scheduling.ChangedCentre) error {
			return scanCentre(numbered{r, &c.Seq}, &c.Centre)
		}, `SELECT `+centreColumns+`, changed FROM centre WHERE changed > $1 ORDER BY changed, centre LIMIT $2`, after, limit)
		return err
	})
	return out, err
}

// SessionsChanged implements scheduling.Feed.
func (s *Scatter) SessionsChanged(ctx context.Context, after int64, limit int) (out []scheduling.ChangedSession, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "sessions changed", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, v *scheduling.ChangedSession) error {
			return scanSession(numbered{r, &v.Seq}, &v.Session)
		}, `SELECT `+sessionColumns+`, changed FROM session WHERE changed > $1 ORDER BY changed, session LIMIT $2`, after, limit)
		return err
	})
	return out, err
}
