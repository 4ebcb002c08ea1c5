package harness

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// The database files below the data folder.
const (
	RegistryDB = "registry/registry.db"
	VaultDB    = "vault/vault.db"
)

// DB opens a database of the data folder as its administrator would: for
// writing, with every guard of the schema within reach. It is closed at the end
// of the test.
func (s *Server) DB(name string) *sql.DB {
	s.tb.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(s.Data, name)+"?_pragma=busy_timeout(10000)"
	if s.pg != nil {
		driver, source = "pgx", s.pg.url[name]
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		s.tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	s.tb.Cleanup(func() { _ = db.Close() })
	return db
}

// Exec runs statements on a database of the data folder and closes it again, so
// that a stopped server finds nothing open.
func (s *Server) Exec(name string, statements ...string) {
	s.tb.Helper()
	db := s.DB(name)
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			s.tb.Fatalf("%s: %v\n%s", name, err, q)
		}
	}
	if err := db.Close(); err != nil {
		s.tb.Fatal(err)
	}
}

// DropGuards drops every trigger of a database: an administrator can.
func (s *Server) DropGuards(name string) {
	s.tb.Helper()
	for _, drop := range s.Column(name, s.catalogue(`SELECT 'DROP TRIGGER "' || name || '"' FROM sqlite_master WHERE type = 'trigger'`,
		"SELECT 'DROP TRIGGER ' || tgname || ' ON ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal AND tgfoid::regproc::text NOT LIKE '%number_change%'")) {
		s.Exec(name, drop)
	}
}

// Column returns the first column of a query as text.
func (s *Server) Column(name, query string, args ...any) []string {
	s.tb.Helper()
	db := s.DB(name)
	defer db.Close()
	rows, err := db.Query(query, args...)
	if err != nil {
		s.tb.Fatalf("%s: %v\n%s", name, err, query)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v sql.NullString
		if err := rows.Scan(&v); err != nil {
			s.tb.Fatal(err)
		}
		out = append(out, v.String)
	}
	if err := rows.Err(); err != nil {
		s.tb.Fatal(err)
	}
	return out
}

// Cell is the one value of a query; the test fails if there is not one row.
func (s *Server) Cell(name, query string, args ...any) string {
	s.tb.Helper()
	got := s.Column(name, query, args...)
	if len(got) != 1 {
		s.tb.Fatalf("%s: %d rows, want 1\n%s", name, len(got), query)
	}
	return got[0]
}

// PersonOf is the opaque id of the person with a reference id: the registry
// database holds it in the clear.
func (s *Server) PersonOf(reference string) string {
	s.tb.Helper()
	return s.Cell(RegistryDB, "SELECT person FROM reference WHERE reference = $1", reference)
}

// CopyFile copies one file, or removes the target when there is no source.
func CopyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		err = os.Remove(to)
		if os.IsNotExist(err) {
			err = nil
		}
		return err
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// Files lists the data files below the given folders of the data folder.
func (s *Server) Files(below ...string) []string {
	s.tb.Helper()
	var out []string
	for _, b := range below {
		err := filepath.WalkDir(filepath.Join(s.Data, b), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				out = append(out, path)
			}
			if os.IsNotExist(err) {
				return nil
			}
			return err
		})
		if err != nil {
			s.tb.Fatal(err)
		}
	}
	return out
}

// Blobs returns every text and blob value of every table of a database, with
// where it is: what an offline attacker with the file can read.
func (s *Server) Blobs(name string) map[string][][]byte {
	s.tb.Helper()
	db := s.DB(name)
	defer db.Close()
	out := map[string][][]byte{}
	for _, table := range s.Column(name, s.catalogue("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		"SELECT tablename FROM pg_tables WHERE schemaname = 'public'")) {
		rows, err := db.Query(`SELECT * FROM "` + strings.ReplaceAll(table, `"`, `""`) + `"`)
		if err != nil {
			s.tb.Fatal(err)
		}
		cols, err := rows.Columns()
		if err != nil {
			s.tb.Fatal(err)
		}
		for rows.Next() {
			vals, ptrs := make([]sql.RawBytes, len(cols)), make([]any, len(cols))
			for i := range vals {
				ptrs[i] = &vals[i]
			}
			if err := rows.Scan(ptrs...); err != nil {
				s.tb.Fatal(err)
			}
			for i, v := range vals {
				key := name + ":" + table + "." + cols[i]
				out[key] = append(out[key], append([]byte(nil), v...))
			}
		}
		if err := rows.Err(); err != nil {
			s.tb.Fatal(err)
		}
		_ = rows.Close()
	}
	return out
}

// Refuse makes a table take no row, by a trigger of this name.
func (s *Server) Refuse(name, table, trigger string) {
	s.tb.Helper()
	s.Exec(name, s.catalogue("CREATE TRIGGER "+trigger+" BEFORE INSERT ON "+table+" BEGIN SELECT RAISE(ABORT, 'refused by the administrator'); END",
		"CREATE TRIGGER "+trigger+" BEFORE INSERT ON "+table+" FOR EACH ROW EXECUTE FUNCTION refuse('refused by the administrator')"))
}
