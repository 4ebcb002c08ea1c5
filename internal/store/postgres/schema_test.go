package postgres

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// only are the tables that one engine needs and the other does not.
var only = map[string]string{
	"feed": "postgres: SQLite has one writer, so the highest number so far is enough",
}

// TestPostgresSameSchema compares what the migrations made: tables, columns in
// order, types, NOT NULL, primary keys and indexes.
func TestPostgresSameSchema(t *testing.T) {
	if !pgtest.On() {
		return
	}
	for name, sides := range map[string][2]fs.FS{"registry": {registry.SQLite, registry.Postgres()}, "vault": {vault.FS, vault.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			lite, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer lite.Close()
			pg, err := sql.Open("pgx", pgtest.As(pgtest.Shared(t).Empty(t), "tikakosh_migrator"))
			if err != nil {
				t.Fatal(err)
			}
			defer pg.Close()
			if err := sqldb.Migrate(t.Context(), lite, sqldb.SQLite, sides[0], ""); err != nil {
				t.Fatal(err)
			}
			if err := sqldb.Migrate(t.Context(), pg, sqldb.PostgreSQL, sides[1], ""); err != nil {
				t.Fatal(err)
			}
			a, b := described(t, lite, liteSchema), described(t, pg, pgSchema)
			for table := range only {
				delete(b, table)
			}
			for table := range a {
				if strings.Join(a[table], "\n") != strings.Join(b[table], "\n") {
					t.Errorf("%s differs:\nSQLite\n%s\nPostgreSQL\n%s", table, strings.Join(a[table], "\n"), strings.Join(b[table], "\n"))
				}
				delete(b, table)
			}
			for table := range b {
				t.Errorf("%s is on PostgreSQL only", table)
			}
		})
	}
}

const (
	liteSchema = `SELECT m.name, printf('%03d', c.cid), c.name || ' ' || c.type || ' null=' || (1 - c."notnull") || ' pk=' || c.pk
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'migration%' AND m.name NOT LIKE 'sqlite_%'
		UNION ALL SELECT tbl_name, 'index', name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1, 2, 3`
	pgSchema = `SELECT c.table_name, lpad((row_number() OVER (PARTITION BY c.table_name ORDER BY c.ordinal_position) - 1)::text, 3, '0'),
		c.column_name || ' ' || CASE c.data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' ELSE upper(c.data_type) END
		|| ' null=' || CASE c.is_nullable WHEN 'YES' THEN 1 ELSE 0 END || ' pk=' || COALESCE((SELECT k.ordinal_position FROM information_schema.key_column_usage k
			JOIN information_schema.table_constraints p ON p.constraint_name = k.constraint_name AND p.table_name = k.table_name
			WHERE p.constraint_type = 'PRIMARY KEY' AND k.table_name = c.table_name AND k.column_name = c.column_name), 0)
		FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'migration%'
		UNION ALL SELECT tablename, 'index', indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\_pkey' AND tablename NOT LIKE 'migration%'
		ORDER BY 1, 2, 3`
)

func described(t *testing.T, db *sql.DB, query string) map[string][]string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var table, kind, what string
		if err := rows.Scan(&table, &kind, &what); err != nil {
			t.Fatal(err)
		}
		out[table] = append(out[table], fmt.Sprint(kind, " ", what))
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		t.Fatal(err, len(out))
	}
	return out
}
