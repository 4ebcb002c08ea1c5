package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"tikakosh/internal/store/sqldb"
)

const schema = `CREATE TABLE counter (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL CHECK (n < 1000000)) STRICT`

// open makes a database with an empty table counter.
func open(t testing.TB, o Options) sqldb.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"), o)
}

func openAt(t testing.TB, path string, o Options) sqldb.DB {
	t.Helper()
	db, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	if !o.ReadOnly {
		must(t, db.Update(context.Background(), func(tx sqldb.Tx) error {
			_, err := tx.Exec(context.Background(), "CREATE TABLE IF NOT EXISTS"+schema[len("CREATE TABLE"):])
			return err
		}))
	}
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put inserts a row.
func put(db sqldb.DB, id, n int) error {
	return db.Update(context.Background(), func(tx sqldb.Tx) error { return insert(tx, id, n) })
}

func insert(tx sqldb.Tx, id, n int) error {
	_, err := tx.Exec(context.Background(), "INSERT INTO counter (id, n) VALUES ($1, $2)", id, n)
	return err
}

// sum returns the number of rows and the sum of n.
func sum(t testing.TB, db sqldb.DB) (rows, total int) {
	t.Helper()
	must(t, db.View(context.Background(), func(tx sqldb.Tx) error {
		return tx.QueryRow(context.Background(), "SELECT count(*), COALESCE(SUM(n), 0) FROM counter").Scan(&rows, &total)
	}))
	return rows, total
}

func wantRows(t testing.TB, db sqldb.DB, want int) {
	t.Helper()
	if n, _ := sum(t, db); n != want {
		t.Errorf("rows = %d, want %d", n, want)
	}
}

// blocked starts an Update that holds the writer until release is called, so
// that the calls made meanwhile form one group behind it.
func blocked(t testing.TB, db sqldb.DB) (release func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		once := false
		done <- db.Update(context.Background(), func(sqldb.Tx) error {
			if !once {
				once = true
				close(in)
				<-out
			}
			return nil
		})
	}()
	<-in
	return func() {
		close(out)
		must(t, <-done)
	}
}

// queued waits until n calls wait for the writer.
func queued(db sqldb.DB, n int) {
	for db.(*database).group.Waiting() < n {
		pause()
	}
}
