package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"

	"github.com/pressly/goose/v3"

	"tikakosh/internal/fault"
)

// Engine names a database engine to Migrate.
type Engine string

// The engines.
const (
	SQLite     Engine = "sqlite3"
	PostgreSQL Engine = "postgres"
)

// Codes of Migrate's errors.
const (
	CodeNewer   = "schema_newer"   // the database was migrated by a newer program
	CodeChanged = "schema_changed" // an applied migration file is not what it was
)

// DefaultTable is the table in which goose keeps the applied versions.
const DefaultTable = "migration"

// migrateTries bounds how often Migrate starts over when another process
// migrates the same database at the same time.
const migrateTries = 8

var tableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// Migrate brings the database behind handle to the newest migration in files,
// goose SQL files at the root of the file system, forward only. table keeps
// the applied versions ("" is DefaultTable) and table + "_sum" the SHA-256 of
// every file, stored before the file is applied. Several processes may call it
// at once. It is idempotent.
//
// Errors: Conflict with CodeNewer when the database has a version that files
// lack; Integrity with CodeChanged when an applied file differs from its
// stored sum or has none; Internal for a migration that does not run; else as
// Classify.
func Migrate(ctx context.Context, handle *sql.DB, engine Engine, files fs.FS, table string) error {
	return MigrateTo(ctx, handle, engine, files, table, 0)
}

// MigrateTo is Migrate that stops at a version: a copy of a database is loaded
// into the schema it was made from, and migrated from there. 0 is the newest.
// Conflict with CodeNewer: this program does not know the version.
func MigrateTo(ctx context.Context, handle *sql.DB, engine Engine, files fs.FS, table string, version int64) error {
	if table == "" {
		table = DefaultTable
	}
	if !tableName.MatchString(table) {
		return fault.New(fault.Internal, "migration", "the name of the migration table is malformed")
	}
	m := migrator{db: handle, engine: engine, files: files, table: table, last: version}
	var err error
	for try := range migrateTries {
		if err = m.up(ctx); err == nil || ctx.Err() != nil || fault.CodeOf(err) == CodeNewer || fault.CodeOf(err) == CodeChanged {
			return err
		}
		// The loser of a race sees "table exists" or "busy"; on the next try it
		// finds the winner's work done. A migration that does not run stays so.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try+1) * 10 * time.Millisecond):
		}
	}
	return err
}

type migrator struct {
	db     *sql.DB
	engine Engine
	files  fs.FS
	table  string
	last   int64 // version to stop at; 0: none
}

func (m migrator) up(ctx context.Context) error {
	p, err := goose.NewProvider(goose.Dialect(m.engine), m.db, m.files, goose.WithTableName(m.table),
		goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false), goose.WithLogger(goose.NopLogger()),
		goose.WithAllowOutofOrder(true)) // one that was merged after a higher number
	if err != nil {
		return Classify(err, "read migrations")
	}
	sums, newest, err := m.sums(p)
	if err != nil {
		return err
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return Classify(err, "read the version of the database")
	}
	if at > newest {
		return newer(at, newest)
	}
	if err := m.compare(ctx, p, sums); err != nil {
		return err
	}
	if m.last != 0 {
		if _, known := sums[m.last]; !known {
			return fault.Newf(fault.Conflict, CodeNewer, "this program does not know version %d of the database, versions up to %d only: use the program that wrote it, or a newer one", m.last, newest)
		}
		_, err = p.UpTo(ctx, m.last)
		return Classify(err, "migrate the database")
	}
	_, err = p.Up(ctx)
	return Classify(err, "migrate the database")
}

// sums returns the checksum of every file by version, and the newest version.
func (m migrator) sums(p *goose.Provider) (map[int64]string, int64, error) {
	sums, newest := map[int64]string{}, int64(0)
	for _, s := range p.ListSources() {
		b, err := fs.ReadFile(m.files, path.Clean(s.Path))
		if err != nil {
			return nil, 0, fault.Wrap(fault.Internal, err, "read a migration")
		}
		h := sha256.Sum256(b)
		sums[s.Version] = hex.EncodeToString(h[:])
		newest = max(newest, s.Version)
	}
	return sums, newest, nil
}

// compare holds the files against the stored sums and stores those of the
// pending ones, so that there is never an applied file without a sum.
func (m migrator) compare(ctx context.Context, p *goose.Provider, sums map[int64]string) error {
	ddl := "CREATE TABLE IF NOT EXISTS " + m.table + "_sum (version INTEGER NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL) STRICT"
	if m.engine == PostgreSQL {
		ddl = "CREATE TABLE IF NOT EXISTS " + m.table + "_sum (version BIGINT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL)"
	}
	if _, err := m.db.ExecContext(ctx, ddl); err != nil {
		return Classify(err, "create the table of checksums")
	}
	states, err := p.Status(ctx)
	if err != nil {
		return Classify(err, "read the applied migrations")
	}
	for _, s := range states {
		v := s.Source.Version
		if s.State != goose.StateApplied {
			_, err := m.db.ExecContext(ctx, "INSERT INTO "+m.table+"_sum (version, sha256) VALUES ($1, $2) "+
				"ON CONFLICT (version) DO UPDATE SET sha256 = excluded.sha256", v, sums[v])
			if err != nil {
				return Classify(err, "store a checksum")
			}
			continue
		}
		var sum string
		err := m.db.QueryRowContext(ctx, "SELECT sha256 FROM "+m.table+"_sum WHERE version = $1", v).Scan(&sum)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return Classify(err, "read a checksum")
		}
		if sum != sums[v] {
			return changed(v)
		}
	}
	return m.vanished(ctx, sums)
}

// vanished refuses a database with an applied version whose file is gone.
func (m migrator) vanished(ctx context.Context, sums map[int64]string) error {
	rows, err := m.db.QueryContext(ctx, "SELECT version_id FROM "+m.table+" WHERE version_id > 0 ORDER BY version_id")
	if err != nil {
		return Classify(err, "read the applied versions")
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return Classify(err, "read the applied versions")
		}
		if _, ok := sums[v]; !ok {
			return changed(v)
		}
	}
	return Classify(rows.Err(), "read the applied versions")
}

func changed(version int64) error {
	return fault.New(fault.Integrity, CodeChanged,
		fmt.Sprintf("migration %d was applied to this database with another content than this program has", version))
}
