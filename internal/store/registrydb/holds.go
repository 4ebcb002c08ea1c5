package registrydb

import (
	"context"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// The conditional update is the arbiter of capacity: no row, no place. Pool 1
// is for first doses, pool 2 for further ones.
const (
	take1 = `UPDATE session SET taken1 = taken1 + $1 WHERE session = $2 AND bucket = $3 AND cap1 - taken1 >= $4`
	take2 = `UPDATE session SET taken2 = taken2 + $1 WHERE session = $2 AND bucket = $3 AND cap2 - taken2 >= $4`
	give1 = `UPDATE session SET taken1 = taken1 - $1 WHERE session = $2 AND bucket = $3`
	give2 = `UPDATE session SET taken2 = taken2 - $1 WHERE session = $2 AND bucket = $3`
)

// byPool picks the statement for a dose's pool.
func byPool(dose int, first, further string) string {
	if dose <= 1 {
		return first
	}
	return further
}

func full() error {
	return fault.New(fault.Full, scheduling.CodeFull,
		"This vaccination center is completely booked for the selected date. Please try another date or vaccination center.")
}

// Hold implements scheduling.HoldStore.
func (s *Bookings) Hold(ctx context.Context, h scheduling.Hold) (scheduling.Hold, error) {
	if ablate.Off(ablate.Capacity) {
		return s.holdUnchecked(ctx, h)
	}
	return s.hold(ctx, h, func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, byPool(h.Dose, take1, take2), len(h.Persons), string(h.Session), h.Centre.Bucket(), len(h.Persons))
		if err == nil && n == 0 {
			return full()
		}
		return err
	})
}

// hold stores the hold and takes its places with take, or returns the hold
// that has this id already.
func (s *Bookings) hold(ctx context.Context, h scheduling.Hold, take func(sqldb.Tx) error) (scheduling.Hold, error) {
	bucket := h.Centre.Bucket()
	out := h
	err := s.update(ctx, "hold", func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO hold (hold, centre, session, dose, state, created, expires, old, bucket)
			VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			string(h.ID), int64(h.Centre), string(h.Session), h.Dose, h.Created, h.Expires, string(h.Old), bucket)
		if err != nil {
			return err
		}
		if n == 0 {
			out, err = findHold(ctx, tx, h.Centre, h.ID)
			return err
		}
		for _, p := range h.Persons {
			err := write(ctx, tx, `INSERT INTO hold_place (hold, person, state, bucket) VALUES ($1, $2, 1, $3)`,
				string(h.ID), string(p), bucket)
			if err != nil {
				return err
			}
		}
		out = h
		out.State = scheduling.Holding
		return take(tx)
	})
	return out, err
}

// holdUnchecked is Hold with its control off, in builds that allow that: it
// reads the places first and later adds without a condition.
func (s *Bookings) holdUnchecked(ctx context.Context, h scheduling.Hold) (scheduling.Hold, error) {
	v, err := s.Session(ctx, h.Session)
	if err != nil {
		return scheduling.Hold{}, err
	}
	free := v.Cap1 - v.Taken1
	if h.Dose > 1 {
		free = v.Cap2 - v.Taken2
	}
	if free < len(h.Persons) {
		return scheduling.Hold{}, full()
	}
	return s.hold(ctx, h, func(tx sqldb.Tx) error {
		return write(ctx, tx, byPool(h.Dose, give1, give2), -len(h.Persons), string(h.Session), h.Centre.Bucket())
	})
}

func findHold(ctx context.Context, tx sqldb.Tx, c id.Centre, hold id.Hold) (scheduling.Hold, error) {
	h := scheduling.Hold{ID: hold, Centre: c}
	err := tx.QueryRow(ctx, `SELECT session, dose, state, created, expires, old FROM hold WHERE hold = $1 AND bucket = $2`,
		string(hold), c.Bucket()).Scan((*string)(&h.Session), &h.Dose, (*int)(&h.State), &h.Created, &h.Expires, (*string)(&h.Old))
	if isNone(err) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	h.Persons, err = collect(ctx, tx, scanText[id.Person],
		`SELECT person FROM hold_place WHERE hold = $1 AND bucket = $2 ORDER BY person LIMIT $3`,
		string(hold), c.Bucket(), scheduling.MaxParty)
	return h, err
}

