package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/ledger/mirror"
	"tikakosh/internal/registry"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/registrydb"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

type ledgerCmd struct {
	Verify  ledgerVerifyCmd  `cmd:"" help:"Verify the ledger's files alone, up to the last checkpoint: signature, root, every entry and tile. Exit code 0: all right; 1: something was altered or cannot be read, and the message names it; 2: wrong usage."`
	Fetch   ledgerFetchCmd   `cmd:"" help:"Copy what a registry publishes of its ledger, to verify it on a machine of your own."`
	Audit   ledgerAuditCmd   `cmd:"" help:"Compare every sealed part in the registry with the ledger. Exit code 0: no finding; 1: findings, or it could not be done; 2: wrong usage."`
	Rebuild ledgerRebuildCmd `cmd:"" help:"Let the next start make the ledger's lost files anew from the database."`
}

type ledgerFetchCmd struct {
	URL string `arg:"" help:"Where a registry publishes its ledger, as in https://vaccination.example/ledger."`
	Dir string `arg:"" help:"Folder for the copy; made when missing. Files of an earlier copy stay: verify then tells whether they still fit."`
}

// Run implements the command.
func (c *ledgerFetchCmd) Run() error {
	ctx, stop := roleContext()
	defer stop()
	entries, files, err := mirror.Copy(ctx, http.DefaultClient, c.URL, c.Dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d entries in %d files; now: tikakosh ledger verify %s --key KEY\n", entries, files, c.Dir)
	return nil
}

type ledgerVerifyCmd struct {
	Dir string `arg:"" type:"existingdir" help:"Folder with checkpoint and tile."`
	Key string `help:"Verifier key; default: the file vkey in the folder (trust it only if you got it another way too)."`
}

// Run implements the command.
func (c *ledgerVerifyCmd) Run() error { return checked(c.verify()) }

// checked is the outcome of a command that checks, as its help promises it to scripts: exit code
// 1 whatever was found or could not be read. 78 tells an init system not to start a role again.
func checked(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(message(err))
}

func (c *ledgerVerifyCmd) verify() error {
	key := c.Key
	if key == "" {
		raw, err := os.ReadFile(filepath.Join(c.Dir, "vkey"))
		if err != nil {
			return fmt.Errorf("no verifier key: give --key (%w)", err)
		}
		key = string(raw)
	}
	rep, err := ledger.Verify(context.Background(), c.Dir, key)
	if err != nil {
		return err
	}
	fmt.Printf("ok: %s, %d entries, root %s, %d cosignatures\n", rep.Origin, rep.Size, rep.Root, rep.Signatures)
	fmt.Printf("covers everything up to the last checkpoint (%s); what was written after it is covered by the next one, within a minute while the vault runs\n", covered(rep))
	return nil
}

// covered says what range a verification was about.
func covered(rep ledger.Report) string {
	text := "no entry yet"
	if rep.Size > 0 {
		text = fmt.Sprintf("entries 0 to %d", rep.Size-1)
	}
	if !rep.Time.IsZero() {
		text += ", file of " + rep.Time.Format(time.RFC3339)
	}
	return text
}

type ledgerAuditCmd struct {
	custodyFlags
	Data   string `required:"" type:"existingdir" help:"Data folder."`
	Realm  int    `default:"1" help:"Realm number."`
	Origin string `default:"tikakosh.local/ledger/1" help:"Name of the ledger."`
	JSON   bool   `help:"Print the report as JSON."`
	Rules  bool   `help:"Print also how often each policy decided, by kind of entry; --json has it always."`

	DB      string `name:"db" env:"TIKAKOSH_DB" help:"Registry database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	VaultDB string `name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's database, likewise."`
}

// Run implements the command.
func (c *ledgerAuditCmd) Run() error { return checked(c.audit()) }

// audit works on a running and on a stopped installation, as root or the vault's
// user; it opens no person's parts.
func (c *ledgerAuditCmd) audit() error {
	ctx := context.Background()
	l := layout{c.Data}
	vaultURL, err := databaseURL(c.VaultDB)
	if err != nil {
		return err
	}
	registryURL, err := databaseURL(c.DB)
	if err != nil {
		return err
	}
	restore := keepOwners(l.vaultDB(), l.registryDB())
	defer restore()
	vdb, err := readOnlyDB(ctx, vaultURL, l.vaultDB())
	if err != nil {
		return err
	}
	defer vdb.Close()
	rdb, err := readOnlyDB(ctx, registryURL, l.registryDB())
	if err != nil {
		return err
	}
	defer rdb.Close()
	provider, done, err := c.auditCustody(l)
	defer done()
	if err != nil {
		return err
	}
	k, err := keeper.OpenAuditor(ctx, keeper.Config{Realm: id.Realm(c.Realm), Origin: c.Origin}, keeperdb.New(vdb, id.Realm(c.Realm)), provider, time.Now)
	if err != nil {
		return err
	}
	rep, err := k.Audit(ctx, records(ctx, registrydb.NewScatter(rdb)))
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(rep); err != nil {
			return err
		}
	} else {
		for _, f := range rep.Findings {
			fmt.Printf("%s: person %s part %s seq %d: %s\n", strings.ToUpper(f.Kind), f.Person, f.Part, f.Seq, f.Text)
		}
		fmt.Printf("%d ledger entries, %d people, %d sealed parts; %d waiting, %d abandoned, %d findings\n",
			rep.Entries, rep.Persons, rep.Parts, rep.Waiting, rep.Abandoned, len(rep.Findings))
		if c.Rules {
			for _, what := range slices.Sorted(maps.Keys(rep.Decided)) {
				fmt.Printf("%s\t%d\n", what, rep.Decided[what])
			}
		}
	}
	if len(rep.Findings) > 0 {
		return errors.New("the registry does not match the ledger")
	}
	return nil
}

