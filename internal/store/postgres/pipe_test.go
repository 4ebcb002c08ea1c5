package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// later puts an insert off.
func later(tx sqldb.Tx, id, n int) error {
	return sqldb.Later(context.Background(), tx, 1, errMoved, "INSERT INTO counter (id, n) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, n)
}

var errMoved = fault.New(fault.Conflict, "moved", "it is there already")

func count(tx sqldb.Tx) (n int, err error) {
	err = tx.QueryRow(context.Background(), "SELECT count(*) FROM counter").Scan(&n)
	return n, err
}

// TestPostgresTrips: what needs no answer travels with what does.
func TestPostgresTrips(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		trips := func(fn func(tx sqldb.Tx) error) (before, after int) {
			var p *pipe
			err := db.Update(t.Context(), func(tx sqldb.Tx) error {
				p = pipeOf(tx)
				before = p.trips
				return fn(tx)
			})
			if err != nil {
				t.Fatal(err)
			}
			return before, p.trips
		}
		before, after := trips(func(tx sqldb.Tx) error {
			for i := range 5 {
				if err := later(tx, i, 1); err != nil {
					return err
				}
			}
			if n, err := count(tx); err != nil || n != 5 {
				t.Errorf("%d rows seen, %v; want the five that were put off", n, err)
			}
			return later(tx, 9, 1)
		})
		if after-before != 3 { // all up to the read, the last insert, COMMIT
			t.Errorf("%d round trips, want 3", after-before)
		}
		before, after = trips(func(tx sqldb.Tx) error {
			if _, err := count(tx); err != nil {
				return err
			}
			return sqldb.Later(t.Context(), tx, sqldb.AnyRows, nil, "DELETE FROM counter WHERE n = $1", 1)
		})
		if after-before != 2 { // the read; the delete with COMMIT
			t.Errorf("%d round trips, want 2", after-before)
		}
		if n, _ := rows(t, db); n != 0 {
			t.Errorf("%d rows left", n)
		}
	})
}

// TestPostgresLaterFails: a statement put off that goes wrong is its own caller's
// failure, whenever the server says so.
func TestPostgresLaterFails(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		if err := put(db, 1, 1); err != nil {
			t.Fatal(err)
		}
		runs := 0
		for name, fn := range map[string]func(tx sqldb.Tx) error{
			"at the end":        func(tx sqldb.Tx) error { return later(tx, 1, 1) },
			"at the next":       func(tx sqldb.Tx) error { return errors.Join(later(tx, 1, 1), insert(tx, 50, 1)) },
			"and it is ignored": func(tx sqldb.Tx) error { _ = later(tx, 1, 1); _, _ = count(tx); return nil },
		} {
			err := db.Update(t.Context(), func(tx sqldb.Tx) error { runs++; return fn(tx) })
			if !errors.Is(err, errMoved) || err.Error() != errMoved.Error() {
				t.Errorf("%s: %v, want the error that was given", name, err)
			}
		}
		if runs != 3 {
			t.Errorf("%d runs of three functions", runs)
		}
		refused := func(tx sqldb.Tx) error { // by the server: a CHECK
			return sqldb.Later(t.Context(), tx, sqldb.AnyRows, nil, "INSERT INTO counter (id, n) VALUES ($1, $2)", 60, 2000000)
		}
		for _, fn := range []func(tx sqldb.Tx) error{refused, func(tx sqldb.Tx) error { _ = refused(tx); _, _ = count(tx); return nil }} {
			if err := db.Update(t.Context(), fn); !fault.Is(err, fault.Internal) {
				t.Errorf("a violated CHECK: %v", err)
			}
		}
		if err := db.View(t.Context(), func(tx sqldb.Tx) error { return later(tx, 70, 1) }); err == nil {
			t.Error("a view wrote")
		}
		if n, _ := rows(t, db); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

// TestPostgresLaterInGroup: in a group the failure is met while another function
// runs; it stays that of the one that put the statement off.
func TestPostgresLaterInGroup(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		d := db.(*database)
		if d.writer == nil {
			return
		}
		if err := put(db, 1, 1); err != nil {
			t.Fatal(err)
		}
		inside, release := make(chan struct{}), make(chan struct{})
		blocked := make(chan error, 1)
		go func() {
			blocked <- db.Update(context.Background(), func(tx sqldb.Tx) error {
				select {
				case <-inside:
				default:
					close(inside)
				}
				<-release
				return insert(tx, 2, 1)
			})
		}()
		<-inside
		jobs := []func(tx sqldb.Tx) error{
			func(tx sqldb.Tx) error { return later(tx, 3, 1) },
			func(tx sqldb.Tx) error { return later(tx, 1, 1) }, // taken
			func(tx sqldb.Tx) error { _, err := count(tx); return errors.Join(err, later(tx, 4, 1)) },
			func(tx sqldb.Tx) error { return errors.Join(later(tx, 5, 1), errOwn) },
			func(tx sqldb.Tx) error { return errors.Join(insert(tx, 7, 1), later(tx, 1, 1)) }, // taken
			func(tx sqldb.Tx) error { return later(tx, 6, 1) },
		}
		got := make([]error, len(jobs))
		done := make(chan struct{})
		for i, fn := range jobs {
			go func() {
				got[i] = db.Update(context.Background(), fn)
				done <- struct{}{}
			}()
			for d.writer.Waiting() < i+1 {
				time.Sleep(time.Millisecond)
			}
		}
		close(release)
		if err := <-blocked; err != nil {
			t.Error(err)
		}
		for range jobs {
			<-done
		}
		for i, want := range []error{nil, errMoved, nil, errOwn, errMoved, nil} {
			if !errors.Is(got[i], want) {
				t.Errorf("function %d: %v, want %v", i, got[i], want)
			}
		}
		if n, _ := rows(t, db); n != 5 {
			t.Errorf("%d rows, want 1 to 4 and 6", n)
		}
	})
}

