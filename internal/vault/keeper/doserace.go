package keeper

import (
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// overtaken drops a seal of the same recording that can be stored no more: the record that
// is shown has another writer's in its place. The dose is then sealed anew on top of that.
func (t *txn) overtaken(r vault.DoseRequest, p *state.Person, again *vault.DoseSealed) (*vault.DoseSealed, error) {
	if again == nil || len(again.Seal.Parts) == 0 {
		return again, nil
	}
	i, err := t.k.release.MatchRecord(r.Person, *p, r.Record)
	if err != nil || i < 0 || p.Pending[i].ID == again.Seal.ID {
		return again, nil //nolint:nilerr // a record that does not match is refused where it is stored
	}
	if err := t.Advance(r.Person, p, i); err != nil {
		return nil, err
	}
	return nil, engine.Put(t, state.Persons, string(r.Person), *p, 0)
}

// cameToNothing reports whether this very recording was sealed before, and lost to another
// writer of the same record: its proof was used, and for nothing. Whoever recorded it signs
// once, so the web role shows the same request again with the record as it is now.
func (t *txn) cameToNothing(person id.Person, p state.Person, i int, f parsedDose) bool {
	if i < 0 {
		return false
	}
	b := p.Bookings[i]
	return b.State == state.Live && b.Given != "" && b.Given == t.k.givenDigest(person, b.Hold, f)
}
