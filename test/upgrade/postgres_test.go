package upgrade

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/test/harness"
)

// TestUpgradePostgres does the same with every old version on PostgreSQL: a database
// with the tables that the version had there, its rows in them, brought forward by
// `tikakosh migrate` and then served.
func TestUpgradePostgres(t *testing.T) {
	if !pgtest.On() {
		return
	}
	for _, v := range versions(t) {
		t.Run(filepath.Base(v), func(t *testing.T) {
			f := factsOf(t, v)
			data := room(t)
			unpack(t, filepath.Join(v, "data"), data)
			was := room(t) // the files of before, which the machine does not have
			for _, db := range []string{harness.RegistryDB, harness.VaultDB} {
				if err := os.Rename(filepath.Join(data, db), filepath.Join(was, filepath.Base(db))); err != nil {
					t.Fatal(err)
				}
			}
			_ = os.Remove(filepath.Join(data, "vault", "anchors")) // belongs to a vault on its own file
			s := at(t, &builder, data, f.MadeAt.Add(time.Hour), func(o *harness.Options) {
				o.Engine = pgtest.Shared(t)
				o.Fill = func(name, url string) error {
					return asItWas(t.Context(), name, filepath.Join(was, filepath.Base(name)), pgtest.As(url, "tikakosh_migrator"))
				}
			})
			served(t, s, f)
		})
	}
}

// asItWas makes an old version's database in PostgreSQL: the migrations that its
// file has had, in their form for PostgreSQL, then its rows.
func asItWas(ctx context.Context, name, file, url string) error {
	from, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return err
	}
	defer from.Close()
	had, err := texts(ctx, from, "SELECT version_id FROM migration WHERE is_applied = 1 AND version_id > 0 ORDER BY version_id")
	if err != nil {
		return err
	}
	all := registrymigrations.Postgres()
	if name == harness.VaultDB {
		all = vaultmigrations.Postgres()
	}
	old, err := only(all, had)
	if err != nil {
		return err
	}
	db, err := postgres.Open(ctx, url, postgres.Options{Name: "migrate", Connections: 2})
	if err != nil {
		return err
	}
	err = postgres.Migrate(ctx, db, old)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	to, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer to.Close()
	tables, err := texts(ctx, from, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'migration%' ORDER BY name")
	if err != nil || len(tables) < 5 {
		return fmt.Errorf("tables %v: %w", tables, err)
	}
	tx, err := to.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	// Parents after children are no error until the end.
	if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL DEFERRED"); err != nil {
		return err
	}
	for left := tables; len(left) > 0; {
		var again []string
		for _, table := range left {
			if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
				return err
			}
			err := copyTable(ctx, from, tx, table)
			end := "RELEASE SAVEPOINT one"
			if err != nil {
				end = "ROLLBACK TO SAVEPOINT one"
			}
			if _, serr := tx.ExecContext(ctx, end); serr != nil {
				return serr
			}
			if err != nil && !strings.Contains(err.Error(), "23503") { // a parent is missing yet
				return fmt.Errorf("%s: %w", table, err)
			}
			if err != nil {
				again = append(again, table)
			}
		}
		if len(again) == len(left) {
			return fmt.Errorf("the rows of %v have no parents", again)
		}
		left = again
	}
	return tx.Commit()
}

// only is the migrations of those numbers.
func only(all fs.FS, had []string) (fs.FS, error) {
	names, err := fs.Glob(all, "*.sql")
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for _, n := range names {
		number, err := strconv.Atoi(strings.SplitN(path.Base(n), "_", 2)[0])
		if err != nil {
			return nil, err
		}
		if slices.Contains(had, strconv.Itoa(number)) {
			raw, err := fs.ReadFile(all, n)
			if err != nil {
				return nil, err
			}
			out[n] = &fstest.MapFile{Data: raw}
		}
	}
	if len(out) != len(had) {
		return nil, fmt.Errorf("%d migrations for the versions %v", len(out), had)
	}
	return out, nil
}

func texts(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func copyTable(ctx context.Context, from *sql.DB, to *sql.Tx, table string) error {
	columns, err := texts(ctx, from, `SELECT name FROM pragma_table_info('`+table+`') ORDER BY cid`)
	if err != nil {
		return err
	}
	// The driver does not tell an empty value from none.
	rows, err := from.QueryContext(ctx, `SELECT "`+strings.Join(columns, `", "`)+`", "`+strings.Join(columns, `" IS NULL, "`)+`" IS NULL FROM "`+table+`"`)
	if err != nil {
		return err
	}
	defer rows.Close()
	marks := make([]string, len(columns))
	for i := range columns {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	insert := `INSERT INTO "` + table + `" ("` + strings.Join(columns, `", "`) + `") VALUES (` + strings.Join(marks, ", ") + ")"
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, 2*len(columns))
		none := make([]bool, len(columns))
		for i := range values {
			into[i], into[len(columns)+i] = &values[i], &none[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range values {
			if raw, bytes := values[i].([]byte); !none[i] && len(raw) == 0 && (bytes || values[i] == nil) {
				values[i] = []byte{}
			}
		}
		if _, err := to.ExecContext(ctx, insert, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
