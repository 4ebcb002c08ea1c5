// Package release is the only way to a person's plaintext (I1): records are compared with
// the vault's heads, an entry per person goes to the ledger, and when it is durable the
// data keys are unwrapped. What a record becomes next, its pending seals, is here too. Who
// may see whom is decided by those who call it.
package release

import (
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// Desk opens people's parts, after the entry that says so, and seals new ones. It is
// safe for concurrent use.
type Desk struct {
	eng    *engine.Engine
	keys   *keyring.Ring
	now    func() time.Time
	proofs *proof.Desk
	asks   permits.Asker
}

// New returns a desk over an engine, the desk that verifies who asks, and the policies,
// which are asked here for whoever is no staff.
func New(eng *engine.Engine, keys *keyring.Ring, now func() time.Time, proofs *proof.Desk, asks permits.Asker) *Desk {
	return &Desk{eng: eng, keys: keys, now: now, proofs: proofs, asks: asks}
}

// Txn is a transaction in which records are released and seals are stored.
type Txn struct {
	*proof.Txn
	k    *Desk
	Only id.Person // whom the caller's session is for alone; "" for everybody
	// stored is what else follows when a seal of a person is stored.
	Stored func(person id.Person, p *state.Person, s state.Seal) error
}

// With makes one of the engine's transaction. The caller says what follows a stored
// seal by setting stored before anything is released.
func (k *Desk) With(t *engine.Txn) *Txn { return &Txn{Txn: k.proofs.With(t), k: k} }
