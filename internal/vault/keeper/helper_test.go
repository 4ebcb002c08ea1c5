package keeper_test

import (
	"context"
	"io/fs"
	"os"
	"testing"

	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

func migrate(ctx context.Context, db sqldb.DB, files fs.FS) error {
	return sqlite.Migrate(ctx, db, files)
}

func chmod(t *testing.T, path string, mode uint32) {
	t.Helper()
	if err := os.Chmod(path, os.FileMode(mode)); err != nil {
		t.Fatal(err)
	}
}
