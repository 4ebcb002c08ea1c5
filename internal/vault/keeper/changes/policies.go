package changes

import (
	"context"
	"encoding/json"
	"maps"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/budget"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// byOperator stands for the machine's operator where a member's id would be.
const byOperator = "operator"

// built is the engine of a set of files. The last few are kept: making one asks every
// question there is.
func (o *Office) built(files map[string]string) (*policy.Engine, error) {
	raw, err := json.Marshal(files)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "policies")
	}
	key := digest(raw)
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.engines[key]; e != nil {
		return e, nil
	}
	e, err := policy.FromFiles(files, o.alarm)
	if err != nil {
		return nil, err
	}
	if len(o.engines) >= 4 {
		clear(o.engines)
	}
	o.engines[key] = e
	return e, nil
}

func filesOf(content []byte) (files map[string]string, err error) {
	if err := json.Unmarshal(content, &files); err != nil {
		return nil, state.Integrity(state.Changes, "the policies of a change are malformed")
	}
	return files, nil
}

// policiesNow is the row of the policies in force.
func policiesNow(t *engine.Txn) (row state.Change, files map[string]string, err error) {
	row, ok, err := engine.Get[state.Change](t, state.Changes, state.PoliciesNow)
	if err == nil && !ok {
		err = state.Integrity(state.Changes, "the row of the policies in force is missing")
	}
	if err == nil {
		files, err = filesOf(row.Content)
	}
	return row, files, err
}

// startPolicies puts into force what was approved last, whatever files this start was given
// (R44). Only where nobody works here yet are those files taken as they are. Other files
// than the approved ones are a proposal of the operator's.
func (o *Office) startPolicies(t *engine.Txn, given map[string]string) (*policy.Engine, error) {
	row, ok, err := engine.Get[state.Change](t, state.Changes, state.PoliciesNow)
	if err != nil {
		return nil, err
	}
	files, view := given, "in force: policies: from the first start on"
	if ok {
		if files, err = filesOf(row.Content); err != nil {
			return nil, err
		}
		view = "in force: policies: changed by a release"
		if given != nil && ablate.Off(ablate.PolicyFolder) {
			files = given
		}
	} else if given != nil {
		for _, table := range []state.Table{state.StaffMembers, state.StaffKeys} {
			somebody, err := t.Tx.Scan(t.Ctx, table, "", 1)
			if err != nil {
				return nil, err
			}
			if len(somebody) > 0 {
				files = nil
			}
		}
	}
	e, err := o.built(files)
	if err != nil {
		return nil, fault.New(fault.Invalid, "policies", "the policies that two people approved last are refused by this release: "+err.Error()+"; start the release of before, have a change approved that this one takes (tikakosh policies check), and then this one")
	}
	if row.Digest != e.Digest() {
		if row.Content, err = json.Marshal(files); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "policies")
		}
		row.Kind, row.State, row.Digest = vault.ChangePolicies, state.ChangeInForce, e.Digest()
		if !ok {
			row.From = o.ms()
		}
		t.Append(engine.Entry{Kind: kindChange, View: view, Role: "system", Reason: row.Digest})
		if err := engine.Put(t, state.Changes, state.PoliciesNow, row, 0); err != nil {
			return nil, err
		}
	}
	if given != nil && !maps.Equal(files, given) {
		return e, o.offered(t, given, row.Digest)
	}
	return e, nil
}

// offered keeps the files of a start as a proposal that the operator makes, once.
func (o *Office) offered(t *engine.Txn, given map[string]string, base string) error {
	e, err := o.built(given)
	if err != nil {
		return err
	}
	t.After(func() { o.other.Store(true) })
	index, _, err := engine.Get[state.Change](t, state.Changes, state.ChangesOpen)
	if err != nil {
		return err
	}
	for _, name := range index.Open {
		row, _, err := engine.Get[state.Change](t, state.Changes, name)
		if err != nil {
			return err
		}
		if row.Digest == e.Digest() && o.live(row) {
			return nil
		}
	}
	row := state.Change{Kind: vault.ChangePolicies, Digest: e.Digest(), Base: base, By: byOperator, State: state.ProposalWaiting, At: o.ms(), NotBefore: o.ms()}
	row.Expires = row.At + proposalLife.Milliseconds()
	if row.Content, err = json.Marshal(given); err != nil {
		return fault.Wrap(fault.Internal, err, "policies")
	}
	name := id.NewOrdered()
	switch err := o.open(t, name, byOperator); {
	case fault.Is(err, fault.Conflict): // too many wait: the log says that these are not in force
		return nil
	case err != nil:
		return err
	}
	t.Append(engine.Entry{Kind: kindChange, View: "proposed: " + row.Kind, Role: byOperator, Actor: byOperator, Reason: row.Digest, Evidence: name})
	if err := o.public(t, name, row); err != nil {
		return err
	}
	return engine.Put(t, state.Changes, name, row, 0)
}

