package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/store/dump"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// setSuffix ends the name of a backup set that was put into a folder.
const setSuffix = ".tikakosh"

// setTime is the form of the time in it, UTC.
const setTime = "20060102T150405.000Z"

// copyTries is how often a backup begins anew when its two snapshots were not of
// one moment.
const copyTries = 5

type backupCmd struct {
	Data      string   `required:"" type:"existingdir" help:"Data folder of the running installation."`
	To        string   `required:"" help:"Folder to put the set into, or the set's file."`
	DB        string   `name:"db" env:"TIKAKOSH_DB" help:"Registry database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	Recipient []string `help:"age public key (age1…) that can open the set; may be repeated. Default: the ones the vault was started with."`
}

// Run implements the command. It needs the installation running, and root or the
// vault's user.
func (c *backupCmd) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), copyMost)
	defer cancel()
	l := layout{c.Data}
	if _, err := operatorClient(c.Data); err != nil {
		return err
	}
	restore := keepOwners(l.registryDB())
	defer restore()
	url, err := databaseURL(c.DB)
	if err != nil {
		return err
	}
	db, err := readOnlyDB(ctx, url, l.registryDB())
	if err != nil {
		return err
	}
	defer db.Close()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.adminSocket())
	}
	b := backupJob{vault: &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}, registry: db, ledger: l.ledger(), recipients: c.Recipient, now: time.Now}
	got, err := b.run(ctx, c.To)
	if err != nil {
		return err
	}
	if err := noteBackup(l, func(s *backupStatus) { s.FinishedMS, s.OK, s.Bytes = time.Now().UnixMilli(), true, got.bytes }); err != nil {
		fmt.Fprintf(os.Stderr, "warning: the backup is made, but the operator's figures will not say so: %v\n", err)
	}
	fmt.Printf("backup %s\n%d bytes, %d ledger entries, manifest sha256 %s\nreceipt %s\n", got.path, got.bytes, got.manifest.LedgerSize, got.digest, got.receipt)
	return nil
}

// backupJob makes backup sets: of the vault's database through its socket, of the
// registry database itself.
type backupJob struct {
	vault      *http.Client
	registry   sqldb.DB
	ledger     string
	recipients []string
	now        func() time.Time
}

// made is a finished set.
type made struct {
	path     string
	bytes    int64
	manifest backup.Manifest
	digest   string // of the manifest, as the ledger has it
	receipt  string
}

// run writes one set. to is a folder that is there, or a file that is not. A set
// has its name only when all of it is on the disk.
func (b backupJob) run(ctx context.Context, to string) (made, error) {
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		to = filepath.Join(to, "tikakosh-"+b.now().UTC().Format(setTime)+setSuffix)
	case err == nil:
		return made{}, fault.Newf(fault.Conflict, "exists", "%s is there already: a backup never takes another one's place", to)
	case !errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(to, "/"):
		return made{}, noPlace(err)
	}
	for try := 1; ; try++ {
		got, err := b.attempt(ctx, to)
		if fault.CodeOf(err) != "late" || try == copyTries {
			return got, err
		}
	}
}

// codePlace is of a folder for sets that is not there or may not be written.
const codePlace = "place"

func noPlace(err error) error {
	return fault.Newf(fault.Unavailable, codePlace, "the place for the backup: %v: the folder must be there, and be writable for whoever makes the set", err)
}

func (b backupJob) attempt(ctx context.Context, to string) (out made, err error) {
	f, err := os.CreateTemp(filepath.Dir(to), ".tikakosh-*.part")
	if err != nil {
		return out, noPlace(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	out, err = b.write(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return out, err
	}
	if err := os.Link(f.Name(), to); err != nil { // takes no existing file's place
		return out, fault.Wrap(fault.Unavailable, err, "naming the backup")
	}
	_ = os.Remove(f.Name())
	out.path = to
	return out, syncFolder(filepath.Dir(to))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write begins both snapshots at one moment and streams both copies.
func (b backupJob) write(ctx context.Context, f *os.File) (out made, err error) {
	checkpoint, _, err := ledger.PublishedCheckpoint(b.ledger) // before the copies: it covers no more than they do
	if err != nil && !fault.Is(err, fault.Unavailable) {
		return out, err
	}
	m := backup.Manifest{Set: id.New(), Made: b.now().UTC().Format(time.RFC3339Nano), Program: version, Checkpoint: checkpoint}
	w := backup.NewWriter(f)
	var begun copyBegun
	if err := b.call(ctx, copyBegin, copyRequest{Set: m.Set, Recipients: b.recipients}, &begun); err != nil {
		return out, err
	}
	to, err := backup.Recipients(begun.Recipients)
	if err != nil {
		return out, err
	}
	ran := false
	err = b.registry.View(ctx, func(tx sqldb.Tx) error {
		if ran {
			return fault.New(fault.Unavailable, "late", "the registry's copy broke off; the backup is begun again")
		}
		ran = true
		schema, err := sqldb.SchemaVersion(ctx, tx) // the snapshot is fixed now
		if err != nil {
			return err
		}
		if err := b.call(ctx, copyThaw, copyToken{begun.Token}, nil); err != nil {
			return err
		}
		if err := b.vaultPart(ctx, w, begun); err != nil {
			return err
		}
		part, err := w.Part("registry", schema)
		if err != nil {
			return err
		}
		e, err := backup.Encrypt(part, to)
		if err != nil {
			return err
		}
		if err := dump.Write(ctx, tx, dump.Head{Database: "registry", Version: schema}, dump.RegistryTables(), e); err != nil {
			return err
		}
		return errors.Join(e.Close(), part.Close())
	})
	if err != nil {
		return out, err
	}
	m.Realm, m.Origin, m.LedgerSize, m.Body = begun.Realm, begun.Origin, begun.Ledger, w.Body()
	out, err = b.finish(ctx, w, f, m, begun.Token)
	out.receipt = begun.Receipt
	return out, err
}

// vaultPart copies what the vault encrypted.
func (b backupJob) vaultPart(ctx context.Context, w *backup.Writer, begun copyBegun) error {
	part, err := w.Part("vault", begun.Schema)
	if err != nil {
		return err
	}
	for {
		n, err := b.piece(ctx, begun.Token, part)
		if err != nil {
			return err
		}
		if n == 0 {
			return part.Close()
		}
	}
}

func (b backupJob) piece(ctx context.Context, token string, part io.Writer) (int64, error) {
	res, err := b.post(ctx, copyRows, copyToken{token})
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(part, res.Body)
	return n, fault.Wrap(fault.Unavailable, err, "the vault's copy broke off")
}

func (b backupJob) finish(ctx context.Context, w *backup.Writer, f *os.File, m backup.Manifest, token string) (made, error) {
	text, err := m.Text()
	if err != nil {
		return made{}, err
	}
	var signed copySigned
	if err := b.call(ctx, copySign, copyManifest{Token: token, Text: text}, &signed); err != nil {
		return made{}, err
	}
	if err := w.Finish(signed.Manifest); err != nil {
		return made{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return made{}, err
	}
	return made{bytes: info.Size(), manifest: m, digest: digestOf([]byte(text))}, nil
}

// post calls the vault; an answer that is no success is its fault.
func (b backupJob) post(ctx context.Context, path string, req any) (*http.Response, error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vault"+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	hr.Header.Set("Content-Type", "application/json")
	res, err := b.vault.Do(hr)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "vault", "the vault cannot be reached: a backup is made of a running installation")
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var f vault.Failure
	raw, err = readAll(res.Body)
	if err != nil || json.Unmarshal(raw, &f) != nil || f.Kind == "" {
		return nil, fault.Newf(fault.Unavailable, "vault", "the vault gave no usable answer (%s)", res.Status)
	}
	return nil, &fault.Error{Kind: f.Kind, Code: f.Code, Text: f.Text, RetryAfter: time.Duration(f.RetryAfterMS) * time.Millisecond}
}

func (b backupJob) call(ctx context.Context, path string, req, into any) error {
	res, err := b.post(ctx, path, req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(res.Body, vault.MaxMessage)).Decode(into)
}

// keepNewest removes all but the newest sets of a folder, which are named by their
// time.
func keepNewest(folder string, keep int) (removed int, err error) {
	sets, err := filepath.Glob(filepath.Join(folder, "tikakosh-*"+setSuffix))
	if err != nil || keep < 1 {
		return 0, err
	}
	slices.Sort(sets)
	for _, old := range sets[:max(0, len(sets)-keep)] {
		if err := os.Remove(old); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
