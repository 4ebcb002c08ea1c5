// Package keeper is the vault itself: keys, one-time codes, evidence, sealing
// and the access ledger. Only cmd imports it. Everything that can turn sealed
// data into plaintext is here; the order is always evidence, durable ledger
// entry, plaintext.
package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// Notice is one message to a person. Params are digits, dates or names of
// places from the vault's own rows, never a caller's text.
type Notice struct {
	ID       string
	Mobile   string
	Template string // "code", "booking", "dose"
	Language string
	Params   map[string]string
	Deadline int64 // Unix milliseconds after which sending is pointless
}

// Courier carries a message out. Send returns when the courier has taken it;
// an error means it may be tried again with the same ID.
type Courier interface {
	Send(ctx context.Context, n Notice) error
}

// Limits are the budgets of one-time codes (defence.md 4.2).
type Limits struct {
	PerOrigin       int   // unconfirmed codes per number and origin in 24 h
	PerNumber       int   // unconfirmed codes per number in 24 h
	PerPrefix       int   // codes per origin network and hour
	Global          int   // codes of the whole system per hour
	FailedGuesses   int64 // wrong answers per hour that switch the challenge on
	FailedAlarm     int64 // wrong answers per hour that raise an alarm
	CodesWait       time.Duration
	WrongStaffCodes int // wrong booking codes per staff member and session day
}

// DefaultLimits are the figures of defence.md 4.2 and design.md 5.
func DefaultLimits() Limits {
	return Limits{PerOrigin: 5, PerNumber: 20, PerPrefix: 2000, Global: 5_000_000, FailedGuesses: 5000, FailedAlarm: 1000, WrongStaffCodes: 10}
}

// Config is what a vault needs. Every field is trusted.
type Config struct {
	Realm       id.Realm
	Origin      string // name of the ledger, as in its checkpoints
	Issuer      string // name on certificates
	Host        string // host in the last line of a code message, or ""
	Demo        bool   // seeding exists
	DemoNumbers bool   // mobiles may begin with 0 to 5
	Separated   bool   // roles run under separate users
	Limits      Limits
	Fonts       *encode.Fonts
}

// Keeper is a running vault. It is safe for concurrent use.
type Keeper struct {
	cfg      Config
	store    state.Store
	keys     *keyring
	courier  Courier
	now      func() time.Time
	log      *slog.Logger
	lastNext atomic.Int64
	wakeC    chan struct{}
	notices  chan Notice
	failing  atomic.Bool // proof of work is asked

	sightings atomic.Uint64 // how many times a row was remembered at a new version
	mu        sync.Mutex
	seen      map[string]sighting
}

// sighting is the highest version of a row this process has committed or read,
// and when it was remembered, counted in sightings.
type sighting struct {
	version int64
	at      uint64
}

// Open unwraps the keys, compares every row that grants with the ledger's last
// digest, and returns the vault. It refuses with fault.Integrity when a row was
// edited or rolled back while the vault was down.
func Open(ctx context.Context, cfg Config, st state.Store, p Provider, c Courier, now func() time.Time, log *slog.Logger) (*Keeper, error) {
	if cfg.Limits.WrongStaffCodes == 0 {
		cfg.Limits = DefaultLimits()
	}
	keys, err := openKeyring(ctx, st, p, cfg.Realm, now().UnixMilli())
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, store: st, keys: keys, courier: c, now: now, log: log,
		wakeC: make(chan struct{}, 1), notices: make(chan Notice, 10_000), seen: map[string]sighting{}}
	if err := k.compareAnchors(ctx); err != nil {
		return nil, err
	}
	return k, k.recordDictionary(ctx)
}

// recordDictionary puts the digest of the data dictionary on the ledger when it
// is not the last one recorded (design.md 4).
func (k *Keeper) recordDictionary(ctx context.Context) error {
	_, err := k.update(ctx, func(t *txn) error {
		last, err := t.tx.ByPerson(ctx, k.personTag(dictionaryTopic), 0, 1)
		if err != nil {
			return err
		}
		if len(last) == 1 {
			e, err := k.openEntry(last[0])
			if err != nil || e.Evidence == state.DictionaryDigest() {
				return err
			}
		}
		t.append(entry{Kind: "dictionary", View: "data dictionary", Role: "system", Evidence: state.DictionaryDigest(), topic: dictionaryTopic})
		return nil
	})
	return err
}

