package registrydb

import (
	"context"
	"database/sql"

	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/store/sqldb"
)

var (
	_ registry.InboxStore = (*People)(nil)
	_ registry.InboxQueue = (*Scatter)(nil)
)

const inboxColumns = `event, centre, person, sealed, received, state, attempts`

func scanInbox[R scanner](row R, w *registry.Written) error {
	return row.Scan((*string)(&w.Event), (*int64)(&w.Centre), (*string)(&w.Person), &w.Sealed, &w.Received, (*int)(&w.State), &w.Attempts)
}

// PutWritten implements registry.InboxStore.
func (s *People) PutWritten(ctx context.Context, w registry.Written, due int64) error {
	return s.update(ctx, "record dose", func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO inbox (event, centre, person, sealed, received, state, due, attempts, bucket)
			VALUES ($1, $2, $3, $4, $5, 1, $6, 0, $7) ON CONFLICT DO NOTHING`,
			string(w.Event), int64(w.Centre), string(w.Person), w.Sealed, w.Received, due, w.Centre.Bucket())
		return err
	})
}

// EndWritten implements registry.InboxStore.
func (s *People) EndWritten(ctx context.Context, c id.Centre, event id.Event, state registry.WrittenState) error {
	return s.update(ctx, "recorded dose", func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE inbox SET state = $1 WHERE event = $2 AND state IN (1, 3) AND bucket = $3`, int(state), string(event), c.Bucket())
		return err
	})
}

// DeferWritten implements registry.InboxStore.
func (s *People) DeferWritten(ctx context.Context, c id.Centre, event id.Event, due int64) error {
	return s.update(ctx, "recorded dose deferred", func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE inbox SET due = $1, attempts = attempts + 1 WHERE event = $2 AND state = 1 AND bucket = $3`, due, string(event), c.Bucket())
		return err
	})
}

// Written implements registry.InboxStore.
func (s *People) Written(ctx context.Context, c id.Centre, event id.Event) (registry.Written, error) {
	var w registry.Written
	err := s.view(ctx, "recorded dose", func(tx sqldb.Tx) error {
		err := scanInbox(tx.QueryRow(ctx, `SELECT `+inboxColumns+` FROM inbox WHERE event = $1 AND bucket = $2`, string(event), c.Bucket()), &w)
		if isNone(err) || (err == nil && w.Centre != c) {
			return missing("event")
		}
		return err
	})
	return w, err
}

// Unmatched implements registry.InboxStore.
func (s *People) Unmatched(ctx context.Context, c id.Centre, limit int) (out []registry.Written, err error) {
	err = s.view(ctx, "doses without a person", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, w *registry.Written) error { return scanInbox(r, w) },
			`SELECT `+inboxColumns+` FROM inbox WHERE centre = $1 AND state = 3 AND bucket = $2 ORDER BY received, event LIMIT $3`, int64(c), c.Bucket(), limit)
		return err
	})
	return out, err
}

// DueWritten implements registry.InboxQueue.
func (s *Scatter) DueWritten(ctx context.Context, now int64, limit int) (out []registry.Written, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "recorded doses", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, w *registry.Written) error { return scanInbox(r, w) },
			`SELECT `+inboxColumns+` FROM inbox WHERE state = 1 AND due <= $1 ORDER BY due, event LIMIT $2`, now, limit)
		return err
	})
	return out, err
}
