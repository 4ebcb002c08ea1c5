package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/pgtest"
)

func migratedBy(files fs.FS) func(url string) error {
	return func(url string) error {
		ctx := context.Background()
		db, err := Open(ctx, pgtest.As(url, "tikakosh_migrator"), Options{})
		if err != nil {
			return err
		}
		return errors.Join(Migrate(ctx, db, files), db.Close())
	}
}

// rights lists what a role may do with each table, columns' rights as
// UPDATE(column).
const rights = `SELECT c.relname, p.priv FROM pg_class c CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) p (priv)
	WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND has_table_privilege($1, c.oid, p.priv)
	UNION ALL SELECT c.relname, 'UPDATE(' || a.attname || ')' FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT has_table_privilege($2, c.oid, 'UPDATE') AND has_column_privilege($3, c.oid, a.attnum, 'UPDATE')
	ORDER BY 1, 2`

// TestPostgresGrants: exactly these rights, table by table.
func TestPostgresGrants(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s := pgtest.Shared(t)
	// Not copies of a template: whom a database lets in is not copied.
	reg, vlt := s.Empty(t), s.Empty(t)
	for url, files := range map[string]fs.FS{reg: registry.Postgres(), vlt: vault.Postgres()} {
		if err := migratedBy(files)(url); err != nil {
			t.Fatal(err)
		}
	}
	adds, all, reads := "INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE", "SELECT"
	for _, c := range []struct {
		url, role, rest string
		other           map[string]string
	}{
		{reg, "tikakosh_web", adds, map[string]string{"sealed": "INSERT SELECT UPDATE(until)", "person": "INSERT SELECT UPDATE(state)",
			"appointment": "INSERT SELECT UPDATE(state)", "reference": "INSERT SELECT", "draw": reads, "report": reads}},
		{reg, "tikakosh_worker", adds, map[string]string{"sealed": "INSERT SELECT UPDATE(until)", "person": "INSERT SELECT UPDATE(state)",
			"appointment": "DELETE INSERT SELECT UPDATE(state)", "reference": "INSERT SELECT",
			"outbox": all, "wish": all, "reserve": all, "idempotency": all, "hold": all, "hold_place": all}},
		{vlt, "tikakosh_vault", all, map[string]string{"ledger_entry": "INSERT SELECT", "ledger_head": adds, "lease": adds}},
		{reg, "tikakosh_vault", "", nil}, {vlt, "tikakosh_web", "", nil}, {vlt, "tikakosh_worker", "", nil},
	} {
		db, err := sql.Open("pgx", c.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		got := map[string][]string{}
		rows, err := db.Query(rights, c.role, c.role, c.role)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var table, right string
			if err := rows.Scan(&table, &right); err != nil {
				t.Fatal(err)
			}
			got[table] = append(got[table], right)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, table := range column(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") {
			want, special := c.other[table]
			if !special {
				want = c.rest
			}
			if strings.HasPrefix(table, "migration") && c.rest != "" {
				want = reads
			}
			if table == "feed" {
				want = ""
			}
			if is := strings.Join(got[table], " "); is != want {
				t.Errorf("%s on %s: %q, want %q", c.role, table, is, want)
			}
		}
		var enters bool
		if err := db.QueryRow("SELECT has_database_privilege($1, current_database(), 'CONNECT')", c.role).Scan(&enters); err != nil || enters != (c.rest != "") {
			t.Errorf("%s enters: %v %v", c.role, enters, err)
		}
	}
}

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPostgresCaptured: what a captured role may try with its own password, and
// that each attempt succeeds in a database whose grants were never made.
func TestPostgresCaptured(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s := pgtest.Shared(t)
	attacks := []struct{ db, role, statement string }{
		{"registry", "tikakosh_web", "DELETE FROM outbox"},
		{"registry", "tikakosh_web", "DELETE FROM idempotency"},
		{"registry", "tikakosh_web", "TRUNCATE hold CASCADE"},
		{"registry", "tikakosh_web", "UPDATE feed SET seq = 0"},
		{"registry", "tikakosh_web", "UPDATE migration SET version_id = 1"},
		{"registry", "tikakosh_web", "INSERT INTO report (report, day, body, bucket) VALUES ('cells', '2026-01-01', '{}', 0)"},
		{"registry", "tikakosh_web", "UPDATE sealed SET body = ''"},
		{"registry", "tikakosh_web", "CREATE TABLE mine (x BIGINT)"},
		{"registry", "tikakosh_web", "DROP TRIGGER sealed_no_delete ON sealed"},
		{"registry", "tikakosh_worker", "DELETE FROM inbox"},
		{"registry", "tikakosh_worker", "UPDATE person SET household = 'x'"},
		{"vault", "tikakosh_web", "SELECT count(*) FROM mobile_index"},
		{"vault", "tikakosh_worker", "SELECT count(*) FROM key_ring"},
		{"vault", "tikakosh_vault", "DELETE FROM ledger_head"},
		{"vault", "tikakosh_vault", "UPDATE ledger_entry SET leaf = ''"},
		{"registry", "tikakosh_vault", "SELECT count(*) FROM person"},
	}
	for _, granted := range []bool{true, false} {
		urls := map[string]string{}
		for name, files := range map[string]fs.FS{"registry": registry.Postgres(), "vault": vault.Postgres()} {
			urls[name] = s.Empty(t)
			if err := migratedBy(files)(urls[name]); err != nil {
				t.Fatal(err)
			}
			if !granted { // as where somebody gave every role everything
				admin, err := sql.Open("pgx", urls[name])
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range []string{"GRANT CONNECT ON DATABASE " + urls[name][strings.LastIndexByte(urls[name], '/')+1:] + " TO PUBLIC", "GRANT ALL ON SCHEMA public TO PUBLIC",
					"GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC"} {
					if _, err := admin.Exec(q); err != nil {
						t.Fatal(err)
					}
				}
				if err := admin.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, a := range attacks {
			err := try(t, pgtest.As(urls[a.db], a.role), a.statement)
			denied := slices.Contains([]string{"42501"}, stateOf(err))
			owns := strings.HasPrefix(a.statement, "DROP") // nobody but the owner, grants or not
			if denied != (granted || owns) {
				t.Errorf("granted=%v: %s: %s: %v", granted, a.role, a.statement, err)
			}
		}
	}
}

func try(t *testing.T, url, statement string) error {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(statement)
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
