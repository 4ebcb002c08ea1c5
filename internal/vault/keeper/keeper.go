// Package keeper is the vault itself: keys, one-time codes, evidence, sealing
// and the access ledger. Only cmd imports it. Everything that can turn sealed
// data into plaintext is here; the order is always evidence, durable ledger
// entry, plaintext.
package keeper

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tikakosh/internal/access/passkey"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/changes"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/figures"
	"tikakosh/internal/vault/keeper/gap"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/notary"
	"tikakosh/internal/vault/keeper/partners"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/keeper/requests"
	"tikakosh/internal/vault/keeper/rotation"
	"tikakosh/internal/vault/keeper/sharing"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// Notice and Courier are what goes out and who carries it; see post.
type (
	Notice  = post.Notice
	Courier = post.Courier
)

// Limits are the budgets of one-time codes; see codes.Limits.
type Limits = codes.Limits

// DefaultLimits are the figures of defence.md 4.2; see codes.DefaultLimits.
func DefaultLimits() Limits { return codes.DefaultLimits() }

// Config is what a vault needs. Every field is trusted.
type Config struct {
	Realm       id.Realm
	Origin      string // name of the ledger, as in its checkpoints
	Issuer      string // name on certificates
	Custody     string // what the key inventory calls the provider: "file", "pkcs11", …
	KeyTimes    KeyTimes
	Host        string // host in the last line of a code message, or ""
	CheckAt     string // address, printed on certificates, where anybody checks them, or ""
	Demo        bool   // seeding exists
	DemoNumbers bool   // mobiles may begin with 0 to 5
	Separated   bool   // roles run under separate users
	Limits      Limits
	NoBounds    bool // households may book, cancel and register without end: measurements
	Fonts       *encode.Fonts
	Staff       passkey.Site       // where staff sign in; the zero value: they do not
	Anchors     engine.AnchorFile  // nil: every start reads every row before it serves
	EraseFinal  time.Duration      // how long backup sets of before a change of the epoch key still open; 0: 30 days
	LeaveKeep   time.Duration      // how long the record of a person who left is kept; 0: a year
	HouseEvery  time.Duration      // 0: a minute
	NewDevices  budgets.NewDevices // how many households new devices open in an hour; the zero value: the defaults
	Restore     *RestoreOrder      // of a restore before this start; nil: none
	Policies    map[string]string  // files of policies that this start was given, checked; nil: none. See changes.Config
	ChangeDelay time.Duration      // between the approval of a change and its coming into force; 0, and less than a day: a day
	StaffClient string             // SHA-256 of the staff client that is served, in hex; "" for none
}

// LedgerKeys are what the ledger's files are signed with now.
func (k *Keeper) LedgerKeys() ledger.Keys { return k.turns.LedgerKeys() }

// EraseWaits is how long the oldest erasure has waited for the epoch key to change;
// 0 when none waits.
func (k *Keeper) EraseWaits() time.Duration { return k.turns.Waits() }

// KeyTimes are how long the steps of a change of keys wait; see rotation.Times.
type KeyTimes = rotation.Times

// RestoreOrder, Gap and GapStatement are what a restore leaves for the first start, what
// the copy lacks, and what two custodians sign; see gap.
type (
	RestoreOrder = gap.Order
	Gap          = gap.Gap
	GapStatement = gap.Statement
)

// What the proof of a custodian's approval names in place of a request.
const (
	GapMethod = gap.Method
	GapURL    = gap.URL
)

// NoteCopy records that a backup set is about to be made; see notary.Desk.
func (k *Keeper) NoteCopy(ctx context.Context, set, recipients, role string) (string, error) {
	return k.notary.NoteCopy(ctx, set, recipients, role)
}

// Provider is key custody; see keyring.Provider.
type Provider = keyring.Provider

// AnchorFile keeps the digests of the vault's rows; see engine.AnchorFile.
type AnchorFile = engine.AnchorFile

// Fresh says whether the database has never been a vault's; see keyring.Fresh.
func Fresh(ctx context.Context, st state.Store) (bool, error) { return keyring.Fresh(ctx, st) }

