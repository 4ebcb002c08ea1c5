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
	"sync/atomic"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// Purposes of the keys of a realm. Each is a key of its own, so that each can
// be rotated and destroyed alone.
const (
	purposeMobile      = "index"        // blind index of mobiles; changes
	purposeMatch       = "match"        // keyed names of cards, names asked about, enrolments
	purposeContact     = "contact"      // seals mobiles and staff names
	purposeRow         = "row"          // MAC of rows
	purposeDigest      = "digest"       // combined digest of anchored rows
	purposeCode        = "code"         // MAC of one-time codes
	purposeBooking     = "booking"      // booking security codes
	purposeView        = "view"         // view references and pairwise subjects
	purposeEntry       = "entry"        // seals ledger bodies
	purposePersonTag   = "person-tag"   // finds a person's ledger entries
	purposeEpoch       = "epoch"        // wraps persons' data keys; changes
	purposeBearer      = "bearer"       // ES256; changes
	purposeCertificate = "certificate"  // ES256; changes
	purposeReceipt     = "receipt"      // Ed25519
	purposeCheckpoint  = "checkpoint"   // Ed25519; changes
	purposeIDTag       = "id-tag"       // in custody alone; changes
	purposeTagCheck    = "id-tag-check" // no key: a tag that the right id-tag key makes again
)

// fixedPurposes are symmetric keys that stay as they are; turningPurposes change
// while the vault serves.
func fixedPurposes() []string {
	return []string{purposeContact, purposeRow, purposeDigest, purposeCode, purposeBooking, purposeView, purposeEntry, purposePersonTag, purposeMatch}
}

func turningPurposes() []string {
	return []string{purposeMobile, purposeEpoch, purposeBearer, purposeCertificate, purposeCheckpoint, purposeIDTag}
}

// keyring is the realm's keys, unwrapped into the vault's memory at start.
type keyring struct {
	realm    id.Realm
	provider Provider
	custody  string // what the inventory calls the provider
	sym      map[string][]byte
	contact  cipher.AEAD
	entry    cipher.AEAD
	head     cipher.AEAD // seals the digest in the ledger's head
	receipt  ed25519.PrivateKey
	turn     atomic.Pointer[turning]
}

