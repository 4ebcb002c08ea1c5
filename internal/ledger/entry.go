// Package ledger keeps an append-only log of commitments in the C2SP tlog-tiles
// form and verifies it: entries, append, checkpoints, proofs. It knows no
// domain: an entry is a 32-byte commitment, and its body stays with the caller.
//
// The caller's database is where an entry becomes durable and gets its index.
// Log follows that database into public files; the files can be rebuilt from it.
package ledger

import (
	"crypto/hmac"
	"crypto/sha256"

	"tikakosh/internal/fault"
)

// Commitment hides and binds the body of an entry: HMAC-SHA-256 (RFC 2104)
// under a random 32-byte salt, which is revealed only together with the body.
type Commitment [sha256.Size]byte

// Commit computes the commitment of body under salt. The salt must be random
// and used for one entry only: it is all that keeps a guessed body from being
// tested against the public leaf.
func Commit(salt [32]byte, body []byte) Commitment {
	h := hmac.New(sha256.New, salt[:])
	h.Write([]byte("tikakosh/entry/v1\x00"))
	h.Write(body)
	return Commitment(h.Sum(nil))
}

// LeafSize is the fixed size of a leaf in bytes: version and commitment, no
// kind and no time.
const LeafSize = 1 + sha256.Size

const leafVersion = 1

// LeafData is the leaf of a commitment as the log stores it.
func LeafData(c Commitment) []byte { return append([]byte{leafVersion}, c[:]...) }

// ParseLeaf reads a leaf; fault.Invalid when it has another size or version.
func ParseLeaf(b []byte) (Commitment, error) {
	if len(b) != LeafSize || b[0] != leafVersion {
		return Commitment{}, fault.New(fault.Invalid, "leaf", "a ledger leaf has another form")
	}
	return Commitment(b[1:]), nil
}
