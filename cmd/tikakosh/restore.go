package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/store/dump"
	"tikakosh/internal/store/keeperdb"
	registrymigrations "tikakosh/internal/store/migrations/registry"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/internal/vault/state"
)

type restoreCmd struct {
	From     string `required:"" type:"existingfile" help:"The backup set."`
	Identity string `required:"" type:"existingfile" help:"File with the age secret key of a recipient."`
	Data     string `help:"Data folder to make; it must be empty or absent."`
	DB       string `name:"db" help:"Make the registry in this empty PostgreSQL database, as its owner: postgres://…, or @FILE that holds it; default: a SQLite file in the data folder. Never taken from the environment."`
	VaultDB  string `name:"vault-db" help:"The vault's database, likewise."`
	Verify   bool   `help:"Restore into a temporary folder, audit it, print a verdict, and delete it."`
	custodyFlags
	KeyFiles    string   `name:"key-files" help:"Folder with the vault's key files, from their own backup; with --data they are copied into it."`
	Ledger      string   `help:"Folder with the ledger's published files (checkpoint, tile, vkey), as new as can be had: the old data folder's, or anybody's copy."`
	Checkpoint  string   `help:"The newest published checkpoint that can be had, when the ledger's files cannot."`
	Vkey        string   `help:"The ledger's verifier key, as text or file; default: the one in --ledger, or the one that the vault's keys open."`
	OnlyCopy    bool     `help:"Nothing newer of this ledger is left anywhere: neither its files nor a checkpoint."`
	GapApproval []string `name:"gap-approval" help:"Signed approval of restoring a set that is behind the ledger; twice, of two people (tikakosh restore-approve)."`
	Note        string   `help:"Data folder in whose status file a drill that passed is noted."`
	Temp        string   `help:"Where --verify works; default: the system's temporary folder."`
	UIDBase     int      `name:"uid-base" default:"64300" help:"First of the user numbers of the roles when restoring as root."`
}

// Run implements the command.
func (c *restoreCmd) Run() error {
	ctx := context.Background()
	if c.Verify == (c.Data != "") {
		return badConfig("give --data FOLDER to restore, or --verify to try whether the set could be restored")
	}
	to, err := c.servers()
	if err != nil {
		return err
	}
	if c.Verify {
		return c.drill(ctx)
	}
	if c.Ledger == "" && c.Checkpoint == "" && !c.OnlyCopy {
		return badConfig("an older set must not take the place of newer data unseen: give --ledger FOLDER with the newest published files of the ledger, or --checkpoint FILE, or --only-copy when neither exists any more")
	}
	if err := emptyOrAbsent(c.Data); err != nil {
		return err
	}
	if err := to.look(ctx); err != nil {
		return err
	}
	work := filepath.Clean(c.Data) + ".restoring"
	if err := os.Mkdir(work, 0o700); err != nil {
		return fmt.Errorf("the folder for the restore under way: %w (remove it when no restore runs)", err)
	}
	defer os.RemoveAll(work)
	return to.brokeOff(c.restore(ctx, layout{work}, to))
}

