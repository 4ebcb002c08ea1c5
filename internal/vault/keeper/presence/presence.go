// Package presence is the part of the vault for people who cannot show anything
// (ADR 38): two members of staff, each with a passkey touched for that very request, stand
// behind it, and the person is told at once. Nobody is looked up: a request names a
// reference number, a card or a row of the day's list.
package presence

import (
	"context"
	"strings"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// How long things of break-glass last, and how many there are (ADR 38).
const (
	glassWait = 5 * time.Minute // for the second member of staff, and then for the view
	glassAsks = 20              // requests of a member of staff in a day
	listPage  = 200             // rows of one answer
	lookMost  = 2000            // rows that are looked at for one
)

// View is what break-glass shows: that of everybody whom staff open at a centre.
const View = "dose history at the centre"

// Centre is what the vault knows besides, of centres and of what people show there. Its
// methods act inside the transaction they are given; their errors are the store's.
type Centre interface {
	// OpenToday are the sessions that are open at a centre today.
	OpenToday(on *release.Txn, c id.Centre) ([]state.OpenSession, error)
	// Named is who a card or a row of the day's list is, as this member of staff has it.
	// "" is nobody.
	Named(on *release.Txn, staff id.Staff, sessions []state.OpenSession, card, row string) (id.Person, error)
	// Tell writes a message to a household, which is sent at once.
	Tell(on *release.Txn, n state.Notice) error
	// Counted adds to a counter of a member's day and returns it, and the end of the day.
	Counted(on *release.Txn, what string, staff id.Staff, n int64) (int64, time.Time, error)
	// Shown makes the view of who was released.
	Shown(p release.Person) (vault.Person, error)
}

// Config is what the part needs. With makes its transactions.
type Config struct {
	Keys    *keyring.Ring
	Release *release.Desk
	Office  *staffing.Office
	Permits permits.Asker
	Centre  Centre
	Now     func() time.Time
	With    func(*engine.Txn) *release.Txn
	Wrong   int // how many wrong codes and numbers a member of staff has in a day
}

// Desk is the part over one engine. It is safe for concurrent use.
type Desk struct {
	cfg Config
	eng *engine.Engine
}

// New makes the part.
func New(cfg Config, eng *engine.Engine) *Desk { return &Desk{cfg: cfg, eng: eng} }

// Txn is one transaction of this part, and of keeper/relink.
type Txn struct {
	*release.Txn
	d *Desk
}

// In makes the transaction this part's.
func (d *Desk) In(t *engine.Txn) *Txn { return &Txn{d.cfg.With(t), d} }

// Update runs fn as one durable transaction; see engine.Engine.Update.
func (d *Desk) Update(ctx context.Context, fn func(*Txn) error) ([]string, error) {
	return d.eng.Update(ctx, func(t *engine.Txn) error { return fn(d.In(t)) })
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Get and Put make the transaction budgets.Rows.
func (t *Txn) Get(key string) (state.Budget, bool, error) {
	return engine.Get[state.Budget](t, state.Budgets, key)
}

// Put implements budgets.Rows.
func (t *Txn) Put(key string, row state.Budget) error {
	return engine.Put(t, state.Budgets, key, row, 0)
}

// Worker is who asks, at work: Session is the first of All that are open at their centre
// today, Permit what they asked the policies for.
type Worker struct {
	Staff   id.Staff
	Row     state.Staff
	Session state.OpenSession
	All     []state.OpenSession
	Permit  policy.Permit
}

// Entry is one about a request.
func (w Worker) Entry(kind, view, reason, evidence string) engine.Entry {
	return engine.Entry{Kind: kind, View: view, Role: w.Row.Role, Actor: string(w.Staff), Place: w.Session.Name, Reason: reason, Evidence: evidence, Policy: w.Permit.Policies()}
}

// Place is where a worker's budgets are counted.
func (t *Txn) Place(w Worker) budgets.Place {
	s := w.Session
	return budgets.Place{Staff: w.Staff, Centre: s.Centre, District: s.State + "/" + s.District, Day: s.Day, Now: t.d.cfg.Now().UnixMilli()}
}

// AtWork is a member of staff with a session open at their centre today, to which they
// are rostered.
func (t *Txn) AtWork(s vault.Signed, do policy.Action) (w Worker, err error) {
	if w.Staff, w.Row, err = t.Proven(s); err != nil {
		return w, err
	}
	if w.Row.Session == "" {
		return w, fault.New(fault.Forbidden, "session", "a signed-in member of staff does this; the key of a machine does not")
	}
	var facts policy.Facts
	if w.All, facts, err = t.open(w.Staff, w.Row); err != nil {
		return w, err
	}
	w.Permit = t.d.cfg.Permits.May(w.Row, do, w.Row.Centre, facts)
	if err := notAtWork(w.Permit, "only who opens records at a centre, and works there today, does this"); err != nil {
		return w, err
	}
	w.Session = w.All[0]
	return w, nil
}

// notAtWork is why somebody may not do what they ask at their centre now, nil where they
// may; text is for whoever never may.
func notAtWork(permit policy.Permit, text string) error {
	switch permit.Missing() {
	case policy.MissingNothing:
		return nil
	case policy.MissingSession:
		return fault.New(fault.Conflict, "session", "no session is open at this centre today; its manager opens one")
	case policy.MissingRoster:
		return staffing.NotRostered()
	case policy.MissingSecond:
		return fault.New(fault.Forbidden, "second", "somebody else approves what you asked for")
	default:
		return permits.Refused(text)
	}
}

// open are the sessions open today at the centre of a member's grant: those on whose
// roster they are, or all where they are on none, which the facts say.
func (t *Txn) open(staff id.Staff, row state.Staff) ([]state.OpenSession, policy.Facts, error) {
	all, err := t.d.cfg.Centre.OpenToday(t.Txn, row.Centre)
	if err != nil {
		return nil, policy.Facts{}, err
	}
	theirs, err := t.d.cfg.Office.Rostered(t, staff, row, all)
	facts := permits.AtWork(all, theirs)
	if len(theirs) == 0 {
		theirs = all
	}
	return theirs, facts, err
}

// Asking checks that a passkey of the member themself signed this very request.
func (t *Txn) Asking(w Worker, s vault.Signed) (refused, err error) {
	touch, refused, err := t.d.cfg.Office.Touched(t.Txn.Txn.Txn, w.Staff, w.Row, s)
	if err == nil && refused == nil && touch.Staff != w.Staff {
		err = fault.New(fault.Forbidden, "second", "who asks touches their own passkey; the second person approves what was asked")
	}
	return refused, err
}

// ReasonText is why somebody did something, for the ledger and the person.
func ReasonText(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || !rules.Printable(text) {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: reason (a short text)")
	}
	return text, nil
}

// Seal seals a text of a request.
func (t *Txn) Seal(what, name, text string) []byte {
	return t.d.cfg.Keys.Contact.Seal(nil, nil, []byte(text), t.d.cfg.Keys.ContactAAD("presence "+what, name))
}

func (t *Txn) unseal(what, name string, sealed []byte) (string, error) {
	text, err := t.d.cfg.Keys.Contact.Open(nil, nil, sealed, t.d.cfg.Keys.ContactAAD("presence "+what, name))
	if err != nil {
		return "", state.Integrity(state.Presences, "a request does not open")
	}
	return string(text), nil
}

// Said is what a request is about and why, as it was asked.
func (t *Txn) Said(name string, p state.Presence) (about, reason string, err error) {
	about, err1 := t.unseal("about", name, p.About)
	reason, err2 := t.unseal("reason", name, p.Reason)
	return about, reason, firstErr(err1, err2)
}

// Keep puts a request.
func (t *Txn) Keep(name string, p state.Presence) error {
	return engine.Put(t, state.Presences, name, p, 0)
}

func gone() error {
	return fault.New(fault.NotFound, "request", "no such request waits, or its five minutes are over; ask again")
}

// Request reads one of a kind that is in a state and in time; fault.NotFound.
func (t *Txn) Request(kind, name, want string) (state.Presence, error) {
	if !id.Valid(name) {
		return state.Presence{}, gone()
	}
	p, ok, err := engine.Get[state.Presence](t, state.Presences, name)
	if err == nil && (!ok || p.Kind != kind || p.State != want || t.d.cfg.Now().UnixMilli() >= p.Expires) {
		err = gone()
	}
	return p, err
}

// About entries a request's person in an entry, so that they see it.
func (t *Txn) About(e engine.Entry, person id.Person) (engine.Entry, error) {
	if person == "" {
		return e, nil
	}
	p, err := t.Person(person)
	e.Person, e.House = person, p.Household
	return e, err
}

// Exhausted is told whoever used both of the day: kind says for what it was asked.
func (t *Txn) Exhausted(w Worker, kind string, person id.Person, reason string) (refused, err error) {
	if err := budgets.Note(t, t.Place(w), string(budget.ReasonBreakGlass)); err != nil {
		return nil, err
	}
	e, err := t.About(w.Entry("refusal", View, kind+": "+reason, ""), person)
	t.Append(e)
	return fault.New(fault.Forbidden, "GLASSUSED", "one of you two has broken the glass twice today, or stood by it: other members of staff do it, or the person brings their code, card or a one-time code"), err
}
