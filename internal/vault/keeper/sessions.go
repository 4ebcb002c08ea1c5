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
//
// A session on a device that is new to the household is refused as well: what it may do
// asks early.
func (t *txn) live(h vault.Holder) (id.Household, state.Bearer, error) {
	house, row, err := t.early(h)
	if err == nil && row.Cooling {
		err = newDevice()
	}
	if err != nil {
		return "", row, err
	}
	return house, row, nil
}

// early is live for what a session may do on a new device, too: nothing of it shows more
// than that session sees anyway, or undoes anything but what it names.
func (t *txn) early(h vault.Holder) (id.Household, state.Bearer, error) {
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
	if err == nil && row.Way != "" {
		err = t.wayStands(row)
	}
	return key, row, err
}