// FindHold implements scheduling.HoldStore.
func (s *Bookings) FindHold(ctx context.Context, c id.Centre, hold id.Hold) (h scheduling.Hold, err error) {
	err = s.view(ctx, "find hold", func(tx sqldb.Tx) (err error) {
		h, err = findHold(ctx, tx, c, hold)
		return err
	})
	return h, err
}

// Confirm implements scheduling.HoldStore.
func (s *Bookings) Confirm(ctx context.Context, c id.Centre, hold id.Hold) error {
	return s.update(ctx, "confirm", func(tx sqldb.Tx) error {
		return write(ctx, tx, `UPDATE hold SET state = 2 WHERE hold = $1 AND state = 1 AND bucket = $2`, string(hold), c.Bucket())
	})
}

// Release implements scheduling.HoldStore.
func (s *Bookings) Release(ctx context.Context, c id.Centre, hold id.Hold, keep []id.Person) (int, error) {
	bucket, back := c.Bucket(), int64(0)
	end := scheduling.Released
	if len(keep) > 0 {
		end = scheduling.Confirmed
	}
	err := s.update(ctx, "release", func(tx sqldb.Tx) error {
		back = 0
		n, err := tx.Exec(ctx, `UPDATE hold SET state = $1 WHERE hold = $2 AND state = 1 AND bucket = $3`, int(end), string(hold), bucket)
		if err != nil || n == 0 {
			return err
		}
		h, err := findHold(ctx, tx, c, hold)
		if err != nil {
			return err
		}
		for _, p := range h.Persons {
			if slices.Contains(keep, p) {
				continue
			}
			n, err := tx.Exec(ctx, `UPDATE hold_place SET state = 2 WHERE hold = $1 AND person = $2 AND state = 1 AND bucket = $3`,
				string(hold), string(p), bucket)
			if err != nil {
				return err
			}
			back += n
		}
		return giveBack(ctx, tx, c, hold, back)
	})
	if err != nil {
		return 0, err
	}
	return int(back), nil
}

// Return implements scheduling.HoldStore.
func (s *Bookings) Return(ctx context.Context, c id.Centre, hold id.Hold, p id.Person) (bool, error) {
	var back int64
	err := s.update(ctx, "return place", func(tx sqldb.Tx) (err error) {
		back, err = tx.Exec(ctx, `UPDATE hold_place SET state = 2 WHERE hold = $1 AND person = $2 AND state = 1 AND bucket = $3`,
			string(hold), string(p), c.Bucket())
		if err != nil || back == 0 {
			return err
		}
		return giveBack(ctx, tx, c, hold, back)
	})
	return err == nil && back == 1, err
}

func giveBack(ctx context.Context, tx sqldb.Tx, c id.Centre, hold id.Hold, n int64) error {
	var session string
	var dose int
	err := tx.QueryRow(ctx, `SELECT session, dose FROM hold WHERE hold = $1 AND bucket = $2`, string(hold), c.Bucket()).Scan(&session, &dose)
	if err != nil {
		return err
	}
	return write(ctx, tx, byPool(dose, give1, give2), n, session, c.Bucket())
}

// Expected names who has a confirmed place in a session, in the order of their ids. It
// reads the centre's bucket alone.
func (s *Bookings) Expected(ctx context.Context, c id.Centre, session id.Session, limit int) (people []id.Person, err error) {
	err = s.view(ctx, "expected", func(tx sqldb.Tx) (err error) {
		people, err = collect(ctx, tx, scanText[id.Person],
			`SELECT hold_place.person FROM hold, hold_place WHERE hold.session = $1 AND hold.state = 2 AND hold.bucket = $2
				AND hold_place.hold = hold.hold AND hold_place.bucket = $3 AND hold_place.state = 1 ORDER BY hold_place.person LIMIT $4`,
			string(session), c.Bucket(), c.Bucket(), limit)
		return err
	})
	return people, err
}
