package vault

import (
	"crypto/sha256"
	"encoding/binary"

	"tikakosh/internal/id"
)

// Hash is a SHA-256 value.
type Hash [sha256.Size]byte

// MarshalText writes lower-case hex.
func (h Hash) MarshalText() ([]byte, error) { return hexText(h[:]), nil }

// UnmarshalText reads hex.
func (h *Hash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// Part names what a sealed blob holds: "identity", "consent/<event>" or
// "dose/<event>".
type Part string

// PartIdentity is who the person is; there is one.
const PartIdentity Part = "identity"

// The beginnings of the parts of which a person has many.
const (
	PartConsentPrefix = "consent/"
	PartDosePrefix    = "dose/"
)

// Sealed is one sealed part as the registry stores it. Seq is dense from 1
// within a person; Version counts the versions of one part from 1. Body may be
// left out (nil) for a superseded version; Hash is SHA-256 of the body.
type Sealed struct {
	Seq     int64
	Part    Part
	Version int
	Hash    Hash
	Body    []byte
}

// Record is everything the registry holds of one person, in order of Seq.
type Record struct {
	Person id.Person
	Parts  []Sealed
}

// ChainStart is the running hash of a person without parts.
func ChainStart(realm id.Realm, p id.Person) Hash {
	h := sha256.New()
	h.Write([]byte("tikakosh/chain/v1\x00"))
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(realm))
	h.Write(b[:])
	h.Write([]byte(p))
	return Hash(h.Sum(nil))
}

// ChainNext extends the running hash by one part.
func ChainNext(prev Hash, s Sealed) Hash {
	h := sha256.New()
	h.Write(prev[:])
	var b [8]byte
	for _, n := range []uint64{uint64(s.Seq), uint64(s.Version), uint64(len(s.Part))} {
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	h.Write([]byte(s.Part))
	h.Write(s.Hash[:])
	return Hash(h.Sum(nil))
}

// Seal is what the vault made for the registry to store: the new parts, in
// order, and the name under which the caller reports them as committed.
type Seal struct {
	ID      string
	Person  id.Person
	Parts   []Sealed
	Receipt string
}
