package registrydb

import (
	"context"
	"math"
	"strings"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// micro is the unit in which degrees are stored.
const micro = 1e6

type scanner interface{ Scan(dest ...any) error }

const centreColumns = `centre, name, address, state, district, block, state_id, district_id, pin, lat, long, zone, opens, closes, paid`

func scanCentre[R scanner](row R, c *scheduling.Centre) error {
	var lat, long int64
	var paid int
	err := row.Scan((*int64)(&c.ID), &c.Name, &c.Address, &c.State, &c.District, &c.Block, &c.StateID, &c.DistrictID,
		&c.PIN, &lat, &long, &c.Zone, &c.Opens, &c.Closes, &paid)
	c.Lat, c.Long, c.Paid = float64(lat)/micro, float64(long)/micro, paid == 1
	return err
}

const sessionColumns = `session, centre, day, zone, programme, product, min_age, max_age, cap1, cap2, taken1, taken2, slots, fee, closes, draw_at`

func scanSession[R scanner](row R, s *scheduling.Session) error {
	var on, slots string
	err := row.Scan((*string)(&s.ID), (*int64)(&s.Centre), &on, &s.Zone, &s.Programme, &s.Product, &s.MinAge, &s.MaxAge,
		&s.Cap1, &s.Cap2, &s.Taken1, &s.Taken2, &slots, &s.Fee, &s.BookingCloses, &s.DrawAt)
	if err != nil {
		return err
	}
	s.Slots = strings.Split(slots, "\n")
	s.Day, err = day(on)
	return err
}

// PutCentre implements scheduling.CentreStore.
func (s *Bookings) PutCentre(ctx context.Context, c scheduling.Centre) error {
	paid := 0
	if c.Paid {
		paid = 1
	}
	return s.update(ctx, "put centre", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO centre (`+centreColumns+`, bucket)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
			ON CONFLICT (centre, bucket) DO UPDATE SET name = excluded.name, address = excluded.address, state = excluded.state,
			district = excluded.district, block = excluded.block, state_id = excluded.state_id, district_id = excluded.district_id,
			pin = excluded.pin, lat = excluded.lat, long = excluded.long, zone = excluded.zone, opens = excluded.opens,
			closes = excluded.closes, paid = excluded.paid`,
			int64(c.ID), c.Name, c.Address, c.State, c.District, c.Block, c.StateID, c.DistrictID, c.PIN,
			int64(math.Round(c.Lat*micro)), int64(math.Round(c.Long*micro)), c.Zone, c.Opens, c.Closes, paid, c.ID.Bucket())
	})
}

// PutSession implements scheduling.CentreStore. A capacity below what is taken
// becomes what is taken, also when a booking comes in at the same time.
func (s *Bookings) PutSession(ctx context.Context, v scheduling.Session) error {
	return s.update(ctx, "put session", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO session (`+sessionColumns+`, bucket)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, $12, $13, $14, $15)
			ON CONFLICT (session, bucket) DO UPDATE SET day = excluded.day, zone = excluded.zone, programme = excluded.programme,
			product = excluded.product, min_age = excluded.min_age, max_age = excluded.max_age,
			cap1 = CASE WHEN excluded.cap1 < session.taken1 THEN session.taken1 ELSE excluded.cap1 END,
			cap2 = CASE WHEN excluded.cap2 < session.taken2 THEN session.taken2 ELSE excluded.cap2 END, slots = excluded.slots, fee = excluded.fee, closes = excluded.closes, draw_at = excluded.draw_at`,
			string(v.ID), int64(v.Centre), v.Day.String(), v.Zone, v.Programme, v.Product, v.MinAge, v.MaxAge,
			v.Cap1, v.Cap2, strings.Join(v.Slots, "\n"), v.Fee, v.BookingCloses, v.DrawAt, v.Centre.Bucket())
	})
}

// PutSessionPlace implements scheduling.CentreStore.
func (s *Bookings) PutSessionPlace(ctx context.Context, v id.Session, c id.Centre) error {
	return s.update(ctx, "put session place", func(tx sqldb.Tx) error {
		return write(ctx, tx, `INSERT INTO session_place (session, centre, bucket) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			string(v), int64(c), sessionBucket(v))
	})
}

// Centre implements scheduling.CentreStore.
func (s *Bookings) Centre(ctx context.Context, c id.Centre) (scheduling.Centre, error) {
	var out scheduling.Centre
	err := s.view(ctx, "centre", func(tx sqldb.Tx) error {
		err := scanCentre(tx.QueryRow(ctx, `SELECT `+centreColumns+` FROM centre WHERE centre = $1 AND bucket = $2`,
			int64(c), c.Bucket()), &out)
		if isNone(err) {
			return missing("centre")
		}
		return err
	})
	return out, err
}

// Session implements scheduling.CentreStore: two keyed reads, first in the
// session's bucket, then in its centre's.
func (s *Bookings) Session(ctx context.Context, v id.Session) (scheduling.Session, error) {
	var out scheduling.Session
	var c id.Centre
	err := s.view(ctx, "session place", func(tx sqldb.Tx) error {
		err := tx.QueryRow(ctx, `SELECT centre FROM session_place WHERE session = $1 AND bucket = $2`,
			string(v), sessionBucket(v)).Scan((*int64)(&c))
		if isNone(err) {
			return missing("session")
		}
		return err
	})
	if err != nil {
		return out, err
	}
	err = s.view(ctx, "session", func(tx sqldb.Tx) error {
		err := scanSession(tx.QueryRow(ctx, `SELECT `+sessionColumns+` FROM session WHERE session = $1 AND bucket = $2`,
			string(v), c.Bucket()), &out)
		if isNone(err) {
			return missing("session")
		}
		return err
	})
	return out, err
}
