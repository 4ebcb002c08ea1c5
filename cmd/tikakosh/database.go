package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/metrics"
	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

// The variables that name databases; `run` hands each role its own.
const (
	dbVariable     = "TIKAKOSH_DB"
	readVariable   = "TIKAKOSH_READ_DB"
	workerVariable = "TIKAKOSH_WORKER_DB"
	vaultVariable  = "TIKAKOSH_VAULT_DB"
)

// databaseFlags are those of `run` and `demo`. Empty: SQLite files in the data
// folder.
type databaseFlags struct {
	DB       string `name:"db" env:"TIKAKOSH_DB" help:"Registry database of the web role: postgres://…, or @FILE that holds it; default: a SQLite file in the data folder."`
	WorkerDB string `name:"worker-db" env:"TIKAKOSH_WORKER_DB" help:"The same database as the worker's user; default: --db."`
	ReadDB   string `name:"read-db" env:"TIKAKOSH_READ_DB" help:"A replica of the registry for slot search and statistics; default: --db."`
	VaultDB  string `name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's own database: postgres://…, or @FILE; default: a SQLite file in the data folder."`
}

// resolve reads the files that the flags name and checks that they fit
// together. Passwords are then in no argument of any process.
func (f *databaseFlags) resolve(log *slog.Logger) error {
	for _, one := range []struct {
		flag string
		text *string
	}{{"--db", &f.DB}, {"--worker-db", &f.WorkerDB}, {"--read-db", &f.ReadDB}, {"--vault-db", &f.VaultDB}} {
		if onCommandLine(*one.text) && postgres.HasPassword(*one.text) {
			log.Warn("a password stands in the list of processes: name the database in the environment, or in a file with @FILE", "flag", one.flag)
		}
		var err error
		if *one.text, err = urlOf(*one.text); err != nil {
			return err
		}
	}
	if (f.DB == "") != (f.VaultDB == "") {
		return badConfig("--db and --vault-db go together: two databases of one PostgreSQL installation, or neither for SQLite files")
	}
	if f.DB == "" && (f.WorkerDB != "" || f.ReadDB != "") {
		return badConfig("--worker-db and --read-db go with --db")
	}
	if f.DB != "" && postgres.SameDatabase(f.DB, f.VaultDB) {
		return badConfig("--db and --vault-db name the same database: the vault's rows belong where the other roles cannot reach")
	}
	if f.WorkerDB == "" {
		f.WorkerDB = f.DB
	}
	return nil
}

// onCommandLine reports whether a value came as an argument.
func onCommandLine(text string) bool {
	for _, a := range os.Args[1:] {
		if text != "" && (a == text || strings.HasSuffix(a, "="+text)) {
			return true
		}
	}
	return false
}

// databaseURL is the URL that a flag gives, itself or in a file. Whoever runs the
// command hears when everybody on the machine can read the password meanwhile.
func databaseURL(text string) (string, error) {
	if onCommandLine(text) && postgres.HasPassword(text) {
		fmt.Fprintln(os.Stderr, "a password stands in the list of processes while this command runs: name the database by @FILE that holds the URL")
	}
	return urlOf(text)
}

