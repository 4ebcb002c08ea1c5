package house

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestMigrationsForBothEngines: a migration exists for SQLite and, under the same
// name in the folder postgres beside it, for PostgreSQL. That they make the
// same tables is tested where a server is.
func TestMigrationsForBothEngines(t *testing.T) {
	for _, db := range []string{"registry", "vault"} {
		dir := filepath.Join("..", "store", "migrations", db)
		lite, pg := sqlFiles(t, dir), sqlFiles(t, filepath.Join(dir, "postgres"))
		for _, name := range append(slices.Clone(lite), pg...) {
			if !slices.Contains(lite, name) || !slices.Contains(pg, name) {
				t.Errorf("%s: migration %s is there for one engine only; write %s for the other (INTEGER is BIGINT, BLOB is BYTEA, no STRICT)",
					db, name, filepath.Join(dir, "postgres", name))
			}
		}
		if len(lite) == 0 {
			t.Errorf("%s: no migrations found", db)
		}
	}
}

func sqlFiles(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		if _, err := os.Stat(found[i]); err != nil {
			t.Fatal(err)
		}
		found[i] = filepath.Base(found[i])
	}
	return found
}
