package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// Shards is the number of shards of the registry on Citus: 16 for each of 16
// workers (scale.md 7.2).
const Shards = 256

// Distribute lists the statements that spread a migrated registry over the
// workers of a Citus cluster: every table that has a bucket by its bucket, all
// of them side by side. Foreign keys are taken off and put back. The change
// feed's triggers write beside their shard, which Citus does not allow: they go,
// and the slot search learns of other processes' bookings when it reads
// everything anew, once a minute.
//
// With run it also executes them, in one transaction. Errors: Conflict with
// code "not_citus" on a server without the extension; Conflict with code
// "distributed" when the tables are distributed already.
func Distribute(ctx context.Context, db sqldb.DB, run bool) (statements []string, err error) {
	err = withHandle(db, func(h *sql.DB) error {
		statements, err = distribute(ctx, h)
		if err != nil || !run {
			return err
		}
		return spread(ctx, h, statements)
	})
	return statements, err
}

// The tables that have a bucket, foreign keys among them, and the feed's triggers.
const (
	bucketTables = `SELECT c.table_name FROM information_schema.columns c JOIN pg_catalog.pg_tables t ON t.schemaname = 'public' AND t.tablename = c.table_name
		WHERE c.table_schema = 'public' AND c.column_name = 'bucket' ORDER BY c.table_name <> 'person', c.table_name`
	foreignKeys = `SELECT conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname), conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
		FROM pg_catalog.pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1`
	feedTriggers = `SELECT 'DROP TRIGGER ' || quote_ident(tgname) || ' ON ' || tgrelid::regclass FROM pg_catalog.pg_trigger
		WHERE NOT tgisinternal AND tgfoid::regproc::text LIKE '%number_change' ORDER BY 1`
)

func distribute(ctx context.Context, h *sql.DB) (out []string, err error) {
	drops, adds, err := pairs(ctx, h, foreignKeys)
	if err != nil {
		return nil, err
	}
	triggers, _, err := pairs(ctx, h, "SELECT x, '' FROM ("+feedTriggers+") AS t (x)")
	if err != nil {
		return nil, err
	}
	tables, _, err := pairs(ctx, h, "SELECT x, '' FROM ("+bucketTables+") AS t (x)")
	if err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, fault.New(fault.Conflict, sqldb.CodeOlder, "the registry has no tables yet: run `tikakosh migrate` first")
	}
	out = append(out, "SET citus.enable_unsafe_triggers TO on") // the others look at their own row only
	out = append(out, triggers...)
	for _, d := range drops {
		out = append(out, "ALTER TABLE "+d)
	}
	for i, t := range tables {
		if i == 0 {
			out = append(out, fmt.Sprintf("SELECT create_distributed_table('%s', 'bucket', shard_count := %d)", t, Shards))
			continue
		}
		out = append(out, fmt.Sprintf("SELECT create_distributed_table('%s', 'bucket', colocate_with := '%s')", t, tables[0]))
	}
	for _, a := range adds {
		out = append(out, "ALTER TABLE "+a)
	}
	return out, nil
}

func pairs(ctx context.Context, h *sql.DB, query string) (first, second []string, err error) {
	rows, err := h.QueryContext(ctx, query)
	if err != nil {
		return nil, nil, sqldb.Classify(err, "read the schema")
	}
	defer rows.Close()
	for rows.Next() {
		var a, b string
		if err := rows.Scan(&a, &b); err != nil {
			return nil, nil, sqldb.Classify(err, "read the schema")
		}
		first, second = append(first, a), append(second, b)
	}
	return first, second, sqldb.Classify(rows.Err(), "read the schema")
}

// spread runs the statements where they can run.
func spread(ctx context.Context, h *sql.DB, statements []string) error {
	var n int
	if err := h.QueryRowContext(ctx, "SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'citus'").Scan(&n); err != nil {
		return sqldb.Classify(err, "look for Citus")
	}
	if n == 0 {
		return fault.New(fault.Conflict, "not_citus",
			"this database is on one PostgreSQL server: only a coordinator with the extension Citus, made in this database by CREATE EXTENSION citus, can distribute its tables")
	}
	if err := h.QueryRowContext(ctx, "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = 'person'::regclass").Scan(&n); err != nil || n > 0 {
		if err != nil {
			return sqldb.Classify(err, "look for distributed tables")
		}
		return fault.New(fault.Conflict, "distributed", "the tables are distributed already")
	}
	tx, err := h.BeginTx(ctx, nil)
	if err != nil {
		return sqldb.Classify(err, "distribute")
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, q := range statements {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return sqldb.Classify(err, "distribute: "+q)
		}
	}
	return sqldb.Classify(tx.Commit(), "distribute")
}