var errOwn = errors.New("a refusal of its own")

// TestPostgresValues: what is stored comes back as it was, whatever its type.
func TestPostgresValues(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		type kind string
		blob := []byte{0, 1, 0xff, '\\', 'x'}
		err := db.View(t.Context(), func(tx sqldb.Tx) error {
			var i8, i4 int64
			var i2 int16
			var text, name string
			var raw, none []byte
			var yes bool
			var half float64
			var null sql.NullString
			var sum int64
			err := tx.QueryRow(t.Context(), `SELECT CAST($1 AS BIGINT), CAST($2 AS INTEGER), CAST($3 AS SMALLINT), CAST($4 AS TEXT), CAST($5 AS VARCHAR),
				CAST($6 AS BYTEA), CAST($7 AS BYTEA), CAST($8 AS BOOLEAN), CAST($9 AS DOUBLE PRECISION), CAST($10 AS TEXT), SUM(CAST($11 AS BIGINT))`,
				int64(-1)<<63, -7, 3, "a 'quoted' \\ text ü", kind("kind"), blob, []byte{}, true, 0.5, nil, int64(-1234567890123)).
				Scan(&i8, &i4, &i2, &text, &name, &raw, &none, &yes, &half, &null, &sum)
			if err != nil {
				return err
			}
			if i8 != -1<<63 || i4 != -7 || i2 != 3 || text != "a 'quoted' \\ text ü" || name != "kind" || !bytes.Equal(raw, blob) ||
				none == nil || len(none) != 0 || !yes || half != 0.5 || null.Valid || sum != -1234567890123 {
				t.Error(i8, i4, i2, text, name, raw, none, yes, half, null, sum)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"SELECT CAST('2026-01-01' AS DATE)", "SELECT SUM(0.5)"} {
			err := db.View(t.Context(), func(tx sqldb.Tx) error {
				var v any
				return tx.QueryRow(t.Context(), bad).Scan(&v)
			})
			if !fault.Is(err, fault.Internal) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if err := db.View(t.Context(), func(tx sqldb.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT CAST($1 AS TEXT)", time.Now()).Err()
		}); err == nil {
			t.Error("a time was sent")
		}
	})
}

// TestPostgresManyStatements: more texts than are kept, and a table that changes
// under a prepared one.
func TestPostgresManyStatements(t *testing.T) {
	both(t, Options{Connections: 2}, func(t *testing.T, db sqldb.DB, url string) {
		for round := range 2 {
			for i := range maxStatements + 40 {
				err := db.View(t.Context(), func(tx sqldb.Tx) error {
					var n int
					return tx.QueryRow(t.Context(), fmt.Sprintf("SELECT CAST($1 AS BIGINT) + %d", i), round).Scan(&n)
				})
				if err != nil {
					t.Fatal(round, i, err)
				}
			}
		}
		read := func() error {
			return db.View(t.Context(), func(tx sqldb.Tx) error {
				r, err := tx.Query(t.Context(), "SELECT * FROM changing WHERE id >= $1", 0)
				if err != nil {
					return err
				}
				defer r.Close()
				for r.Next() { //nolint:revive // to the end
				}
				return r.Err()
			})
		}
		if err := pgtest.Do(url, "DROP TABLE IF EXISTS changing", "CREATE TABLE changing (id BIGINT)"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pgtest.Do(url, "DROP TABLE changing") })
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if err := pgtest.Do(url, "ALTER TABLE changing ADD COLUMN n BIGINT"); err != nil {
			t.Fatal(err)
		}
		if err := read(); err != nil {
			t.Errorf("after a change of the table: %v", err)
		}
	})
}

// FuzzNumeric: a number of the server is read as it is or refused.
func FuzzNumeric(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 7})
	f.Add([]byte{0, 2, 0, 1, 0x40, 0, 0, 0, 0, 7, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 1, 0xff, 0xff, 0, 0, 0, 1, 0x13, 0x88})
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decodeNumeric(raw)
		if text, ok := v.(string); err == nil && (!ok || text == "" || strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") != "") {
			t.Errorf("%v of %x", v, raw)
		}
	})
}

func TestNumeric(t *testing.T) {
	for want, raw := range map[string][]byte{
		"7": {0, 1, 0, 0, 0, 0, 0, 0, 0, 7}, "-70001": {0, 2, 0, 1, 0x40, 0, 0, 0, 0, 7, 0, 1}, "0": {0, 0, 0, 0, 0, 0, 0, 0},
		"70000": {0, 1, 0, 1, 0, 0, 0, 0, 0, 7},
	} {
		if got, err := decodeNumeric(raw); err != nil || got != want {
			t.Errorf("%v, %v; want %s", got, err, want)
		}
	}
	for _, bad := range [][]byte{nil, {0, 1, 0xff, 0xff, 0, 0, 0, 1, 0x13, 0x88}, {0, 0, 0, 0, 0xc0, 0, 0, 0}, {0, 9, 0, 0, 0, 0, 0, 0}} {
		if got, err := decodeNumeric(bad); err == nil {
			t.Errorf("%x: %v", bad, got)
		}
	}
}

func pipeOf(t sqldb.Tx) *pipe { return t.(*tx).s.pipe }