// restore makes the folder in work and puts it in its place; databases on a server
// let nobody in before that.
func (c *restoreCmd) restore(ctx context.Context, work layout, to *servers) error {
	r, err := c.load(ctx, work, to)
	if err != nil {
		return err
	}
	defer r.end()
	order, err := c.order(ctx, r)
	if err != nil {
		return err
	}
	if err := r.close(); err != nil {
		return err
	}
	if err := writeRestoreOrder(r.l, order); err != nil {
		return err
	}
	if err := c.handOver(r.l); err != nil {
		return err
	}
	if err := os.Remove(c.Data); err != nil && !errors.Is(err, fs.ErrNotExist) { // it was empty, and is if this works
		return err
	}
	if err := os.Rename(work.root, filepath.Clean(c.Data)); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(filepath.Clean(c.Data))); err != nil {
		return err
	}
	if err := to.admit(ctx); err != nil {
		return err
	}
	fmt.Printf("restored %s of %s into %s: %d ledger entries\n", r.m.Set, r.m.Made, c.Data, r.m.LedgerSize)
	if order.Gap != nil {
		if len(r.chains) == 2 && len(r.chains[0]) > len(r.chains[1]) { // a published change that the copy does not know
			fmt.Printf("the ledger's key was changed after this set was made, and the newer key is lost with the gap: the ledger goes on under %s; tell whoever verifies it\n", r.signed)
		}
		fmt.Printf("%d ledger entries after it are lost; the gap entry goes on the ledger at the first start\n", len(order.Gap.Lost))
	}
	if c.KeyFiles == "" && !c.hasCustody() {
		fmt.Printf("put the vault's key files into %s before the start (folder mode 0700, files 0600)\n", layout{c.Data}.keys())
	}
	if to != nil {
		fmt.Println("start with the flags of before and --db, --worker-db, --vault-db of the databases that were filled")
	}
	return nil
}

func emptyOrAbsent(dir string) error {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(found) > 0 {
		return fault.Newf(fault.Conflict, "not-empty", "%s is not empty: a restore takes nothing's place. Move the old folder away, and give its ledger folder with --ledger", dir)
	}
	return err
}

// restored is a set that was loaded into a folder.
type restored struct {
	l      layout
	m      backup.Manifest
	digest string
	vkey   string                // that the operator gave, or that signed the set
	signed string                // verifier key that the set's signature is under; "" while nothing is believed
	chains [][]ledger.Transition // changes of the ledger's key: the published ones, the copy's
	vault  *keeperdb.Store
	closes []func() error
}

func (r *restored) close() error {
	var err error
	for _, f := range r.closes {
		err = errors.Join(err, f())
	}
	r.closes = nil
	return err
}

// end is close where an error is on its way already.
func (r *restored) end() { _ = r.close() }

