// Package signin is how a household shows that it is there (ADR 39, 44): a one-time code to its
// mobile makes a session, on a device that it knows or on one that waits; a PIN, a card and the
// other channel speak for it. Txn answers, inside a transaction, whose household a session is
// and what it may do: every word of a holder asks it first (I10).
package signin

import (
	"context"
	"log/slog"
	"time"

	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// HomeZone is the zone of a place that no manager has signed.
const HomeZone = "Asia/Kolkata"

// The kinds of messages about how a household signs in; see also post.
const (
	NoticeNewDevice = "newdevice" // a code was completed on a device that is new to the household
	NoticePINEnds   = "pin-ends"  // somebody who did not give the PIN takes it away
	NoticePIN       = "pin-changed"
)

// Config is what signing in needs. Every field is trusted.
type Config struct {
	Keys        *keyring.Ring
	Codes       *codes.Desk
	Post        *post.Office
	Release     *release.Desk
	NewDevices  budgets.NewDevices // how many households new devices open in an hour
	PerPrefix   int                // codes per origin network and hour
	DemoNumbers bool               // mobiles may begin with 0 to 5
	Host        string             // host in the last line of a code message, or ""
	Now         func() time.Time
	Log         *slog.Logger
}

// Desk signs households in. It is safe for concurrent use.
type Desk struct {
	cfg   Config
	keys  *keyring.Ring
	codes *codes.Desk
	post  *post.Office
	now   func() time.Time
	log   *slog.Logger
	eng   *engine.Engine
}

// New returns a desk over an engine.
func New(cfg Config, eng *engine.Engine) *Desk {
	return &Desk{cfg: cfg, keys: cfg.Keys, codes: cfg.Codes, post: cfg.Post, now: cfg.Now, log: cfg.Log, eng: eng}
}

// Txn is a transaction in which it is asked whose session a holder's is.
type Txn struct {
	*release.Txn
	k       *Desk
	Returns bool // a card's session: of somebody, too, who may come back
}

// With makes one of a transaction in which records are released.
func (k *Desk) With(t *release.Txn) *Txn { return &Txn{Txn: t, k: k} }

func (k *Desk) in(fn func(*Txn) error) func(*engine.Txn) error {
	return func(t *engine.Txn) error { return fn(k.With(k.cfg.Release.With(t))) }
}

func (k *Desk) update(ctx context.Context, fn func(*Txn) error) ([]string, error) {
	return k.eng.Update(ctx, k.in(fn))
}

func (k *Desk) view(ctx context.Context, fn func(*Txn) error) error {
	return k.eng.View(ctx, k.in(fn))
}

func (t *Txn) notice(n state.Notice, after, life time.Duration) (key string, err error) {
	return t.k.post.Put(t.Engine(), n, after, life)
}

// rows are the rows of budgets within a transaction.
type rows struct{ t *Txn }

// Get implements budgets.Rows.
func (b rows) Get(key string) (state.Budget, bool, error) {
	return engine.Get[state.Budget](b.t, state.Budgets, key)
}

// Put implements budgets.Rows.
func (b rows) Put(key string, row state.Budget) error {
	return engine.Put(b.t, state.Budgets, key, row, 0)
}