// Keeper is a running vault. It is safe for concurrent use.
type Keeper struct {
	proofs   *proof.Desk
	release  *release.Desk
	eng      *engine.Engine
	office   *staffing.Office // staff who sign in
	changes  *changes.Office  // what two people agree on
	absent   *presence.Desk   // people who cannot show anything
	asked    *requests.Desk   // what people ask about their own records
	shares   *sharing.Links   // links that open a certificate
	relinks  *relink.Desk     // lost phones and changed numbers
	turns    *rotation.Desk   // changes of the realm's keys
	figures  *figures.Desk    // counts of the dashboard
	notary   *notary.Desk     // what is about the program itself
	gap      *gap.Desk        // copies behind their ledger
	cfg      Config
	store    state.Store
	keys     *keyring.Ring
	now      func() time.Time
	log      *slog.Logger
	post     *post.Office   // messages on their way
	codes    *codes.Desk    // one-time codes
	signin   *signin.Desk   // how a household shows that it is there
	partners *partners.Desk // applications that ask for one person at a time

	zones sync.Map // time zones by name, as loaded

	revoked revoked
	fresh   func(*txn, vault.Signed) error // whether who signed has just touched their passkey for this request

	permits permits.Asker
}

// Open is Begin and Verify: it refuses with fault.Integrity when a row was edited
// or rolled back while the vault was down.
func Open(ctx context.Context, cfg Config, st state.Store, p keyring.Provider, c Courier, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	k, err := Begin(ctx, cfg, st, p, c, now, log)
	if err != nil {
		return nil, err
	}
	return k, k.Verify(ctx)
}

