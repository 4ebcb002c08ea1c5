// Package sharing is the part of the vault for links that open one person's certificate to
// whoever has them (ADR 43): made by who may have the certificate, for days, ended with one
// press, each use an entry that the person sees. The secret is shown once; what is kept of it
// is a keyed MAC.
package sharing

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// How long links last, and how many there are (ADR 43).
const (
	MostDays  = 30
	mostLive  = 5                   // links of a person that open at the same time
	mostMade  = 20                  // a household makes in a day
	mostUses  = 60                  // of a link in a day: each makes a certificate
	mostWrong = 100                 // of a network in an hour
	remember  = 30 * 24 * time.Hour // how long one that ended is on the person's list
	tokenLen  = 16                  // bytes of a secret
	day       = 24 * time.Hour
)

// entryKind is the kind of what is done to a link; using one is an opening.
const entryKind = "share"

// Desk is the rest of the vault, as this part needs it. Its methods act inside the transaction
// they are given.
type Desk interface {
	// Mine is the household of a session that may have the certificate of a person of it.
	Mine(on *release.Txn, h vault.Holder, person id.Person) (id.Household, error)
	// Counted adds to a counter of a window of time and returns it, and the window's end.
	Counted(on *release.Txn, window time.Duration, what, key string, n int64) (int64, time.Time, error)
	// Issue notes that a certificate is about to be made.
	Issue(on *release.Txn, person id.Person, viewID string) error
	// Tell tells a household that a link was made, at once and beside the entry: who made it had
	// the phone or a code in hand, and that may have been somebody else.
	Tell(on *release.Txn, house id.Household, link string) error
	// Certificate makes the certificate of the one person who was opened for it.
	Certificate(o *release.Opening) (vault.Certificate, error)
}

// Config is what the part needs. With makes its transactions.
type Config struct {
	Keys    *keyring.Ring
	Release *release.Desk
	Desk    Desk
	Now     func() time.Time
	With    func(*engine.Txn) *release.Txn
}

// Links is the part over one engine. It is safe for concurrent use.
type Links struct {
	cfg Config
	eng *engine.Engine
}

// New makes the part.
func New(cfg Config, eng *engine.Engine) *Links { return &Links{cfg: cfg, eng: eng} }

func (l *Links) update(ctx context.Context, fn func(*release.Txn) error) ([]string, error) {
	return l.eng.Update(ctx, func(t *engine.Txn) error { return fn(l.cfg.With(t)) })
}

// Nothing is the one answer to a link that opens nothing: it never was, it has ended, or its
// person is no longer here.
func Nothing() error {
	return fault.New(fault.NotFound, vault.CodeShare, "This link opens nothing: it is not complete, or it has ended")
}

// ParseToken reads a secret in its one spelling.
func ParseToken(text string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return raw, err == nil && len(raw) == tokenLen && len(text) == base64.RawURLEncoding.EncodedLen(tokenLen)
}

func (l *Links) mac(secret []byte) string {
	return hex.EncodeToString(l.cfg.Keys.MAC(keyring.PurposeMatch, l.cfg.Keys.RealmBytes(), []byte("share"), secret)[:16])
}

func (l *Links) live(x state.SharedLink) bool {
	return (x.Ended == 0 && l.cfg.Now().UnixMilli() < x.Expires) || ablate.Off(ablate.ShareEnds)
}

func (l *Links) shown(x state.SharedLink) vault.Share {
	return vault.Share{ID: x.ID, Made: x.Made, Expires: x.Expires, Ended: x.Ended, Uses: x.Uses, Last: x.Last, Live: l.live(x)}
}

// row reads a person's links, without those that ended long ago.
func (l *Links) row(t *release.Txn, person id.Person) (state.Share, error) {
	row, _, err := engine.Get[state.Share](t, state.Shares, string(person))
	old := l.cfg.Now().Add(-remember).UnixMilli()
	row.Links = slices.DeleteFunc(slices.Clone(row.Links), func(x state.SharedLink) bool {
		return x.Expires < old || (x.Ended > 0 && x.Ended < old)
	})
	return row, err
}

func (l *Links) wait(until time.Time, text string) error {
	return &fault.Error{Kind: fault.RateLimited, Code: "bound", Text: text, RetryAfter: until.Sub(l.cfg.Now())}
}

