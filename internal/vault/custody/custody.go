// Package custody keeps the keys that wrap every other key of the vault, and
// the key that id numbers are tagged under: in files, in an HSM behind a process
// of its own, in a transit service, or in shares that people bring at the start.
//
// A provider never gives one of its own keys away: it wraps, unwraps and tags.
package custody

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"tikakosh/internal/fault"
)

// Provider is one custody. Implementations are safe for concurrent use. They
// return fault.Unavailable when custody cannot answer now (ask again later),
// fault.Integrity when a blob does not open or a key is not there, and
// fault.Forbidden when custody refuses this caller.
type Provider interface {
	// Wrap encrypts a key of at most MaxKey bytes under the wrapping key, bound to name.
	Wrap(name string, key []byte) ([]byte, error)
	// Unwrap opens what Wrap made for the same name.
	Unwrap(name string, blob []byte) ([]byte, error)
	// Tag is HMAC-SHA-256 of data under a version of the id-tag key.
	Tag(version int, data []byte) ([]byte, error)
	// MakeTagKey makes a version of the id-tag key; one that is there stays as it is.
	MakeTagKey(version int) error
	// DestroyTagKey destroys a version for good; one that is gone is no error.
	DestroyTagKey(version int) error
}

// MaxKey bounds a key that is wrapped, in bytes: a PKCS #8 key on P-256 has some 140.
const MaxKey = 1024

// keyBytes is the length of the wrapping key and of id-tag keys.
const keyBytes = 32

// Missing says that a key which a database in use needs is not in custody.
func Missing(what string) error {
	return fault.Newf(fault.Integrity, "key-custody", "%s is missing; no key was made in its place. Put it back from its backup", what)
}

// AAD is the associated data that binds a wrapped key to its name, the same in
// every custody.
func AAD(name string) []byte { return []byte("tikakosh/key/v1\x00" + name) }

// TagInput is what the id-tag key authenticates: the data with its length in
// front, the same in every custody.
func TagInput(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

// soft is custody whose keys are in this process's memory.
type soft struct {
	root cipher.AEAD
	mu   sync.RWMutex
	tags map[int][]byte
}

// Wrap implements Provider.
func (s *soft) Wrap(name string, key []byte) ([]byte, error) {
	if len(key) > MaxKey {
		return nil, fault.New(fault.Invalid, "key", "a key to wrap is too long")
	}
	return s.root.Seal(nil, nil, key, AAD(name)), nil
}

// Unwrap implements Provider.
func (s *soft) Unwrap(name string, blob []byte) ([]byte, error) {
	key, err := s.root.Open(nil, nil, blob, AAD(name))
	if err != nil {
		return nil, NotOpened()
	}
	return key, nil
}

// NotOpened is the fault of a wrapped key that does not open.
func NotOpened() error {
	return fault.New(fault.Integrity, "key", "a wrapped key does not open: wrong root key or an altered row")
}

// Tag implements Provider.
func (s *soft) Tag(version int, data []byte) ([]byte, error) {
	s.mu.RLock()
	key := s.tags[version]
	s.mu.RUnlock()
	if key == nil {
		return nil, Missing(tagName(version))
	}
	h := hmac.New(sha256.New, key)
	h.Write(TagInput(data))
	return h.Sum(nil), nil
}

// aeadOf is AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D).
func aeadOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cipher")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return aead, fault.Wrap(fault.Internal, err, "cipher")
}

func randomKey() []byte {
	b := make([]byte, keyBytes)
	rand.Read(b)
	return b
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
