// Package requests is the part of the vault for what people ask about their own records
// (ADR 42): that an opening looks wrong, that somebody under their mobile is unknown, that
// a name, a birth or a dose is written down wrongly. Each has a tracking number, a stated
// time, and somebody who answers it in words; none is a way to look anybody up, and none
// changes a record: two members of staff do, by the words there are for it.
package requests

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// View is what people see of their own requests.
const View = "requests they made"

// The times that are stated to the person, by kind (ADR 42), and how long what a request
// did at once can be taken back.
const (
	answerSoon = 7 * 24 * time.Hour
	answerLong = 14 * 24 * time.Hour
	undoTime   = 7 * 24 * time.Hour
)

// Bounds.
const (
	keptOfPerson = 1000 // requests about a person, ever
	listMost     = 100  // of one answer, and of one list
	repeatLook   = 20   // how many of the newest an idempotency key is looked for among
)

// answerBy is how long the answer to a kind of request takes at most.
func answerBy(kind string) time.Duration {
	if kind == vault.RequestDetails || kind == vault.RequestDose {
		return answerLong
	}
	return answerSoon
}

// Holders is what the part asks of the rest of the vault about people and their
// sessions. Its methods act inside the transaction they are given; their errors are the
// store's, or what the person is told.
type Holders interface {
	// Member is a person of the session's household, whose card, where they have one, the
	// session has shown. apart: as one who is to leave that household's list.
	Member(on *release.Txn, h vault.Holder, person id.Person, apart bool) (id.Household, state.Person, error)
	// Members are the session's household and whose requests it sees. card: the session
	// is one person's.
	Members(on *release.Txn, h vault.Holder) (house id.Household, people []id.Person, card bool, err error)
	// Apart gives a person a household of their own, without a mobile, and Back takes them
	// back from there: fault.Conflict when they have gone on.
	Apart(on *release.Txn, house id.Household, person id.Person) (id.Household, error)
	Back(on *release.Txn, apart, house id.Household, person id.Person) error
	// Within counts one more request of the household's today.
	Within(on *release.Txn, house id.Household) error
}

// Others is the rest of what it asks.
type Others interface {
	// SamePerson reports whether two keys or members are one human.
	SamePerson(on *release.Txn, a, b id.Staff) (bool, error)
	// StaffRow is a machine's key or a member.
	StaffRow(on *release.Txn, s id.Staff) (state.Staff, bool, error)
	// Corrected is what a correction that two people carried out was: of whom, of which
	// dose, of which kind. fault.NotFound: there is none, or it waits.
	Corrected(on *release.Txn, correction string) (person id.Person, event id.Event, kind string, err error)
	// Tell writes a message to a household, which is sent at once.
	Tell(on *release.Txn, n state.Notice) error
}

// Devices is what it asks about the device of a session.
type Devices interface {
	// Firm refuses a device in its first day: fault.Forbidden, FIRSTDAY.
	Firm(on *release.Txn, h vault.Holder) error
}

// Config is what the part needs. With makes its transactions.
type Config struct {
	Keys     *keyring.Ring
	Release  *release.Desk
	Office   *staffing.Office
	Permits  permits.Asker
	Holders  Holders
	Others   Others
	Holdings Holdings
	Numbers  Numbers
	Devices  Devices
	Now      func() time.Time
	Log      *slog.Logger
	With     func(*engine.Txn) *release.Txn
}

// Desk is the part over one engine. It is safe for concurrent use.
type Desk struct {
	cfg    Config
	eng    *engine.Engine
	looked atomic.Int64 // the hour up to which overdue requests were looked for
}

// New makes the part.
func New(cfg Config, eng *engine.Engine) *Desk { return &Desk{cfg: cfg, eng: eng} }

// txn is one transaction of this part.
type txn struct {
	*release.Txn
	d *Desk
}

func (d *Desk) in(t *engine.Txn) *txn { return &txn{d.cfg.With(t), d} }

func (d *Desk) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return d.eng.Update(ctx, func(t *engine.Txn) error { return fn(d.in(t)) })
}

func first(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return of[0]
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// trackingDigits are random ones; one to check them by follows. Fifty bits: whoever guesses
// numbers, with many networks, finds in weeks that somebody, nobody knows who, asked something
// (ADR 47). shortDigits are those of the numbers before, which only their people look up.
const (
	trackingDigits = 15
	shortDigits    = 11
)

// newTracking draws a number for a person to quote. It is random, so that it tells
// nobody how many there are, and opens nothing.
func newTracking() (string, error) {
	var b strings.Builder
	for range trackingDigits {
		n, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil {
			return "", fault.Wrap(fault.Internal, err, "random")
		}
		b.WriteByte(byte('0' + n.Int64()))
	}
	return b.String() + string('0'+id.VerhoeffDigit(b.String())), nil
}

// ParseTracking reads a tracking number as people write it, with spaces or dashes;
// fault.Invalid when its check digit is wrong.
func ParseTracking(text string) (string, error) {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == ' ' || r == '-':
		default:
			return "", badTracking()
		}
	}
	if (b.Len() != trackingDigits+1 && b.Len() != shortDigits+1) || !id.VerhoeffValid(b.String()) {
		return "", badTracking()
	}
	return b.String(), nil
}