// Make implements the vault's word.
func (l *Links) Make(ctx context.Context, r vault.ShareMakeRequest) (vault.ShareMade, error) {
	if r.Days < 1 || r.Days > MostDays {
		return vault.ShareMade{}, fault.New(fault.Invalid, "USRRES0001", "days is a number from 1 to 30")
	}
	if len(r.Key) > 200 {
		return vault.ShareMade{}, fault.New(fault.Invalid, "key", "an idempotency key of 1 to 200 bytes is wanted")
	}
	now := l.cfg.Now()
	secrets := l.secrets(r, now)
	var secret []byte
	var made state.SharedLink
	receipts, err := l.update(ctx, func(t *release.Txn) error {
		house, err := l.cfg.Desk.Mine(t, r.Holder, r.Person)
		if err != nil {
			return err
		}
		for _, secret = range secrets {
			if done, err := l.again(t, r, house, l.mac(secret), &made); err != nil || done {
				return err
			}
		}
		secret = secrets[0]
		made = state.SharedLink{ID: id.New(), MAC: l.mac(secret), Made: now.UnixMilli(), Expires: now.Add(time.Duration(r.Days) * day).UnixMilli()}
		n, until, err := l.cfg.Desk.Counted(t, day, "share-made", string(house), 1)
		if err != nil {
			return err
		}
		if n > mostMade {
			return l.wait(until, "too many links from this number today; please try again tomorrow")
		}
		row, err := l.row(t, r.Person)
		if err != nil {
			return err
		}
		alive := 0
		for _, x := range row.Links {
			if x.Ended == 0 && now.UnixMilli() < x.Expires {
				alive++
			}
		}
		if alive >= mostLive {
			return fault.New(fault.Conflict, "shares", "There are five links to this certificate already. End one of them first")
		}
		made.House = house
		row.Links = append(row.Links, made)
		t.Append(engine.Entry{Kind: entryKind, Person: r.Person, House: house, View: "link made", Role: permits.Holder})
		if err := engine.Put(t, state.ShareLinks, made.MAC, state.ShareLink{Person: r.Person}, made.Expires+remember.Milliseconds()); err != nil {
			return err
		}
		if err := l.cfg.Desk.Tell(t, house, made.ID); err != nil {
			return err
		}
		return engine.Put(t, state.Shares, string(r.Person), row, 0)
	})
	if err != nil {
		return vault.ShareMade{}, err
	}
	out := vault.ShareMade{Token: base64.RawURLEncoding.EncodeToString(secret), Share: l.shown(made)}
	if len(receipts) > 0 {
		out.Receipt = receipts[0]
	}
	return out, nil
}

// secrets are what the link of a request may have: that which the form makes today, and that which
// it made if it was sent yesterday. The day is part of it, so that a form which is sent again when
// its link has ended, and is forgotten, does not make the old link open anew.
func (l *Links) secrets(r vault.ShareMakeRequest, now time.Time) [][]byte {
	if r.Key == "" {
		return [][]byte{keyring.RandomBytes(tokenLen)}
	}
	var out [][]byte
	for _, at := range []time.Time{now, now.Add(-day)} {
		out = append(out, l.cfg.Keys.Once(tokenLen, "share", string(r.Person), strconv.Itoa(r.Days), r.Key, strconv.FormatInt(at.UnixMilli()/day.Milliseconds(), 10)))
	}
	return out
}

// again finds the link that this request made before. Only a young one that opens is shown once
// more; it is an entry, for it shows a secret.
func (l *Links) again(t *release.Txn, r vault.ShareMakeRequest, house id.Household, mac string, made *state.SharedLink) (bool, error) {
	row, err := l.row(t, r.Person)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(row.Links, func(x state.SharedLink) bool { return x.MAC == mac })
	if i < 0 {
		return false, nil
	}
	now := l.cfg.Now().UnixMilli()
	if x := row.Links[i]; x.House != house || x.Ended != 0 || now-x.Made >= keyring.OnceFor.Milliseconds() {
		return false, fault.New(fault.Conflict, "made", "this link was made before and is not shown again; make another one")
	}
	*made = row.Links[i]
	t.Append(engine.Entry{Kind: entryKind, Person: r.Person, House: house, View: "link shown again", Role: permits.Holder})
	return true, nil
}

// List implements the vault's word.
func (l *Links) List(ctx context.Context, r vault.ShareListRequest) (out vault.ShareList, err error) {
	err = l.eng.View(ctx, func(e *engine.Txn) error {
		t := l.cfg.With(e)
		out = vault.ShareList{Shares: []vault.Share{}}
		if _, err := l.cfg.Desk.Mine(t, r.Holder, r.Person); err != nil {
			return err
		}
		row, err := l.row(t, r.Person)
		for _, x := range slices.Backward(row.Links) {
			out.Shares = append(out.Shares, l.shown(x))
		}
		return err
	})
	return out, err
}

// End implements the vault's word.
func (l *Links) End(ctx context.Context, r vault.ShareEndRequest) (vault.Done, error) {
	receipts, err := l.update(ctx, func(t *release.Txn) error {
		house, err := l.cfg.Desk.Mine(t, r.Holder, r.Person)
		if err != nil {
			return err
		}
		row, err := l.row(t, r.Person)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(row.Links, func(x state.SharedLink) bool { return x.ID == r.ID && x.Ended == 0 })
		if i < 0 {
			return fault.New(fault.NotFound, "share", "no such link")
		}
		row.Links[i].Ended = l.cfg.Now().UnixMilli()
		t.Append(engine.Entry{Kind: entryKind, Person: r.Person, House: house, View: "link ended", Role: permits.Holder})
		return engine.Put(t, state.Shares, string(r.Person), row, 0)
	})
	if err != nil || len(receipts) == 0 {
		return vault.Done{}, err
	}
	return vault.Done{Receipt: receipts[0]}, nil
}
