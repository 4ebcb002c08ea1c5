package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"

	"tikakosh/internal/fault"
)

// CodeOlder is the code of Check's error for a database that lacks migrations.
const CodeOlder = "schema_older"

// Step is one migration that a database lacks.
type Step struct {
	Version int64
	Name    string // of the file
	SQL     string // its whole text
}

// Pending lists the migrations in files that the database lacks, in order. It
// changes nothing and needs no right but to read. Errors are those of Migrate.
func Pending(ctx context.Context, handle *sql.DB, engine Engine, files fs.FS, table string) ([]Step, error) {
	if table == "" {
		table = DefaultTable
	}
	if !tableName.MatchString(table) {
		return nil, fault.New(fault.Internal, "migration", "the name of the migration table is malformed")
	}
	m := migrator{db: handle, engine: engine, files: files, table: table}
	p, err := goose.NewProvider(goose.Dialect(engine), handle, files, goose.WithTableName(table),
		goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, Classify(err, "read migrations")
	}
	sums, newest, err := m.sums(p)
	if err != nil {
		return nil, err
	}
	applied, err := m.applied(ctx)
	if err != nil {
		return nil, err
	}
	for v, sum := range applied {
		if v > newest {
			return nil, newer(v, newest)
		}
		if sums[v] != sum {
			return nil, changed(v)
		}
	}
	var out []Step
	for _, s := range p.ListSources() {
		if _, ok := applied[s.Version]; ok {
			continue
		}
		text, err := fs.ReadFile(files, path.Clean(s.Path))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read a migration")
		}
		out = append(out, Step{Version: s.Version, Name: path.Base(s.Path), SQL: string(text)})
	}
	return out, nil
}

// Check returns nil when the database has exactly the migrations in files. It
// changes nothing. Errors: those of Pending; Conflict with CodeOlder when some
// are missing.
func Check(ctx context.Context, handle *sql.DB, engine Engine, files fs.FS, table string) error {
	steps, err := Pending(ctx, handle, engine, files, table)
	if err != nil || len(steps) == 0 {
		return err
	}
	return fault.New(fault.Conflict, CodeOlder, fmt.Sprintf(
		"the database lacks %d migrations, the first is %s: run `tikakosh migrate` as its owner, then start again", len(steps), steps[0].Name))
}

// applied returns the sums of the applied migrations by version; none when there
// is no table of them yet.
func (m migrator) applied(ctx context.Context) (map[int64]string, error) {
	catalogue := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1"
	if m.engine == PostgreSQL {
		catalogue = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	var n int
	if err := m.db.QueryRowContext(ctx, catalogue, m.table).Scan(&n); err != nil {
		return nil, Classify(err, "look for the applied migrations")
	}
	out := map[int64]string{}
	if n == 0 {
		return out, nil
	}
	rows, err := m.db.QueryContext(ctx, "SELECT version_id FROM "+m.table+" WHERE version_id > 0 ORDER BY version_id")
	if err != nil {
		return nil, Classify(err, "read the applied versions")
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return nil, Classify(err, "read the applied versions")
		}
		out[v] = ""
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, Classify(err, "read the applied versions")
	}
	for v := range out {
		var sum string
		err := m.db.QueryRowContext(ctx, "SELECT sha256 FROM "+m.table+"_sum WHERE version = $1", v).Scan(&sum)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, Classify(err, "read a checksum")
		}
		out[v] = sum
	}
	return out, nil
}

func newer(at, newest int64) error {
	return fault.Newf(fault.Conflict, CodeNewer,
		"the database is at version %d, this program knows versions up to %d: start a newer program", at, newest)
}
