// Package post is the vault's way out (ADR 14): messages to people, which are rows written in
// the transaction of the act that they tell of and sent when that is committed, and one-time
// codes, which are no rows and are sent while whoever asked for one waits. It opens a
// household's number and address when a message is sent, and knows nothing of what it says.
package post

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Notice is one message to a person. Params are digits, dates or names of
// places from the vault's own rows, never a caller's text.
type Notice struct {
	ID       string
	Mobile   string
	Email    string // instead of a mobile: the household's other channel
	Template string // "code", "booking", "dose"
	Language string
	Params   map[string]string
	Deadline int64 // Unix milliseconds after which sending is pointless
	Once     bool  // a one-time code: never sent again when it may have been sent
}

// Courier carries a message out. Send returns when a route has taken it.
// fault.Unavailable: it was not sent and may be tried again with the same ID.
// fault.Unknown: it may have been sent. fault.Invalid, fault.Internal: no route
// will ever take it.
type Courier interface {
	Send(ctx context.Context, n Notice) error
}

// Config is what the office needs.
type Config struct {
	Keys    *keyring.Ring
	Store   state.Store
	Courier Courier
	// Says fills the places of a message from the vault's own rows; not ok: there is nothing
	// to tell any more. It runs when the message is sent, in a transaction that reads.
	Says func(t *engine.Txn, v state.Notice) (params map[string]string, ok bool, err error)
	// GiveBack returns the place of a code that was not sent to its number's budget.
	GiveBack  func(ctx context.Context, index, challenge string)
	CodesWait time.Duration // how long the answer to a request for a code waits for a gateway; 0: 3 seconds
	HeldCodes int           // how many codes may wait for a gateway; 0 is 50,000, below 0 none
	Now       func() time.Time
	Log       *slog.Logger
}

// Office sends messages and codes. It is safe for concurrent use.
type Office struct {
	Config
	post    *postroom
	sending chan struct{}  // one place for each code on its way
	held    chan *heldCode // codes that no gateway has taken yet
}

// New returns an office that sends notices once it runs, and codes at once.
func New(cfg Config) *Office {
	return &Office{Config: cfg, post: newPostroom(), sending: make(chan struct{}, codesAtOnce), held: make(chan *heldCode, heldRoom(cfg.HeldCodes))}
}

// Along lets rows of what is sent go in the commit of another transaction; see
// engine.Config.
func (k *Office) Along() (take func(context.Context, state.Tx) error, taken func(committed bool)) {
	return k.post.along()
}

const (
	senders      = 32               // notices being sent at a time
	emailSenders = 8                // so many of them at most are at a mail server
	window       = 20_000           // notices in memory: in the queue, being sent, or waiting for their next try
	oneTry       = 15 * time.Second // one try at the most
	sweepEvery   = 5 * time.Second  // how often rows are looked for that no commit of this process brought
	longestPause = 30 * time.Second // between two tries

	// Rows of what is sent are deleted by the next transactions, so many by each,
	// or alone when none comes: a commit of their own would cost a sync.
	endWithOthers = 20
	endAlone      = time.Second

	// householdNotices is how many messages of a kind a household gets in a day
	// (UTC): six people booked three times. Each kind counts alone, so that
	// bookings made and cancelled over and over cannot silence a dose's message.
	householdNotices = 20
)

// Life is how long a message is worth sending unless its act says otherwise, and Day the
// window in which messages to a household are counted.
const (
	Life = 24 * time.Hour
	Day  = 24 * time.Hour
)

// The kinds of notices that do not go to every channel of a household.
const (
	SignIn       = "signin"        // to the other channel alone
	EmailChanged = "email-changed" // to the mobile and the address before
)

// due is a notice whose row is committed: its key and when to try first.
type due struct {
	key  string
	when int64
}

// noticeKey makes keys that sort by the time they are due (13 digits of
// milliseconds last until the year 2286).
func noticeKey(when int64, messageID string) string { return fmt.Sprintf("%013d/%s", when, messageID) }

// Put writes a message's row into the transaction of the act that it tells
// of, within the household's budget of the day, and returns the row's key, ""
// when the budget is used up. after is how long it waits first. Nothing is
// opened: number and text are made when it is sent.
func (k *Office) Put(t *engine.Txn, n state.Notice, after, life time.Duration) (key string, err error) {
	if may, err := k.mayTell(t, n.Household, n.Kind); err != nil || !may {
		return "", err
	}
	now := k.Now()
	n.At = now.UnixMilli()
	when := now.Add(after).UnixMilli()
	key = noticeKey(when, n.ID)
	content, err := json.Marshal(n)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "notice")
	}
	row := state.Stored{Key: key, Version: 1, Content: content, Expires: now.Add(after + life).UnixMilli()}
	row.MAC = k.Keys.RowMAC(state.Notices, row)
	switch err := t.Tx.Put(t.Ctx, state.Notices, row); {
	case fault.Is(err, fault.Conflict): // it is there
		return key, nil
	case err != nil:
		return "", err
	}
	t.After(func() { k.dispatch([]due{{key, when}}) })
	return key, nil
}

// TakeBack takes a notice back that is not sent yet; one that is, stays sent. "" is none.
func TakeBack(t *engine.Txn, key string) error {
	if key == "" {
		return nil
	}
	return t.Tx.Delete(t.Ctx, state.Notices, key)
}

// mayTell counts one more message of a kind to a household today and reports
// whether it is within the budget.
func (k *Office) mayTell(t *engine.Txn, house id.Household, kind string) (bool, error) {
	n, err := t.Count(Day, "notice-"+kind, string(house), 1)
	if ablate.Off(ablate.NoticeBounds) {
		return true, err
	}
	if err == nil && n > householdNotices {
		k.Log.Warn("message dropped: the household's budget of the day is used up", "template", kind)
	}
	return n <= householdNotices, err
}
