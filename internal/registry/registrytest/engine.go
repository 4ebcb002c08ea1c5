package registrytest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	migrations "tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/shardcheck"
	"tikakosh/internal/store/sqldb"
)

// OnPostgres reports whether a test runs below TestPostgres or TestPostgresWeb,
// which run a package's tests again on PostgreSQL as the worker's and as the web
// role's user.
func OnPostgres(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestPostgres/") || asWeb(t) }

func asWeb(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestPostgresWeb/") }

// PostgresURL makes a migrated registry database on PostgreSQL and returns its
// URL for the administrator.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return pgtest.Shared(t).Database(t, "registry", func(url string) error {
		ctx := context.Background()
		db, err := postgres.Open(ctx, pgtest.As(url, "tikakosh_migrator"), postgres.Options{Name: "migrate"})
		if err != nil {
			return err
		}
		return errors.Join(postgres.Migrate(ctx, db, migrations.Postgres()), db.Close())
	})
}

// OpenPostgres is Open on PostgreSQL whatever the test's name.
func OpenPostgres(t testing.TB) sqldb.DB {
	t.Helper()
	return shardcheck.Wrap(t, openPostgres(t, PostgresURL(t)), shardcheck.Rules{})
}

func openPostgres(t testing.TB, url string) sqldb.DB {
	t.Helper()
	if asWeb(t) {
		return OpenAs(t, url, "tikakosh_web")
	}
	return OpenAs(t, url, "tikakosh_worker")
}

// OpenAs opens a database on PostgreSQL as one of its users, unchecked.
func OpenAs(t testing.TB, url, role string) sqldb.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), pgtest.As(url, role), postgres.Options{Name: "test", KeepRows: role == "tikakosh_web"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// urlIn returns the URL that a file holds, of a new database when there is none.
func urlIn(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		return string(raw)
	}
	url := PostgresURL(t)
	if err := os.WriteFile(path, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	return url
}
