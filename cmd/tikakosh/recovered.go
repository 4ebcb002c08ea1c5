package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

// recoveredSet is the name, in approvals and on the ledger, of databases that their
// server's own means brought to a point in time (ADR 29): no set, no manifest.
const recoveredSet = "recovered database"

// recoveredDigest stands for a manifest: it says which beginning of which ledger the
// database has, which custodians can compute from the published files alone.
func recoveredDigest(origin string, have int64, root string) string {
	return digestOf(fmt.Appendf(nil, "tikakosh recovered database\n%s\n%d\n%s\n", origin, have, root))
}

type recoveredCmd struct {
	Data        string   `required:"" type:"existingdir" help:"Data folder of the stopped installation."`
	VaultDB     string   `required:"" name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's recovered database: postgres://…, or @FILE that holds it."`
	Ledger      string   `help:"Folder with the ledger's published files, as new as can be had: the data folder's own by default, or anybody's newer copy."`
	Vkey        string   `help:"The ledger's verifier key, as text or file; default: the one in --ledger."`
	GapApproval []string `name:"gap-approval" help:"Signed approval of starting from databases that are behind the ledger; twice, of two people (tikakosh restore-approve --recovered)."`
	Unpublished bool     `name:"accept-unpublished" help:"Start although entries are lost that only the data folder's own files hold and no checkpoint covers."`
	Realm       int      `default:"1" help:"Realm number."`
	UIDBase     int      `name:"uid-base" default:"64300" help:"First of the user numbers of the roles, where the data folder's vault is still root's."`
}

// Run implements the command. It changes no database: it compares, and leaves the
// vault's next start an order.
func (c *recoveredCmd) Run() error {
	ctx := context.Background()
	l := layout{c.Data}
	if c.Ledger == "" {
		c.Ledger = l.ledger()
	}
	if err := os.MkdirAll(l.vault(), 0o700); err != nil { // another machine's folder, with nothing but the keys and the ledger
		return err
	}
	lock, err := lockFile(l.vaultLock())
	if err != nil {
		return err
	}
	defer lock.Close()
	if old, err := restoreOrder(l); err != nil || old != nil {
		return errors.Join(err, fault.Newf(fault.Conflict, "restore", "%s holds an order for the next start already: start, or remove it when the databases were recovered once more", l.restoreOrder()))
	}
	if err := newerThan(l.ledger(), c.Ledger); err != nil {
		return err
	}
	url, err := databaseURL(c.VaultDB)
	if err != nil {
		return err
	}
	if url == "" {
		return badConfig("--vault-db names a database on PostgreSQL; an installation on SQLite files is restored from a set (tikakosh restore)")
	}
	db, err := readOnlyDB(ctx, url, "")
	if err != nil {
		return err
	}
	defer db.Close()
	by := restoreCmd{Ledger: c.Ledger, Vkey: c.Vkey, GapApproval: c.GapApproval}
	r, err := recoveredLedger(ctx, &by, keeperdb.New(db, id.Realm(c.Realm)))
	if err != nil {
		return err
	}
	order, err := by.order(ctx, r)
	if err != nil {
		return recoveredBehind(err, r.m.LedgerSize)
	}
	own, err := ledger.Integrated(l.ledger())
	if err != nil {
		return err
	}
	if order.Gap == nil && own > uint64(r.m.LedgerSize) && !c.Unpublished {
		return fault.Newf(fault.Integrity, "unpublished", "the recovered database has every entry that was published, but the files in %s hold %d entries and the database %d: the last ones are lost, and only receipts can show them. "+
			"Recover to a later point, if the archive has one; if there is none, give --accept-unpublished", l.ledger(), own, r.m.LedgerSize)
	}
	beyond(l, own, &order)
	if own > uint64(r.m.LedgerSize) {
		if err := setAside(l, r.m.LedgerSize); err != nil {
			return err
		}
	}
	if err := writeRestoreOrder(l, order); err != nil {
		return err
	}
	if err := c.handOver(l); err != nil {
		return err
	}
	if order.Gap == nil {
		fmt.Printf("the recovered database has %d ledger entries and everything that is known to have been published. Start with the flags of before; people sign in again\n", r.m.LedgerSize)
		return nil
	}
	fmt.Printf("%d ledger entries after the recovered %d are lost; the gap entry goes on the ledger at the start, which makes the ledger's files anew\n", len(order.Gap.Lost), r.m.LedgerSize)
	return nil
}

// handOver gives what this command made to the vault's user, and the whole folder
// where it is still root's.
func (c *recoveredCmd) handOver(l layout) error {
	info, err := os.Stat(l.vault())
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
		return errors.Join(ownLike(l.restoreOrder(), l.vault()), ownLike(l.vaultLock(), l.vault()))
	}
	in := &installation{flags: runFlags{UIDBase: c.UIDBase}}
	who := in.ids("vault")
	return filepath.WalkDir(l.vault(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, who.uid, who.gid)
	})
}

