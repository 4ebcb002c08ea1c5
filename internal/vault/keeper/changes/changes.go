// Package changes is the part of the vault for what would let staff open more than before:
// budgets, and a centre's roster mode (ADR 36, R44). One human proposes it with a passkey,
// another approves it with theirs, everybody sees it on the public list, and after a day
// it comes into force by itself. Each step is a ledger entry. What lets open less is at
// once.
package changes

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/proposals"
	"tikakosh/internal/vault/state"
)

// MinDelay is the least time between the approval of a change and its coming into force
// (design.md 5, R44).
const MinDelay = 24 * time.Hour

const (
	enoughPeople = 3                  // who could approve, from whom on the approval does not wait (design.md 5)
	smallWait    = 24 * time.Hour     // how long it waits otherwise (design.md 5)
	proposalLife = 7 * 24 * time.Hour // as an invitation's (ADR 31)
	openMost     = 100                // changes that are not over, of the whole installation
	mineMost     = 10                 // of those, proposed by one member
	publicPrefix = "public/"          // of the public list among the rows of corrections
	kindChange   = "change"           // of ledger entries
)

// Config is what the part needs. Delay is at least MinDelay; less is taken as MinDelay. Salt
// is that of a mark on the ledger of what was ended and must not come back with an older copy.
// Given are the policies' files of this start, nil: none; what is in force is not theirs to
// say, but at a first start.
type Config struct {
	Permits permits.Asker
	Salt    func(what string) [32]byte
	Given   map[string]string
	Alarm   policy.Alarm
	Delay   time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Office is the part over one engine. It is safe for concurrent use.
type Office struct {
	eng     *engine.Engine
	staff   *staffing.Office
	permits permits.Asker
	salt    func(what string) [32]byte
	delay   time.Duration
	now     func() time.Time
	log     *slog.Logger
	given   map[string]string
	alarm   policy.Alarm
	other   atomic.Bool // this start was given other policies than those in force

	mu      sync.Mutex
	engines map[string]*policy.Engine // by digest of their files

	turn sync.Mutex   // held while what is in force changes, or is read again
	due  atomic.Int64 // when the next approved change comes into force, in Unix milliseconds; 0: none is known
}

// New makes the part and has the members' office pass changes on to it.
func New(cfg Config, eng *engine.Engine, staff *staffing.Office) *Office {
	o := &Office{eng: eng, staff: staff, permits: cfg.Permits, given: cfg.Given, alarm: cfg.Alarm, engines: map[string]*policy.Engine{}, salt: cfg.Salt, delay: max(cfg.Delay, MinDelay), now: cfg.Now, log: cfg.Log}
	staff.Serve(o)
	return o
}

func (o *Office) ms() int64 { return o.now().UnixMilli() }

// asked says which acts of the policies a kind of change is decided by, and where.
func (o *Office) asked(t *engine.Txn, row state.Change) (propose, approve policy.Action, at access.Scope, err error) {
	if row.Kind != vault.ChangeRosterMode {
		return policy.PolicyPropose, policy.PolicyApprove, access.Everywhere(), nil
	}
	at, err = o.staff.CentrePlace(t, row.Centre)
	return policy.RosterModePropose, policy.RosterModeApprove, at, err
}

func (o *Office) may(who staffing.Who, do policy.Action, at access.Scope, f policy.Facts) policy.Permit {
	return o.permits.Policies().Decide(policy.Question{Who: policy.Staff(who.Grant, policy.Passkey), Do: do, At: at, Facts: f})
}

// Propose implements staffing.Changes. A centre's roster mode ends at once.
func (o *Office) Propose(t *engine.Txn, who staffing.Who, body []byte, out *vault.StaffActed) error {
	f, err := parse(body)
	if err != nil {
		return err
	}
	propose, approve, at, err := o.asked(t, state.Change{Kind: f.Kind, Centre: f.Centre})
	if err != nil {
		return err
	}
	ends := f.Kind == vault.ChangeRosterMode && !*f.On
	permit := o.may(who, propose, at, policy.Facts{})
	if !ends && !permit.Allowed() { // before what they want costs anything
		return notTheirs()
	}
	row, err := o.wanted(t, f)
	if err != nil {
		return err
	}
	if ends {
		return o.endRosterMode(t, who, row, at, out)
	}
	if again, err := o.older(t, row.Kind); err != nil || (row.Digest == row.Base && !again) {
		return orElse(err, asItIs())
	}
	if err := o.proposedBy(t, who, &row, approve, at); err != nil {
		return err
	}
	name := id.NewOrdered()
	if err := o.open(t, name, who.Member); err != nil {
		return err
	}
	if err := o.public(t, name, row); err != nil {
		return err
	}
	t.Append(entry(who, "proposed: "+row.Kind, row, name, permit))
	out.Proposal, out.Kind, out.From, out.Expires, out.State = name, row.Kind, row.NotBefore, row.Expires, row.State
	return engine.Put(t, state.Changes, name, row, 0)
}

// proposedBy makes a change somebody's proposal of now.
func (o *Office) proposedBy(t *engine.Txn, who staffing.Who, row *state.Change, approve policy.Action, at access.Scope) error {
	able, err := o.able(t, approve, at)
	if err != nil {
		return err
	}
	row.By, row.State, row.At, row.NotBefore = who.Member, state.ProposalWaiting, o.ms(), o.ms()
	if able < enoughPeople && !ablate.Off(ablate.ChangeDelay) {
		row.NotBefore += smallWait.Milliseconds()
	}
	row.Expires = row.NotBefore + proposalLife.Milliseconds()
	return nil
}

// endRosterMode ends a centre's roster mode, and what waits to switch it on: that lets open
// less, so that one person does it, at once.
func (o *Office) endRosterMode(t *engine.Txn, who staffing.Who, row state.Change, at access.Scope, out *vault.StaffActed) error {
	permit := o.may(who, policy.RosterModeEnd, at, policy.Facts{})
	if !permit.Allowed() {
		return notTheirs()
	}
	dropped, err := o.dropModes(t, who, row.Centre, permit)
	if err != nil {
		return err
	}
	if row.Digest == row.Base && dropped == 0 {
		return asItIs()
	}
	t.Append(entry(who, "roster mode ended", row, "", permit))
	if err := o.markMode(t, row.Centre); err != nil {
		return err
	}
	out.Kind, out.State = row.Kind, state.ChangeInForce
	row.By = who.Member
	return o.apply(t, row)
}

// able counts the humans who could approve now.
func (o *Office) able(t *engine.Txn, approve policy.Action, at access.Scope) (int, error) {
	people, err := o.staff.Deciders(t, at)
	humans := map[string]bool{}
	for _, p := range people {
		if o.may(p, approve, at, policy.Facts{Second: true, Waited: true}).Allowed() {
			humans[p.Human] = true
		}
	}
	return len(humans), err
}

// waiting finds a change that is not over. known is false for an id that is none of a
// change; one that is over is not found.
func (o *Office) waiting(t *engine.Txn, name string) (row state.Change, known bool, err error) {
	if !id.Valid(name) {
		return row, false, nil
	}
	row, known, err = engine.Get[state.Change](t, state.Changes, name)
	if err == nil && known && !o.live(row) {
		err = fault.New(fault.NotFound, "proposal", "no such proposal, or it was decided or is too old")
	}
	return row, known, err
}

func (o *Office) live(row state.Change) bool {
	return row.State == state.ProposalApproved || (row.State == state.ProposalWaiting && o.ms() < row.Expires)
}

// Approve implements staffing.Changes: the second human's word. The delay begins.
func (o *Office) Approve(t *engine.Txn, who staffing.Who, name, read string, out *vault.StaffActed) (known bool, refused, err error) {
	row, known, err := o.waiting(t, name)
	if err != nil || !known {
		return known, nil, err
	}
	if row.By == byOperator {
		refused, err = o.takenUp(t, who, name, read, row, out)
		return true, refused, err
	}
	permit, err := o.mayApprove(t, who, row)
	if err != nil {
		return true, nil, err
	}
	if refused, err = o.readIt(t, who, name, read, row, permit); err != nil || refused != nil {
		return true, refused, err
	}
	now := o.ms()
	row.State, row.Second, row.From = state.ProposalApproved, who.Member, now+o.delay.Milliseconds()
	if ablate.Off(ablate.ChangeDelay) {
		row.From = now
	}
	if err := o.public(t, name, row); err != nil {
		return true, nil, err
	}
	t.Append(entry(who, "approved: "+row.Kind, row, name, permit))
	t.After(func() { o.soon(row.From) })
	out.Proposal, out.Kind, out.State, out.Force = name, row.Kind, row.State, row.From
	return true, nil, engine.Put(t, state.Changes, name, row, 0)
}

// mayApprove is why somebody may not be the second human of a change now.
func (o *Office) mayApprove(t *engine.Txn, who staffing.Who, row state.Change) (permit policy.Permit, err error) {
	propose, approve, at, err := o.asked(t, row)
	if err != nil {
		return permit, err
	}
	by, err := o.stands(t, row.By, propose, at)
	if err != nil {
		return permit, err
	}
	now := o.ms()
	permit = o.may(who, approve, at, policy.Facts{Second: by != who.Human || ablate.Off(ablate.SecondPerson), Waited: now >= row.NotBefore})
	switch permit.Missing() {
	case policy.MissingNothing:
	case policy.MissingSecond:
		return permit, fault.New(fault.Forbidden, "second", "somebody else approves what you proposed, or what is about you")
	case policy.MissingWait:
		return permit, &fault.Error{Kind: fault.Conflict, Code: "wait", RetryAfter: time.Duration(row.NotBefore-now) * time.Millisecond,
			Text: "fewer than three people could approve this: it is approved 24 hours after it was proposed, and is on the public list meanwhile"}
	default:
		return permit, notTheirs()
	}
	base, err := o.base(t, row)
	switch {
	case err != nil:
		return permit, err
	case row.State != state.ProposalWaiting:
		return permit, fault.New(fault.Conflict, "approved", "this was approved already; it comes into force by itself")
	case by == "":
		return permit, fault.New(fault.Conflict, "ended", "who proposed this no longer works here; propose it again")
	case base != row.Base:
		return permit, overtaken()
	}
	return permit, nil
}

// says is a change with all that it says.
func (o *Office) says(t *engine.Txn, row state.Change) (text string, shown *vault.ChangeShown, err error) {
	if shown, err = o.shown(t, row); err != nil {
		return "", nil, err
	}
	text, err = proposals.Says{Kind: row.Kind, By: row.By, Centre: int64(row.Centre), On: row.On, Digest: row.Digest,
		Budgets: shown.Budgets, BudgetsNow: shown.Now, Files: shown.Files, FilesNow: shown.FilesNow}.Text()
	return text, shown, err
}

// readIt is why an approval is not one of what a change says; that it is not is an entry.
func (o *Office) readIt(t *engine.Txn, who staffing.Who, name, read string, row state.Change, p policy.Permit) (refused, err error) {
	text, _, err := o.says(t, row)
	if err != nil {
		return nil, err
	}
	if refused = proposals.Read(text, read); refused != nil {
		t.Append(entry(who, "refused: another text of a proposal was read", row, name, p))
		o.log.Error("alarm: somebody approved another text than that of the proposal; the web role shows what is not so", "alarm", "staff", "proposal", name)
	}
	return refused, nil
}

// soon notes when a change comes into force.
func (o *Office) soon(at int64) {
	for {
		old := o.due.Load()
		if (old != 0 && old <= at) || o.due.CompareAndSwap(old, at) {
			return
		}
	}
}

// Withdraw implements staffing.Changes: its proposer, or whoever could propose or approve
// it, takes it back, until it is in force.
func (o *Office) Withdraw(t *engine.Txn, who staffing.Who, name string) (known bool, err error) {
	row, known, err := o.waiting(t, name)
	if err != nil || !known {
		return known, err
	}
	permit, theirs, err := o.concerns(t, who, row)
	if err != nil {
		return true, err
	}
	if !theirs {
		return true, fault.New(fault.NotFound, "proposal", "no such proposal, or it was carried out")
	}
	row.State = state.ProposalWithdrawn
	t.Append(entry(who, "withdrawn: "+row.Kind, row, name, permit))
	return true, o.end(t, name, row)
}

// concerns reports whether somebody proposed a change, or could decide about it.
func (o *Office) concerns(t *engine.Txn, who staffing.Who, row state.Change) (permit policy.Permit, theirs bool, err error) {
	propose, approve, at, err := o.asked(t, row)
	if err != nil {
		return permit, false, err
	}
	if permit = o.may(who, propose, at, policy.Facts{}); !permit.Allowed() {
		permit = o.may(who, approve, at, policy.Facts{Second: true, Waited: true})
	}
	return permit, permit.Allowed() || row.By == who.Member, nil
}

// List implements staffing.Changes: what is not over and concerns somebody.
func (o *Office) List(t *engine.Txn, who staffing.Who) ([]vault.StaffProposal, error) {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return nil, err
	}
	out := []vault.StaffProposal{}
	for _, name := range index.Open {
		row, _, err := engine.Get[state.Change](t, state.Changes, name)
		if err != nil {
			return nil, err
		}
		_, theirs, err := o.concerns(t, who, row)
		if err != nil {
			return nil, err
		}
		if !theirs || !o.live(row) {
			continue
		}
		by, err := o.staff.Working(t, row.By)
		if err != nil {
			return nil, err
		}
		text := ""
		if row.Kind == vault.ChangeRosterMode { // the others are long, and are shown alone
			if text, _, err = o.says(t, row); err != nil {
				return nil, err
			}
		}
		out = append(out, vault.StaffProposal{Text: text, ID: name, Kind: row.Kind, By: row.By, Mine: by == who.Human, At: row.At, NotBefore: row.NotBefore, Expires: max(row.Expires, row.From),
			State: row.State, Centre: int64(row.Centre), On: row.On, Digest: row.Digest, Force: row.From})
	}
	return out, nil
}

