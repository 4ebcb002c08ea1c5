package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tikakosh/internal/doctor"
	"tikakosh/internal/portal/staff"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault/custody"
)

// doctorCmd takes the flags of run, so that the command line that is to be
// started can be checked as it is.
type doctorCmd struct {
	runFlags
	Data string `required:"" help:"Data folder; it need not exist yet."`
	JSON bool   `help:"Print the results as JSON."`
}

// The least that an installation should have.
const (
	leastDisk  = 5e9 // bytes: a clinic's first year, its logs of 400 days included
	leastFiles = 65_536
)

// Run checks the machine and the configuration. The exit code is 0 also with
// warnings, 1 when something would fail.
func (c *doctorCmd) Run() error {
	in := &installation{flags: c.runFlags, layout: layout{c.Data}, separate: os.Geteuid() == 0}
	l := in.layout
	checks := []doctor.Check{doctor.Clock(), doctor.Entropy(), doctor.Disk("data", l.root, leastDisk), doctor.Disk("logs", l.logs(), leastDisk),
		doctor.Sync(l.root, time.Now), doctor.OpenFiles(leastFiles), doctor.Memory(), doctor.One("running", c.running),
		doctor.Ports(map[string]string{"api": c.Listen, "operator": c.OpsAddr, "outbox": c.Outbox}), doctor.Modes(in.modes()),
		{Name: "roles", Run: in.checkRoles}, doctor.One("courier", c.checkCourier), {Name: "keys", Run: c.checkKeys}, {Name: "policies", Run: c.checkPolicies},
		{Name: "database", Run: c.checkDatabases}, {Name: "backups", Run: func(ctx context.Context) []doctor.Result { return c.checkBackups(ctx, in) }}, {Name: "addresses", Run: c.checkAddresses}, doctor.Same("staff client", c.StaffOrigin, staff.Sum(), staff.Fetched)}
	all := doctor.Run(context.Background(), checks)
	if c.JSON {
		if err := doctor.PrintJSON(os.Stdout, all); err != nil {
			return err
		}
	} else {
		doctor.Print(os.Stdout, all)
	}
	if doctor.Worst(all) == doctor.Fail {
		return errors.New("do not start like this; each failure above says what to do")
	}
	return nil
}

// running looks whether an installation holds the folder: its ports are taken then.
func (c *doctorCmd) running(context.Context) doctor.Result {
	f, err := os.Open(layout{c.Data}.vaultLock())
	if err != nil {
		return doctor.Good("no installation runs on this folder")
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return doctor.Concern("nothing, when that is meant: its ports are then taken below", "an installation runs on this folder")
	}
	return doctor.Good("no installation runs on this folder")
}

// modes are those that prepare gives, as far as they guard something.
func (in *installation) modes() []doctor.Mode {
	l, owner := in.layout, func(role string) int { return -1 }
	if in.separate {
		owner = func(role string) int { return in.ids(role).uid }
	}
	out := []doctor.Mode{{Path: l.root, Most: 0o755, UID: -1}, {Path: l.vault(), Most: 0o700, UID: owner("vault")}, {Path: l.vaultDB(), Most: 0o600, UID: owner("vault")},
		{Path: l.keys(), Most: 0o700, UID: owner("vault")}, {Path: l.adminSocket(), Most: 0o600, UID: owner("vault")}, {Path: l.registry(), Most: 0o770, UID: owner("web")},
		{Path: l.registryDB(), Most: 0o660, UID: -1}, {Path: l.ledger(), Most: 0o755, UID: owner("vault")}, {Path: l.logs(), Most: 0o750, UID: -1}, {Path: l.staff(), Most: 0o700, UID: -1}}
	keys, err := filepath.Glob(filepath.Join(l.keys(), "*"))
	if err == nil {
		for _, k := range keys {
			out = append(out, doctor.Mode{Path: k, Most: 0o600, UID: owner("vault")})
		}
	}
	return out
}