// load verifies a set and makes both databases from it, in l's folder or on servers.
func (c *restoreCmd) load(ctx context.Context, l layout, to *servers) (_ *restored, err error) {
	f, err := os.Open(c.From)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, signed, err := backup.Inspect(f)
	if err != nil {
		return nil, err
	}
	r := &restored{l: l}
	defer func() {
		if err != nil {
			_ = r.close()
		}
	}()
	if r.vkey, err = c.verifierKey(); err != nil {
		return nil, err
	}
	if r.chains, err = ledger.PublishedChanges(c.Ledger); err != nil {
		return nil, err
	}
	if r.vkey != "" {
		if err = r.verify(body, signed, r.vkey); err != nil {
			return nil, err
		}
	} else if !c.hasCustody() {
		return nil, badConfig("nothing says whose set this is: give --vkey, --ledger with the vkey in it, or --key-files with the vault's key files")
	} else if r.m, err = backup.Unverified(body, signed); err != nil {
		return nil, err
	}
	if r.signed != "" && !c.Verify {
		if err := c.plainlyBehind(r.m); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{l.registry(), l.vault()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := c.loadAll(ctx, f, r, to); err != nil {
		return nil, err
	}
	own, err := keeper.LedgerChanges(ctx, r.vault)
	if err != nil {
		return nil, err
	}
	r.chains = append(r.chains, own)
	if c.hasCustody() {
		if err := c.keysFit(ctx, r, body, signed); err != nil {
			return nil, err
		}
	}
	text, err := r.m.Text()
	if err != nil {
		return nil, err
	}
	r.digest = digestOf([]byte(text))
	return r, r.consistent(ctx)
}

// verifierKey is the key the operator gave, "" for none.
func (c *restoreCmd) verifierKey() (string, error) {
	switch {
	case c.Vkey != "" && strings.Contains(c.Vkey, "+") && !strings.Contains(c.Vkey, "\n"):
		if _, err := os.Stat(c.Vkey); errors.Is(err, fs.ErrNotExist) {
			return c.Vkey, nil
		}
		fallthrough
	case c.Vkey != "":
		raw, err := os.ReadFile(c.Vkey)
		return strings.TrimSpace(string(raw)), err
	case c.Ledger != "":
		raw, err := os.ReadFile(layoutVkey(c.Ledger))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return strings.TrimSpace(string(raw)), err
	}
	return "", nil
}

func layoutVkey(ledgerDir string) string { return filepath.Join(ledgerDir, "vkey") }

// verify believes a set that is signed under vkey, or under a key that the known
// changes lead to from it and that was the ledger's when the set was made.
func (r *restored) verify(body backup.Body, signed []byte, vkey string) (err error) {
	trusted, err := ledger.TrustedAmong(vkey, r.chains...)
	if err != nil {
		return err
	}
	for _, k := range slices.Backward(trusted) {
		var m backup.Manifest
		if m, err = backup.Verify(body, signed, k.Verifier); err != nil {
			if fault.CodeOf(err) != "manifest" { // signed, and changed
				return err
			}
			continue
		}
		// A change may fall between a set's last entry and its signature, so that a
		// newer key can sign what is a little older; a key that was given up signs nothing newer.
		if uint64(m.LedgerSize) > k.To {
			return fault.New(fault.Integrity, "manifest", "the backup set is signed by a ledger key that was given up before the set was made")
		}
		r.m, r.signed = m, k.VKey
		return nil
	}
	return err
}

// loadAll makes both databases at the set's schema and then at this program's.
func (c *restoreCmd) loadAll(ctx context.Context, f *os.File, r *restored, to *servers) error {
	raw, err := os.Open(c.Identity)
	if err != nil {
		return err
	}
	defer raw.Close()
	ids, err := backup.Identities(raw)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		name   string
		tables []string
	}{{"vault", dump.VaultTables()}, {"registry", dump.RegistryTables()}} {
		name, tables := d.name, d.tables
		part, err := r.m.Part(name)
		if err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sealed, err := backup.OpenPart(f, part)
		if err != nil {
			return err
		}
		plain, err := backup.Decrypt(sealed, ids)
		if err != nil {
			return err
		}
		db, migrate, err := to.open(ctx, name)
		if to == nil {
			db, migrate, err = liteFile(ctx, r, name)
		}
		if err != nil {
			return err
		}
		r.closes = append(r.closes, db.Close)
		if err := migrate(part.Schema); err != nil {
			return err
		}
		if err := to.shut(ctx, name, db); err != nil {
			return err
		}
		head, err := dump.Load(ctx, db, tables, plain, nil)
		if err != nil {
			return err
		}
		if head.Database != name || head.Version != part.Schema {
			return fault.New(fault.Integrity, "set", "a part of the backup set is not what the manifest says")
		}
		if err := migrate(0); err != nil {
			return err
		}
		if err := to.shut(ctx, name, db); err != nil { // migrations grant
			return err
		}
		if name == "vault" {
			r.vault = keeperdb.New(db, id.Realm(r.m.Realm))
		}
	}
	return nil
}

// liteFile makes an empty file of a data folder, and its migrate, where 0 is the newest.
func liteFile(ctx context.Context, r *restored, name string) (sqldb.DB, func(int64) error, error) {
	path, files, mode := r.l.vaultDB(), fs.FS(vaultmigrations.FS), fs.FileMode(0o600)
	if name == "registry" {
		path, files, mode = r.l.registryDB(), registrymigrations.SQLite, 0o660
	}
	// A crash throws the whole folder away: it is synced once, at the end.
	db, err := sqlite.Open(ctx, path, sqlite.Options{FileMode: mode, SyncOff: true})
	if err != nil {
		return nil, nil, err
	}
	return synced{db, path}, func(version int64) error { return sqlite.MigrateTo(ctx, db, files, version) }, nil
}

// synced is a SQLite file that is synced when it is closed.
type synced struct {
	sqldb.DB
	path string
}

// Unwrap returns the database below.
func (s synced) Unwrap() sqldb.DB { return s.DB }

// Close implements sqldb.DB.
func (s synced) Close() error { return errors.Join(s.DB.Close(), syncFile(s.path)) }

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keysFit opens the vault's keys of the copy with the given key files and compares
// the ledger's.
func (c *restoreCmd) keysFit(ctx context.Context, r *restored, body backup.Body, signed []byte) error {
	p, done, err := c.custody()
	defer done()
	if err != nil {
		return err
	}
	vkeys, err := keeper.LedgerKeys(ctx, r.vault, p, id.Realm(r.m.Realm), r.m.Origin)
	if err != nil {
		return err
	}
	if r.signed != "" && !slices.Contains(vkeys, r.signed) {
		return fault.New(fault.Integrity, "key", "the key files open another ledger key than the one that signed the set")
	}
	if r.signed != "" {
		return nil
	}
	for _, vkey := range vkeys { // the one of several that signed when the set was made
		if err = r.verify(body, signed, vkey); err == nil {
			r.vkey = r.signed
			return nil
		}
	}
	return err
}

// opens verifies a published checkpoint of the set's ledger.
func (r *restored) opens(text string) (ledger.Checkpoint, error) {
	trusted, err := ledger.TrustedAmong(r.vkey, r.chains...)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	return ledger.OpenTrusted([]byte(text), trusted)
}

// consistent checks that the copy carries the checkpoint that was published before
// it was made, and has the entries its manifest says.
func (r *restored) consistent(ctx context.Context) error {
	sizes := []uint64{uint64(r.m.LedgerSize)}
	var cp ledger.Checkpoint
	if r.m.Checkpoint != "" {
		var err error
		if cp, err = r.opens(r.m.Checkpoint); err != nil {
			return err
		}
		sizes = append(sizes, cp.Size)
	}
	src := entries{r.vault}
	roots, err := ledger.Roots(ctx, src, sizes...)
	if err != nil {
		return err
	}
	more, err := src.Leaves(ctx, uint64(r.m.LedgerSize), 1)
	if err != nil {
		return err
	}
	if len(more) > 0 || (r.m.Checkpoint != "" && roots[cp.Size] != cp.Root) {
		return fault.New(fault.Integrity, "ledger", "the ledger in the backup set is not the one its manifest names")
	}
	return nil
}

// entries reads the leaves of a vault's database.
type entries struct{ st *keeperdb.Store }

// Leaves implements ledger.Source.
func (e entries) Leaves(ctx context.Context, from uint64, limit int) (out [][]byte, err error) {
	err = e.st.View(ctx, func(tx state.Tx) error {
		rows, err := tx.Entries(ctx, int64(from), limit)
		out = out[:0]
		for i, r := range rows {
			if r.Index != int64(from)+int64(i) {
				return fault.New(fault.Integrity, "entry", "ledger indexes are not dense")
			}
			out = append(out, r.Leaf)
		}
		return err
	})
	return out, err
}

// handOver copies the key files and gives the folder to the roles' users.
func (c *restoreCmd) handOver(l layout) error {
	if c.KeyFiles != "" {
		if err := os.Mkdir(l.keys(), 0o700); err != nil {
			return err
		}
		found, err := os.ReadDir(c.KeyFiles)
		if err != nil {
			return err
		}
		for _, f := range found {
			if !f.Type().IsRegular() || !strings.HasSuffix(f.Name(), ".key") {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(c.KeyFiles, f.Name()))
			if err != nil {
				return err
			}
			to := filepath.Join(l.keys(), f.Name())
			if err := os.WriteFile(to, raw, 0o600); err != nil {
				return err
			}
			if err := syncFile(to); err != nil {
				return err
			}
		}
	}
	if os.Geteuid() == 0 {
		in := &installation{flags: runFlags{UIDBase: c.UIDBase}}
		for dir, role := range map[string]string{l.vault(): "vault", l.registry(): "web"} {
			who := in.ids(role)
			if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				return os.Chown(path, who.uid, who.gid)
			}); err != nil {
				return err
			}
		}
	}
	return os.Chmod(l.root, 0o711)
}

