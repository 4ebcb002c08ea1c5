package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// restoreOrder reads what a restore left for the vault's next start; nil for none.
func restoreOrder(l layout) (*keeper.RestoreOrder, error) {
	raw, err := os.ReadFile(l.restoreOrder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // most starts have none
	}
	if err != nil {
		return nil, err
	}
	var o keeper.RestoreOrder
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, badConfig("%s is malformed: restore the set again into an empty folder", l.restoreOrder())
	}
	return &o, nil
}

// writeRestoreOrder writes it durably, readable by its owner alone.
func writeRestoreOrder(l layout, o keeper.RestoreOrder) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.restoreOrder(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(l.restoreOrder())))
}

// firstEntries is how many entries a ledger may have before its files are made for
// the first time: a first start that broke off leaves a few.
const firstEntries = 4

// ledgerThere refuses a ledger whose published files are gone while its database
// has entries: an older database could stand there, and without the files nobody
// could tell (R51). A restore, or `ledger rebuild`, says so in an order. A machine
// that takes over a database that several share has no files yet the first time: it
// makes them from the database, and the other machine's are what an older one would
// be found by.
func ledgerThere(ctx context.Context, l layout, k *keeper.Keeper, shared bool, log *slog.Logger) error {
	if _, _, err := ledger.PublishedCheckpoint(l.ledger()); !errors.Is(err, fs.ErrNotExist) {
		return nil // ledger.Open judges what is there
	}
	if k.Restoring() || ablate.Off(ablate.RestoreGap) {
		return nil
	}
	early, err := k.Leaves(ctx, firstEntries, 1)
	if err != nil || len(early) == 0 {
		return err
	}
	if _, err := os.Stat(l.ledgerMade()); shared && errors.Is(err, fs.ErrNotExist) {
		log.Warn("this machine makes the ledger's published files for the first time, from the database that it shares: compare them with another machine's by `tikakosh ledger verify`")
		return nil
	}
	mend := fmt.Sprintf("If a backup was put in place by hand, use `tikakosh restore` instead; if only these files were lost, put them back from any copy, or run `tikakosh ledger rebuild --data %s`", l.root)
	if shared { // a database server's own means put databases back there
		mend = fmt.Sprintf("Put them back from another machine's ledger folder or from any copy. If the database was recovered to a point in time, run `tikakosh recovered --data %[1]s` then; if no copy of the files is left anywhere, `tikakosh ledger rebuild --data %[1]s --vault-db …`", l.root)
	}
	return fault.Newf(fault.Integrity, "ledger-files", "the ledger's published files are missing from %s, and with them what shows that the database is not an older one. %s", l.ledger(), mend)
}

type ledgerRebuildCmd struct {
	Data    string `required:"" type:"existingdir" help:"Data folder of the stopped installation."`
	VaultDB string `name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	Realm   int    `default:"1" help:"Realm number."`
}

// Run implements the command: the vault's next start makes the files anew and says
// so on the ledger.
func (c *ledgerRebuildCmd) Run() error {
	ctx := context.Background()
	l := layout{c.Data}
	lock, err := lockFile(l.vaultLock())
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, _, err := ledger.PublishedCheckpoint(l.ledger()); !errors.Is(err, fs.ErrNotExist) {
		return fault.Newf(fault.Conflict, "ledger-files", "there are ledger files in %s: they are not replaced", l.ledger())
	}
	url, err := databaseURL(c.VaultDB)
	if err != nil {
		return err
	}
	db, err := readOnlyDB(ctx, url, l.vaultDB())
	if err != nil {
		return err
	}
	defer db.Close()
	o := keeper.RestoreOrder{Known: "rebuilt"}
	if err := keeperdb.New(db, id.Realm(c.Realm)).View(ctx, func(tx state.Tx) error {
		h, err := tx.Head(ctx)
		o.Ledger = h.Next
		return err
	}); err != nil {
		return err
	}
	if err := writeRestoreOrder(l, o); err != nil {
		return err
	}
	fmt.Println("the ledger's files are made anew at the next start, from", o.Ledger, "entries")
	return ownLike(l.restoreOrder(), l.vault())
}