// checkRoles looks whether roles will have users of their own.
func (in *installation) checkRoles(context.Context) (out []doctor.Result) {
	if !in.separate {
		return []doctor.Result{doctor.Concern("start as root (the unit in deploy/systemd does): each role then runs as a user of its own", "roles will not be separated: all run as this user")}
	}
	out = append(out, doctor.Good("each role runs as a user of its own, from number %d on", in.flags.UIDBase+1))
	for _, role := range []string{"vault", "courier", "web", "worker", "hsm", "ops"} {
		uid := in.ids(role).uid
		if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && !strings.HasPrefix(u.Username, "tikakosh") {
			out = append(out, doctor.Bad("give another --uid-base, with seven free numbers above it", "user number %d of role %s is %s on this machine", uid, role, u.Username))
		}
	}
	if _, err := os.Stat(in.layout.root); err == nil {
		if err := in.reachable(); err != nil {
			out = append(out, doctor.Bad("see the text", "%v", err))
		}
	}
	return out
}

// checkCourier looks whether messages can leave.
func (c *doctorCmd) checkCourier(context.Context) doctor.Result {
	switch {
	case c.Routes != "" && c.Outbox != "":
		return doctor.Bad("give one of the two", "--routes and --outbox exclude each other")
	case c.Routes != "":
		if _, _, err := loadRoutes(c.Routes); err != nil {
			return doctor.Bad("correct the file; tikakosh courier check then binds to each gateway", "%v", err)
		}
		return doctor.Good("the routes file can be read; tikakosh courier check binds to each gateway")
	case c.Outbox != "":
		return doctor.Concern("--routes FILE with gateways, when real people are to use it", "codes are shown on a page of this machine: for trials only")
	}
	return doctor.Bad("--routes FILE with the gateways, or --outbox 127.0.0.1:8081 for a trial", "there is no way for messages: nobody could sign in")
}

// checkKeys looks whether custody can be opened, without opening it.
func (c *doctorCmd) checkKeys(context.Context) []doctor.Result {
	l := layout{c.Data}
	kind, err := custody.Kind(c.Keys)
	if err != nil {
		return []doctor.Result{doctor.Bad("see docs/KEYS.md", "%s", message(err))}
	}
	_, noDB := os.Stat(l.vaultDB())
	files, _ := filepath.Glob(filepath.Join(l.keys(), "*"))
	switch {
	case kind == custody.KindFile && noDB == nil && len(files) == 0:
		return []doctor.Result{doctor.Bad("put the vault's key files back from their backup, or name the custody the database was made with (--keys)", "there is a vault's database and no key in %s", l.keys())}
	case kind == custody.KindFile && noDB != nil && len(files) > 0:
		return []doctor.Result{doctor.Bad("put the vault's database back, or move the keys away when this is a new installation", "there are keys in %s and no vault's database", l.keys())}
	case kind == custody.KindFile:
		return []doctor.Result{doctor.Concern("keep the keys in a token (docs/KEYS.md) where more than one clinic depends on them", "the wrapping key is a file on this machine")}
	}
	if _, err := c.hsmProgram(); err != nil {
		return []doctor.Result{doctor.Bad("see the text", "%v", err)}
	}
	return []doctor.Result{doctor.Good("keys are in custody of %s; the start asks it", kind)}
}

// checkDatabases opens what is there for reading.
func (c *doctorCmd) checkDatabases(ctx context.Context) (out []doctor.Result) {
	if c.DB != "" || c.VaultDB != "" {
		return c.checkServers(ctx)
	}
	l := layout{c.Data}
	restore := keepOwners(l.vaultDB(), l.registryDB())
	defer restore()
	for _, f := range []struct{ name, path string }{{"registry", l.registryDB()}, {"vault", l.vaultDB()}} {
		if _, err := os.Stat(f.path); err != nil {
			out = append(out, doctor.Good("%s: none yet, it will be made", f.name))
			continue
		}
		text, err := describeSQLite(ctx, f.path)
		if err != nil {
			out = append(out, doctor.Bad("stop what uses it and try again; when it is damaged restore it together with the others of its backup", "%s: %v", f.name, err))
			continue
		}
		out = append(out, doctor.Good("%s: %s", f.name, text))
	}
	return out
}