// ownLike gives a file the owner of another one, when run by root.
func ownLike(path, like string) error {
	info, err := os.Stat(like)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(st.Uid), int(st.Gid))
}

// drill restores into a temporary folder, audits the copy and says what it found.
func (c *restoreCmd) drill(ctx context.Context) error {
	begin := time.Now()
	if !c.hasCustody() {
		return badConfig("the drill opens the copy's ledger: give --key-files FOLDER with the vault's key files, from the place where they are kept for an emergency")
	}
	work, err := os.MkdirTemp(c.Temp, "tikakosh-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r, err := c.load(ctx, layout{work}, nil)
	if err != nil {
		return err
	}
	defer r.end()
	if err := r.close(); err != nil {
		return err
	}
	rep, err := c.auditFolder(ctx, r.l, r.m)
	if err != nil {
		return err
	}
	for _, f := range rep.Findings {
		fmt.Printf("%s: person %s part %s seq %d: %s\n", strings.ToUpper(f.Kind), f.Person, f.Part, f.Seq, f.Text)
	}
	fmt.Printf("set %s, made %s by %s\n%d ledger entries, %d people, %d sealed parts; %d waiting, %d abandoned, %d findings\n",
		r.m.Set, r.m.Made, r.m.Program, rep.Entries, rep.Persons, rep.Parts, rep.Waiting, rep.Abandoned, len(rep.Findings))
	if len(rep.Findings) > 0 {
		return errors.New("the drill failed: the registry of the copy does not match its ledger")
	}
	if c.Note != "" {
		if err := noteBackup(layout{c.Note}, func(s *backupStatus) { s.VerifiedMS = time.Now().UnixMilli() }); err != nil {
			return err
		}
	}
	fmt.Printf("verdict: this set can be restored (tried in %s)\n", time.Since(begin).Round(time.Millisecond))
	return nil
}

// hasCustody reports whether the operator said where the vault's keys are.
func (c *restoreCmd) hasCustody() bool { return c.KeyFiles != "" || c.Keys != custody.KindFile }

// custody opens the vault's keys, which are never in a set.
func (c *restoreCmd) custody() (custody.Provider, func(), error) {
	if c.KeyFiles != "" {
		p, err := custody.OpenFile(c.KeyFiles, false)
		return p, func() {}, err
	}
	return c.auditCustody(layout{})
}

// auditFolder audits the databases of a data folder with keys from elsewhere.
func (c *restoreCmd) auditFolder(ctx context.Context, l layout, m backup.Manifest) (keeper.AuditReport, error) {
	vdb, err := sqlite.Open(ctx, l.vaultDB(), sqlite.Options{ReadOnly: true})
	if err != nil {
		return keeper.AuditReport{}, err
	}
	defer vdb.Close()
	rdb, err := sqlite.Open(ctx, l.registryDB(), sqlite.Options{ReadOnly: true})
	if err != nil {
		return keeper.AuditReport{}, err
	}
	defer rdb.Close()
	provider, done, err := c.custody()
	defer done()
	if err != nil {
		return keeper.AuditReport{}, err
	}
	k, err := keeper.OpenAuditor(ctx, keeper.Config{Realm: id.Realm(m.Realm), Origin: m.Origin}, keeperdb.New(vdb, id.Realm(m.Realm)), provider, time.Now)
	if err != nil {
		return keeper.AuditReport{}, err
	}
	return k.Audit(ctx, records(ctx, registrydb.NewScatter(rdb)))
}
