package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"tikakosh/internal/ablate"
	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
)

// servers are the two PostgreSQL databases that a restore fills (ADR 29); nil for
// SQLite files. Both have to be empty. While they are filled they carry a mark that
// a second restore and every role refuse, and the roles may not connect.
type servers struct {
	url     map[string]string // by "registry" and "vault", for their owner
	claimed bool              // something may be in them
}

// served lists the roles that may connect to a database, as its migrations say.
func served(name string) []string {
	if name == "vault" {
		return []string{"tikakosh_vault"}
	}
	return []string{"tikakosh_web", "tikakosh_worker"}
}

// servers reads the flags.
func (c *restoreCmd) servers() (*servers, error) {
	if c.DB == "" && c.VaultDB == "" {
		return nil, nil //nolint:nilnil // SQLite files
	}
	if c.Verify {
		return nil, badConfig("--verify tries a set out in SQLite files of a temporary folder, whatever it was made from: leave --db and --vault-db out")
	}
	if c.DB == "" || c.VaultDB == "" {
		return nil, badConfig("--db and --vault-db go together: two empty databases of one PostgreSQL installation, or neither for SQLite files")
	}
	to := &servers{url: map[string]string{}}
	for name, text := range map[string]string{"registry": c.DB, "vault": c.VaultDB} {
		url, err := databaseURL(text)
		if err != nil {
			return nil, err
		}
		to.url[name] = url
	}
	if postgres.SameDatabase(to.url["registry"], to.url["vault"]) {
		return nil, badConfig("--db and --vault-db name the same database: the vault's rows belong where the other roles cannot reach")
	}
	return to, nil
}

func (s *servers) connect(ctx context.Context, name string) (sqldb.DB, error) {
	return postgres.Open(ctx, s.url[name], postgres.Options{Name: "restore", Connections: 2, StatementTimeout: postgres.FillTimeout})
}

// each runs fn on both databases.
func (s *servers) each(ctx context.Context, fn func(name string, db sqldb.DB) error) error {
	for _, name := range []string{"registry", "vault"} {
		db, err := s.connect(ctx, name)
		if err != nil {
			return fmt.Errorf("%s database: %w", name, err)
		}
		if err := errors.Join(fn(name, db), db.Close()); err != nil {
			return fmt.Errorf("%s database: %w", name, err)
		}
	}
	return nil
}

// look refuses databases that a restore must not fill, before anything is read.
func (s *servers) look(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.each(ctx, func(name string, db sqldb.DB) error {
		if err := (target{name: name}).rolesThere(ctx, db); err != nil {
			return err
		}
		return postgres.Empty(ctx, db)
	})
}

// open claims a database, and returns its migrate, where 0 is the newest version.
func (s *servers) open(ctx context.Context, name string) (sqldb.DB, func(int64) error, error) {
	if s == nil {
		return nil, nil, nil
	}
	db, err := s.connect(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err := postgres.Claim(ctx, db); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	s.claimed = true
	files := map[string]fs.FS{"registry": registrymigrations.Postgres(), "vault": vaultmigrations.Postgres()}[name]
	return db, func(version int64) error { return postgres.MigrateTo(ctx, db, files, version) }, nil
}

// shut takes away what a migration granted: nobody serves from half a copy.
func (s *servers) shut(ctx context.Context, name string, db sqldb.DB) error {
	if s == nil {
		return nil
	}
	return postgres.Shut(ctx, db, served(name))
}

// admit lets the roles in, the vault last: it is the one that reads the order.
func (s *servers) admit(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if err := s.each(ctx, func(name string, db sqldb.DB) error { return postgres.Admit(ctx, db, served(name)) }); err != nil {
		return err
	}
	s.claimed = false
	return nil
}

// brokeOff says what is left of a restore that failed halfway.
func (s *servers) brokeOff(err error) error {
	if err == nil || s == nil || !s.claimed {
		return err
	}
	return fault.Newf(fault.KindOf(err), fault.CodeOf(err), "%s\nThe restore broke off. The databases are half full, and no role may enter them: drop them and make them anew, as the server's administrator, "+
		"remove the new data folder if it is there, and begin again:\n%s;\n%s;", message(err), postgres.Remade(postgres.NameOf(s.url["registry"])), postgres.Remade(postgres.NameOf(s.url["vault"])))
}

// plainlyBehind refuses a set that what is published is ahead of before anything is
// loaded, when nobody has approved it. Only what refuses is believed here: order
// judges by the signatures.
func (c *restoreCmd) plainlyBehind(m backup.Manifest) error {
	if c.Ledger == "" || len(c.GapApproval) >= 2 || ablate.Off(ablate.RestoreGap) {
		return nil
	}
	if _, size, err := ledger.PublishedCheckpoint(c.Ledger); err == nil && size > m.LedgerSize {
		return behind(m.LedgerSize, uint64(size))
	}
	return nil
}
