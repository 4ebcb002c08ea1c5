package registrydb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// maxAppointments bounds one person's listed appointments.
const maxAppointments = 100

// kindCancelled is the outbox kind of scheduling's notes.
const kindCancelled = "cancelled"

const appointmentColumns = `hold, centre, session, day, slot, product, programme, dose, state, created`

func scanAppointment[R scanner](row R, a *scheduling.Appointment) error {
	var on string
	err := row.Scan((*string)(&a.Hold), (*int64)(&a.Centre), (*string)(&a.Session), &on, &a.Slot, &a.Product,
		&a.Programme, &a.Dose, (*int)(&a.State), &a.Created)
	if err != nil {
		return err
	}
	a.Day, err = day(on)
	return err
}

// insertAppointment stores a row unless its key, or for a live one the unique
// index on a person's programme, is taken; it reports whether it did.
func insertAppointment(ctx context.Context, tx sqldb.Tx, a scheduling.Appointment) (bool, error) {
	n, err := tx.Exec(ctx, `INSERT INTO appointment (person, `+appointmentColumns+`, bucket)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		string(a.Person), string(a.Hold), int64(a.Centre), string(a.Session), a.Day.String(), a.Slot, a.Product,
		a.Programme, a.Dose, int(a.State), a.Created, a.Person.Bucket())
	return n == 1, err
}

func appointmentState(ctx context.Context, tx sqldb.Tx, p id.Person, hold id.Hold) (scheduling.State, error) {
	st := scheduling.None
	err := tx.QueryRow(ctx, `SELECT state FROM appointment WHERE person = $1 AND hold = $2 AND bucket = $3`,
		string(p), string(hold), p.Bucket()).Scan((*int)(&st))
	if isNone(err) {
		return scheduling.None, nil
	}
	return st, err
}

// put stores a row unless one is in the way, and returns the state of the row
// then under its key.
func (s *Bookings) put(ctx context.Context, what string, a scheduling.Appointment) (st scheduling.State, err error) {
	err = s.update(ctx, what, func(tx sqldb.Tx) error {
		ok, err := insertAppointment(ctx, tx, a)
		if err != nil {
			return err
		}
		if ok {
			st = a.State
			return nil
		}
		st, err = appointmentState(ctx, tx, a.Person, a.Hold)
		if err != nil || st != scheduling.None || a.State != scheduling.Live {
			return err
		}
		// Another live one is in the way. One whose day is over, wherever the day
		// is over first, was missed: the vault, which knows the centre's zone, has
		// let the person book again.
		today := civil.Of(time.UnixMilli(a.Created).UTC().Add(14 * time.Hour))
		if a.Day.Before(today) {
			today = a.Day
		}
		n, err := tx.Exec(ctx, `UPDATE appointment SET state = 3 WHERE person = $1 AND programme = $2 AND state = 1 AND day < $3 AND bucket = $4`,
			string(a.Person), a.Programme, today.String(), a.Person.Bucket())
		if err != nil || n == 0 {
			return err
		}
		if ok, err = insertAppointment(ctx, tx, a); ok {
			st = a.State
		}
		return err
	})
	return st, err
}

// Bind implements scheduling.AppointmentStore.
func (s *Bookings) Bind(ctx context.Context, a scheduling.Appointment) (scheduling.State, error) {
	a.State = scheduling.Live
	if ablate.Off(ablate.OneLiveBooking) {
		a.Programme += "/" + string(a.Hold) // out of the unique index's way
	}
	return s.put(ctx, "bind", a)
}

// Fence implements scheduling.AppointmentStore.
func (s *Bookings) Fence(ctx context.Context, a scheduling.Appointment) (scheduling.State, error) {
	a.State = scheduling.Fenced
	return s.put(ctx, "fence", a)
}

// Undo implements scheduling.AppointmentStore.
func (s *Bookings) Undo(ctx context.Context, p id.Person, hold id.Hold) (st scheduling.State, err error) {
	err = s.update(ctx, "undo", func(tx sqldb.Tx) error {
		err := write(ctx, tx, `UPDATE appointment SET state = 9 WHERE person = $1 AND hold = $2 AND state = 1 AND bucket = $3`,
			string(p), string(hold), p.Bucket())
		if err != nil {
			return err
		}
		st, err = appointmentState(ctx, tx, p, hold)
		return err
	})
	return st, err
}

// cancelPayload is the stored form of a note's content.
type cancelPayload struct {
	Hold    string `json:"hold"`
	Centre  int64  `json:"centre"`
	Session string `json:"session"`
	Dose    int    `json:"dose"`
}

// errBetween marks a transaction that met another's row between looking and
// writing, where the engine lets transactions run side by side.
var errBetween = fault.New(fault.Unavailable, "between", "another change was first; try again")

// betweenTries bounds how often a transaction looks again after errBetween.
const betweenTries = 4

// Cancel implements scheduling.AppointmentStore.
func (s *Bookings) Cancel(ctx context.Context, n scheduling.Note) (a scheduling.Appointment, err error) {
	for range betweenTries {
		err = s.update(ctx, "cancel", func(tx sqldb.Tx) (err error) {
			a, err = cancel(ctx, tx, n)
			return err
		})
		if !errors.Is(err, errBetween) {
			break
		}
	}
	return a, err
}

func cancel(ctx context.Context, tx sqldb.Tx, n scheduling.Note) (scheduling.Appointment, error) {
	bucket := n.Person.Bucket()
	a := scheduling.Appointment{Person: n.Person}
	k, err := tx.Exec(ctx, `UPDATE appointment SET state = 3 WHERE person = $1 AND hold = $2 AND state = 1 AND bucket = $3`,
		string(n.Person), string(n.Hold), bucket)
	if err != nil {
		return a, err
	}
	err = scanAppointment(tx.QueryRow(ctx, `SELECT `+appointmentColumns+` FROM appointment WHERE person = $1 AND hold = $2 AND bucket = $3`,
		string(n.Person), string(n.Hold), bucket), &a)
	if isNone(err) {
		a = scheduling.Appointment{Person: n.Person, Hold: n.Hold, Dose: 1, State: scheduling.Fenced, Created: n.Created}
		ok, err := insertAppointment(ctx, tx, a)
		if err == nil && !ok {
			err = errBetween
		}
		return a, err
	}
	if err == nil && k == 0 && a.State == scheduling.Live {
		err = errBetween
	}
	if err != nil || k == 0 {
		return a, err
	}
	payload, err := json.Marshal(cancelPayload{Hold: string(a.Hold), Centre: int64(a.Centre), Session: string(a.Session), Dose: a.Dose})
	if err != nil {
		return a, fault.Wrap(fault.Internal, err, "note")
	}
	err = write(ctx, tx, insertNote, n.ID, string(n.Person), kindCancelled, string(payload), n.Created, n.Due, bucket)
	return a, err
}

// Appointments implements scheduling.AppointmentStore.
func (s *Bookings) Appointments(ctx context.Context, p id.Person) ([]scheduling.Appointment, error) {
	var out []scheduling.Appointment
	err := s.view(ctx, "appointments", func(tx sqldb.Tx) (err error) {
		out, err = collect(ctx, tx, func(r *sql.Rows, a *scheduling.Appointment) error {
			a.Person = p
			return scanAppointment(r, a)
		}, `SELECT `+appointmentColumns+` FROM appointment WHERE person = $1 AND state IN (1, 2) AND bucket = $2
			ORDER BY created, hold LIMIT $3`, string(p), p.Bucket(), maxAppointments)
		return err
	})
	return out, err
}

// Claimed implements scheduling.ClaimStore.
func (s *Bookings) Claimed(ctx context.Context, h id.Household, key string) (c scheduling.Claim, err error) {
	err = s.view(ctx, "claimed", func(tx sqldb.Tx) (err error) {
		c, err = findClaim(ctx, tx, h, key)
		return err
	})
	return c, err
}

func findClaim(ctx context.Context, tx sqldb.Tx, h id.Household, key string) (scheduling.Claim, error) {
	c := scheduling.Claim{Key: key}
	err := tx.QueryRow(ctx, `SELECT result, body, created FROM idempotency WHERE key = $1 AND bucket = $2`,
		key, h.Bucket()).Scan((*string)(&c.Hold), &c.Body, &c.At)
	if isNone(err) {
		return c, nil
	}
	return c, err
}

// Claim implements scheduling.ClaimStore.
func (s *Bookings) Claim(ctx context.Context, h id.Household, c scheduling.Claim, old id.Hold) (out scheduling.Claim, err error) {
	err = s.update(ctx, "claim", func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO idempotency (key, result, body, created, bucket)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, c.Key, string(c.Hold), c.Body, c.At, h.Bucket())
		if err == nil && n == 0 && old != "" {
			err = write(ctx, tx, `UPDATE idempotency SET result = $1, created = $2 WHERE key = $3 AND result = $4 AND body = $5 AND bucket = $6`,
				string(c.Hold), c.At, c.Key, string(old), c.Body, h.Bucket())
		}
		if err != nil {
			return err
		}
		out, err = findClaim(ctx, tx, h, c.Key)
		return err
	})
	return out, err
}

// DoneNote implements scheduling.NoteStore.
func (s *Bookings) DoneNote(ctx context.Context, n scheduling.Note) error {
	return s.doneNote(ctx, n.ID, n.Person)
}

// DeferNote implements scheduling.NoteStore.
func (s *Bookings) DeferNote(ctx context.Context, n scheduling.Note, due int64) error {
	return s.deferNote(ctx, n.ID, n.Person, due)
}