// Show implements staffing.Changes.
func (o *Office) Show(t *engine.Txn, who staffing.Who, name string, out *vault.StaffActed) error {
	gone := fault.New(fault.NotFound, "proposal", "no such proposal, or it was decided or is too old")
	row, known, err := o.waiting(t, name)
	if err != nil || !known {
		return orElse(err, gone)
	}
	permit, theirs, err := o.concerns(t, who, row)
	if err != nil || !theirs {
		return orElse(err, gone)
	}
	t.Append(entry(who, "shown: "+row.Kind, row, name, permit))
	out.Proposal, out.Kind, out.State, out.From, out.Expires, out.Force, out.Centre = name, row.Kind, row.State, row.NotBefore, row.Expires, row.From, int64(row.Centre)
	out.Text, out.Change, err = o.says(t, row)
	return err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func notTheirs() error {
	return fault.New(fault.Forbidden, "role", "your role does not decide about this")
}

func asItIs() error { return fault.New(fault.Conflict, "same", "this is in force already") }

func overtaken() error {
	return fault.New(fault.Conflict, "overtaken", "something else came into force since this was proposed; propose it again")
}

// entry is the ledger's, of a step of a change.
func entry(who staffing.Who, view string, row state.Change, name string, p policy.Permit) engine.Entry {
	e := engine.Entry{Kind: kindChange, View: view, Role: string(who.Grant.Role), Actor: who.Member, Reason: row.Digest, Evidence: name, Policy: p.Policies()}
	if row.Centre != 0 {
		e.Place = place(row.Centre)
	}
	return e
}

// Start puts the approved policies into force and reads which changes wait for their time.
// It is called before the first request. fault.Invalid: the approved policies are none for
// this release.
func (o *Office) Start(ctx context.Context) error {
	_, err := o.eng.Transact(ctx, func(t *engine.Txn) error {
		e, err := o.startPolicies(t, o.given)
		if err != nil {
			return err
		}
		older, err := o.Older(t)
		if err != nil {
			return err
		}
		if len(older) > 0 {
			t.After(func() {
				o.log.Error("alarm: rules are in force as an older copy has them, what was decided later was lost in a restore; no centre opens from its list until two people have agreed on them anew", "alarm", "rules", "kinds", older)
			})
		}
		next, err := o.next(t)
		t.After(func() {
			o.permits.Ask(e)
			o.due.Store(next)
		})
		return err
	})
	if err == nil && o.other.Load() {
		o.log.Error("alarm: the policies' folder of this start holds other policies than those that two people approved; they are not in force, and stand as the operator's proposal", "alarm", "policies", "in_force", o.permits.Policies().Digest())
	}
	return err
}
