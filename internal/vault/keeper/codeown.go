package keeper

import (
	"tikakosh/internal/ablate"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/ways"
	"tikakosh/internal/vault/state"
)

// codeAsk is one request for a code: for whom, from where, as which challenge, and by which
// device's key ("" for none).
type codeAsk struct{ index, mobile, origin, challenge, device string }

// ownCode reports whether a request that the number's limits refuse is one of its
// household's own: by a device that is firm there (ADR 39). Strangers can use the number's
// codes of a day up; they do not shut its holder out, who has as many again.
//
// It reads as many rows for a number that nobody has as for one that is registered, and who
// does not hold the household's key has the same answer for both.
func (t *txn) ownCode(a codeAsk) (bool, error) {
	if a.device == "" || ablate.Off(ablate.OwnCodes) {
		return false, nil
	}
	_, idx, known, err := numbers.Find(t, t.k.keys, a.mobile)
	if err != nil {
		return false, err
	}
	house := string(idx.Household)
	if !known {
		house = id.New()
	}
	h, known, err := engine.Get[state.Household](t, state.Households, house)
	if err != nil || !known {
		return false, err
	}
	return ways.Has(h, a.device) && ways.Firm(h, a.device, t.k.now().UnixMilli()), nil
}
