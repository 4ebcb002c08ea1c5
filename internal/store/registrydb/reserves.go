package registrydb

import (
	"context"
	"strconv"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
)

var _ scheduling.ReserveStore = (*Bookings)(nil)

// ReserveOf implements scheduling.ReserveStore.
func (s *Bookings) ReserveOf(ctx context.Context, h id.Household) (scheduling.Reserve, error) {
	r := scheduling.Reserve{Household: h}
	err := s.view(ctx, "reserve", func(tx sqldb.Tx) error {
		r = scheduling.Reserve{Household: h}
		var past string
		err := tx.QueryRow(ctx, `SELECT version, hold, centre, session, since, past FROM reserve WHERE household = $1 AND bucket = $2`, string(h), h.Bucket()).
			Scan(&r.Version, (*string)(&r.Hold), (*int64)(&r.Centre), (*string)(&r.Session), &r.Since, &past)
		if isNone(err) {
			return nil
		}
		if err == nil {
			r.Past, err = readPast(past)
		}
		return err
	})
	return r, err
}

// SwapReserve implements scheduling.ReserveStore.
func (s *Bookings) SwapReserve(ctx context.Context, r scheduling.Reserve) (bool, error) {
	var n int64
	err := s.update(ctx, "swap reserve", func(tx sqldb.Tx) (err error) {
		past := writePast(r.Past)
		if r.Version == 0 {
			n, err = tx.Exec(ctx, `INSERT INTO reserve (household, version, hold, centre, session, since, past, bucket) VALUES ($1, 1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
				string(r.Household), string(r.Hold), int64(r.Centre), string(r.Session), r.Since, past, r.Household.Bucket())
			return err
		}
		n, err = tx.Exec(ctx, `UPDATE reserve SET version = version + 1, hold = $1, centre = $2, session = $3, since = $4, past = $5 WHERE household = $6 AND version = $7 AND bucket = $8`,
			string(r.Hold), int64(r.Centre), string(r.Session), r.Since, past, string(r.Household), r.Version, r.Household.Bucket())
		return err
	})
	return err == nil && n == 1, err
}

// writePast is the stored form of past holds: a line each, its parts apart by tabs.
func writePast(all []scheduling.PastReserve) string {
	var b strings.Builder
	for _, p := range all {
		b.WriteString(string(p.Hold) + "\t" + string(p.Session) + "\t" + strconv.FormatInt(p.Since, 10) + "\n")
	}
	return b.String()
}

func readPast(text string) (out []scheduling.PastReserve, err error) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			return nil, fault.New(fault.Integrity, "reserve", "a stored hold is malformed")
		}
		since, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fault.New(fault.Integrity, "reserve", "a stored hold is malformed")
		}
		out = append(out, scheduling.PastReserve{Hold: id.Hold(f[0]), Session: id.Session(f[1]), Since: since})
	}
	return out, nil
}
