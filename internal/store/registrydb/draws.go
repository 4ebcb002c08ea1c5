package registrydb

import (
	"context"
	"database/sql"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

var _ scheduling.DueDraws = (*Scatter)(nil)

const entryColumns = `session, number, hold, dose, slot, people, state, created`

func scanEntry[R scanner](row R, e *scheduling.Entry) error {
	var people string
	err := row.Scan((*string)(&e.Session), &e.Number, (*string)(&e.Hold), &e.Dose, &e.Slot, &people, (*int)(&e.State), &e.Created)
	for p := range strings.SplitSeq(people, "\n") {
		e.People = append(e.People, id.Person(p))
	}
	return err
}

func peopleText(people []id.Person) string {
	out := make([]string, len(people))
	for i, p := range people {
		out[i] = string(p)
	}
	return strings.Join(out, "\n")
}

// holdSession holds the row of a session until the transaction ends, by an
// update that changes nothing: entering a draw and closing it exclude each
// other where the engine lets transactions run side by side.
func holdSession(ctx context.Context, tx sqldb.Tx, c id.Centre, v id.Session) error {
	return write(ctx, tx, `UPDATE session SET draw_at = draw_at WHERE session = $1 AND bucket = $2`, string(v), c.Bucket())
}

// Enter implements scheduling.DrawStore. That entries are closed is read in the
// transaction that stores the entry: none comes after the digest.
func (s *Bookings) Enter(ctx context.Context, c id.Centre, e scheduling.Entry) (out scheduling.Entry, err error) {
	bucket := c.Bucket()
	err = s.update(ctx, "enter", func(tx sqldb.Tx) error {
		out = e
		if err := holdSession(ctx, tx, c, e.Session); err != nil {
			return err
		}
		d, err := findDraw(ctx, tx, c, e.Session)
		if err != nil {
			return err
		}
		if d.State != scheduling.DrawOpen {
			return fault.New(fault.Conflict, "draw", "the entries for this session's draw are closed; the result will be published")
		}
		var was scheduling.Entry
		err = scanEntry(tx.QueryRow(ctx, `SELECT `+entryColumns+` FROM draw_entry WHERE session = $1 AND people = $2 AND state = 1 AND bucket = $3`,
			string(e.Session), peopleText(e.People), bucket), &was)
		if err == nil {
			out = was
			return nil
		}
		if !isNone(err) {
			return err
		}
		var last int
		err = tx.QueryRow(ctx, `SELECT COALESCE(MAX(number), 0) FROM draw_entry WHERE session = $1 AND bucket = $2`, string(e.Session), bucket).Scan(&last)
		if err != nil {
			return err
		}
		if last >= scheduling.MaxEntries {
			return fault.New(fault.Full, "draw", "too many have entered this draw")
		}
		out.Number = last + 1
		return write(ctx, tx, `INSERT INTO draw_entry (`+entryColumns+`, bucket) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8)`,
			string(e.Session), out.Number, string(e.Hold), e.Dose, e.Slot, peopleText(e.People), e.Created, bucket)
	})
	return out, err
}

func entries(ctx context.Context, tx sqldb.Tx, c id.Centre, s id.Session) ([]scheduling.Entry, error) {
	return collect(ctx, tx, func(r *sql.Rows, e *scheduling.Entry) error { return scanEntry(r, e) },
		`SELECT `+entryColumns+` FROM draw_entry WHERE session = $1 AND bucket = $2 ORDER BY number LIMIT $3`,
		string(s), c.Bucket(), scheduling.MaxEntries)
}

// Entries implements scheduling.DrawStore.
func (s *Bookings) Entries(ctx context.Context, c id.Centre, v id.Session) (out []scheduling.Entry, err error) {
	err = s.view(ctx, "entries", func(tx sqldb.Tx) (err error) {
		out, err = entries(ctx, tx, c, v)
		return err
	})
	return out, err
}

func findDraw(ctx context.Context, tx sqldb.Tx, c id.Centre, v id.Session) (scheduling.Draw, error) {
	d := scheduling.Draw{Session: v}
	err := tx.QueryRow(ctx, `SELECT state, entries, digest, receipt, place, checkpoint, seed, closed, drawn FROM draw WHERE session = $1 AND bucket = $2`,
		string(v), c.Bucket()).Scan((*int)(&d.State), &d.Entries, &d.Digest, &d.Receipt, &d.Place, &d.Checkpoint, &d.Seed, &d.Closed, &d.Drawn)
	if isNone(err) {
		return scheduling.Draw{Session: v}, nil
	}
	return d, err
}

// FindDraw implements scheduling.DrawStore.
func (s *Bookings) FindDraw(ctx context.Context, c id.Centre, v id.Session) (d scheduling.Draw, err error) {
	err = s.view(ctx, "draw", func(tx sqldb.Tx) (err error) {
		d, err = findDraw(ctx, tx, c, v)
		return err
	})
	return d, err
}

// PutDraw implements scheduling.DrawStore. The entries are counted and digested
// in the transaction that closes them.
func (s *Bookings) PutDraw(ctx context.Context, c id.Centre, d scheduling.Draw) error {
	bucket := c.Bucket()
	return s.update(ctx, "put draw", func(tx sqldb.Tx) error {
		if err := holdSession(ctx, tx, c, d.Session); err != nil {
			return err
		}
		was, err := findDraw(ctx, tx, c, d.Session)
		if err != nil {
			return err
		}
		switch {
		case was.State == scheduling.DrawOpen:
			all, err := entries(ctx, tx, c, d.Session)
			if err != nil {
				return err
			}
			commitments := make([]string, len(all))
			for i, e := range all {
				commitments[i] = scheduling.Commitment(e.Hold)
			}
			return write(ctx, tx, `INSERT INTO draw (session, state, entries, digest, receipt, place, checkpoint, seed, closed, drawn, bucket)
				VALUES ($1, 1, $2, $3, '', -1, '', '', $4, 0, $5)`,
				string(d.Session), len(all), scheduling.DrawDigest(d.Session, commitments), d.Closed, bucket)
		case was.State == scheduling.DrawClosed && was.Place < 0 && d.Place >= 0:
			return write(ctx, tx, `UPDATE draw SET receipt = $1, place = $2 WHERE session = $3 AND place < 0 AND bucket = $4`,
				d.Receipt, d.Place, string(d.Session), bucket)
		case was.State == scheduling.DrawClosed && d.State == scheduling.DrawSeeded:
			return write(ctx, tx, `UPDATE draw SET state = 2, checkpoint = $1, seed = $2 WHERE session = $3 AND state = 1 AND bucket = $4`,
				d.Checkpoint, d.Seed, string(d.Session), bucket)
		case was.State == scheduling.DrawSeeded && d.State == scheduling.DrawDone:
			return write(ctx, tx, `UPDATE draw SET state = 3, drawn = $1 WHERE session = $2 AND state = 2 AND bucket = $3`,
				d.Drawn, string(d.Session), bucket)
		}
		return nil
	})
}

// EndEntry implements scheduling.DrawStore.
func (s *Bookings) EndEntry(ctx context.Context, c id.Centre, v id.Session, number int, how scheduling.EntryState) error {
	return s.update(ctx, "end entry", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE draw_entry SET state = $1 WHERE session = $2 AND number = $3 AND state = 1 AND bucket = $4`,
			int(how), string(v), number, c.Bucket())
	})
}

// DueDraws implements scheduling.DueDraws.
func (s *Scatter) DueDraws(ctx context.Context, now int64, limit int) (out []scheduling.Session, err error) {
	ctx = sqldb.Scatter(ctx)
	err = s.view(ctx, "due draws", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, scanSession[*sql.Rows], `SELECT `+sessionColumns+` FROM session WHERE draw_at > 0 AND draw_at <= $1
			AND NOT EXISTS (SELECT 1 FROM draw WHERE draw.session = session.session AND draw.bucket = session.bucket AND draw.state = 3)
			ORDER BY draw_at, session LIMIT $2`, now, limit)
		return err
	})
	return out, err
}
