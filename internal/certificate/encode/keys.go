package encode

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"

	"tikakosh/internal/fault"
)

// KID names a signing key inside a certificate: 8 bytes.
type KID [8]byte

// String returns 16 lower-case hex digits.
func (k KID) String() string { return hex.EncodeToString(k[:]) }

// KIDOf is the key id this program gives a key without an X.509 certificate:
// the first 8 bytes of SHA-256 of its SubjectPublicKeyInfo (DER). It returns a
// fault.Invalid with CodeKeySet unless the key is on P-256.
func KIDOf(pub *ecdsa.PublicKey) (KID, error) {
	if pub == nil || pub.Curve != elliptic.P256() {
		return KID{}, fault.New(fault.Invalid, CodeKeySet, "a certificate key is an EC key on P-256")
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return KID{}, fault.New(fault.Invalid, CodeKeySet, "the public key cannot be encoded")
	}
	sum := sha256.Sum256(der)
	return KID(sum[:8]), nil
}

// Signer signs certificates. It is safe for concurrent use if Key is.
type Signer struct {
	Key crypto.Signer // EC P-256; may live in an HSM
	KID KID
}

// NewSigner names key by KIDOf. It returns a fault.Invalid with CodeKeySet
// unless the key is on P-256.
func NewSigner(key crypto.Signer) (Signer, error) {
	if key == nil {
		return Signer{}, fault.New(fault.Invalid, CodeKeySet, "no key")
	}
	pub, _ := key.Public().(*ecdsa.PublicKey)
	kid, err := KIDOf(pub)
	if err != nil {
		return Signer{}, err
	}
	return Signer{Key: key, KID: kid}, nil
}

// sign returns r‖s, 64 bytes (RFC 9053 section 2.1), with the smaller of the
// two equivalent s, so that a signed fact has one text. A software key signs
// deterministically (RFC 6979), an HSM as it does.
func (s Signer) sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	source := rand.Reader
	if _, soft := s.Key.(*ecdsa.PrivateKey); soft {
		source = nil
	}
	der, err := s.Key.Sign(source, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the certificate key did not sign")
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return nil, fault.New(fault.Internal, "", "the certificate key returned a broken signature")
	}
	n := elliptic.P256().Params().N
	if sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.Cmp(n) >= 0 || sig.S.Cmp(n) >= 0 {
		return nil, fault.New(fault.Internal, "", "the certificate key returned a broken signature")
	}
	if isHigh(sig.S) {
		sig.S.Sub(n, sig.S)
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

func isHigh(s *big.Int) bool {
	return s.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0
}

// verifySignature checks r‖s over message and refuses the larger s.
func verifySignature(pub *ecdsa.PublicKey, message, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if isHigh(s) {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.Verify(pub, digest[:], r, s)
}

// KeySet holds the public keys a verifier trusts, by key id. The zero KeySet
// trusts none. It is immutable after it was made, so safe for concurrent use.
type KeySet struct{ keys map[KID]*ecdsa.PublicKey }

// NewKeySet makes a key set of the signers' public keys.
func NewKeySet(signers ...Signer) (KeySet, error) {
	ks := KeySet{keys: map[KID]*ecdsa.PublicKey{}}
	for _, s := range signers {
		pub, _ := s.Key.Public().(*ecdsa.PublicKey)
		if _, err := KIDOf(pub); err != nil {
			return KeySet{}, err
		}
		ks.keys[s.KID] = pub
	}
	return ks, nil
}

// Len is the number of keys.
func (ks KeySet) Len() int { return len(ks.keys) }

// KIDs lists the key ids in ascending order.
func (ks KeySet) KIDs() []KID {
	out := make([]KID, 0, len(ks.keys))
	for k := range ks.keys {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b KID) int { return bytes.Compare(a[:], b[:]) })
	return out
}

func (ks KeySet) find(k KID) (*ecdsa.PublicKey, bool) {
	p, ok := ks.keys[k]
	return p, ok
}

// keySetFile is the file form. A key is PEM text ("PUBLIC KEY") or a JWK object
// (RFC 7517) with kty EC and crv P-256; this program writes PEM.
type keySetFile struct {
	Version int                        `json:"version"`
	Keys    map[string]json.RawMessage `json:"keys"`
}

// maxKeySet bounds a key set file, in bytes.
const maxKeySet = 1 << 20

// Marshal writes the key set file, with stable bytes.
func (ks KeySet) Marshal() ([]byte, error) {
	f := keySetFile{Version: 1, Keys: map[string]json.RawMessage{}}
	for kid, pub := range ks.keys {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "key set")
		}
		text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "key set")
		}
		f.Keys[kid.String()] = text
	}
	out, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "key set")
	}
	return append(out, '\n'), nil
}

// ParseKeySet reads a key set file of at most 1 MiB:
//
//	{"version":1,"keys":{"<16 hex digits>":"-----BEGIN PUBLIC KEY-----…" or {"kty":"EC",…}}}
//
// It returns a fault.Invalid with CodeKeySet for anything it does not fully
// understand: a key set that is half read would turn good certificates away.
func ParseKeySet(b []byte) (KeySet, error) {
	bad := func(what string) (KeySet, error) {
		return KeySet{}, fault.New(fault.Invalid, CodeKeySet, "key set: "+what)
	}
	if len(b) > maxKeySet {
		return bad("file too large")
	}
	var f keySetFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || dec.More() {
		return bad("not a key set file")
	}
	if f.Version != 1 {
		return bad("unknown version")
	}
	ks := KeySet{keys: map[KID]*ecdsa.PublicKey{}}
	for name, raw := range f.Keys {
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != len(KID{}) || name != strings.ToLower(name) {
			return bad("a key id has 16 lower-case hex digits")
		}
		pub := parsePublic(raw)
		if pub == nil {
			return bad("key " + name + " is not an EC P-256 public key as PEM or JWK")
		}
		ks.keys[KID(id)] = pub
	}
	return ks, nil
}

func parsePublic(raw json.RawMessage) *ecdsa.PublicKey {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) != 0 {
			return nil
		}
		k, err := x509.ParsePKIXPublicKey(block.Bytes)
		pub, ok := k.(*ecdsa.PublicKey)
		if err != nil || !ok || pub.Curve != elliptic.P256() {
			return nil
		}
		return pub
	}
	var jwk struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		X   string `json:"x"`
		Y   string `json:"y"`
		D   string `json:"d"`
	}
	if json.Unmarshal(raw, &jwk) != nil || jwk.Kty != "EC" || jwk.Crv != "P-256" || jwk.D != "" {
		return nil
	}
	x, ex := base64.RawURLEncoding.DecodeString(jwk.X)
	y, ey := base64.RawURLEncoding.DecodeString(jwk.Y)
	if ex != nil || ey != nil || len(x) != 32 || len(y) != 32 {
		return nil
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil
	}
	return pub
}
