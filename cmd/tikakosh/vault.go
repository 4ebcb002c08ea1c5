package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ipc"
	"tikakosh/internal/ledger"
	"tikakosh/internal/metrics"
	"tikakosh/internal/notify"
	"tikakosh/internal/portal/staff"
	"tikakosh/internal/store/keeperdb"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/supervise"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

// vaultFlags are shared by run, demo and vault.
type vaultFlags struct {
	custodyFlags
	Realm            int           `default:"1" help:"Realm number: keys, ledger and reference ids are per realm."`
	Origin           string        `default:"tikakosh.local/ledger/1" help:"Name of the ledger and issuer of bearers."`
	Issuer           string        `default:"Tikakosh" help:"Name of the issuing authority on certificates."`
	Host             string        `help:"Host name shown in the last line of a code message."`
	CheckAt          string        `hidden:"" help:"Address of the page where anybody checks a certificate; run gives it from --public-url."`
	DemoNumbers      bool          `help:"Accept mobiles that begin with 0 to 5 (demo and tests)."`
	CheckpointEvery  time.Duration `default:"60s" help:"How often the ledger publishes a checkpoint."`
	OTPNumberLimit   int           `name:"otp-number-limit" default:"5" help:"Unconfirmed codes per number and origin in 24 hours."`
	OTPDayLimit      int           `name:"otp-day-limit" default:"20" help:"Unconfirmed codes per number in 24 hours."`
	PrefixLimit      int           `default:"2000" help:"Codes per origin network and hour."`
	FailedGuessAlarm int64         `default:"1000" help:"Wrong codes per hour that raise an alarm."`
	FailedGuessLimit int64         `default:"5000" help:"Wrong codes per hour above which a proof of work is asked."`
	NoBookingBounds  bool          `name:"no-booking-bounds" help:"Households may book, cancel and register without end (measurements)."`
	LeaveKeep        time.Duration `name:"leave-keep" default:"8760h" help:"How long the record of a person who left is kept, hidden, before its key is destroyed; at least seven days. The law's word, not ours: India's data protection rules say a year."`
	EraseFinal       time.Duration `name:"erase-final" default:"720h" help:"How long backup sets of before an erasure can still be restored and opened. Sets must not be kept longer: after this time they open nobody. At least a day."`
	NewDevices       int           `name:"new-devices" default:"200000" help:"How many households devices new to them may open in an hour while there are less than four weeks of history; a district may a twentieth of it. Beyond that, new devices see initials until the hour is over. From then on the limit is three times what is usual at that hour."`
	HouseEvery       time.Duration `name:"house-every" default:"1m" hidden:"" help:"How often what is over is ended."`
	StaffOrigin      []string      `name:"staff-origin" help:"Origin of the staff client, as in https://staff.vaccination.example: where passkeys are good. May be repeated; the others are under the first one's host. Without it staff do not sign in (on this machine alone: http://localhost and the API's port)."`
	ChangeDelay      time.Duration `name:"change-delay" default:"24h" help:"How long a change of policies, budgets or a centre's roster mode waits after its approval, in public. At least a day."`
	BackupRecipient  []string      `name:"backup-recipient" help:"age public key (age1…) that backups are made for; may be repeated."`
	KeyAnnounce      time.Duration `default:"10s" hidden:"" help:"How long a new bearer key is announced before it signs."`
	KeyPublish       time.Duration `default:"10m" hidden:"" help:"How long a new certificate or ledger key is published before it signs."`
	KeyDrain         time.Duration `default:"1m" hidden:"" help:"How long requests of before a change of keys may last."`
	ClockFile        string        `help:"File with a clock offset in milliseconds; demo and test builds only."`
}

func (f vaultFlags) args() []string {
	a := []string{"--keys=" + f.Keys, fmt.Sprint("--key-announce=", f.KeyAnnounce), fmt.Sprint("--key-publish=", f.KeyPublish), fmt.Sprint("--key-drain=", f.KeyDrain), fmt.Sprint("--realm=", f.Realm), "--origin=" + f.Origin, "--issuer=" + f.Issuer, "--host=" + f.Host, "--check-at=" + f.CheckAt,
		fmt.Sprint("--checkpoint-every=", f.CheckpointEvery), fmt.Sprint("--otp-number-limit=", f.OTPNumberLimit), fmt.Sprint("--otp-day-limit=", f.OTPDayLimit),
		fmt.Sprint("--prefix-limit=", f.PrefixLimit), fmt.Sprint("--failed-guess-alarm=", f.FailedGuessAlarm), fmt.Sprint("--failed-guess-limit=", f.FailedGuessLimit)}
	a = append(a, "--leave-keep="+f.LeaveKeep.String(), "--house-every="+f.HouseEvery.String(), fmt.Sprint("--new-devices=", f.NewDevices), "--erase-final="+max(f.EraseFinal, 24*time.Hour).String())
	for _, r := range f.BackupRecipient {
		a = append(a, "--backup-recipient="+r)
	}
	for _, o := range f.StaffOrigin {
		a = append(a, "--staff-origin="+o)
	}
	a = append(a, "--change-delay="+f.ChangeDelay.String())
	if f.DemoNumbers {
		a = append(a, "--demo-numbers")
	}
	if f.NoBookingBounds {
		a = append(a, "--no-booking-bounds")
	}
	if f.ClockFile != "" {
		a = append(a, "--clock-file="+f.ClockFile)
	}
	return a
}

