// Package numbers is where a mobile number leads: the one row that names a household by the
// keyed name of its number, and the number that a household's own row keeps sealed (I2). It
// tells nobody; who asks has a code that was sent to the number, or is the household itself.
package numbers

import (
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Find is where a number leads, under the current index key or, during a change, an old
// one, and the name under which it was found or is to be put.
func Find(t engine.Transaction, keys *keyring.Ring, mobile string) (name string, row state.MobileIndex, ok bool, err error) {
	for _, name := range append([]string{keys.BlindIndex(mobile)}, keys.OldIndexes(mobile)...) {
		if row, ok, err = engine.Get[state.MobileIndex](t, state.MobileIndexes, name); err != nil || ok {
			return name, row, ok, err
		}
	}
	return keys.BlindIndex(mobile), row, false, nil
}

// Of opens the number of a household, which has one; fault.Integrity.
func Of(keys *keyring.Ring, house id.Household, h state.Household) (string, error) {
	mobile, err := keys.Contact.Open(nil, nil, h.Mobile, keys.ContactAAD("mobile", string(house)))
	if err != nil {
		return "", state.Integrity(state.Households, "a number does not open")
	}
	return string(mobile), nil
}
