package release

import (
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// Household reads a household, for a card's session with its own person alone.
func (t *Txn) Household(h id.Household) (state.Household, error) {
	row, ok, err := engine.Get[state.Household](t, state.Households, string(h))
	if err == nil && !ok {
		err = state.Integrity(state.Households, "a household is missing")
	}
	row.Only = t.Only
	return row, err
}

// Person reads a person who must be there.
func (t *Txn) Person(p id.Person) (state.Person, error) {
	row, ok, err := engine.Get[state.Person](t, state.Persons, string(p))
	if err == nil && !ok {
		err = state.Integrity(state.Persons, "a person is missing")
	}
	return row, err
}

// Merging reports whether the person has been sealed into another one and that
// seal may still be stored.
func (t *Txn) Merging(p state.Person) (bool, error) {
	if p.Merging == nil {
		return false, nil
	}
	into, err := t.Person(p.Merging.Into)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(into.Pending, func(s state.Seal) bool { return s.ID == p.Merging.Seal }), nil
}

// ErrMerging is the error of a person who is being joined with another.
func ErrMerging() error {
	return fault.New(fault.Conflict, "merging", "this registration is being joined with another; try again")
}

// MergeTask names the task that finishes a merge.
func MergeTask(seal string) string { return vault.WorkMerge + "/" + seal }