// compareAnchors recomputes the digest of all anchored rows and compares it
// with the ledger's head and its last entry.
func (k *Keeper) compareAnchors(ctx context.Context) error {
	var sum [32]byte
	var head state.Head
	err := k.view(ctx, func(t *txn) error {
		var err error
		if head, err = t.head(); err != nil {
			return err
		}
		k.raiseNext(head.Next)
		for _, table := range state.Anchored() {
			if err := k.sumTable(t, table, &sum); err != nil {
				return err
			}
		}
		last, err := t.tx.Entries(ctx, max(head.Next-1, 0), 2)
		if err != nil || (head.Next == 0 && len(last) == 0) {
			return err
		}
		if head.Next == 0 || len(last) != 1 {
			return integrity("entry", "the ledger's last entry is missing or not the last")
		}
		e, err := k.openEntry(last[0])
		if err != nil {
			return err
		}
		if e.Digest != hexString(head.Digest) {
			return integrity("ledger_head", "the digest differs from the last entry's")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum[:], head.Digest) != 1 && !ablate.Off(ablate.GuardAnchor) {
		return integrity("household, person, staff or session", "the rows do not have the digest the ledger anchors: a row was edited, removed or rolled back")
	}
	return nil
}

func (k *Keeper) sumTable(t *txn, table state.Table, sum *[32]byte) error {
	for after := ""; ; {
		rows, err := t.tx.Scan(t.ctx, table, after, 500)
		if err != nil {
			return err
		}
		for _, s := range rows {
			if !hmac.Equal(s.MAC, k.rowMAC(table, s)) && !ablate.Off(ablate.RowMAC) {
				return integrity(table, "a row's MAC does not match")
			}
			subtle.XORBytes(sum[:], sum[:], k.rowDigest(table, s))
			after = s.Key
		}
		if len(rows) < 500 {
			return nil
		}
	}
}

// Run sends notices and keeps house until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { k.sendNotices(ctx) })
	}
	k.housekeep(ctx)
	wg.Wait()
}

// housekeep drops rows whose time is over, once a minute.
func (k *Keeper) housekeep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.expire(ctx)
	}
}

// expire drops, a thousand at a time, every row whose time is over.
func (k *Keeper) expire(ctx context.Context) {
	for _, table := range []state.Table{state.Challenges, state.Quotas, state.Counters, state.Bearers, state.Replays, state.Idempotencies} {
		for n := int64(1000); n == 1000; {
			err := k.store.Update(ctx, func(tx state.Tx) (err error) {
				n, err = tx.Expire(ctx, table, k.now().UnixMilli(), 1000)
				return err
			})
			if err != nil {
				n = 0
				if ctx.Err() == nil {
					k.log.Warn("housekeeping failed", "table", table, "kind", fault.KindOf(err))
				}
			}
		}
	}
}

func (k *Keeper) sendNotices(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-k.notices:
			k.sendNotice(ctx, n)
		}
	}
}

func (k *Keeper) sendNotice(ctx context.Context, n Notice) {
	wait := 50 * time.Millisecond
	for {
		err := k.courier.Send(ctx, n)
		if err == nil || ctx.Err() != nil {
			return
		}
		if k.now().UnixMilli() > n.Deadline {
			k.log.Warn("message given up", "template", n.Template, "kind", fault.KindOf(err))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// notify hands a message to the senders; it never blocks a request.
func (k *Keeper) notify(n Notice) {
	select {
	case k.notices <- n:
	default:
		k.log.Warn("message queue full", "template", n.Template)
	}
}

// Wake is signalled after entries were committed; the ledger's files follow.
func (k *Keeper) Wake() <-chan struct{} { return k.wakeC }

func (k *Keeper) wake() {
	select {
	case k.wakeC <- struct{}{}:
	default:
	}
}

// Leaves returns committed leaves in index order, for the ledger's files.
func (k *Keeper) Leaves(ctx context.Context, from uint64, limit int) ([][]byte, error) {
	var out [][]byte
	err := k.store.View(ctx, func(tx state.Tx) error {
		rows, err := tx.Entries(ctx, int64(from), limit)
		if err != nil {
			return err
		}
		out = out[:0]
		for i, r := range rows {
			if r.Index != int64(from)+int64(i) {
				return integrity("entry", "ledger indexes are not dense")
			}
			out = append(out, r.Leaf)
		}
		return nil
	})
	return out, err
}

func (k *Keeper) raiseNext(n int64) {
	for {
		old := k.lastNext.Load()
		if n <= old || k.lastNext.CompareAndSwap(old, n) {
			return
		}
	}
}

const seenLimit = 200_000

// lastSeen is the version of a row that a snapshot must at least show which
// began after so many sightings, or 0 when nothing is known about it: a row
// remembered later may rightly look older there.
func (k *Keeper) lastSeen(t state.Table, key string, began uint64) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.seen[rowName(t, key)]
	if s.at > began {
		return 0
	}
	return s.version
}

// remember keeps the versions that a committed transaction saw. Fresh rows were
// made anew, so their count of versions began again.
func (k *Keeper) remember(seen map[string]int64, fresh map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) > seenLimit {
		clear(k.seen)
	}
	for name, v := range seen {
		if v > k.seen[name].version || fresh[name] {
			k.seen[name] = sighting{v, k.sightings.Add(1)}
		}
	}
}

func hexString(b []byte) string { return hex.EncodeToString(b) }
