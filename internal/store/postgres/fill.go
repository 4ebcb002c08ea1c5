package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// A database that a copy is loaded into is claimed first, so that only one restore
// fills it and nobody serves from half of it: it has a table that says so, which
// Check refuses, and the roles that serve may not connect until it is admitted.

// fillTable is there while a database is being filled.
const fillTable = "restoring"

// CodeFilling is the code of Check's error for a database that is being filled.
const CodeFilling = "restoring"

// FillTimeout bounds one statement of a program that fills a database: an index of
// a large table, or one batch of rows over a slow line.
const FillTimeout = time.Hour

// MigrateTo is Migrate that stops at a version (see sqldb.MigrateTo).
func MigrateTo(ctx context.Context, db sqldb.DB, files fs.FS, version int64) error {
	return withHandle(db, func(h *sql.DB) error { return sqldb.MigrateTo(ctx, h, sqldb.PostgreSQL, files, "", version) })
}

// Empty returns fault.Conflict unless a database has no table, view, sequence or
// function of its own; code CodeFilling when a restore is under way or broke off.
// fault.Forbidden: the user of the URL does not own the database.
func Empty(ctx context.Context, db sqldb.DB) error {
	return withHandle(db, func(h *sql.DB) error { return empty(ctx, h) })
}

// querier is a database or one connection of it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// own picks the schemas that are not the server's; what an extension brought is not counted.
const own = `n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'`

func empty(ctx context.Context, q querier) error {
	var name string
	var things, marks int
	var owns bool
	err := q.QueryRowContext(ctx, `SELECT current_database(), pg_has_role(current_user, (SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()), 'MEMBER'),
		(SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE `+own+` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
		+ (SELECT count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE `+own+` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')),
		(SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = '`+fillTable+`')`).Scan(&name, &owns, &things, &marks)
	switch {
	case err != nil:
		return sqldb.Classify(err, "look into the database")
	case marks > 0:
		return filling(name)
	case !owns:
		return fault.Newf(fault.Forbidden, "database_owner", "the database %s is filled as its owner: name it with the URL of the user that owns it (the one of `tikakosh migrate`)", name)
	case things > 0:
		return fault.Newf(fault.Conflict, "not-empty", "the database %s is not empty: a restore takes nothing's place. Make new databases for it, and keep this one until the new ones serve", name)
	}
	return nil
}

func filling(name string) error {
	return fault.Newf(fault.Conflict, CodeFilling, "a restore into the database %s is under way, or broke off. If none runs, drop it and make it anew, as the server's administrator: %s", name, Remade(name))
}

// Remade is the statements that make a database of a name anew.
func Remade(name string) string {
	n := quoted(name)
	return "DROP DATABASE " + n + "; CREATE DATABASE " + n + " OWNER tikakosh_migrator TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// NameOf is the name of the database of a URL, "" for a malformed one.
func NameOf(url string) string {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return ""
	}
	return cfg.Database
}

// Claim marks an empty database as one that is being filled and lets nobody but its
// owner in. Of two at once one gets fault.Conflict, as where it is not empty.
func Claim(ctx context.Context, db sqldb.DB) error {
	return withHandle(db, func(h *sql.DB) error {
		tx, err := h.BeginTx(ctx, nil)
		if err != nil {
			return sqldb.Classify(err, "claim the database")
		}
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		if err := empty(ctx, tx); err != nil {
			return err
		}
		var name string
		err = tx.QueryRowContext(ctx, "SELECT current_database()").Scan(&name)
		for _, q := range []string{"CREATE TABLE " + fillTable + " (x BIGINT)", "REVOKE ALL ON DATABASE " + quoted(name) + " FROM PUBLIC"} {
			if err == nil {
				_, err = tx.ExecContext(ctx, q)
			}
		}
		if err == nil {
			err = tx.Commit()
		}
		if sqldb.IsConstraint(err) || (err != nil && stateOf(err) == "42P07") {
			return filling(name)
		}
		return sqldb.Classify(err, "claim the database")
	})
}

// Shut takes the right to connect from the roles that a migration gave it to.
func Shut(ctx context.Context, db sqldb.DB, roles []string) error {
	return onDatabase(ctx, db, "REVOKE CONNECT ON DATABASE %s FROM "+strings.Join(roles, ", "))
}

// Admit ends what Claim began: the counters of the change feed stand at or above
// every row's number, the mark is gone, and the roles may connect.
func Admit(ctx context.Context, db sqldb.DB, roles []string) error {
	statements := []string{"DROP TABLE " + fillTable, "GRANT CONNECT ON DATABASE %s TO " + strings.Join(roles, ", ")}
	var feed int
	err := withHandle(db, func(h *sql.DB) error {
		return h.QueryRowContext(ctx, "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = 'feed'").Scan(&feed)
	})
	if err != nil {
		return sqldb.Classify(err, "look for the change feed")
	}
	if feed > 0 {
		for _, t := range []string{"session", "centre"} {
			statements = append(statements, "UPDATE feed SET seq = GREATEST(seq, (SELECT COALESCE(MAX(changed), 0) FROM "+t+")) WHERE name = '"+t+"'")
		}
	}
	return onDatabase(ctx, db, statements...)
}

// onDatabase runs statements in one transaction; %s in them is the database.
func onDatabase(ctx context.Context, db sqldb.DB, statements ...string) error {
	return withHandle(db, func(h *sql.DB) error {
		tx, err := h.BeginTx(ctx, nil)
		if err != nil {
			return sqldb.Classify(err, "rights on the database")
		}
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		var name string
		if err := tx.QueryRowContext(ctx, "SELECT current_database()").Scan(&name); err != nil {
			return sqldb.Classify(err, "rights on the database")
		}
		for _, q := range statements {
			if strings.Contains(q, "%s") {
				q = fmt.Sprintf(q, quoted(name))
			}
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return sqldb.Classify(err, "rights on the database")
			}
		}
		return sqldb.Classify(tx.Commit(), "rights on the database")
	})
}

// Insert implements sqldb.Bulk by COPY, in a transaction of its own: faster than a
// statement for each row. All rows are stored, or none.
func (d *database) Insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if d.opt.ReadOnly {
		return fault.New(fault.Forbidden, "readonly", "the database is open for reading only")
	}
	ctx, cancel := context.WithTimeout(ctx, d.opt.limit())
	defer cancel()
	conn, err := d.handle.Conn(ctx)
	if err != nil {
		return sqldb.Classify(&lostError{unwrapNet(err)}, "store rows")
	}
	defer func() { _ = conn.Close() }()
	var n int64
	err = conn.Raw(func(c any) error {
		p, ok := c.(*stdlib.Conn)
		if !ok {
			return errNotOpen
		}
		var err error
		n, err = p.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		if err != nil && (p.Conn().IsClosed() || endsSession(stateOf(err))) {
			return &lostError{err}
		}
		return err
	})
	if err == nil && n != int64(len(rows)) {
		err = fault.New(fault.Integrity, "rows", "the database took another number of rows than it was given")
	}
	return err
}
