package signin

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// Live returns the household of a holder's bearer that is live in this
// transaction. One that was given to a partner is refused: what a partner may do
// asks visit.
//
// A session on a device that is new to the household is refused as well: what it may do
// asks early.
func (t *Txn) Live(h vault.Holder) (id.Household, state.Bearer, error) {
	house, row, err := t.Early(h)
	if err == nil && row.Cooling {
		err = NewDevice()
	}
	if err != nil {
		return "", row, err
	}
	return house, row, nil
}

// Early is live for what a session may do on a new device, too: nothing of it shows more
// than that session sees anyway, or undoes anything but what it names.
func (t *Txn) Early(h vault.Holder) (id.Household, state.Bearer, error) {
	_, row, err := t.Session(h)
	if err == nil && row.Partner != "" && !ablate.Off(ablate.PartnerScope) {
		err = OutOfScope()
	}
	if err != nil {
		return "", row, err
	}
	return row.Household, row, nil
}

// Session returns the row of a bearer that is live in this transaction, and its
// key. From then on household shows a card's session only its own person.
func (t *Txn) Session(h vault.Holder) (string, state.Bearer, error) {
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

// scoped narrows a session that a card opened to the card's person, wherever
// that person's place is now. It ends with the card.
func (t *Txn) scoped(row state.Bearer) (state.Bearer, error) {
	if row.Person == "" {
		return row, nil
	}
	p, err := t.Person(row.Person)
	if err != nil {
		return row, err
	}
	if p.Card != row.Card || (p.State != state.Pending && p.State != state.Active && !t.MayReturn(p)) {
		return row, proof.Unauthenticated()
	}
	if !ablate.Off(ablate.CardScope) {
		t.Only = row.Person
	}
	row.Household = p.Household
	return row, nil
}

// MayReturn reports whether somebody who left can still come back.
func (t *Txn) MayReturn(p state.Person) bool {
	return p.State == state.Left && t.k.now().UnixMilli() < p.Until
}

// CardCannot refuses what is for the holder of a mobile alone.
func CardCannot() error {
	return fault.New(fault.Forbidden, "card", "a card opens one person's record; sign in with a mobile for this")
}

// OutOfScope refuses what a session or partner may not do.
func OutOfScope() error {
	return fault.New(fault.Forbidden, "scope", "the person's consent does not cover this for a partner")
}
