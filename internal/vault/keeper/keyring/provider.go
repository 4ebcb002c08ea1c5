package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"

	"tikakosh/internal/fault"
)

// Provider is key custody: the keys that wrap everything else, and the key that
// id numbers are tagged under. internal/vault/custody has the kinds; none gives
// its own keys away. Implementations are safe for concurrent use and return
// fault.Unavailable when custody cannot answer, fault.Integrity when a blob does
// not open or a key that must be there is not.
type Provider interface {
	// Wrap encrypts a key under the root key, bound to name.
	Wrap(name string, key []byte) ([]byte, error)
	// Unwrap opens what Wrap made for the same name.
	Unwrap(name string, blob []byte) ([]byte, error)
	// Tag is HMAC-SHA-256 under a version of the id-tag key, which never leaves
	// custody.
	Tag(version int, data []byte) ([]byte, error)
	// MakeTagKey makes a version of the id-tag key; one that is there stays.
	MakeTagKey(version int) error
	// DestroyTagKey destroys a version for good; one that is gone is no error.
	DestroyTagKey(version int) error
}

// newAEAD is AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D).
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cipher")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cipher")
	}
	return aead, nil
}

// mac is HMAC-SHA-256 (RFC 2104) over length-prefixed fields, so that no two
// lists of fields share an encoding.
func mac(key []byte, fields ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	var n [4]byte
	for _, f := range fields {
		n[0], n[1], n[2], n[3] = byte(len(f)>>24), byte(len(f)>>16), byte(len(f)>>8), byte(len(f))
		h.Write(n[:])
		h.Write(f)
	}
	return h.Sum(nil)
}