// checkServers looks whether the databases of a PostgreSQL server answer, and are
// what this version needs.
func (c *doctorCmd) checkServers(ctx context.Context) (out []doctor.Result) {
	named := c.databaseFlags
	if err := named.resolve(slog.New(slog.DiscardHandler)); err != nil {
		return []doctor.Result{doctor.Bad("see docs/SCALE.md", "%v", err)}
	}
	for _, d := range []struct {
		name, url string
		check     func(context.Context, sqldb.DB) error
	}{{"registry", named.DB, checkRegistry}, {"registry as the worker", named.WorkerDB, checkRegistry}, {"vault", named.VaultDB, checkVault}} {
		db, err := openPostgres(ctx, d.url, postgres.Options{Name: "doctor", ReadOnly: true, Connections: 2}, d.check)
		if err != nil {
			out = append(out, doctor.Bad("see docs/SCALE.md; `tikakosh migrate` brings tables to this version", "%s: %s", d.name, message(err)))
			continue
		}
		out = append(out, doctor.Good("%s: PostgreSQL answers, with the tables of this version", d.name))
		if d.name != "registry as the worker" { // the same server as the registry's
			out = append(out, serverSettings(ctx, d.name, db)...)
		}
		_ = db.Close() // nothing was written
	}
	return out
}

func describeSQLite(ctx context.Context, path string) (string, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{ReadOnly: true})
	if err != nil {
		return "", err
	}
	defer db.Close()
	wal, err := writeAheadLog(path)
	if err != nil {
		return "", err
	}
	var version string
	var migration int64
	err = db.View(ctx, func(tx sqldb.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT MAX(version_id) FROM migration`).Scan(&migration)
	})
	if err == nil && !wal {
		err = errors.New("it has no write-ahead log: another program has changed its mode")
	}
	return fmt.Sprintf("SQLite %s, migration %d", version, migration), err
}

// writeAheadLog looks into the file's header: read and write versions of 2.
func writeAheadLog(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var head [20]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return false, errors.New("it is no database")
	}
	return head[18] == 2 && head[19] == 2, nil
}

// checkAddresses looks at what the public and others are told.
func (c *doctorCmd) checkAddresses(context.Context) (out []doctor.Result) {
	u, err := url.Parse(c.PublicURL)
	switch {
	case c.PublicURL == "":
		out = append(out, doctor.Concern("--public-url https://…: clients and signatures use it", "no public address is given"))
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		out = append(out, doctor.Bad("give it as in https://vaccination.example", "the public address %q is none", c.PublicURL))
	case u.Scheme != "https" && loopback(u.Hostname()):
		out = append(out, doctor.Concern("https, when others are to use it", "the public address is of this machine alone: for trials only"))
	case u.Scheme != "https":
		out = append(out, doctor.Bad("put a TLS proxy in front and give its https address", "the public address is not encrypted: codes and records would travel in the clear"))
	default:
		out = append(out, doctor.Good("the public address is %s", c.PublicURL))
		if len(c.Proxy) == 0 {
			out = append(out, doctor.Concern("--proxy 127.0.0.1/32 (the TLS proxy's network), and let the proxy set X-Forwarded-For", "no proxy is named: everybody behind it counts as one address, and the limits for one address meet all of them together"))
		}
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			out = append(out, doctor.Concern("listen on 127.0.0.1 and put the TLS proxy on this machine, or see that only the proxy reaches this address", "the API speaks plain HTTP on %s", c.Listen))
		}
	}
	if c.OTLP != "" {
		if _, err := newSpanRelay(c.OTLP, nil, &observed{}); err != nil {
			out = append(out, doctor.Bad("see the text", "%v", err))
		}
	}
	if c.LogDays > 0 && c.LogDays < 366 {
		out = append(out, doctor.Concern("keep the default of 400", "logs are kept %d days: Indian law asks for a year", c.LogDays))
	}
	return out
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
