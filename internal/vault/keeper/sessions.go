package keeper

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// live returns the household of a holder's bearer that is live in this
// transaction. One that was given to a partner is refused: what a partner may do
// asks visit.
func (t *txn) live(h vault.Holder) (id.Household, state.Bearer, error) {
	_, row, err := t.session(h)
	if err == nil && row.Partner != "" && !ablate.Off(ablate.PartnerScope) {
		err = outOfScope()
	}
	if err != nil {
		return "", row, err
	}
	return row.Household, row, nil
}

// session returns the row of a bearer that is live in this transaction, and its
// key. From then on household shows a card's session only its own person.
func (t *txn) session(h vault.Holder) (string, state.Bearer, error) {
	t.Only = ""
	key, row, err := t.Held(h)
	if err == nil {
		row, err = t.scoped(row)
	}
	return key, row, err
}