func badTracking() error {
	return fault.New(fault.Invalid, "tracking", "this is no tracking number: it has sixteen digits; check each of them")
}

// Shown is a tracking number as people read it.
func Shown(tracking string) string {
	if len(tracking) != trackingDigits+1 && len(tracking) != shortDigits+1 {
		return tracking
	}
	var groups []string
	for group := range slices.Chunk([]byte(tracking), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, "-")
}

func unknown() error {
	return fault.New(fault.NotFound, "request", "no such request, or it is not yours to see")
}

// The names of the lists.
func whoKey(p id.Person) string      { return "who/" + string(p) }
func houseKey(h id.Household) string { return "house/" + string(h) }
func hourKey(hour int64) string      { return fmt.Sprintf("due/%010d", hour) }
func hourOf(ms int64) int64          { return ms / time.Hour.Milliseconds() }

// placeKey is the list of what waits at a centre; 0 is no centre, and the nation's.
func placeKey(s, district int, c id.Centre) string {
	return fmt.Sprintf("at/%06d/%06d/%019d", s, district, int64(c))
}

func (t *txn) get(key string) (state.Request, bool, error) {
	return engine.Get[state.Request](t, state.Requests, key)
}

func (t *txn) put(key string, row state.Request) error {
	return engine.Put(t, state.Requests, key, row, 0)
}

// list adds a request to a list, or takes it off; most bounds it, 0 does not. Those
// that a list names can be forgotten with the person, so that none falls off its end.
func (t *txn) list(key, tracking string, on bool, most int) error {
	row, _, err := t.get(key)
	if err != nil {
		return err
	}
	i := slices.Index(row.Open, tracking)
	switch {
	case on && i < 0:
		if most > 0 && len(row.Open) >= most {
			return fault.New(fault.Conflict, "many", "too many requests were made here; go to a vaccination centre")
		}
		row.Open = append(row.Open, tracking)
	case !on && i >= 0:
		row.Open = slices.Delete(row.Open, i, i+1)
	default:
		return nil
	}
	return t.put(key, row)
}

// request reads one that is there.
func (t *txn) request(tracking string) (state.Request, error) {
	row, ok, err := t.get(tracking)
	if err == nil && (!ok || row.Kind == "") {
		err = unknown()
	}
	return row, err
}

func (t *txn) seal(what, tracking string, v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "request")
	}
	return t.d.cfg.Keys.Contact.Seal(nil, nil, raw, t.d.cfg.Keys.ContactAAD("request "+what, tracking)), nil
}

func (t *txn) unseal(what, tracking string, sealed []byte, into any) error {
	if len(sealed) == 0 {
		return nil
	}
	raw, err := t.d.cfg.Keys.Contact.Open(nil, nil, sealed, t.d.cfg.Keys.ContactAAD("request "+what, tracking))
	if err != nil || json.Unmarshal(raw, into) != nil {
		return state.Integrity(state.Requests, "a request does not open")
	}
	return nil
}

// about are the entry's person and their household, so that they see it.
func (t *txn) about(e engine.Entry, person id.Person) (engine.Entry, error) {
	if person == "" {
		return e, nil
	}
	p, err := t.Person(person)
	e.Person, e.House = person, p.Household
	return e, err
}

// open says whether a request still waits for its answer.
func open(r state.Request) bool {
	return r.State == vault.RequestReceived || r.State == vault.RequestInHand
}

// record says whether a request is about what is written down of somebody, which a
// centre answers; the others are the privacy officer's.
func record(kind string) bool {
	return kind == vault.RequestDetails || kind == vault.RequestDose || kind == vault.RequestRevoke
}

// subject is the action of who answers a kind of request.
func subject(kind string) policy.Action {
	if record(kind) {
		return policy.RequestRecord
	}
	return policy.RequestOpening
}

// placeOf is where who answers a request has to be, or over it.
func placeOf(r state.Request) access.Scope {
	switch {
	case r.Centre != 0:
		return access.AtCentre(r.CentreState, r.CentreDistrict, r.Centre)
	case r.CentreDistrict != 0:
		return access.InDistrict(r.CentreState, r.CentreDistrict)
	case r.CentreState != 0:
		return access.InState(r.CentreState)
	}
	return access.Everywhere()
}

// closed takes a request off the lists of those that wait.
func (t *txn) closed(tracking string, r state.Request) error {
	return firstErr(t.list(placeKey(r.CentreState, r.CentreDistrict, r.Centre), tracking, false, 0),
		t.list(hourKey(hourOf(r.Due)), tracking, false, 0))
}

// Forget empties what was asked about somebody who is being erased. It acts inside the
// erasure's transaction.
func (d *Desk) Forget(on *engine.Txn, person id.Person) error {
	t := d.in(on)
	list, _, err := t.get(whoKey(person))
	if err != nil {
		return err
	}
	for _, tracking := range list.Open {
		r, ok, err := t.get(tracking)
		if err != nil || !ok {
			return err
		}
		if open(r) {
			r.State, r.Done = vault.RequestWithdrawn, d.cfg.Now().UnixMilli()
			if err := t.closed(tracking, r); err != nil {
				return err
			}
		}
		r.Person, r.Details, r.Answer, r.Key, r.Event, r.Entry = "", nil, nil, "", "", 0
		if err := t.put(tracking, r); err != nil {
			return err
		}
	}
	return nil
}
