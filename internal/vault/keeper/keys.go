package keeper

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
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
	purposeIndex       = "index"        // blind index of mobiles
	purposeContact     = "contact"      // seals mobiles and staff names
	purposeRow         = "row"          // MAC of rows
	purposeDigest      = "digest"       // combined digest of anchored rows
	purposeCode        = "code"         // MAC of one-time codes
	purposeBooking     = "booking"      // booking security codes
	purposeView        = "view"         // view references and pairwise subjects
	purposeEntry       = "entry"        // seals ledger bodies
	purposePersonTag   = "person-tag"   // finds a person's ledger entries
	purposeEpoch       = "epoch"        // wraps persons' data keys
	purposeBearer      = "bearer"       // ES256
	purposeCertificate = "certificate"  // ES256
	purposeReceipt     = "receipt"      // Ed25519
	purposeCheckpoint  = "checkpoint"   // Ed25519
	purposeTagCheck    = "id-tag-check" // no key: a tag that the right id-tag key makes again
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
	head        cipher.AEAD // seals the digest in the ledger's head
	epochName   string
	bearer      *ecdsa.PrivateKey
	certificate *ecdsa.PrivateKey
	receipt     ed25519.PrivateKey
	checkpoint  ed25519.PrivateKey
}

func keyName(realm id.Realm, purpose string, version int) string {
	return fmt.Sprintf("realm-%d/%s/%d", realm, purpose, version)
}

// Fresh says whether the database has never been a vault's: no ledger and no
// key. Only then are keys made; over anything else a missing key would mean new
// indexes and tags over old rows, and a ledger signed by another.
func Fresh(ctx context.Context, st state.Store) (fresh bool, err error) {
	err = st.View(ctx, func(tx state.Tx) (err error) { fresh, err = isFresh(ctx, tx); return err })
	return fresh, err
}

func isFresh(ctx context.Context, tx state.Tx) (bool, error) {
	head, err := tx.Head(ctx)
	if err != nil || head.Next != 0 {
		return false, err
	}
	entries, err := tx.Entries(ctx, 0, 1)
	if err != nil || len(entries) != 0 {
		return false, err
	}
	for _, table := range append(state.Anchored(), state.KeyRing) {
		rows, err := tx.Scan(ctx, table, "", 1)
		if err != nil || len(rows) != 0 {
			return false, err
		}
	}
	return true, nil
}

// openKeyring unwraps every key of the realm, or makes them all in a fresh
// database. Making keys is one transaction: a crash leaves all or none.
func openKeyring(ctx context.Context, st state.Store, p Provider, realm id.Realm, now int64) (*keyring, error) {
	k := &keyring{realm: realm, provider: p, sym: map[string][]byte{}}
	asym := map[string][]byte{}
	check, err := p.Tag(1, []byte("tikakosh/id-tag-check/v1"))
	if err != nil {
		return nil, err
	}
	err = st.Update(ctx, func(tx state.Tx) error {
		fresh, err := isFresh(ctx, tx)
		if err != nil {
			return err
		}
		load := func(purpose string, make func() ([]byte, error)) (raw []byte, err error) {
			if !fresh {
				return existingKey(ctx, tx, p, realm, purpose)
			}
			if raw, err = make(); err != nil {
				return nil, err
			}
			return raw, writeKey(ctx, tx, p, realm, purpose, raw, now)
		}
		random := func() ([]byte, error) { return randomBytes(32), nil } // an Ed25519 seed has 32 bytes too
		for _, purpose := range symmetricPurposes() {
			if k.sym[purpose], err = load(purpose, random); err != nil {
				return err
			}
		}
		for purpose, make := range map[string]func() ([]byte, error){purposeBearer: newECKey, purposeCertificate: newECKey,
			purposeReceipt: random, purposeCheckpoint: random} {
			if asym[purpose], err = load(purpose, make); err != nil {
				return err
			}
		}
		known, err := load(purposeTagCheck, func() ([]byte, error) { return check, nil })
		if err == nil && !hmac.Equal(known, check) {
			err = fault.New(fault.Integrity, "key", "the id-tag key is not the one this database was made with: put the vault's key files back from their backup")
		}
		return err
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
	if k.head, err = k.headAEAD(); err != nil {
		return err
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

// headAEAD is under a key of its own, made from the digest key.
func (k *keyring) headAEAD() (cipher.AEAD, error) {
	return newAEAD(mac(k.sym[purposeDigest], []byte("tikakosh/head/v1")))
}

func writeKey(ctx context.Context, tx state.Tx, p Provider, realm id.Realm, purpose string, raw []byte, now int64) error {
	name := keyName(realm, purpose, 1)
	wrapped, err := p.Wrap(name, raw)
	if err != nil {
		return err
	}
	content, err := json.Marshal(state.Key{Purpose: purpose, Version: 1, Wrapped: wrapped, State: "current", Created: now})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "key row")
	}
	return tx.Put(ctx, state.KeyRing, state.Stored{Key: name, Version: 1, Content: content})
}

// existingKey unwraps a key that must be there.
func existingKey(ctx context.Context, tx state.Tx, p Provider, realm id.Realm, purpose string) ([]byte, error) {
	raw, err := readKey(ctx, tx, p, realm, purpose)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Newf(fault.Integrity, "key", "key %s is missing from a database that is in use; no key was made in its place. "+
			"Restore the vault's database from a backup: what was sealed, indexed or signed under this key needs it", keyName(realm, purpose, 1))
	}
	return raw, err
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
