package keeper

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strconv"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// Purposes of the keys of a realm. Each is a key of its own, so that each can
// be rotated and destroyed alone.
const (
	purposeIndex       = "index"       // blind index of mobiles
	purposeContact     = "contact"     // seals mobiles and staff names
	purposeRow         = "row"         // MAC of rows
	purposeDigest      = "digest"      // combined digest of anchored rows
	purposeCode        = "code"        // MAC of one-time codes
	purposeBooking     = "booking"     // booking security codes
	purposeView        = "view"        // view references and pairwise subjects
	purposeEntry       = "entry"       // seals ledger bodies
	purposePersonTag   = "person-tag"  // finds a person's ledger entries
	purposeEpoch       = "epoch"       // wraps persons' data keys
	purposeBearer      = "bearer"      // ES256
	purposeCertificate = "certificate" // ES256
	purposeReceipt     = "receipt"     // Ed25519
	purposeCheckpoint  = "checkpoint"  // Ed25519
)

func symmetricPurposes() []string {
	return []string{purposeIndex, purposeContact, purposeRow, purposeDigest, purposeCode, purposeBooking, purposeView,
		purposeEntry, purposePersonTag, purposeEpoch}
}

// keyring is the realm's keys, unwrapped into the vault's memory at start.
type keyring struct {
	realm       id.Realm
	provider    Provider
	sym         map[string][]byte
	contact     cipher.AEAD
	entry       cipher.AEAD
	epoch       cipher.AEAD
	epochName   string
	bearer      *ecdsa.PrivateKey
	certificate *ecdsa.PrivateKey
	receipt     ed25519.PrivateKey
	checkpoint  ed25519.PrivateKey
}

func keyName(realm id.Realm, purpose string, version int) string {
	return fmt.Sprintf("realm-%d/%s/%d", realm, purpose, version)
}

// openKeyring unwraps every key of the realm and makes those that are missing.
// Making keys is one transaction: a crash leaves all or none.
func openKeyring(ctx context.Context, st state.Store, p Provider, realm id.Realm, now int64) (*keyring, error) {
	k := &keyring{realm: realm, provider: p, sym: map[string][]byte{}}
	asym := map[string][]byte{}
	err := st.Update(ctx, func(tx state.Tx) error {
		for _, purpose := range symmetricPurposes() {
			raw, err := loadKey(ctx, tx, p, realm, purpose, now, func() ([]byte, error) { return randomBytes(32), nil })
			if err != nil {
				return err
			}
			k.sym[purpose] = raw
		}
		for _, purpose := range []string{purposeBearer, purposeCertificate} {
			raw, err := loadKey(ctx, tx, p, realm, purpose, now, newECKey)
			if err != nil {
				return err
			}
			asym[purpose] = raw
		}
		for _, purpose := range []string{purposeReceipt, purposeCheckpoint} {
			raw, err := loadKey(ctx, tx, p, realm, purpose, now, func() ([]byte, error) { return randomBytes(ed25519.SeedSize), nil })
			if err != nil {
				return err
			}
			asym[purpose] = raw
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return k, k.build(asym)
}

func (k *keyring) build(asym map[string][]byte) (err error) {
	for purpose, dst := range map[string]*cipher.AEAD{purposeContact: &k.contact, purposeEntry: &k.entry, purposeEpoch: &k.epoch} {
		if *dst, err = newAEAD(k.sym[purpose]); err != nil {
			return err
		}
	}
	k.epochName = keyName(k.realm, purposeEpoch, 1)
	if k.bearer, err = parseECKey(asym[purposeBearer]); err != nil {
		return err
	}
	if k.certificate, err = parseECKey(asym[purposeCertificate]); err != nil {
		return err
	}
	k.receipt = ed25519.NewKeyFromSeed(asym[purposeReceipt])
	k.checkpoint = ed25519.NewKeyFromSeed(asym[purposeCheckpoint])
	return nil
}

func loadKey(ctx context.Context, tx state.Tx, p Provider, realm id.Realm, purpose string, now int64, make func() ([]byte, error)) ([]byte, error) {
	name := keyName(realm, purpose, 1)
	if raw, err := readKey(ctx, tx, p, realm, purpose); err == nil || !fault.Is(err, fault.NotFound) {
		return raw, err
	}
	raw, err := make()
	if err != nil {
		return nil, err
	}
	wrapped, err := p.Wrap(name, raw)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(state.Key{Purpose: purpose, Version: 1, Wrapped: wrapped, State: "current", Created: now})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "key row")
	}
	return raw, tx.Put(ctx, state.KeyRing, state.Stored{Key: name, Version: 1, Content: content})
}

// readKey unwraps a key that exists; fault.NotFound when it does not.
func readKey(ctx context.Context, tx state.Tx, p Provider, realm id.Realm, purpose string) ([]byte, error) {
	name := keyName(realm, purpose, 1)
	s, ok, err := tx.Get(ctx, state.KeyRing, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.Newf(fault.NotFound, "key", "there is no key %s", name)
	}
	var row state.Key
	if err := json.Unmarshal(s.Content, &row); err != nil {
		return nil, fault.Newf(fault.Integrity, "key", "key row %s is malformed", name)
	}
	return p.Unwrap(name, row.Wrapped)
}

func newECKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "new signing key")
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func parseECKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fault.New(fault.Integrity, "key", "a signing key does not parse")
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.Integrity, "key", "a signing key has the wrong type")
	}
	return ec, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (k *keyring) realmBytes() []byte { return []byte(strconv.Itoa(int(k.realm))) }
