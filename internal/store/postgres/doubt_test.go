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
