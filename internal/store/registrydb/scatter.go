package registrydb

import (
	"context"
	"database/sql"
	"encoding/json"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// auditPage is how many sealed parts one read of the audit brings.
const auditPage = 500

// Notes implements registry.Outbox.
func (s *Scatter) Notes(ctx context.Context, now int64, limit int) (out []registry.Note, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "notes", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, n *registry.Note) error {
			var payload string
			if err := r.Scan(&n.ID, (*string)(&n.Person), (*string)(&n.Kind), &payload, &n.Created, &n.Due, &n.Attempts); err != nil {
				return err
			}
			if decodeNote(n, payload) != nil {
				n.Kind = registry.NoteMalformed // the relay defers it, the others go on
			}
			return nil
		}, `SELECT id, owner, kind, payload, created, due, attempts FROM outbox
			WHERE kind <> $1 AND due <= $2 ORDER BY due, id LIMIT $3`, kindCancelled, now, limit)
		return err
	})
	return out, err
}

// CancelNotes implements scheduling.Overdue.
func (s *Scatter) CancelNotes(ctx context.Context, now int64, limit int) (out []scheduling.Note, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "cancel notes", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, n *scheduling.Note) error {
			var payload string
			if err := r.Scan(&n.ID, (*string)(&n.Person), &payload, &n.Created, &n.Due, &n.Attempts); err != nil {
				return err
			}
			var v cancelPayload
			if json.Unmarshal([]byte(payload), &v) != nil {
				return nil //nolint:nilerr // it names no hold: its owner defers it, the others go on
			}
			n.Hold, n.Centre, n.Session, n.Dose = id.Hold(v.Hold), id.Centre(v.Centre), id.Session(v.Session), v.Dose
			return nil
		}, `SELECT id, owner, payload, created, due, attempts FROM outbox
			WHERE kind = $1 AND due <= $2 ORDER BY due, id LIMIT $3`, kindCancelled, now, limit)
		return err
	})
	return out, err
}

// ExpiredHolds implements scheduling.Overdue.
func (s *Scatter) ExpiredHolds(ctx context.Context, now int64, cursor scheduling.Hold, limit int) (out []scheduling.Hold, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "expired holds", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, h *scheduling.Hold) error {
			return r.Scan((*string)(&h.ID), (*int64)(&h.Centre))
		}, `SELECT hold, centre FROM hold WHERE state = 1 AND expires < $1 AND (expires, hold) > ($2, $3)
			ORDER BY expires, hold LIMIT $4`, now, cursor.Expires, string(cursor.ID), limit)
		if err != nil {
			return err
		}
		for i := range out {
			if out[i], err = findHold(ctx, tx, out[i].Centre, out[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Centres implements scheduling.Listing.
func (s *Scatter) Centres(ctx context.Context, after id.Centre, limit int) (out []scheduling.Centre, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "centres", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, scanCentre[*sql.Rows],
			`SELECT `+centreColumns+` FROM centre WHERE centre > $1 ORDER BY centre LIMIT $2`, int64(after), limit)
		return err
	})
	return out, err
}

// Sessions implements scheduling.Listing.
func (s *Scatter) Sessions(ctx context.Context, from, until civil.Date, cursor scheduling.Session, limit int) (out []scheduling.Session, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "sessions", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, scanSession[*sql.Rows],
			`SELECT `+sessionColumns+` FROM session WHERE day >= $1 AND day <= $2 AND (day, session) > ($3, $4)
			 ORDER BY day, session LIMIT $5`, from.String(), until.String(), cursor.Day.String(), string(cursor.ID), limit)
		return err
	})
	return out, err
}

// ScatterSealed implements registry.Audit.
func (s *Scatter) ScatterSealed(ctx context.Context, fn func(registry.StoredPart) error) error {
	ctx = sqldb.Scatter(ctx)
	var at registry.StoredPart
	for {
		var page []registry.StoredPart
		err := s.view(ctx, "sealed parts", func(tx sqldb.Tx) (err error) {
			page, err = collect(ctx, tx, scanStored, `SELECT person, stored_at, seq, part, version, hash, body FROM sealed
				WHERE (person, seq) > ($1, $2) ORDER BY person, seq LIMIT $3`, string(at.Person), at.Seq, auditPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page {
			if err := fn(p); err != nil {
				return err
			}
		}
		if len(page) < auditPage {
			return nil
		}
		at = page[len(page)-1]
	}
}

func scanStored(r *sql.Rows, p *registry.StoredPart) error {
	var hash []byte
	if err := r.Scan((*string)(&p.Person), &p.StoredAt, &p.Seq, (*string)(&p.Part), &p.Version, &hash, &p.Body); err != nil {
		return err
	}
	if len(hash) != len(vault.Hash{}) {
		return fault.New(fault.Integrity, "hash", "a stored hash has the wrong length")
	}
	p.Hash = vault.Hash(hash)
	return nil
}
