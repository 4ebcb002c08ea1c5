package registrydb

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

// errRaced marks a batch whose session changed between reading and taking.
var errRaced = errors.New("the session's places changed meanwhile")

// raceTries bounds how often a batch is decided anew after errRaced.
const raceTries = 4

// HoldMany implements scheduling.HoldStore: it reads the free places, gives
// them out in the order asked, stores the holds by multi-row inserts and takes
// the places by the same conditional update that arbitrates Hold. When that
// update finds fewer places than were read, nothing is stored and the batch is
// decided again.
func (s *Bookings) HoldMany(ctx context.Context, c id.Centre, session id.Session, asks []scheduling.HoldAsk) (scheduling.HeldMany, error) {
	var out scheduling.HeldMany
	var err error
	for range raceTries {
		err = s.update(ctx, "hold many", func(tx sqldb.Tx) (err error) {
			out, err = holdMany(ctx, tx, c, session, asks)
			return err
		})
		if !errors.Is(err, errRaced) {
			return out, err
		}
	}
	return out, err
}

func holdMany(ctx context.Context, tx sqldb.Tx, c id.Centre, session id.Session, asks []scheduling.HoldAsk) (out scheduling.HeldMany, err error) {
	bucket := c.Bucket()
	out.Held = make([]scheduling.Hold, len(asks))
	var free, take [2]int
	err = tx.QueryRow(ctx, `SELECT cap1 - taken1, cap2 - taken2 FROM session WHERE session = $1 AND bucket = $2`,
		string(session), bucket).Scan(&free[0], &free[1])
	if isNone(err) {
		return out, missing("session")
	}
	if err != nil {
		return out, err
	}
	var holds, placesOf []any
	mine := map[id.Hold]int{}
	for i, a := range asks {
		if a.Again { // an earlier attempt may have stored it
			if j, ok := mine[a.ID]; ok {
				out.Held[i] = out.Held[j]
				continue
			}
			if out.Held[i], err = findHold(ctx, tx, c, a.ID); err != nil {
				return out, err
			}
			if out.Held[i].State != scheduling.NoHold {
				continue
			}
		}
		p := scheduling.Pool(a.Dose) - 1
		if free[p] < len(a.Persons) {
			out.Held[i] = scheduling.Hold{ID: a.ID, Centre: c, Session: session} // NoHold: full
			continue
		}
		free[p] -= len(a.Persons)
		take[p] += len(a.Persons)
		h := a.Hold
		h.Centre, h.Session, h.State = c, session, scheduling.Holding
		out.Held[i], mine[a.ID] = h, i
		holds = append(holds, string(h.ID), int64(c), string(session), h.Dose, h.Created, h.Expires, string(h.Old), bucket)
		for _, person := range h.Persons {
			placesOf = append(placesOf, string(h.ID), string(person), bucket)
		}
	}
	out.Free = free
	// The places are taken last: whoever changed the session holds its row, and on
	// PostgreSQL the change feed's counter, until the end.
	if err := insertRows(ctx, tx, `INSERT INTO hold (hold, centre, session, dose, created, expires, old, bucket, state) VALUES `, 8, `, 1`, holds); err != nil {
		return out, err
	}
	if err := insertRows(ctx, tx, `INSERT INTO hold_place (hold, person, bucket, state) VALUES `, 3, `, 1`, placesOf); err != nil {
		return out, err
	}
	for p, stmt := range []string{take1, take2} {
		if take[p] == 0 {
			continue
		}
		n, err := tx.Exec(ctx, stmt, take[p], string(session), bucket, take[p])
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, errRaced
		}
	}
	return out, nil
}

// rowsAtOnce is the largest number of rows of one INSERT.
const rowsAtOnce = 64

// insertRows inserts rows of so many columns, each row followed by the constant
// tail. Numbers of rows are powers of two, so that there are few different
// texts to keep prepared.
func insertRows(ctx context.Context, tx sqldb.Tx, head string, columns int, tail string, args []any) error {
	for len(args) > 0 {
		rows := rowsAtOnce
		for rows*columns > len(args) {
			rows /= 2
		}
		var b strings.Builder
		b.WriteString(head)
		for n, at := 0, 1; n < rows; n++ {
			b.WriteString([2]string{"(", ", ("}[min(n, 1)])
			for i := range columns {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString("$" + strconv.Itoa(at))
				at++
			}
			b.WriteString(tail + ")")
		}
		if err := write(ctx, tx, b.String(), args[:rows*columns]...); err != nil {
			return err
		}
		args = args[rows*columns:]
	}
	return nil
}

// ConfirmMany implements scheduling.HoldStore.
func (s *Bookings) ConfirmMany(ctx context.Context, c id.Centre, holds []id.Hold) error {
	return s.update(ctx, "confirm many", func(tx sqldb.Tx) error {
		for _, h := range holds {
			err := write(ctx, tx, `UPDATE hold SET state = 2 WHERE hold = $1 AND state = 1 AND bucket = $2`, string(h), c.Bucket())
			if err != nil {
				return err
			}
		}
		return nil
	})
}