// records groups the registry's sealed parts by person, without holding more
// than one person.
func records(ctx context.Context, audit registry.Audit) iter.Seq2[vault.Record, error] {
	return func(yield func(vault.Record, error) bool) {
		var rec vault.Record
		stop := errors.New("stop")
		err := audit.ScatterSealed(ctx, func(p registry.StoredPart) error {
			if p.Person != rec.Person && rec.Person != "" {
				if !yield(rec, nil) {
					return stop
				}
				rec = vault.Record{}
			}
			rec.Person = p.Person
			rec.Parts = append(rec.Parts, p.Sealed)
			return nil
		})
		if errors.Is(err, stop) {
			return
		}
		if err == nil && rec.Person != "" {
			if !yield(rec, nil) {
				return
			}
		}
		if err != nil {
			yield(vault.Record{}, err)
		}
	}
}

// keepOwners gives SQLite's side files to the owner of the database when this
// process, run by root, had to create them.
func keepOwners(paths ...string) func() {
	return func() {
		for _, p := range paths {
			info, err := os.Stat(p)
			if err != nil {
				continue
			}
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				continue
			}
			for _, side := range []string{"-wal", "-shm"} {
				if err := os.Chown(p+side, int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					continue
				}
			}
		}
	}
}

type certificateCmd struct {
	Verify certificateVerifyCmd `cmd:"" help:"Verify a certificate: a PDF file, the text of its QR code, or - for standard input."`
}

type certificateVerifyCmd struct {
	Certificate string `arg:"" help:"File, text beginning with HC1:, or -."`
	Keys        string `required:"" help:"Key set file, or the address of an installation's /api/v3/keys."`
	Revocations string `help:"Revocation list file, or the address of an installation's /api/v3/revocations. Without it revocation is not checked."`
}

// Run implements the command.
func (c *certificateVerifyCmd) Run() error {
	keys, err := c.keySet()
	if err != nil {
		return err
	}
	input := []byte(c.Certificate)
	switch {
	case c.Certificate == "-":
		input, err = readAll(os.Stdin)
	case !strings.HasPrefix(c.Certificate, "HC1:"):
		input, err = os.ReadFile(c.Certificate)
	}
	if err != nil {
		return err
	}
	res, err := certificate.Verify(input, keys, time.Now())
	if c.Revocations != "" && err == nil {
		if res, err = c.against(res, keys); res.Problem == encode.CodeList {
			return err
		}
	}
	for _, line := range res.Lines() {
		fmt.Println(line)
	}
	return err
}

func (c *certificateVerifyCmd) keySet() (encode.KeySet, error) {
	var raw []byte
	var err error
	if strings.HasPrefix(c.Keys, "http://") || strings.HasPrefix(c.Keys, "https://") {
		raw, err = fetch(c.Keys)
	} else {
		raw, err = os.ReadFile(c.Keys)
	}
	if err != nil {
		return encode.KeySet{}, err
	}
	var wrapped struct {
		Certificates json.RawMessage `json:"certificates"`
	}
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Certificates != nil {
		raw = wrapped.Certificates
	}
	return encode.ParseKeySet(raw)
}

func fetch(url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, res.Status)
	}
	return readAll(res.Body)
}
