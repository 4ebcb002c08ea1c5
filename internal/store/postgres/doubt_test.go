package postgres

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// TestPostgresCancelledWait: the standby is away and an administrator cancels the
// sessions that wait for it. The server then says that they committed; the callers
// must not, because a failover would lose it.
func TestPostgresCancelledWait(t *testing.T) {
	if !pgtest.On() {
		return
	}
	one, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Stop)
	url := one.Empty(t)
	side, serial := open1(t, url, Options{}), open1(t, url, Options{Serial: true})
	err = side.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	two := one.Standby(t)
	for i, db := range []sqldb.DB{side, serial} {
		if err := put(db, i, 1); err != nil {
			t.Fatal(err)
		}
	}
	two.Down(t)
	t.Cleanup(func() { // what ends the test must not wait for it
		one.Exec(t, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
	})
	told := make(chan error, 2)
	for i, db := range []sqldb.DB{side, serial} {
		go func() { told <- put(db, 10+i, 1) }()
	}
	for got := 0; got < 2; {
		one.Exec(t, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'")
		select {
		case err := <-told:
			if !fault.Is(err, fault.Unknown) {
				t.Errorf("a commit whose wait was cancelled: %v, want that it is not known", err)
			}
			got++
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TestPostgresCommitFails: of an error that the server answers COMMIT itself with,
// only those that say so mean that nothing was stored; what was put off and fails
// in the same trip always does.
func TestPostgresCommitFails(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, url string) {
		if err := pgtest.Do(url,
			`CREATE FUNCTION doubt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.n = 7 THEN RAISE EXCEPTION 'one of several servers' USING ERRCODE = '40003'; END IF;
				IF NEW.n = 8 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$`,
			"CREATE CONSTRAINT TRIGGER doubt AFTER INSERT ON counter DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION doubt()"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // the database serves again
			if err := pgtest.Do(url, "DROP FUNCTION doubt() CASCADE"); err != nil {
				t.Error(err)
			}
		})
		put1 := func(n int, at func(tx sqldb.Tx, query string, args ...any) error) error {
			return db.Update(t.Context(), func(tx sqldb.Tx) error {
				if _, err := count(tx); err != nil { // so that what follows travels with COMMIT
					return err
				}
				return at(tx, "INSERT INTO counter (id, n) VALUES ($1, $2)", n, n)
			})
		}
		now := func(tx sqldb.Tx, query string, args ...any) error {
			_, err := tx.Exec(t.Context(), query, args...)
			return err
		}
		off := func(tx sqldb.Tx, query string, args ...any) error {
			return sqldb.Later(t.Context(), tx, sqldb.AnyRows, nil, query, args...)
		}
		for name, at := range map[string]func(sqldb.Tx, string, ...any) error{"at once": now, "put off": off} {
			if err := put1(7, at); !fault.Is(err, fault.Unknown) {
				t.Errorf("%s: COMMIT answered with a state that leaves it open: %v", name, err)
			}
			if err := put1(8, at); err == nil || fault.Is(err, fault.Unknown) {
				t.Errorf("%s: COMMIT refused by a constraint: %v", name, err)
			}
		}
		if err := put1(2000000, off); err == nil || fault.Is(err, fault.Unknown) {
			t.Errorf("put off, and refused before COMMIT: %v", err)
		}
		if n, _ := rows(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}