// urlOf is the URL that a flag gives, itself or in a file.
func urlOf(text string) (string, error) {
	path, isFile := strings.CutPrefix(text, "@")
	if isFile {
		info, err := os.Stat(path)
		if err != nil {
			return "", badConfig("the file that names the database: %v", err)
		}
		if info.Mode().Perm()&0o007 != 0 {
			return "", badConfig("everybody on this machine can read the database's password: chmod o= %s", path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", badConfig("the file that names the database: %v", err)
		}
		text = strings.TrimSpace(string(raw))
	}
	if text != "" && !postgres.IsURL(text) {
		return "", badConfig("a database is named by postgres://user@host/database, or by @FILE with that line; SQLite needs no name")
	}
	return text, nil
}

// environment of a role that `run` starts: the databases it may reach.
func (f *databaseFlags) environment(role string) []string {
	switch {
	case f.DB == "":
		return nil
	case role == "vault":
		return []string{vaultVariable + "=" + f.VaultDB}
	case role == "web":
		return []string{dbVariable + "=" + f.DB, readVariable + "=" + f.ReadDB}
	case role == "worker", role == "seed":
		return []string{dbVariable + "=" + f.WorkerDB}
	}
	return nil
}

// openRegistryDB opens the registry database for a role: the SQLite file of the
// data folder, which it brings to the newest migration, or PostgreSQL, which it
// only compares: who serves may not change tables there.
func openRegistryDB(ctx context.Context, role, url, data string, o *observed) (sqldb.DB, error) {
	watch := metrics.NewStore(o.set, "registry")
	if url != "" {
		db, err := openPostgres(ctx, url, postgres.Options{Name: role, KeepRows: role == "web", Logger: o.log, Hook: commitCrash(role), Watch: watch}, checkRegistry)
		if err == nil {
			o.database("registry", db)
		}
		return db, err
	}
	db, err := sqlite.Open(ctx, layout{data}.registryDB(), sqlite.Options{Logger: o.log, FileMode: 0o660, SyncOff: ablate.Off(ablate.DBSync), Hook: commitCrash(role), Watch: watch})
	if err != nil {
		return nil, err
	}
	o.database("registry", db)
	if err := sqlite.Migrate(ctx, db, registrymigrations.SQLite); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// vaultIdle bounds how long the session of a vault that has vanished can keep the
// next one waiting.
const vaultIdle = 10 * time.Second

// openVaultDB opens the vault's database likewise. On PostgreSQL it first waits
// for the lease, and this process ends when another vault takes it.
func openVaultDB(ctx context.Context, url string, l layout, d *door, o *observed) (sqldb.DB, error) {
	watch := metrics.NewStore(o.set, "vault")
	if url != "" {
		lease, err := takeLease(ctx, url, l, d, o.log)
		if err != nil {
			return nil, err
		}
		db, err := openPostgres(ctx, url, postgres.Options{Name: "vault", Serial: true, Guard: lease.Guard, IdleTimeout: vaultIdle, Logger: o.log, Hook: commitCrash("vault"), Watch: watch}, checkVault)
		if err != nil {
			return nil, errors.Join(err, lease.end())
		}
		return &leasedDB{db, lease}, nil
	}
	db, err := sqlite.Open(ctx, l.vaultDB(), sqlite.Options{SecureDelete: true, Logger: o.log, SyncOff: ablate.Off(ablate.DBSync), Hook: commitCrash("vault"), Watch: watch})
	if err != nil {
		return nil, err
	}
	if err := sqlite.Migrate(ctx, db, vaultmigrations.FS); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readOnlyDB opens a database for an operator's command that changes nothing:
// PostgreSQL when url is not empty, else the SQLite file.
func readOnlyDB(ctx context.Context, url, path string) (sqldb.DB, error) {
	if url == "" {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, badConfig("there is no database %s: is it another data folder? Databases in PostgreSQL are named with --db and --vault-db", path)
		}
		return sqlite.Open(ctx, path, sqlite.Options{ReadOnly: true})
	}
	return postgres.Open(ctx, url, postgres.Options{Name: "operator", ReadOnly: true, Connections: 2})
}

func checkRegistry(ctx context.Context, db sqldb.DB) error {
	return postgres.Check(ctx, db, registrymigrations.Postgres())
}

func checkVault(ctx context.Context, db sqldb.DB) error {
	return postgres.Check(ctx, db, vaultmigrations.Postgres())
}

func openPostgres(ctx context.Context, url string, o postgres.Options, check func(context.Context, sqldb.DB) error) (sqldb.DB, error) {
	db, err := postgres.Open(ctx, url, o)
	if err != nil {
		return nil, err
	}
	if err := check(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// withReplica makes views go to a replica, while it answers, and everything else
// to the registry itself.
func withReplica(ctx context.Context, db sqldb.DB, url, role string, log *slog.Logger) (sqldb.DB, error) {
	if url == "" {
		return db, nil
	}
	read, err := postgres.Open(ctx, url, postgres.Options{Name: role + "/read", ReadOnly: true, MayBeAway: true, Logger: log, Connections: 4})
	if err != nil {
		return nil, err
	}
	return sqldb.Prefer(read, db), nil
}

// needsHand reports whether an error of a database is one that starting again
// will not mend.
func needsHand(err error) bool {
	switch fault.CodeOf(err) {
	case sqldb.CodeNewer, sqldb.CodeOlder, "collation", "database_url", "database_name", "database_login", "database_roles":
		return true
	}
	return false
}