// recoveredLedger describes a database as if it were a set that was restored.
func recoveredLedger(ctx context.Context, by *restoreCmd, st *keeperdb.Store) (*restored, error) {
	r := &restored{vault: st, m: backup.Manifest{Set: recoveredSet, Made: time.Now().UTC().Format(time.RFC3339)}}
	var err error
	if r.vkey, err = by.verifierKey(); err != nil {
		return nil, err
	}
	if r.vkey == "" {
		return nil, badConfig("there is no ledger in %s: give --ledger with the newest copy of its published files; without them nothing shows what the recovery has lost", by.Ledger)
	}
	if r.chains, err = ledger.PublishedChanges(by.Ledger); err != nil {
		return nil, err
	}
	own, err := keeper.LedgerChanges(ctx, st)
	if err != nil {
		return nil, err
	}
	r.chains = append(r.chains, own)
	v, err := ledger.LogVerifier(r.vkey)
	if err != nil {
		return nil, err
	}
	r.m.Origin = v.Name()
	err = st.View(ctx, func(tx state.Tx) error {
		h, err := tx.Head(ctx)
		r.m.LedgerSize = h.Next
		return err
	})
	if err != nil {
		return nil, err
	}
	have := uint64(r.m.LedgerSize)
	roots, err := ledger.Roots(ctx, entries{st}, have)
	if err != nil {
		return nil, err
	}
	r.digest = recoveredDigest(r.m.Origin, r.m.LedgerSize, roots[have].String())
	return r, nil
}

// recoveredBehind is the refusal of databases behind the ledger, with what leads on.
func recoveredBehind(err error, have int64) error {
	if fault.CodeOf(err) != "behind" {
		return err
	}
	return fault.Newf(fault.Integrity, "behind", "%s. Recover to a later point, if the archive has one. If there is none, each of two custodians runs `tikakosh restore-approve --recovered %d --key FILE --ledger LEDGER --out APPROVAL`, "+
		"and this command is given both with --gap-approval", strings.Replace(strings.SplitN(message(err), ". ", 2)[0], "the set has", "the recovered database has", 1), have)
}

// newerThan refuses to compare a database with older files than the data folder's
// own: what was published from here is known, and going behind it takes two people.
func newerThan(own, given string) error {
	_, have, err := ledger.PublishedCheckpoint(own)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, size, err := ledger.PublishedCheckpoint(given); err == nil && size < have {
		return fault.Newf(fault.Integrity, "older-files", "the files in %s are older than the data folder's own in %s: %d entries were published from here, %d are there. Leave --ledger out", given, own, have, size)
	}
	return nil
}

// beyond gives the order the leaves that only the data folder's own files hold, under
// no checkpoint. Nobody vouches for them, and they are not taken in; but whom such an
// entry erased must not come back.
func beyond(l layout, own uint64, o *keeper.RestoreOrder) {
	from := uint64(o.Ledger)
	if o.Gap != nil {
		from += uint64(len(o.Gap.Lost))
	}
	if own <= from {
		return
	}
	o.Known += fmt.Sprintf(", without %d unpublished entries", own-from)
	leaves, err := ledger.PublishedLeaves(l.ledger(), from, own)
	if err != nil {
		fmt.Printf("the last %d entries cannot be read from %s (%v): if one of them erased somebody, that person is back\n", own-from, l.ledger(), err)
		return
	}
	o.Unpublished = leaves
}

// setAside moves the data folder's ledger files away, which are ahead of the
// database: the start makes them anew, of the same entries, once it has the order.
func setAside(l layout, have int64) error {
	to := fmt.Sprintf("%s.before-recovery-%d", l.ledger(), have)
	if _, err := os.Stat(to); err == nil {
		return fault.Newf(fault.Conflict, "exists", "%s is there already: move it away", to)
	}
	if err := os.Rename(l.ledger(), to); err != nil {
		return err
	}
	fmt.Printf("the ledger's files of before are kept in %s\n", to)
	return syncFolder(filepath.Dir(l.ledger()))
}

// published reads leaves from a folder of the ledger's public files.
type published struct {
	dir  string
	size uint64
}

// Leaves implements ledger.Source. It reads as far as a file goes: a file of the
// last, growing bundle is named after how many it holds.
func (p published) Leaves(_ context.Context, from uint64, limit int) ([][]byte, error) {
	const bundle = 256 // entries of a file (C2SP tlog-tiles)
	leaves, err := ledger.PublishedLeaves(p.dir, from, min(p.size, (from/bundle+1)*bundle))
	return leaves[:min(limit, len(leaves))], err
}

// recovered is the description, from published files, of a recovered database that
// ends at an entry.
func (c *approveCmd) recovered(ctx context.Context, vkey string) (m backup.Manifest, digest string, err error) {
	rep, err := ledger.Verify(ctx, c.Ledger, vkey)
	if err != nil {
		return m, "", err
	}
	if c.Recovered < 1 || uint64(c.Recovered) >= rep.Size {
		return m, "", fault.Newf(fault.Conflict, "gap", "a database of %d entries is not behind these files, which have %d: it needs no approval", c.Recovered, rep.Size)
	}
	v, err := ledger.LogVerifier(vkey)
	if err != nil {
		return m, "", err
	}
	have := uint64(c.Recovered)
	roots, err := ledger.Roots(ctx, published{c.Ledger, rep.Size}, have)
	if err != nil {
		return m, "", err
	}
	m = backup.Manifest{Set: recoveredSet, Made: "a point in time", Origin: v.Name(), LedgerSize: c.Recovered}
	return m, recoveredDigest(m.Origin, c.Recovered, roots[have].String()), nil
}

// aheadOf is the ledger's refusal of an older database, with what leads on where a
// server's own means can have put it there.
func (c *vaultCmd) aheadOf(err error, l layout) error {
	if fault.CodeOf(err) != "ahead" || c.VaultDB == "" {
		return err
	}
	return fault.Newf(fault.KindOf(err), fault.CodeOf(err), "%s. If the databases were recovered to a point in time, run `tikakosh recovered --data %s`", message(err), l.root)
}