// now is the keys that change while the vault serves, as they are now. A
// transaction sees the same ones from its beginning to its commit.
func (k *keyring) now() *turning { return k.turn.Load() }

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
func openKeyring(ctx context.Context, st state.Store, p Provider, realm id.Realm, custody string, now int64) (*keyring, error) {
	k := &keyring{realm: realm, provider: p, custody: custody, sym: map[string][]byte{}}
	var born map[string][]byte
	err := st.Update(ctx, func(tx state.Tx) error {
		fresh, err := isFresh(ctx, tx)
		if err != nil {
			return err
		}
		if fresh {
			if born, err = k.make(ctx, tx, now); err != nil {
				return err
			}
		}
		if err := k.loadFixed(ctx, tx, now); err != nil {
			return err
		}
		t, err := k.load(ctx, tx, born)
		k.turn.Store(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// make makes every key of the realm. The id-tag key is custody's.
func (k *keyring) make(ctx context.Context, tx state.Tx, now int64) (map[string][]byte, error) {
	born := map[string][]byte{}
	for _, purpose := range append(append(fixedPurposes(), purposeReceipt, purposeTagCheck), turningPurposes()...) {
		raw, err := k.newKey(purpose, 1)
		if err != nil {
			return nil, err
		}
		if purpose == purposeIDTag {
			continue
		}
		if err := writeKey(ctx, tx, k, purpose, 1, raw, now); err != nil {
			return nil, err
		}
		born[keyName(k.realm, purpose, 1)] = raw
	}
	return born, nil
}

// newKey makes the secret of a purpose's version: for the id tag in custody.
func (k *keyring) newKey(purpose string, version int) ([]byte, error) {
	switch purpose {
	case purposeBearer, purposeCertificate:
		return newECKey()
	case purposeIDTag:
		return nil, k.provider.MakeTagKey(version)
	case purposeTagCheck:
		return k.tagCheck(version)
	}
	return randomBytes(32), nil // an Ed25519 seed has 32 bytes too
}

// tagCheck is the tag that tells the right id-tag key from another.
func (k *keyring) tagCheck(version int) ([]byte, error) {
	return k.provider.Tag(version, []byte("tikakosh/id-tag-check/v1"))
}

// loadFixed unwraps the keys that do not change.
func (k *keyring) loadFixed(ctx context.Context, tx state.Tx, now int64) (err error) {
	for _, purpose := range fixedPurposes() {
		if k.sym[purpose], err = existingKey(ctx, tx, k, purpose, 1); err == nil {
			continue
		}
		// Databases of before the index key could change have no matching key: there
		// it was the index key, and goes on being it, under its own name.
		if purpose != purposeMatch || !fault.Is(err, fault.Integrity) {
			return err
		}
		index, old := keyRow(ctx, tx, k.realm, purposeMobile, 1)
		if old != nil || index.Apart {
			return err
		}
		raw, old := readKey(ctx, tx, k, purposeMobile, 1)
		if old != nil {
			return old
		}
		if err := writeKey(ctx, tx, k, purposeMatch, 1, raw, now); err != nil {
			return err
		}
		k.sym[purpose] = raw
	}
	for purpose, dst := range map[string]*cipher.AEAD{purposeContact: &k.contact, purposeEntry: &k.entry} {
		if *dst, err = newAEAD(k.sym[purpose]); err != nil {
			return err
		}
	}
	if k.head, err = k.headAEAD(); err != nil {
		return err
	}
	seed, err := existingKey(ctx, tx, k, purposeReceipt, 1)
	if err != nil {
		return err
	}
	k.receipt = ed25519.NewKeyFromSeed(seed)
	return nil
}

// headAEAD is under a key of its own, made from the digest key.
func (k *keyring) headAEAD() (cipher.AEAD, error) {
	return newAEAD(mac(k.sym[purposeDigest], []byte("tikakosh/head/v1")))
}

func writeKey(ctx context.Context, tx state.Tx, k *keyring, purpose string, version int, raw []byte, now int64) error {
	row, err := k.wrapped(purpose, version, raw, now)
	if err != nil {
		return err
	}
	return tx.Put(ctx, state.KeyRing, row)
}

// existingKey unwraps a key that must be there.
func existingKey(ctx context.Context, tx state.Tx, k *keyring, purpose string, version int) ([]byte, error) {
	raw, err := readKey(ctx, tx, k, purpose, version)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Newf(fault.Integrity, "key", "key %s is missing from a database that is in use; no key was made in its place. "+
			"Restore the vault's database from a backup: what was sealed, indexed or signed under this key needs it", keyName(k.realm, purpose, version))
	}
	return raw, err
}

// readKey unwraps a key that exists; fault.NotFound when it does not.
func readKey(ctx context.Context, tx state.Tx, k *keyring, purpose string, version int) ([]byte, error) {
	row, err := keyRow(ctx, tx, k.realm, purpose, version)
	if err != nil {
		return nil, err
	}
	return k.provider.Unwrap(keyName(k.realm, purpose, version), row.Wrapped)
}

func keyRow(ctx context.Context, tx state.Tx, realm id.Realm, purpose string, version int) (row state.Key, err error) {
	name := keyName(realm, purpose, version)
	s, ok, err := tx.Get(ctx, state.KeyRing, name)
	if err != nil {
		return row, err
	}
	if !ok {
		return row, fault.Newf(fault.NotFound, "key", "there is no key %s", name)
	}
	if err := json.Unmarshal(s.Content, &row); err != nil {
		return row, fault.Newf(fault.Integrity, "key", "key row %s is malformed", name)
	}
	return row, nil
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