type vaultCmd struct {
	vaultFlags
	Data      string  `required:"" help:"Data folder."`
	VaultDB   string  `name:"vault-db" env:"TIKAKOSH_VAULT_DB" help:"The vault's own database: postgres://…, or @FILE that holds it; default: the SQLite file in the data folder."`
	Demo      bool    `hidden:""`
	Separated bool    `hidden:""`
	Trace     float64 `hidden:""`
}

// Run is the vault role.
func (c *vaultCmd) Run() error {
	o, err := observe("vault", c.Trace)
	if err != nil {
		return err
	}
	log := o.log
	if c.ClockFile != "" && !c.Demo && !ablate.Built {
		return badConfig("--clock-file is for demos and tests")
	}
	ctx, stop := roleContext()
	defer stop()
	if err := o.answer(ctx); err != nil {
		return err
	}
	l := layout{c.Data}
	lock, err := lockFile(l.vaultLock())
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := supervise.Harden(supervise.HardenOpts{}); err != nil {
		return err
	}
	url, err := databaseURL(c.VaultDB)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d, err := openDoor(ctx, l, cancel, log)
	defer d.close()
	if err != nil {
		return err
	}
	d.needs(o.ready)
	db, err := openVaultDB(ctx, url, l, d, o)
	if err != nil {
		return err
	}
	defer db.Close()
	defer d.close() // before the database
	d.opens()
	o.database("vault", db)
	frozen := sqldb.NewFreezer(db)
	store := keeperdb.New(frozen, id.Realm(c.Realm))
	fresh, err := keeper.Fresh(ctx, store)
	if err != nil {
		return err
	}
	courierEnd, err := inherited("courier")
	if err != nil {
		return err
	}
	courier := notify.NewClient(ipc.HTTPClient(ipc.NewDialer(courierEnd), 10*time.Second))
	var provider atomic.Pointer[custody.Provider]
	o.keyProvider(&provider)
	config := c.config()
	if config.Staff, err = staffSite(c.Issuer, c.StaffOrigin); err != nil {
		return err
	}
	if config.Policies, err = inheritedPolicies(); err != nil {
		return err
	}
	if config.Restore, err = restoreOrder(l); err != nil {
		return err
	}
	if r := config.Restore; r != nil && r.Origin != "" && r.Origin != c.Origin {
		return badConfig("the ledger of the restored set is %q, not %q: start with --origin %s, and the other flags of before", r.Origin, c.Origin, r.Origin)
	}
	k, err := c.begin(ctx, l, d, fresh, log, func(p custody.Provider) (*keeper.Keeper, error) {
		provider.Store(&p)
		cfg := config
		if url == "" && cfg.Restore == nil { // beside its own file: another server's order of keys and other vaults are not to be relied on
			cfg.Anchors = anchorFile{l.anchors()}
		}
		return keeper.Begin(ctx, cfg, store, p, post{courier}, clock(c.ClockFile), log)
	})
	if err != nil {
		return err
	}
	verified := make(chan error, 1)
	go func() { verified <- k.Verify(ctx) }()
	select {
	case err := <-verified:
		if err != nil {
			return err
		}
		verified <- nil
	case <-k.Ready():
	case <-time.After(verifyPatience):
		log.Info("the rows are still being compared with the ledger; what needs one waits")
	}
	return c.serve(ctx, cancel, l, d, k, frozen, verified, courier, o)
}

// verifyPatience is how long the vault waits for the comparison of its rows before
// it lets the other roles start, so that what needs no person is answered soon
// after the start of a large installation.
const verifyPatience = 700 * time.Millisecond

func (c *vaultCmd) config() keeper.Config {
	lim := keeper.DefaultLimits()
	lim.PerOrigin, lim.PerNumber, lim.PerPrefix = c.OTPNumberLimit, c.OTPDayLimit, c.PrefixLimit
	lim.FailedAlarm, lim.FailedGuesses = c.FailedGuessAlarm, c.FailedGuessLimit
	devices := budgets.DefaultNewDevices()
	devices.SystemStart, devices.DistrictStart = c.NewDevices, max(1, c.NewDevices/20)
	return keeper.Config{ChangeDelay: c.ChangeDelay, NewDevices: devices, LeaveKeep: c.LeaveKeep, EraseFinal: c.EraseFinal, HouseEvery: c.HouseEvery, NoBounds: c.NoBookingBounds, Realm: id.Realm(c.Realm), Origin: c.Origin, Issuer: c.Issuer, Host: c.Host, CheckAt: c.CheckAt, Demo: c.Demo,
		DemoNumbers: c.DemoNumbers || c.Demo, Separated: c.Separated, Limits: lim, Fonts: encode.DefaultFonts(), Custody: c.custodyKind(), StaffClient: staff.Sum(),
		KeyTimes: keeper.KeyTimes{Announce: c.KeyAnnounce, Publish: c.KeyPublish, Drain: c.KeyDrain}}
}

