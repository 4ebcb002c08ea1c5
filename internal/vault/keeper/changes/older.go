package changes

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// ruled are the kinds of rules of the whole installation.
func ruled() []string { return []string{vault.ChangePolicies, vault.ChangeBudgets} }

// since is from when on the rules of a kind are in force, and their digest.
func (o *Office) since(t *engine.Txn, kind string) (at int64, digest string, err error) {
	if kind == vault.ChangePolicies {
		row, _, err := engine.Get[state.Change](t, state.Changes, state.PoliciesNow)
		return row.From, row.Digest, err
	}
	s, at, err := budgets.InForce(rows{t})
	if err != nil {
		return 0, "", err
	}
	digest, err = budgetsDigest(s)
	return at, digest, err
}

// rulesMark names one time that rules of a kind came into force.
func rulesMark(kind string, since int64) string { return kind + "/" + decimal(since) }

// replaced marks that the rules of a kind, as they are in force now, are so no more, and
// that what takes their place is two people's word of now. The caller appends the entry.
func (o *Office) replaced(t *engine.Txn, kind string) error {
	at, _, err := o.since(t, kind)
	if err != nil {
		return err
	}
	t.Mark(o.salt(rulesMark(kind, at)))
	row, _, err := engine.Get[state.Change](t, state.Changes, state.OlderRules(kind))
	if err != nil || !row.On {
		return err
	}
	row.On = false
	return engine.Put(t, state.Changes, state.OlderRules(kind), row, 0)
}

// outlived notes which rules of a copy were replaced in what was lost. What took their
// place is not known, so that nobody can say which are the stricter: until two people have
// agreed anew, no centre opens people from its list.
func (o *Office) outlived(t *engine.Txn, ended func(what string) bool) error {
	for _, kind := range ruled() {
		at, digest, err := o.since(t, kind)
		if err != nil {
			return err
		}
		if digest == "" || !ended(rulesMark(kind, at)) {
			continue
		}
		row, _, err := engine.Get[state.Change](t, state.Changes, state.OlderRules(kind))
		if err != nil {
			return err
		}
		row.Kind, row.On, row.Digest, row.From = kind, true, digest, o.ms()
		t.Append(engine.Entry{Kind: kindChange, View: "older than what was lost: " + kind, Role: "system", Reason: digest})
		if err := engine.Put(t, state.Changes, state.OlderRules(kind), row, 0); err != nil {
			return err
		}
	}
	return nil
}

// Older lists the kinds of rules that are in force as an older copy has them, because what
// was decided later was lost in a restore, and nobody has agreed anew since.
func (o *Office) Older(t *engine.Txn) (kinds []string, err error) {
	for _, kind := range ruled() {
		row, _, err := engine.Get[state.Change](t, state.Changes, state.OlderRules(kind))
		if err != nil {
			return nil, err
		}
		if row.On && !ablate.Off(ablate.GapSuspends) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// older reports whether what is in force of a kind waits for two people to say it again.
func (o *Office) older(t *engine.Txn, kind string) (bool, error) {
	row, _, err := engine.Get[state.Change](t, state.Changes, state.OlderRules(kind))
	return row.On, err
}
