package registrydb

import (
	"context"
	"encoding/json"
	"errors"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// errStays ends a transaction in which the new appointment could not be stored,
// so that the old one stays.
var errStays = errors.New("the old appointment stays")

// Move implements scheduling.AppointmentStore.
func (s *Bookings) Move(ctx context.Context, a scheduling.Appointment, old id.Hold, n scheduling.Note) (st scheduling.State, out scheduling.Note, err error) {
	a.State = scheduling.Live
	bucket := a.Person.Bucket()
	err = s.update(ctx, "move", func(tx sqldb.Tx) error {
		st, out = scheduling.None, scheduling.Note{}
		var err error
		if st, err = appointmentState(ctx, tx, a.Person, a.Hold); err != nil || st != scheduling.None {
			return err
		}
		k, err := tx.Exec(ctx, `UPDATE appointment SET state = 3 WHERE person = $1 AND hold = $2 AND state = 1 AND bucket = $3`,
			string(a.Person), string(old), bucket)
		if err != nil {
			return err
		}
		if k == 0 { // gone, or moved by a transaction beside this one
			st, err = appointmentState(ctx, tx, a.Person, a.Hold)
			return err
		}
		var was scheduling.Appointment
		err = scanAppointment(tx.QueryRow(ctx, `SELECT `+appointmentColumns+` FROM appointment WHERE person = $1 AND hold = $2 AND bucket = $3`,
			string(a.Person), string(old), bucket), &was)
		if err != nil {
			return err
		}
		ok, err := insertAppointment(ctx, tx, a)
		if err != nil {
			return err
		}
		if !ok {
			return errStays
		}
		n.Person, n.Hold, n.Centre, n.Session, n.Dose = a.Person, old, was.Centre, was.Session, was.Dose
		payload, err := json.Marshal(cancelPayload{Hold: string(n.Hold), Centre: int64(n.Centre), Session: string(n.Session), Dose: n.Dose})
		if err != nil {
			return fault.Wrap(fault.Internal, err, "note")
		}
		st, out = scheduling.Live, n
		return write(ctx, tx, insertNote, n.ID, string(a.Person), kindCancelled, string(payload), n.Created, n.Due, bucket)
	})
	if errors.Is(err, errStays) {
		return scheduling.None, scheduling.Note{}, nil
	}
	return st, out, err
}

// Appointment implements scheduling.AppointmentStore.
func (s *Bookings) Appointment(ctx context.Context, p id.Person, hold id.Hold) (a scheduling.Appointment, err error) {
	err = s.view(ctx, "appointment", func(tx sqldb.Tx) error {
		a = scheduling.Appointment{Person: p}
		err := scanAppointment(tx.QueryRow(ctx, `SELECT `+appointmentColumns+` FROM appointment WHERE person = $1 AND hold = $2 AND bucket = $3`,
			string(p), string(hold), p.Bucket()), &a)
		if isNone(err) {
			return nil
		}
		return err
	})
	return a, err
}
