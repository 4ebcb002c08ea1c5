package registrytest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	migrations "tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/shardcheck"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

// migrated is the file of an empty, migrated database, made once: applying the
// migrations anew for each of hundreds of cases would be most of their time.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "registrytest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path, ctx := filepath.Join(dir, "registry.db"), context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{SyncOff: true})
	if err != nil {
		return nil, err
	}
	if err := sqlite.Migrate(ctx, db, migrations.SQLite); err != nil {
		db.Close()
		return nil, err
	}
	if err := db.Close(); err != nil { // moves the log into the file
		return nil, err
	}
	return os.ReadFile(path)
})

// Open makes a migrated registry database in a temporary directory, below
// TestPostgres on a PostgreSQL server. A statement that would not run on a
// database spread over machines fails the test.
func Open(t testing.TB) sqldb.DB {
	t.Helper()
	if OnPostgres(t) {
		return shardcheck.Wrap(t, openPostgres(t, PostgresURL(t)), shardcheck.Rules{})
	}
	return OpenFile(t, filepath.Join(t.TempDir(), "registry.db"))
}

// OpenFile is Open for a file of the caller's, made when it is not there. Opened
// twice, it is the database of two processes.
func OpenFile(t testing.TB, path string) sqldb.DB {
	t.Helper()
	if OnPostgres(t) {
		return shardcheck.Wrap(t, openPostgres(t, urlIn(t, path)), shardcheck.Rules{})
	}
	file, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return shardcheck.Wrap(t, db, shardcheck.Rules{})
}

// SpoilNote makes the content of the oldest note unreadable.
func SpoilNote(t testing.TB, db sqldb.DB) {
	t.Helper()
	var note string
	var bucket int
	ctx := sqldb.Scatter(t.Context())
	err := db.View(ctx, func(tx sqldb.Tx) error {
		return tx.QueryRow(ctx, `SELECT id, bucket FROM outbox ORDER BY id LIMIT 1`).Scan(&note, &bucket)
	})
	if err == nil {
		err = db.Update(t.Context(), func(tx sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE outbox SET payload = 'x' WHERE id = $1 AND bucket = $2`, note, bucket)
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
