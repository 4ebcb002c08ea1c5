package changes

import (
	"context"
	"slices"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// Settle puts into force what is due. Whoever is about to decide anything calls it first: a
// change is in force from its instant on, and not from some minute on after it. Where
// nothing is due it reads one number.
func (o *Office) Settle(ctx context.Context) error {
	due := o.due.Load()
	if due == 0 || o.ms() < due {
		return nil
	}
	return o.settle(ctx)
}

// Look finds out what is due, and puts it into force, whether or not this process knows of
// anything: now and then, because a commit in doubt leaves it not knowing.
func (o *Office) Look(ctx context.Context) error {
	if err := o.look(ctx); err != nil {
		return err
	}
	return o.Settle(ctx)
}

func (o *Office) look(ctx context.Context) error {
	o.turn.Lock()
	defer o.turn.Unlock()
	before := o.due.Load()
	var next int64
	err := o.eng.View(ctx, func(t *engine.Txn) (err error) {
		next, err = o.next(t)
		return err
	})
	if err != nil {
		return err
	}
	o.learn(before, next)
	return o.refresh(ctx)
}

// settle puts into force what is due, unless another request just did.
func (o *Office) settle(ctx context.Context) error {
	o.turn.Lock()
	defer o.turn.Unlock()
	before := o.due.Load()
	if before == 0 || o.ms() < before {
		return nil
	}
	_, err := o.eng.Update(ctx, func(t *engine.Txn) error {
		index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
		if err != nil {
			return err
		}
		for _, name := range slices.Clone(index.Open) {
			row, _, err := engine.Get[state.Change](t, state.Changes, name)
			if err != nil {
				return err
			}
			if row.State == state.ProposalApproved && row.From <= o.ms() {
				if err := o.enforce(t, name, row); err != nil {
					return err
				}
			}
		}
		next, err := o.next(t)
		if err == nil {
			t.After(func() { o.learn(before, next) })
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		o.log.Warn("a change that is due is not in force yet; it is tried again", "kind", fault.KindOf(err))
	}
	return err
}

// learn notes what a transaction found that began when before was known. An approval that
// came meanwhile is not forgotten.
func (o *Office) learn(before, next int64) {
	if !o.due.CompareAndSwap(before, next) && next != 0 {
		o.soon(next)
	}
}

// next is when the next approved change comes into force; 0: none waits.
func (o *Office) next(t *engine.Txn) (next int64, err error) {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return 0, err
	}
	for _, name := range index.Open {
		row, _, err := engine.Get[state.Change](t, state.Changes, name)
		if err != nil {
			return 0, err
		}
		if row.State == state.ProposalApproved && (next == 0 || row.From < next) {
			next = row.From
		}
	}
	return next, nil
}

// enforce puts one change into force: if the two people still could decide it and are two, its
// time has come, and what it takes the place of is what they saw. Otherwise it lapses.
func (o *Office) enforce(t *engine.Txn, name string, row state.Change) error {
	second, err := o.two(t, row)
	if err != nil {
		return err
	}
	base, err := o.base(t, row)
	if err != nil {
		return err
	}
	permit := o.permits.Policies().Decide(policy.Question{Who: policy.System(), Do: policy.ChangeEnforce, At: access.Everywhere(), Facts: policy.Facts{Second: second, Waited: o.ms() >= row.From}})
	e := engine.Entry{Kind: kindChange, View: "in force: " + row.Kind, Role: "system", Reason: row.Digest, Evidence: name, Policy: permit.Policies()}
	if row.Centre != 0 {
		e.Place = place(row.Centre)
	}
	switch {
	case !permit.Allowed():
		row.State, e.View = state.ChangeLapsed, "lapsed: "+row.Kind+": "+string(permit.Missing())
	case base != row.Base:
		row.State, e.View = state.ChangeLapsed, "lapsed: "+row.Kind+": overtaken"
	default:
		row.State = state.ChangeInForce
		switch err := o.apply(t, row); {
		case fault.Is(err, fault.Invalid): // approved under another release: it must not stop every request
			row.State, e.View = state.ChangeLapsed, "lapsed: "+row.Kind+": refused by this release"
		case err != nil:
			return err
		}
	}
	t.Append(e)
	o.log.Info("change", "kind", row.Kind, "change", name, "state", row.State, "center", row.Centre)
	return o.end(t, name, row)
}

// two reports whether two different humans stand behind a change now.
func (o *Office) two(t *engine.Txn, row state.Change) (bool, error) {
	propose, approve, at, err := o.asked(t, row)
	if err != nil {
		return false, err
	}
	by, err := o.stands(t, row.By, propose, at)
	if err != nil {
		return false, err
	}
	second, err := o.stands(t, row.Second, approve, at)
	return by != "" && second != "" && (by != second || ablate.Off(ablate.SecondPerson)), err
}

// stands is the human behind a member, "" unless they work here now and could do that
// still: whoever's role was taken decides nothing more, a day's wait included.
func (o *Office) stands(t *engine.Txn, member string, do policy.Action, at access.Scope) (human string, err error) {
	roles, err := o.staff.Standing(t, member)
	for _, w := range roles {
		if o.may(w, do, at, policy.Facts{Second: true, Waited: true}).Allowed() {
			human = w.Human
		}
	}
	return human, err
}

// open adds a change to those that are not over. One member cannot fill the list.
func (o *Office) open(t *engine.Txn, name, by string) error {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return err
	}
	var kept []string
	mine := 0
	for _, x := range index.Open {
		row, _, err := engine.Get[state.Change](t, state.Changes, x)
		if err != nil {
			return err
		}
		if !o.live(row) {
			continue
		}
		if kept = append(kept, x); row.By == by {
			mine++
		}
	}
	if len(kept) >= openMost || mine >= mineMost {
		return fault.New(fault.Conflict, "many", "too many changes wait; decide about those first")
	}
	index.Open = append(kept, name)
	return engine.Put(t, state.Changes, state.ChangesOpen, index, 0)
}

// dropModes withdraws what waits to switch a centre's roster mode on: who ends the mode does
// not want it back by a change of before.
func (o *Office) dropModes(t *engine.Txn, who staffing.Who, c id.Centre, p policy.Permit) (n int, err error) {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Clone(index.Open) {
		row, _, err := engine.Get[state.Change](t, state.Changes, name)
		if err != nil {
			return n, err
		}
		if row.Kind != vault.ChangeRosterMode || row.Centre != c || !o.live(row) {
			continue
		}
		n++
		row.State = state.ProposalWithdrawn
		t.Append(entry(who, "withdrawn: "+row.Kind, row, name, p))
		if err := o.end(t, name, row); err != nil {
			return n, err
		}
	}
	return n, nil
}

// end writes a change that is over.
func (o *Office) end(t *engine.Txn, name string, row state.Change) error {
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return err
	}
	if i := slices.Index(index.Open, name); i >= 0 {
		index.Open = slices.Delete(index.Open, i, i+1)
		if err := engine.Put(t, state.Changes, state.ChangesOpen, index, 0); err != nil {
			return err
		}
	}
	if err := o.public(t, name, row); err != nil {
		return err
	}
	return engine.Put(t, state.Changes, name, row, 0)
}

// public shows on the public list where a change stands.
func (o *Office) public(t *engine.Txn, name string, row state.Change) error {
	shown, _, err := engine.Get[state.Correction](t, state.Corrections, publicPrefix+name)
	if err != nil {
		return err
	}
	shown.Centre, shown.Kind, shown.At, shown.NotBefore, shown.Sum, shown.State = row.Centre, row.Kind, row.At, row.NotBefore, row.Digest, state.CorrectionOpen
	switch row.State {
	case state.ProposalApproved:
		shown.NotBefore = row.From
	case state.ChangeInForce:
		shown.State, shown.NotBefore, shown.Done = state.CorrectionDone, row.From, o.ms()
	case state.ProposalWithdrawn, state.ChangeLapsed:
		shown.State = row.State
	}
	return engine.Put(t, state.Corrections, publicPrefix+name, shown, 0)
}

func place(c id.Centre) string { return "centre " + decimal(int64(c)) }
