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
	_ registry.Elsewhere  = (*People)(nil)
)

const inboxColumns = `event, centre, person, sealed, received, state, attempts`

func scanInbox[R scanner](row R, w *registry.Written) error {
	return row.Scan((*string)(&w.Event), (*int64)(&w.Centre), (*string)(&w.Person), &w.Sealed, &w.Received, (*int)(&w.State), &w.Attempts)
}

// PutWritten implements registry.InboxStore.
func (s *People) PutWritten(ctx context.Context, w registry.Written, due int64) error {
	return s.update(ctx, "record dose", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO inbox (event, centre, person, sealed, received, state, due, attempts, bucket)
			VALUES ($1, $2, $3, $4, $5, 1, $6, 0, $7) ON CONFLICT DO NOTHING`,
			string(w.Event), int64(w.Centre), string(w.Person), w.Sealed, w.Received, due, w.Centre.Bucket())
	})
}

// EndWritten implements registry.InboxStore.
func (s *People) EndWritten(ctx context.Context, c id.Centre, event id.Event, state registry.WrittenState) error {
	return s.update(ctx, "recorded dose", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE inbox SET state = $1 WHERE event = $2 AND state IN (1, 3) AND bucket = $3`, int(state), string(event), c.Bucket())
	})
}

// DeferWritten implements registry.InboxStore.
func (s *People) DeferWritten(ctx context.Context, c id.Centre, event id.Event, due int64) error {
	return s.update(ctx, "recorded dose deferred", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE inbox SET due = $1, attempts = attempts + 1 WHERE event = $2 AND state = 1 AND bucket = $3`, due, string(event), c.Bucket())
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

// PutElsewhere implements registry.Elsewhere.
func (s *People) PutElsewhere(ctx context.Context, p registry.Pointer) error {
	return s.update(ctx, "dose of another centre", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO inbox_elsewhere (event, centre, typed, received, state, bucket) VALUES ($1, $2, $3, $4, 3, $5) ON CONFLICT DO NOTHING`,
			string(p.Event), int64(p.Centre), int64(p.Typed), p.Received, p.Centre.Bucket())
	})
}

// EndElsewhere implements registry.Elsewhere.
func (s *People) EndElsewhere(ctx context.Context, c id.Centre, event id.Event) error {
	return s.update(ctx, "dose of another centre", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE inbox_elsewhere SET state = 2 WHERE event = $1 AND centre = $2 AND bucket = $3`, string(event), int64(c), c.Bucket())
	})
}

// Elsewhere implements registry.Elsewhere.
func (s *People) Elsewhere(ctx context.Context, c id.Centre, event id.Event) (registry.Pointer, error) {
	p := registry.Pointer{Event: event, Centre: c}
	err := s.view(ctx, "dose of another centre", func(tx sqldb.Tx) error {
		err := tx.QueryRow(ctx, `SELECT typed, received FROM inbox_elsewhere WHERE event = $1 AND centre = $2 AND bucket = $3`,
			string(event), int64(c), c.Bucket()).Scan((*int64)(&p.Typed), &p.Received)
		if isNone(err) {
			return missing("event")
		}
		return err
	})
	return p, err
}

// ListElsewhere implements registry.Elsewhere.
func (s *People) ListElsewhere(ctx context.Context, c id.Centre, limit int) (out []registry.Pointer, err error) {
	err = s.view(ctx, "doses of other centres", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, p *registry.Pointer) error {
			p.Centre = c
			return r.Scan((*string)(&p.Event), (*int64)(&p.Typed), &p.Received)
		}, `SELECT event, typed, received FROM inbox_elsewhere WHERE centre = $1 AND state = 3 AND bucket = $2 ORDER BY received, event LIMIT $3`, int64(c), c.Bucket(), limit)
		return err
	})
	return out, err
}