// refresh makes this process ask the policies that its rows say are in force: after a
// commit in doubt it may not have.
func (o *Office) refresh(ctx context.Context) error {
	var files map[string]string
	var row state.Change
	err := o.eng.View(ctx, func(t *engine.Txn) (err error) {
		row, files, err = policiesNow(t)
		return err
	})
	if err != nil || row.Digest == o.permits.Policies().Digest() {
		return err
	}
	e, err := o.built(files)
	if err == nil {
		o.permits.Ask(e)
	}
	return err
}

// wantedPolicies makes the change that a proposal of files asks for.
func (o *Office) wantedPolicies(files map[string]string) (content []byte, digest string, err error) {
	e, err := o.built(files)
	if err != nil {
		if fault.Is(err, fault.Invalid) {
			err = fault.New(fault.Invalid, "policies", "these policies are refused: "+err.Error())
		}
		return nil, "", err
	}
	content, err = json.Marshal(files)
	if err != nil {
		return nil, "", fault.Wrap(fault.Internal, err, "policies")
	}
	return content, e.Digest(), nil
}

// applyPolicies writes the row of the policies in force; they are asked once that is
// durable.
func (o *Office) applyPolicies(t *engine.Txn, change state.Change) error {
	files, err := filesOf(change.Content)
	if err != nil {
		return err
	}
	e, err := o.built(files)
	if err != nil {
		return err
	}
	if _, _, err := policiesNow(t); err != nil {
		return err
	}
	now := state.Change{Kind: change.Kind, Content: change.Content, Digest: e.Digest(), By: change.By, Second: change.Second, From: o.ms(), State: state.ChangeInForce}
	t.After(func() {
		o.permits.Ask(e)
		o.other.Store(false)
	})
	return engine.Put(t, state.Changes, state.PoliciesNow, now, 0)
}

// takenUp makes a proposal of the operator's a member's own: whoever is at the machine is
// not one of the two people.
func (o *Office) takenUp(t *engine.Txn, who staffing.Who, name, read string, row state.Change, out *vault.StaffActed) (refused, err error) {
	propose, approve, at, err := o.asked(t, row)
	if err != nil {
		return nil, err
	}
	permit := o.may(who, propose, at, policy.Facts{})
	if !permit.Allowed() {
		return nil, notTheirs()
	}
	if refused, err = o.readIt(t, who, name, read, row, permit); err != nil || refused != nil {
		return refused, err
	}
	if err := o.proposedBy(t, who, &row, approve, at); err != nil {
		return nil, err
	}
	if err := o.public(t, name, row); err != nil {
		return nil, err
	}
	t.Append(entry(who, "proposed: "+row.Kind+", as the operator offered it", row, name, permit))
	out.Proposal, out.Kind, out.State, out.From, out.Expires = name, row.Kind, row.State, row.NotBefore, row.Expires
	return nil, engine.Put(t, state.Changes, name, row, 0)
}

// Rules implements the vault's word: what is in force, for everybody.
func (o *Office) Rules(ctx context.Context, _ vault.Empty) (out vault.Rules, err error) {
	err = o.eng.View(ctx, func(t *engine.Txn) error {
		row, files, err := policiesNow(t)
		if err != nil {
			return err
		}
		s, since, err := budgets.InForce(rows{t})
		if err != nil {
			return err
		}
		out = vault.Rules{Policies: row.Digest, Own: len(files) > 0, Since: row.From, Other: o.other.Load(), Budgets: s.Named(), BudgetsOwn: s != budget.DefaultSettings(), BudgetsSince: since}
		if out.BudgetsDigest, err = budgetsDigest(s); err != nil {
			return err
		}
		out.Older, err = o.Older(t)
		return err
	})
	return out, err
}

// Figures are those that a change of budgets would put into force, nil for another kind or
// an id that is none of a change: the public list shows them.
func (o *Office) Figures(t *engine.Txn, name string) (map[string]int, error) {
	row, ok, err := engine.Get[state.Change](t, state.Changes, name)
	if err != nil || !ok || row.Kind != vault.ChangeBudgets {
		return nil, err
	}
	var named map[string]int
	if json.Unmarshal(row.Content, &named) != nil {
		return nil, state.Integrity(state.Changes, "the figures of a change are malformed")
	}
	return named, nil
}

// texts are the files to be shown: for none, those that come with the program.
func texts(files map[string]string) (map[string]string, error) {
	if len(files) > 0 {
		return files, nil
	}
	program, err := policy.Files()
	out := map[string]string{}
	for name, text := range program {
		out[name] = string(text)
	}
	return out, err
}
