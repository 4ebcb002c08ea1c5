package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"tikakosh/internal/fault"
	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
)

// exitPending is the exit code of `migrate --dry-run` when something is to do.
const exitPending = 3

type migrateCmd struct {
	DB      string `name:"db" env:"TIKAKOSH_DB" help:"Registry database as its owner: postgres://…, or @FILE that holds it."`
	VaultDB string `name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's database as its owner: postgres://…, or @FILE."`
	DryRun  bool   `name:"dry-run" help:"Print the statements that would run and change nothing; exit code 3 when there are any."`

	Distribute bool `help:"Spread a migrated registry over the workers of a Citus cluster; with --dry-run only print the statements."`
}

// target is one database to migrate.
type target struct {
	name, url string
	files     fs.FS
}

func (c *migrateCmd) targets() ([]target, error) {
	var out []target
	for _, t := range []target{{"registry", c.DB, registrymigrations.Postgres()}, {"vault", c.VaultDB, vaultmigrations.Postgres()}} {
		if t.url == "" {
			continue
		}
		var err error
		if t.url, err = databaseURL(t.url); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, badConfig("name the databases with --db and --vault-db; SQLite files are brought up to date by the roles themselves")
	}
	if len(out) == 2 && postgres.SameDatabase(out[0].url, out[1].url) {
		return nil, badConfig("--db and --vault-db name the same database: the vault's rows belong where the other roles cannot reach")
	}
	return out, nil
}

// Run brings PostgreSQL databases to this program's migrations. It may run while
// an older program serves: migrations first add, and take away only what no
// version in use needs any more.
func (c *migrateCmd) Run() error {
	ctx := context.Background()
	targets, err := c.targets()
	if err != nil {
		return err
	}
	if c.Distribute {
		return c.distribute(ctx, targets)
	}
	pending := 0
	for _, t := range targets {
		n, err := t.run(ctx, c.DryRun)
		if err != nil {
			return fmt.Errorf("%s database: %w", t.name, err)
		}
		pending += n
	}
	if c.DryRun && pending > 0 {
		os.Exit(exitPending)
	}
	return nil
}

// distribute spreads the registry; the vault's database is one authority and
// stays on one server.
func (c *migrateCmd) distribute(ctx context.Context, targets []target) (err error) {
	if targets[0].name != "registry" {
		return badConfig("--distribute wants the registry's database in --db")
	}
	db, err := postgres.Open(ctx, targets[0].url, postgres.Options{Name: "migrate", Connections: 2, StatementTimeout: time.Hour})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements, err := postgres.Distribute(ctx, db, !c.DryRun)
	if err != nil {
		return err
	}
	for _, q := range statements {
		fmt.Println(q + ";")
	}
	return nil
}

// rolesThere looks for the users that the grants name.
func (t target) rolesThere(ctx context.Context, db sqldb.DB) error {
	var n int
	err := db.View(ctx, func(tx sqldb.Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname IN ('tikakosh_web', 'tikakosh_worker', 'tikakosh_vault')").Scan(&n)
	})
	if err == nil && n < 3 {
		err = fault.New(fault.Conflict, "database_roles", "the server lacks the roles that serve; as its administrator: "+
			"CREATE ROLE tikakosh_web LOGIN PASSWORD '…'; CREATE ROLE tikakosh_worker LOGIN PASSWORD '…'; CREATE ROLE tikakosh_vault LOGIN PASSWORD '…'")
	}
	return err
}

// run migrates one database, or prints what it would do, and returns how many
// migrations that is.
func (t target) run(ctx context.Context, dry bool) (n int, err error) {
	db, err := postgres.Open(ctx, t.url, postgres.Options{Name: "migrate", Connections: 2})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	steps, err := postgres.Pending(ctx, db, t.files)
	if err != nil {
		return 0, err
	}
	if len(steps) == 0 {
		fmt.Printf("%s database: up to date\n", t.name)
		return 0, nil
	}
	if dry {
		for _, s := range steps {
			fmt.Printf("-- %s database, %s\n%s\n", t.name, s.Name, strings.TrimSpace(s.SQL))
		}
		return len(steps), nil
	}
	if err := t.rolesThere(ctx, db); err != nil {
		return 0, err
	}
	if err := postgres.Migrate(ctx, db, t.files); err != nil {
		return 0, err
	}
	for _, s := range steps {
		fmt.Printf("%s database: %s\n", t.name, s.Name)
	}
	return len(steps), nil
}
