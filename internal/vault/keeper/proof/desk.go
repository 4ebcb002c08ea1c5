// Package proof verifies who asks: bearers of holders, which the vault signed itself, and
// requests signed with an enrolled key (DPoP, RFC 9449). It says who it is, not what they
// may do.
package proof

import (
	"time"

	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
)

// Desk verifies what a caller brings: bearers, and requests signed with an enrolled
// key. What it remembers saves work and grants nothing: whether a key is enrolled, a
// session live and a proof unused is looked up in the transaction that acts on it. It is
// safe for concurrent use.
type Desk struct {
	eng    *engine.Engine
	keys   *keyring.Ring
	origin string // name of the ledger, which is the issuer of bearers
	now    func() time.Time
	proven verifiedBearers // bearers whose signature was right
	proofs readyProofs     // proofs of requests under way, verified before their transaction
}

// New returns a desk for the ledger of that name.
func New(origin string, eng *engine.Engine, keys *keyring.Ring, now func() time.Time) *Desk {
	return &Desk{eng: eng, keys: keys, origin: origin, now: now}
}

// Txn is a transaction in which proofs are judged and bearers made and ended.
type Txn struct {
	*engine.Txn
	k *Desk
}

// With makes one of the engine's transaction.
func (k *Desk) With(t *engine.Txn) *Txn { return &Txn{Txn: t, k: k} }

// Ahead verifies the bearers and proofs in a request before the transaction that needs
// them. The caller calls forget when the request is over.
func (k *Desk) Ahead(request []byte) (forget func()) {
	k.verifyAhead(request)
	return k.proofs.ahead(request)
}

// Forget drops what is known of bearers that have expired, in Unix seconds.
func (k *Desk) Forget(now int64) { k.proven.forget(now) }