// serve lets the callers in, keeps the ledger's files up, and ends when told to.
func (c *vaultCmd) serve(ctx context.Context, cancel context.CancelCauseFunc, l layout, d *door, k *keeper.Keeper, db *sqldb.Freezer, verified <-chan error,
	courier *notify.Client, o *observed) error {
	log := o.log
	signer, vkey, err := k.CheckpointSigner()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.ledger(), 0o755); err != nil {
		return err
	}
	if err := ledgerThere(ctx, l, k, c.VaultDB != "", log); err != nil {
		return err
	}
	files, err := ledger.Open(ctx, ledger.Options{Dir: l.ledger(), Signer: signer, Keys: k.LedgerKeys, CheckpointEvery: c.CheckpointEvery, Logger: log}, k)
	if err != nil {
		return c.aheadOf(err, l)
	}
	// Not before the files were found to be this ledger's: a start with another
	// --origin would leave a key that the checkpoint does not fit.
	if err := errors.Join(os.WriteFile(l.vkey(), []byte(vkey+"\n"), 0o644), os.WriteFile(l.ledgerMade(), nil, 0o600)); err != nil {
		return err
	}
	o.ledger(l, k, files)
	served := metrics.NewServed(o.set)
	var wg sync.WaitGroup
	var open atomic.Bool
	wg.Go(func() {
		select {
		case <-k.Ready(): // what is not compared yet is compared before it is used
			wg.Go(func() {
				if err := <-verified; err != nil {
					cancel(err)
				}
			})
		case err := <-verified:
			if err != nil { // nothing was released, and nothing is signed
				cancel(err)
				return
			}
		}
		if err := os.Remove(l.restoreOrder()); err != nil && !errors.Is(err, os.ErrNotExist) { // it is on the ledger now
			cancel(err)
			return
		}
		open.Store(true)
		wg.Go(func() { k.Run(ctx) })
		if err := files.Run(ctx, k, k.Wake()); err != nil {
			cancel(err)
		}
	})
	copies := &copier{life: ctx, db: db, k: k, realm: c.Realm, origin: c.Origin, recipients: c.BackupRecipient, log: log}
	d.admit(k, func(caller keeper.Caller, h http.Handler) http.Handler {
		return copies.handler(caller, served.Wrap(string(caller), o.trace.Serve(h)))
	})
	if end, ok := inheritedIf("outbox"); ok {
		ln, err := net.FileListener(end)
		if err != nil {
			return err
		}
		d.listen("outbox", ln, httpServer(outboxPage(courier, os.Getenv(outboxVariable)), log))
	}
	supervise.Ready()
	log.Info("vault ready", "separated", c.Separated)
	<-ctx.Done()
	d.close()
	cancel(nil)
	wg.Wait()
	end, done := context.WithTimeout(context.Background(), 8*time.Second)
	defer done()
	if open.Load() {
		err = files.Close(end)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// post adapts the courier's client to the vault's word for it.
type post struct{ c *notify.Client }

// Send implements keeper.Courier.
func (p post) Send(ctx context.Context, n keeper.Notice) error {
	if name, ok := n.Params["centre"]; ok {
		n.Params["centre"] = notify.CentreName(name)
	}
	language := "en"
	if n.Language == "hi" {
		language = "hi"
	}
	text, err := notify.Compose(n.Template, n.Language, n.Params)
	if err != nil {
		return err
	}
	to, channel := n.Mobile, notify.ChannelSMS
	if n.Email != "" {
		to, channel = n.Email, notify.ChannelEmail
	}
	return p.c.Send(ctx, notify.Message{ID: n.ID, To: to, Channel: channel, Text: text, Deadline: n.Deadline, Once: n.Once,
		Template: n.Template, Language: language})
}

// lockFile takes the vault's lock: a second vault on the same data refuses.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "vault lock")
	}
	for range 50 { // a killed vault's lock goes a moment later
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return f, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, errors.Join(badConfig("another vault runs on this data folder; stop it first"), f.Close())
}

func listenAdmin(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return listenPrivate(ctx, path)
}

// roleContext ends on SIGTERM, SIGINT, and when the supervisor has died.
func roleContext() (context.Context, context.CancelFunc) {
	// The log's pipe breaks when the supervisor dies: no reason to die in the middle.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	supervise.WatchParent(stop)
	return ctx, stop
}
