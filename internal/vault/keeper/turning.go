package keeper

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

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keyset"
	"tikakosh/internal/vault/state"
)

// turning is the keys that change while the vault serves, as they were at one
// moment. It is never changed: a change makes another one.
type turning struct {
	sets        map[string]state.KeySet
	raw         map[string][]byte      // secrets by key name
	indexes     [][]byte               // of mobiles: the current one, then old ones
	epochs      map[string]cipher.AEAD // by key name
	epochName   string                 // of the current one
	bearer      *ecdsa.PrivateKey
	bearers     []verifyKey // that verify: the current one first
	certificate *ecdsa.PrivateKey
	verifiers   encode.KeySet // of certificates, old and announced ones too
	checkpoint  ed25519.PrivateKey
	tags        []int // versions of the id-tag key: the current one, then old ones
}

// verifyKey verifies bearers until a time (Unix milliseconds; 0: while it is current).
type verifyKey struct {
	public *ecdsa.PublicKey
	until  int64
}

// index is the current key of the blind index.
func (t *turning) index() []byte { return t.indexes[0] }

// keySet reads the row of a purpose, or makes the set of a key that never
// changed.
func (k *keyring) keySet(ctx context.Context, tx state.Tx, purpose string) (state.KeySet, error) {
	s, ok, err := tx.Get(ctx, state.KeyStates, purpose)
	if err != nil {
		return state.KeySet{}, err
	}
	if !ok {
		created := int64(0)
		if row, err := keyRow(ctx, tx, k.realm, purpose, 1); err == nil {
			created = row.Created
		} else if row, err := keyRow(ctx, tx, k.realm, purposeRow, 1); err == nil {
			created = row.Created // the id-tag key was made with the others
		}
		return keyset.Birth(purpose, created), nil
	}
	var set state.KeySet
	if !hmac.Equal(s.MAC, k.rowMAC(state.KeyStates, s)) && !ablate.Off(ablate.RowMAC) {
		return set, integrity(state.KeyStates, "a row's MAC does not match")
	}
	if err := json.Unmarshal(s.Content, &set); err != nil || set.Purpose != purpose || keyset.Current(set).Version == 0 {
		return set, integrity(state.KeyStates, "a row is malformed")
	}
	return set, nil
}

// load reads every set and unwraps the secrets that exist. Those in known are not
// unwrapped again.
func (k *keyring) load(ctx context.Context, tx state.Tx, known map[string][]byte) (*turning, error) {
	sets, raw := map[string]state.KeySet{}, map[string][]byte{}
	for _, purpose := range turningPurposes() {
		set, err := k.keySet(ctx, tx, purpose)
		if err != nil {
			return nil, err
		}
		sets[purpose] = set
		for _, v := range set.Versions {
			if !keyset.Secret(v) {
				continue
			}
			if purpose == purposeIDTag {
				if err := k.rightTagKey(ctx, tx, v.Version); err != nil {
					return nil, err
				}
				continue
			}
			name := keyName(k.realm, purpose, v.Version)
			if raw[name] = known[name]; raw[name] != nil {
				continue
			}
			if raw[name], err = existingKey(ctx, tx, k, purpose, v.Version); err != nil {
				return nil, err
			}
		}
	}
	return k.build(sets, raw)
}

// rightTagKey compares a version of the id-tag key with the tag it made when it
// was new.
func (k *keyring) rightTagKey(ctx context.Context, tx state.Tx, version int) error {
	want, err := existingKey(ctx, tx, k, purposeTagCheck, version)
	if err != nil {
		return err
	}
	got, err := k.tagCheck(version)
	if err == nil && !hmac.Equal(want, got) {
		err = fault.New(fault.Integrity, "key", "the id-tag key is not the one this database was made with: put the vault's key files back from their backup")
	}
	return err
}

// build makes what the vault works with out of sets and secrets.
func (k *keyring) build(sets map[string]state.KeySet, raw map[string][]byte) (*turning, error) {
	t := &turning{sets: sets, raw: raw, epochs: map[string]cipher.AEAD{}}
	secret := func(purpose string, v state.KeyVersion) []byte { return raw[keyName(k.realm, purpose, v.Version)] }
	current := func(purpose string) state.KeyVersion { return keyset.Current(sets[purpose]) }
	t.indexes = [][]byte{secret(purposeMobile, current(purposeMobile))}
	for _, v := range keyset.In(sets[purposeMobile], state.KeyOld) {
		t.indexes = append(t.indexes, secret(purposeMobile, v))
	}
	t.tags = []int{current(purposeIDTag).Version}
	for _, v := range keyset.In(sets[purposeIDTag], state.KeyOld) {
		if v.Until == 0 { // not compromised
			t.tags = append(t.tags, v.Version)
		}
	}
	t.epochName = keyName(k.realm, purposeEpoch, current(purposeEpoch).Version)
	for _, v := range keyset.In(sets[purposeEpoch], state.KeyCurrent, state.KeyOld) {
		aead, err := newAEAD(secret(purposeEpoch, v))
		if err != nil {
			return nil, err
		}
		t.epochs[keyName(k.realm, purposeEpoch, v.Version)] = aead
	}
	var err error
	if t.bearer, err = parseECKey(secret(purposeBearer, current(purposeBearer))); err != nil {
		return nil, err
	}
	if t.certificate, err = parseECKey(secret(purposeCertificate, current(purposeCertificate))); err != nil {
		return nil, err
	}
	t.checkpoint = ed25519.NewKeyFromSeed(secret(purposeCheckpoint, current(purposeCheckpoint)))
	return t, t.publish(k, secret)
}

// publish makes the public halves: of bearers and certificates, the current, the
// announced and the old ones.
func (t *turning) publish(k *keyring, secret func(string, state.KeyVersion) []byte) error {
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
		return nil, integrity(state.KeyStates, "a public key does not parse")
	}
	t.bearers = []verifyKey{{&t.bearer.PublicKey, 0}}
	for _, v := range keyset.In(t.sets[purposeBearer], state.KeyNext, state.KeyVerifies) {
		pub, err := public(purposeBearer, v)
		if err != nil {
			return err
		}
		t.bearers = append(t.bearers, verifyKey{pub, v.Until})
	}
	var signers []encode.Signer
	for _, v := range keyset.In(t.sets[purposeCertificate], state.KeyCurrent, state.KeyNext, state.KeyVerifies) {
		if v.State == state.KeyVerifies && ablate.Off(ablate.KeyHistory) {
			continue
		}
		pub, err := public(purposeCertificate, v)
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
	t.verifiers, err = encode.NewKeySet(signers...)
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

// publicHalf is the public half of a signing key's secret (PKIX, DER), nil for
// other keys.
func publicHalf(purpose string, raw []byte) ([]byte, error) {
	var pub any
	switch purpose {
	case purposeBearer, purposeCertificate:
		key, err := parseECKey(raw)
		if err != nil {
			return nil, err
		}
		pub = &key.PublicKey
	case purposeCheckpoint:
		pub = ed25519.NewKeyFromSeed(raw).Public()
	default:
		return nil, nil
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	return der, fault.Wrap(fault.Internal, err, "public key")
}