// Begin unwraps the keys and returns a vault that answers what needs no row: its
// public keys and its status. Everything else waits, and after two seconds is
// fault.Unavailable, until Verify has compared every row that grants with the
// ledger's last digest.
func Begin(ctx context.Context, cfg Config, st state.Store, p keyring.Provider, c Courier, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	if cfg.Limits.WrongStaffCodes == 0 {
		cfg.Limits = DefaultLimits()
	}
	keys, err := keyring.Open(ctx, st, p, cfg.Realm, cfg.Custody, now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if cfg.NewDevices == (budgets.NewDevices{}) {
		cfg.NewDevices = budgets.DefaultNewDevices()
	}
	k := &Keeper{cfg: cfg, fresh: func(*txn, vault.Signed) error { return notFresh() }, store: st, keys: keys, now: now, log: log}
	run := keyring.RandomBytes(16)
	k.codes = codes.New(keys, cfg.Limits, run, now, log)
	k.post = post.New(post.Config{Keys: keys, Store: st, Courier: c, Says: func(t *engine.Txn, v state.Notice) (map[string]string, bool, error) { return k.with(t).saying(v) },
		GiveBack: func(ctx context.Context, index, challenge string) { k.codes.GiveBack(ctx, k.eng, index, challenge) }, CodesWait: cfg.Limits.CodesWait, HeldCodes: cfg.Limits.HeldCodes, Now: now, Log: log})
	rules, err := policy.Default(k.policyAlarm)
	if err != nil {
		return nil, err
	}
	k.permits = permits.New(rules)
	k.eng = engine.New(engine.Config{Origin: cfg.Origin, Anchors: cfg.Anchors, BearerLife: proof.BearerLife, Along: k.post.Along}, st, keys, now, log)
	k.proofs = proof.New(cfg.Origin, k.eng, keys, now)
	k.release = release.New(k.eng, keys, now, k.proofs, k.permits)
	k.office = staffing.New(staffing.Config{Site: cfg.Staff, Keys: keys, Proofs: k.proofs, Permit: k.permits, Now: now, Log: log, Run: run}, k.eng)
	k.signin = signin.New(signin.Config{Keys: keys, Codes: k.codes, Post: k.post, Release: k.release, NewDevices: cfg.NewDevices, PerPrefix: cfg.Limits.PerPrefix,
		DemoNumbers: cfg.DemoNumbers, Host: cfg.Host, Now: now, Log: log}, k.eng)
	k.partners = partners.New(partners.Config{Origin: cfg.Origin, DemoNumbers: cfg.DemoNumbers, Keys: keys, Codes: k.codes, Post: k.post, Proofs: k.proofs, Release: k.release,
		Signin: k.signin, With: k.released, Now: now}, k.eng)
	k.changes = changes.New(changes.Config{Permits: k.permits, Salt: k.changeSalt, Given: cfg.Policies, Alarm: k.policyAlarm, Delay: cfg.ChangeDelay, Now: now, Log: log}, k.eng, k.office)
	k.notary = notary.New(keys, cfg.StaffClient, now, log, k.eng)
	k.gap = gap.New(gap.Config{Origin: cfg.Origin, Keys: keys, Proofs: k.proofs, Permits: k.permits, Chain: func() []byte { return k.turns.Chain() },
		SamePerson: func(t *engine.Txn, a, b id.Staff) (bool, error) { return k.with(t).samePerson(a, b) }})
	k.figures = figures.New(figures.Config{Keys: keys, Release: k.release, With: k.released, Now: now}, k.eng)
	k.absent = k.newPresence()
	k.asked = k.newRequests()
	k.shares = k.newSharing()
	k.relinks = k.newRelink()
	k.turns = rotation.New(rotation.Config{Origin: cfg.Origin, Custody: cfg.Custody, Times: cfg.KeyTimes, EraseFinal: cfg.EraseFinal, Keys: keys, Store: st, Now: now, Log: log}, k.eng, now())
	k.fresh = func(t *txn, s vault.Signed) error {
		staff, row, ok, err := t.SessionFor(s)
		if err == nil && !ok {
			err = notFresh()
		}
		if err != nil {
			return err
		}
		return k.office.Fresh(t.Engine(), staff, row, s)
	}
	return k, nil
}

// policyAlarm is told of a policy or a question in error, which was denied.
func (k *Keeper) policyAlarm(do policy.Action, ids []string) {
	k.log.Error("alarm: a policy is in error; what was asked was refused", "alarm", "policy", "action", do, "policies", ids)
}

// Verify compares every row that grants with the ledger and lets requests in; see
// Engine.Verify. fault.Integrity: a row was edited, removed or rolled back while the
// vault was down; it then stays closed.
func (k *Keeper) Verify(ctx context.Context) error {
	return k.eng.Verify(ctx, k.applyRestore, func(ctx context.Context) error {
		if err := k.notary.Start(ctx); err != nil {
			return err
		}
		if err := k.turns.Start(ctx); err != nil {
			return err
		}
		return k.changes.Start(ctx)
	})
}

// Wake is signalled after entries were committed; the ledger's files follow.
func (k *Keeper) Wake() <-chan struct{} { return k.eng.Wake() }

// Leaves returns committed leaves in index order, for the ledger's files.
func (k *Keeper) Leaves(ctx context.Context, from uint64, limit int) ([][]byte, error) {
	return k.eng.Leaves(ctx, from, limit)
}

// Ready is closed when requests are let in.
func (k *Keeper) Ready() <-chan struct{} { return k.eng.Ready() }

// Run sends notices and keeps house until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	k.post.Run(ctx, k.eng, &wg)
	wg.Go(func() { k.eng.KeepAnchors(ctx) })
	k.housekeep(ctx)
	wg.Wait()
}

// housekeep drops rows whose time is over, once a minute, ends leaves, and takes changes of keys
// to their end.
func (k *Keeper) housekeep(ctx context.Context) {
	var keys sync.WaitGroup
	keys.Go(func() { k.turns.Run(ctx) })
	defer keys.Wait()
	tick := time.NewTicker(k.houseEvery())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.expire(ctx)
		k.endLeaves(ctx)
		k.turns.Finish(ctx)
		_ = k.changes.Look(ctx) // it logs
		if err := k.asked.Look(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("overdue requests could not be looked for, they will be again", "kind", fault.KindOf(err))
		}
	}
}

// expire drops every row whose time is over.
func (k *Keeper) expire(ctx context.Context) {
	k.proofs.Forget(k.now().Unix())
	k.eng.ExpireRows(ctx)
}
