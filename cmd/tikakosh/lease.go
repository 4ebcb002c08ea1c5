package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// heldLease is the lease of a running vault.
type heldLease struct {
	*keeperdb.Lease
	db   sqldb.DB
	stop context.CancelFunc
}

// takeLease waits until this vault may write to its database and keeps it so
// until end. A vault that loses the lease ends at once: it can store nothing any
// more, and the one that took over serves.
func takeLease(ctx context.Context, url string, l layout, d *door, log *slog.Logger) (*heldLease, error) {
	holder, err := leaseHolder(l)
	if err != nil {
		return nil, err
	}
	db, err := openPostgres(ctx, url, postgres.Options{Name: "vault/lease", Connections: 2, IdleTimeout: vaultIdle, Logger: log}, checkVault)
	if err != nil {
		return nil, err
	}
	lease := keeperdb.NewLease(db, holder)
	lease.Waits = func(err error) {
		if err != nil {
			d.waits(vault.CodeDatabase)
			return
		}
		d.waits(vault.CodeStandby)
	}
	if err := lease.Take(ctx, log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is under way when ctx ends is finished
	go func() {
		if err := lease.Keep(keeping); err != nil {
			log.Error("the vault ends: another one holds the lease")
			os.Exit(exitFailed)
		}
	}()
	return &heldLease{lease, db, stop}, nil
}

// end gives the lease up.
func (h *heldLease) end() error {
	h.stop()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	return errors.Join(h.Release(ctx), h.db.Close())
}

// leasedDB is a vault's database; closing it gives the lease up.
type leasedDB struct {
	sqldb.DB
	lease *heldLease
}

// Unwrap returns the database below.
func (d *leasedDB) Unwrap() sqldb.DB { return d.DB }

// Close implements sqldb.DB.
func (d *leasedDB) Close() error { return errors.Join(d.DB.Close(), d.lease.end()) }

// leaseHolder is the name under which the vaults of this data folder hold the
// lease, one at a time: the folder's lock sees to that. It is never copied to
// another machine, or its vault would take the lease from a living one.
func leaseHolder(l layout) (string, error) {
	raw, err := os.ReadFile(l.leaseHolder())
	if err == nil && len(raw) > 20 {
		return strings.TrimSpace(string(raw)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := id.Secret(16)
	return name, os.WriteFile(l.leaseHolder(), []byte(name+"\n"), 0o600)
}

// releaseTime bounds how long giving the lease up may take at the end.
const releaseTime = 2 * time.Second
