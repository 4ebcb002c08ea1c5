package encode

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// RevocationHash is how a list names a certificate: the first 16 bytes of
// SHA-256 of its identifier (ci), as EU DCC hash lists truncate. Who has the
// certificate finds it; who has the list learns nobody's.
type RevocationHash [16]byte

// RevocationHashOf hashes a certificate's identifier.
func RevocationHashOf(ci string) RevocationHash {
	sum := sha256.Sum256([]byte(ci))
	return RevocationHash(sum[:16])
}

// MaxRevocationAge is how old a list may be when a certificate is checked
// against it; MaxRevocationList its greatest size in bytes.
const (
	MaxRevocationAge  = 7 * 24 * time.Hour
	MaxRevocationList = 64 << 20
)

// revocationType is the JWS type: a list is no certificate, and the other way
// round, although one key signs both.
const revocationType = "tikakosh-revocations+jwt"

// Revocations is a verified list of revoked certificates. Number rises with
// every revocation. It is immutable, so safe for concurrent use.
type Revocations struct {
	Issuer   string
	Number   int64
	IssuedAt time.Time
	hashes   []RevocationHash // sorted
}

// Len is how many certificates the list names.
func (r Revocations) Len() int { return len(r.hashes) }

// Has reports whether the list names the certificate with this identifier.
func (r Revocations) Has(ci string) bool {
	_, found := slices.BinarySearchFunc(r.hashes, RevocationHashOf(ci), func(a, b RevocationHash) int { return bytes.Compare(a[:], b[:]) })
	return found
}

// Age is the time since the list was issued; it is negative for a list from the
// future.
func (r Revocations) Age(now time.Time) time.Duration { return now.Sub(r.IssuedAt) }

type revocationHeader struct {
	Alg  string `json:"alg"`
	Type string `json:"typ"`
	KID  string `json:"kid"`
}

type revocationClaims struct {
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Number   int64  `json:"number"`
	Hashes   string `json:"hashes"` // base64url of the sorted hashes, one after the other
}

// SignRevocations makes the list as a compact JWS (RFC 7515, ES256). Errors:
// fault.Unavailable when the key does not sign.
func SignRevocations(issuer string, number int64, at time.Time, hashes []RevocationHash, s Signer) ([]byte, error) {
	sorted := slices.Clone(hashes)
	slices.SortFunc(sorted, func(a, b RevocationHash) int { return bytes.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	raw := make([]byte, 0, len(sorted)*16)
	for _, h := range sorted {
		raw = append(raw, h[:]...)
	}
	head, err := json.Marshal(revocationHeader{Alg: "ES256", Type: revocationType, KID: s.KID.String()})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "revocation list")
	}
	body, err := json.Marshal(revocationClaims{Issuer: issuer, IssuedAt: at.Unix(), Number: number, Hashes: base64.RawURLEncoding.EncodeToString(raw)})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "revocation list")
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sig, err := s.sign([]byte(text))
	if err != nil {
		return nil, err
	}
	return []byte(text + "." + base64.RawURLEncoding.EncodeToString(sig)), nil
}

// ParseRevocations verifies a list against the keys that certificates are
// verified with. It does not judge its age. Errors: fault.Invalid with CodeList
// (no such list), CodeUnknownKey, CodeSignature.
func ParseRevocations(raw []byte, keys KeySet) (Revocations, error) {
	bad := func(what string) (Revocations, error) {
		return Revocations{}, fault.New(fault.Invalid, CodeList, "revocation list: "+what)
	}
	if len(raw) > MaxRevocationList {
		return bad("too large")
	}
	part := strings.Split(strings.TrimSpace(string(raw)), ".")
	if len(part) != 3 {
		return bad("not a signed list")
	}
	var head revocationHeader
	if !decodePart(part[0], &head) || head.Alg != "ES256" || head.Type != revocationType {
		return bad("not a signed list of revocations")
	}
	pub, ok := keys.byName(head.KID)
	if !ok {
		return Revocations{}, fault.New(fault.Invalid, CodeUnknownKey, "the revocation list is signed with a key that is not in the key set")
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(part[2])
	if err != nil || !verifySignature(pub, []byte(part[0]+"."+part[1]), sig) {
		return Revocations{}, fault.New(fault.Invalid, CodeSignature, "the signature of the revocation list does not match: it was altered or is not the issuer's")
	}
	var c revocationClaims
	if !decodePart(part[1], &c) || c.IssuedAt <= 0 || c.Number < 0 {
		return bad("malformed")
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(c.Hashes)
	if err != nil || len(packed)%16 != 0 {
		return bad("malformed")
	}
	out := Revocations{Issuer: c.Issuer, Number: c.Number, IssuedAt: time.Unix(c.IssuedAt, 0).UTC()}
	for ; len(packed) > 0; packed = packed[16:] {
		h := RevocationHash(packed[:16])
		if n := len(out.hashes); n > 0 && bytes.Compare(out.hashes[n-1][:], h[:]) >= 0 {
			return bad("not in order")
		}
		out.hashes = append(out.hashes, h)
	}
	return out, nil
}

func decodePart(text string, v any) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(v) == nil && !dec.More()
}

// byName finds a key by its id in 16 lower-case hex digits.
func (ks KeySet) byName(name string) (*ecdsa.PublicKey, bool) {
	raw, err := hex.DecodeString(name)
	if err != nil || len(raw) != len(KID{}) || hex.EncodeToString(raw) != name {
		return nil, false
	}
	return ks.find(KID(raw))
}
