// Package keyring is the keys of a vault's realm: it makes and unwraps them, and seals,
// names and authenticates under them. It reads and writes rows of keys alone, decides
// nothing about who may see what, and opens what its callers bring.
package keyring

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// Purposes of the keys of a realm. Each is a key of its own, so that each can
// be rotated and destroyed alone.
const (
	PurposeMobile      = "index"        // blind index of mobiles; changes
	PurposeMatch       = "match"        // keyed names of cards, names asked about, enrolments
	PurposeContact     = "contact"      // seals mobiles and staff names
	PurposeRow         = "row"          // MAC of rows
	PurposeDigest      = "digest"       // combined digest of anchored rows
	PurposeCode        = "code"         // MAC of one-time codes
	PurposeBooking     = "booking"      // booking security codes
	PurposeView        = "view"         // view references and pairwise subjects
	PurposeEntry       = "entry"        // seals ledger bodies
	PurposePersonTag   = "person-tag"   // finds a person's ledger entries
	PurposeEpoch       = "epoch"        // wraps persons' data keys; changes
	PurposeBearer      = "bearer"       // ES256; changes
	PurposeCertificate = "certificate"  // ES256; changes
	PurposeReceipt     = "receipt"      // Ed25519
	PurposeCheckpoint  = "checkpoint"   // Ed25519; changes
	PurposeIDTag       = "id-tag"       // in custody alone; changes
	PurposeTagCheck    = "id-tag-check" // no key: a tag that the right id-tag key makes again
)

// Fixed are the purposes of symmetric keys that stay as they are.
func Fixed() []string {
	return []string{PurposeContact, PurposeRow, PurposeDigest, PurposeCode, PurposeBooking, PurposeView, PurposeEntry, PurposePersonTag, PurposeMatch}
}

// Turning are the purposes whose keys change while the vault serves.
func Turning() []string {
	return []string{PurposeMobile, PurposeEpoch, PurposeBearer, PurposeCertificate, PurposeCheckpoint, PurposeIDTag}
}

// Ring is the realm's keys, unwrapped into the vault's memory at start.
type Ring struct {
	Realm    id.Realm
	Provider Provider
	custody  string // what the inventory calls the provider
	sym      map[string][]byte
	Contact  cipher.AEAD
	Entry    cipher.AEAD
	Head     cipher.AEAD // seals the digest in the ledger's head
	Receipt  ed25519.PrivateKey
	Turn     atomic.Pointer[Current]
}

// Now is the keys that change while the vault serves, as they are now. A
// transaction sees the same ones from its beginning to its commit.
func (k *Ring) Now() *Current { return k.Turn.Load() }

