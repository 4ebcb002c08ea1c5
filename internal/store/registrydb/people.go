package registrydb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// maxParts bounds one person's record. A life of vaccinations has some
// hundreds of parts.
const maxParts = 2000

// The states of person and member rows.
const (
	stateThere   = 1
	stateRemoved = 2
)

// Person implements registry.PersonStore.
func (s *People) Person(ctx context.Context, p id.Person) (registry.PersonRow, error) {
	row := registry.PersonRow{Person: p}
	err := s.view(ctx, "person", func(tx sqldb.Tx) error {
		var state int
		err := tx.QueryRow(ctx, `SELECT reference, household, slot, state, since FROM person WHERE person = $1 AND bucket = $2`,
			string(p), p.Bucket()).Scan((*string)(&row.Reference), (*string)(&row.Household), &row.Slot, &state, &row.Since)
		row.Removed = state == stateRemoved
		if isNone(err) {
			return missing("person")
		}
		return err
	})
	return row, err
}

// Record implements registry.PersonStore.
func (s *People) Record(ctx context.Context, p id.Person) (vault.Record, error) {
	rec := vault.Record{Person: p}
	err := s.view(ctx, "record", func(tx sqldb.Tx) (err error) {
		rec.Parts, err = collect(ctx, tx, scanPart,
			`SELECT seq, part, version, hash, CASE WHEN until IS NULL THEN body END FROM sealed
			 WHERE person = $1 AND bucket = $2 ORDER BY seq LIMIT $3`, string(p), p.Bucket(), maxParts+1)
		return err
	})
	if err == nil && len(rec.Parts) > maxParts {
		err = fault.New(fault.Internal, "record", "a record has too many parts")
	}
	return rec, err
}

func scanPart(rows *sql.Rows, v *vault.Sealed) error {
	var hash []byte
	if err := rows.Scan(&v.Seq, (*string)(&v.Part), &v.Version, &hash, &v.Body); err != nil {
		return err
	}
	if copy(v.Hash[:], hash) != len(v.Hash) {
		return fault.New(fault.Integrity, "hash", "a stored hash has the wrong length")
	}
	return nil
}

// Store implements registry.PersonStore.
func (s *People) Store(ctx context.Context, w registry.Write) error {
	for _, p := range w.Parts {
		if sha256.Sum256(p.Body) != p.Hash {
			return fault.New(fault.Internal, "hash", "a sealed part does not have the hash it was given")
		}
	}
	payload, err := encodeNote(w.Note)
	if err != nil {
		return err
	}
	return s.update(ctx, "store sealed parts", func(tx sqldb.Tx) error {
		if w.New != nil {
			if err := insertPerson(ctx, tx, *w.New); err != nil {
				return err
			}
		}
		fresh, err := insertParts(ctx, tx, w)
		if err != nil || !fresh {
			return err
		}
		if w.Hold != "" {
			err := write(ctx, tx, `UPDATE appointment SET state = 2 WHERE person = $1 AND hold = $2 AND state = 1 AND bucket = $3`,
				string(w.Person), string(w.Hold), w.Person.Bucket())
			if err != nil {
				return err
			}
		}
		if w.Note.ID == "" {
			return nil
		}
		return putNote(ctx, tx, w.Note, payload)
	})
}

func insertPerson(ctx context.Context, tx sqldb.Tx, r registry.PersonRow) error {
	return write(ctx, tx, `INSERT INTO person (person, reference, household, slot, state, since, bucket)
		VALUES ($1, $2, $3, $4, 1, $5, $6) ON CONFLICT DO NOTHING`,
		string(r.Person), string(r.Reference), string(r.Household), r.Slot, r.Since, r.Person.Bucket())
}

// insertParts stores the parts of a write. It reports false when all of them
// are there already, and a fault.Conflict when something else is in their place.
func insertParts(ctx context.Context, tx sqldb.Tx, w registry.Write) (fresh bool, err error) {
	conflict := fault.New(fault.Conflict, registry.CodeSeq, "another change of this record was first")
	var last int64
	err = tx.QueryRow(ctx, `SELECT COALESCE(MAX(seq), 0) FROM sealed WHERE person = $1 AND bucket = $2`,
		string(w.Person), w.Person.Bucket()).Scan(&last)
	if err != nil || len(w.Parts) == 0 {
		return false, err
	}
	if first := w.Parts[0].Seq; first > last+1 {
		return false, conflict // the vault has seen parts that are not here
	} else if first <= last {
		same, err := sameParts(ctx, tx, w)
		if err == nil && !same {
			err = conflict
		}
		return false, err
	}
	for i, p := range w.Parts {
		if p.Seq != w.Parts[0].Seq+int64(i) {
			return false, fault.New(fault.Internal, "seq", "sealed parts are not in order")
		}
		n, err := tx.Exec(ctx, `INSERT INTO sealed (person, seq, part, version, hash, body, stored_at, bucket)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			string(w.Person), p.Seq, string(p.Part), p.Version, p.Hash[:], p.Body, w.At, w.Person.Bucket())
		if err != nil {
			return false, err
		}
		if n == 0 {
			// Another transaction was first, perhaps with the same write: where the
			// engine lets them run side by side, it may have come since the look above.
			if i == 0 {
				if same, err := sameParts(ctx, tx, w); err != nil || same {
					return false, err
				}
			}
			return false, conflict
		}
		if p.Version > 1 {
			err = write(ctx, tx, `UPDATE sealed SET until = $1 WHERE person = $2 AND part = $3 AND version < $4 AND until IS NULL AND bucket = $5`,
				w.At, string(w.Person), string(p.Part), p.Version, w.Person.Bucket())
			if err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func sameParts(ctx context.Context, tx sqldb.Tx, w registry.Write) (bool, error) {
	for _, p := range w.Parts {
		var part string
		var hash []byte
		err := tx.QueryRow(ctx, `SELECT part, hash FROM sealed WHERE person = $1 AND seq = $2 AND bucket = $3`,
			string(w.Person), p.Seq, w.Person.Bucket()).Scan(&part, &hash)
		if isNone(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if part != string(p.Part) || !bytes.Equal(hash, p.Hash[:]) {
			return false, nil
		}
	}
	return true, nil
}

// Retire implements registry.PersonStore.
func (s *People) Retire(ctx context.Context, p id.Person, n registry.Note) error {
	payload, err := encodeNote(n)
	if err != nil {
		return err
	}
	return s.update(ctx, "retire person", func(tx sqldb.Tx) error {
		k, err := tx.Exec(ctx, `UPDATE person SET state = 2 WHERE person = $1 AND state = 1 AND bucket = $2`, string(p), p.Bucket())
		if err != nil || k == 0 {
			return err
		}
		return putNote(ctx, tx, n, payload)
	})
}

// Booked implements registry.PersonStore.
func (s *People) Booked(ctx context.Context, p id.Person) (bool, error) {
	var booked bool
	err := s.view(ctx, "booked", func(tx sqldb.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `SELECT state FROM appointment WHERE person = $1 AND state = $2 AND bucket = $3 LIMIT 1`,
			string(p), int(scheduling.Live), p.Bucket()).Scan(&n)
		if isNone(err) {
			return nil
		}
		booked = err == nil
		return err
	})
	return booked, err
}
