package keyring

import (
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// Current is the keys that change while the vault serves, as they were at one
// moment. It is never changed: a change makes another one.
type Current struct {
	Sets        map[string]state.KeySet
	Raw         map[string][]byte      // secrets by key name
	indexes     [][]byte               // of mobiles: the current one, then old ones
	Epochs      map[string]cipher.AEAD // by key name
	EpochName   string                 // of the current one
	Bearer      *ecdsa.PrivateKey
	Bearers     []verifyKey // that verify: the current one first
	Certificate *ecdsa.PrivateKey
	Verifiers   encode.KeySet // of certificates, old and announced ones too
	Checkpoint  ed25519.PrivateKey
	tags        []int // versions of the id-tag key: the current one, then old ones
}

// verifyKey verifies bearers until a time (Unix milliseconds; 0: while it is current).
type verifyKey struct {
	Public *ecdsa.PublicKey
	Until  int64
}

// index is the current key of the blind index.
func (t *Current) index() []byte { return t.indexes[0] }

// keySet reads the row of a purpose, or makes the set of a key that never
// changed.
func (k *Ring) keySet(ctx context.Context, tx state.Tx, purpose string) (state.KeySet, error) {
	s, ok, err := tx.Get(ctx, state.KeyStates, purpose)
	if err != nil {
		return state.KeySet{}, err
	}
	if !ok {
		created := int64(0)
		if row, err := Row(ctx, tx, k.Realm, purpose, 1); err == nil {
			created = row.Created
		} else if row, err := Row(ctx, tx, k.Realm, PurposeRow, 1); err == nil {
			created = row.Created // the id-tag key was made with the others
		}
		return keyset.Birth(purpose, created), nil
	}
	var set state.KeySet
	if !hmac.Equal(s.MAC, k.RowMAC(state.KeyStates, s)) && !ablate.Off(ablate.RowMAC) {
		return set, state.Integrity(state.KeyStates, "a row's MAC does not match")
	}
	if err := json.Unmarshal(s.Content, &set); err != nil || set.Purpose != purpose || keyset.Current(set).Version == 0 {
		return set, state.Integrity(state.KeyStates, "a row is malformed")
	}
	return set, nil
}

// Load reads every set and unwraps the secrets that exist. Those in known are not
// unwrapped again.
func (k *Ring) Load(ctx context.Context, tx state.Tx, known map[string][]byte) (*Current, error) {
	sets, raw := map[string]state.KeySet{}, map[string][]byte{}
	for _, purpose := range Turning() {
		set, err := k.keySet(ctx, tx, purpose)
		if err != nil {
			return nil, err
		}
		sets[purpose] = set
		for _, v := range set.Versions {
			if !keyset.Secret(v) {
				continue
			}
			if purpose == PurposeIDTag {
				if err := k.rightTagKey(ctx, tx, v.Version); err != nil {
					return nil, err
				}
				continue
			}
			name := Name(k.Realm, purpose, v.Version)
			if raw[name] = known[name]; raw[name] != nil {
				continue
			}
			if raw[name], err = existingKey(ctx, tx, k, purpose, v.Version); err != nil {
				return nil, err
			}
		}
	}
	return k.Build(sets, raw)
}

// rightTagKey compares a version of the id-tag key with the tag it made when it
// was new.
func (k *Ring) rightTagKey(ctx context.Context, tx state.Tx, version int) error {
	want, err := existingKey(ctx, tx, k, PurposeTagCheck, version)
	if err != nil {
		return err
	}
	got, err := k.TagCheck(version)
	if err == nil && !hmac.Equal(want, got) {
		err = fault.New(fault.Integrity, "key", "the id-tag key is not the one this database was made with: put the vault's key files back from their backup")
	}
	return err
}

// Build makes what the vault works with out of sets and secrets.
func (k *Ring) Build(sets map[string]state.KeySet, raw map[string][]byte) (*Current, error) {
	t := &Current{Sets: sets, Raw: raw, Epochs: map[string]cipher.AEAD{}}
	secret := func(purpose string, v state.KeyVersion) []byte { return raw[Name(k.Realm, purpose, v.Version)] }
	current := func(purpose string) state.KeyVersion { return keyset.Current(sets[purpose]) }
	t.indexes = [][]byte{secret(PurposeMobile, current(PurposeMobile))}
	for _, v := range keyset.In(sets[PurposeMobile], state.KeyOld) {
		t.indexes = append(t.indexes, secret(PurposeMobile, v))
	}
	t.tags = []int{current(PurposeIDTag).Version}
	for _, v := range keyset.In(sets[PurposeIDTag], state.KeyOld) {
		if v.Until == 0 { // not compromised
			t.tags = append(t.tags, v.Version)
		}
	}
	t.EpochName = Name(k.Realm, PurposeEpoch, current(PurposeEpoch).Version)
	for _, v := range keyset.In(sets[PurposeEpoch], state.KeyCurrent, state.KeyOld) {
		aead, err := newAEAD(secret(PurposeEpoch, v))
		if err != nil {
			return nil, err
		}
		t.Epochs[Name(k.Realm, PurposeEpoch, v.Version)] = aead
	}
	var err error
	if t.Bearer, err = parseECKey(secret(PurposeBearer, current(PurposeBearer))); err != nil {
		return nil, err
	}
	if t.Certificate, err = parseECKey(secret(PurposeCertificate, current(PurposeCertificate))); err != nil {
		return nil, err
	}
	t.Checkpoint = ed25519.NewKeyFromSeed(secret(PurposeCheckpoint, current(PurposeCheckpoint)))
	return t, t.publish(k, secret)
}

// publish makes the public halves: of bearers and certificates, the current, the
// announced and the old ones.
func (t *Current) publish(k *Ring, secret func(string, state.KeyVersion) []byte) error {
	public := func(purpose string, v state.KeyVersion) (*ecdsa.PublicKey, error) {
		if raw := secret(purpose, v); raw != nil {
			key, err := parseECKey(raw)
			if err != nil {
				return nil, err
			}
			return &key.PublicKey, nil
		}
		key, err := x509.ParsePKIXPublicKey(v.Public)
		if ec, ok := key.(*ecdsa.PublicKey); err == nil && ok {
			return ec, nil
		}
		return nil, state.Integrity(state.KeyStates, "a public key does not parse")
	}
	t.Bearers = []verifyKey{{&t.Bearer.PublicKey, 0}}
	for _, v := range keyset.In(t.Sets[PurposeBearer], state.KeyNext, state.KeyVerifies) {
		pub, err := public(PurposeBearer, v)
		if err != nil {
			return err
		}
		t.Bearers = append(t.Bearers, verifyKey{pub, v.Until})
	}
	var signers []encode.Signer
	for _, v := range keyset.In(t.Sets[PurposeCertificate], state.KeyCurrent, state.KeyNext, state.KeyVerifies) {
		if v.State == state.KeyVerifies && ablate.Off(ablate.KeyHistory) {
			continue
		}
		pub, err := public(PurposeCertificate, v)
		if err != nil {
			return err
		}
		s, err := encode.NewSigner(publicOnly{pub})
		if err != nil {
			return fault.Wrap(fault.Internal, err, "certificate key")
		}
		signers = append(signers, s)
	}
	var err error
	t.Verifiers, err = encode.NewKeySet(signers...)
	return fault.Wrap(fault.Internal, err, "certificate key")
}

// publicOnly stands where a key set asks for a signer; it signs nothing.
type publicOnly struct{ key *ecdsa.PublicKey }

// Public implements crypto.Signer.
func (p publicOnly) Public() crypto.PublicKey { return p.key }

// Sign implements crypto.Signer.
func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("a public key signs nothing")
}

// PublicHalf is the public half of a signing key's secret (PKIX, DER), nil for
// other keys.
func PublicHalf(purpose string, raw []byte) ([]byte, error) {
	var pub any
	switch purpose {
	case PurposeBearer, PurposeCertificate:
		key, err := parseECKey(raw)
		if err != nil {
			return nil, err
		}
		pub = &key.PublicKey
	case PurposeCheckpoint:
		pub = ed25519.NewKeyFromSeed(raw).Public()
	default:
		return nil, nil
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	return der, fault.Wrap(fault.Internal, err, "public key")
}

// BearerSet is the public keys of bearers as a JWK set (RFC 7517).
func (t *Current) BearerSet() (set jose.JSONWebKeySet) {
	for _, key := range t.Bearers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return set
}