// Name names a version of a purpose's key in a realm.
func Name(realm id.Realm, purpose string, version int) string {
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

// Open unwraps every key of the realm, or makes them all in a fresh
// database. Making keys is one transaction: a crash leaves all or none.
func Open(ctx context.Context, st state.Store, p Provider, realm id.Realm, custody string, now int64) (*Ring, error) {
	k := &Ring{Realm: realm, Provider: p, custody: custody, sym: map[string][]byte{}}
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
		t, err := k.Load(ctx, tx, born)
		k.Turn.Store(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// make makes every key of the realm. The id-tag key is custody's.
func (k *Ring) make(ctx context.Context, tx state.Tx, now int64) (map[string][]byte, error) {
	born := map[string][]byte{}
	for _, purpose := range append(append(Fixed(), PurposeReceipt, PurposeTagCheck), Turning()...) {
		raw, err := k.NewKey(purpose, 1)
		if err != nil {
			return nil, err
		}
		if purpose == PurposeIDTag {
			continue
		}
		if err := writeKey(ctx, tx, k, purpose, 1, raw, now); err != nil {
			return nil, err
		}
		if purpose == PurposeEpoch {
			continue // Load reads it, whole
		}
		born[Name(k.Realm, purpose, 1)] = raw
	}
	return born, nil
}

// NewKey makes the secret of a purpose's version: for the id tag in custody.
func (k *Ring) NewKey(purpose string, version int) ([]byte, error) {
	switch purpose {
	case PurposeBearer, PurposeCertificate:
		return newECKey()
	case PurposeIDTag:
		return nil, k.Provider.MakeTagKey(version)
	case PurposeTagCheck:
		return k.TagCheck(version)
	case PurposeEpoch:
		if err := k.makeHeld(version); err != nil {
			return nil, err
		}
	}
	return RandomBytes(32), nil // an Ed25519 seed has 32 bytes too
}

// TagCheck is the tag that tells the right id-tag key from another.
func (k *Ring) TagCheck(version int) ([]byte, error) {
	return k.Provider.Tag(version, []byte("tikakosh/id-tag-check/v1"))
}

// loadFixed unwraps the keys that do not change.
func (k *Ring) loadFixed(ctx context.Context, tx state.Tx, now int64) (err error) {
	for _, purpose := range Fixed() {
		if k.sym[purpose], err = existingKey(ctx, tx, k, purpose, 1); err == nil {
			continue
		}
		// Databases of before the index key could change have no matching key: there
		// it was the index key, and goes on being it, under its own name.
		if purpose != PurposeMatch || !fault.Is(err, fault.Integrity) {
			return err
		}
		index, old := Row(ctx, tx, k.Realm, PurposeMobile, 1)
		if old != nil || index.Apart {
			return err
		}
		raw, old := readKey(ctx, tx, k, PurposeMobile, 1)
		if old != nil {
			return old
		}
		if err := writeKey(ctx, tx, k, PurposeMatch, 1, raw, now); err != nil {
			return err
		}
		k.sym[purpose] = raw
	}
	for purpose, dst := range map[string]*cipher.AEAD{PurposeContact: &k.Contact, PurposeEntry: &k.Entry} {
		if *dst, err = newAEAD(k.sym[purpose]); err != nil {
			return err
		}
	}
	if k.Head, err = k.headAEAD(); err != nil {
		return err
	}
	seed, err := existingKey(ctx, tx, k, PurposeReceipt, 1)
	if err != nil {
		return err
	}
	k.Receipt = ed25519.NewKeyFromSeed(seed)
	return nil
}

// headAEAD is under a key of its own, made from the digest key.
func (k *Ring) headAEAD() (cipher.AEAD, error) {
	return newAEAD(k.MAC(PurposeDigest, []byte("tikakosh/head/v1")))
}

func writeKey(ctx context.Context, tx state.Tx, k *Ring, purpose string, version int, raw []byte, now int64) error {
	row, err := k.Wrapped(purpose, version, raw, now)
	if err != nil {
		return err
	}
	return tx.Put(ctx, state.KeyRing, row)
}

// existingKey unwraps a key that must be there.
func existingKey(ctx context.Context, tx state.Tx, k *Ring, purpose string, version int) ([]byte, error) {
	raw, err := readKey(ctx, tx, k, purpose, version)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Newf(fault.Integrity, "key", "key %s is missing from a database that is in use; no key was made in its place. "+
			"Restore the vault's database from a backup: what was sealed, indexed or signed under this key needs it", Name(k.Realm, purpose, version))
	}
	return raw, err
}

// readKey unwraps a key that exists; fault.NotFound when it does not.
func readKey(ctx context.Context, tx state.Tx, k *Ring, purpose string, version int) ([]byte, error) {
	row, err := Row(ctx, tx, k.Realm, purpose, version)
	if err != nil {
		return nil, err
	}
	raw, err := k.Provider.Unwrap(Name(k.Realm, purpose, version), row.Wrapped)
	if err != nil {
		return nil, err
	}
	return k.Whole(row, raw)
}

// Row reads the row of a key; fault.NotFound when it does not exist.
func Row(ctx context.Context, tx state.Tx, realm id.Realm, purpose string, version int) (row state.Key, err error) {
	name := Name(realm, purpose, version)
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

// RandomBytes returns n bytes of the system's randomness.
func RandomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// RealmBytes is the realm as MACs have it.
func (k *Ring) RealmBytes() []byte { return []byte(strconv.Itoa(int(k.Realm))) }

// InboxKey opens what was sealed to the vault. It is made from the realm's entry
// key, so that it exists wherever the ledger does.
func (k *Ring) InboxKey() (hpke.PrivateKey, error) {
	return vault.InboxKeyPair(k.MAC(PurposeEntry, []byte("tikakosh/inbox-key/v1")))
}

// Wrapped is the key ring's row of a secret.
func (k *Ring) Wrapped(purpose string, version int, raw []byte, now int64) (state.Stored, error) {
	name := Name(k.Realm, purpose, version)
	blob, err := k.Provider.Wrap(name, raw)
	if err != nil {
		return state.Stored{}, err
	}
	content, err := json.Marshal(state.Key{Purpose: purpose, Version: version, Wrapped: blob, State: state.KeyCurrent, Created: now,
		Apart: purpose == PurposeMobile, Held: purpose == PurposeEpoch})
	return state.Stored{Key: name, Version: 1, Content: content}, fault.Wrap(fault.Internal, err, "key row")
}

// RowMAC authenticates a row of a table: its key, version, end and content.
func (k *Ring) RowMAC(t state.Table, s state.Stored) []byte {
	return k.MAC(PurposeRow, k.RealmBytes(), []byte(t), []byte(s.Key), []byte(strconv.FormatInt(s.Version, 10)),
		[]byte(strconv.FormatInt(s.Expires, 10)), s.Content)
}

// OpenToRead unwraps what reading the ledger needs, and nothing that opens a person's
// parts or makes an entry.
func OpenToRead(ctx context.Context, st state.Store, p Provider, realm id.Realm) (*Ring, error) {
	k := &Ring{Realm: realm, Provider: p, sym: map[string][]byte{}}
	err := st.View(ctx, func(tx state.Tx) error {
		for _, purpose := range []string{PurposeRow, PurposeDigest, PurposeEntry, PurposePersonTag} {
			raw, err := readKey(ctx, tx, k, purpose, 1)
			if err != nil {
				return err
			}
			k.sym[purpose] = raw
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if k.Entry, err = newAEAD(k.sym[PurposeEntry]); err != nil {
		return nil, err
	}
	k.Head, err = k.headAEAD()
	return k, err
}

// CheckpointKeys are the keys of the ledger in a vault's database whose secret it has,
// newest first, from its wrapped keys. fault.Integrity when there is none.
func CheckpointKeys(ctx context.Context, st state.Store, p Provider, realm id.Realm) (out []ed25519.PrivateKey, err error) {
	k := &Ring{Realm: realm, Provider: p}
	err = st.View(ctx, func(tx state.Tx) error {
		out = nil
		set, err := LedgerSet(ctx, tx)
		if err != nil {
			return err
		}
		for _, v := range slices.Backward(set.Versions) {
			if !keyset.Secret(v) {
				continue
			}
			seed, err := readKey(ctx, tx, k, PurposeCheckpoint, v.Version)
			if err != nil {
				return err
			}
			if len(seed) != ed25519.SeedSize {
				return fault.New(fault.Integrity, "key", "the ledger's key has the wrong length")
			}
			out = append(out, ed25519.NewKeyFromSeed(seed))
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fault.New(fault.Integrity, "key", "the copy holds no ledger key")
	}
	return out, err
}

// LedgerSet reads the versions of the ledger's key without the vault's keys: what
// it says is to be believed no further than keys and signatures show.
func LedgerSet(ctx context.Context, tx state.Tx) (state.KeySet, error) {
	s, ok, err := tx.Get(ctx, state.KeyStates, PurposeCheckpoint)
	if err != nil || !ok {
		return keyset.Birth(PurposeCheckpoint, 0), err
	}
	var set state.KeySet
	if json.Unmarshal(s.Content, &set) != nil {
		return set, state.Integrity(state.KeyStates, "a row is malformed")
	}
	return set, nil
}

// MAC is a MAC of fields under the key of a purpose.
func (k *Ring) MAC(purpose string, fields ...[]byte) []byte { return mac(k.sym[purpose], fields...) }
