package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Receipt is the vault's signed promise that an entry is committed under an
// index, given before the entry is in the log's files. TimeMillis is the time of
// the commit in UTC milliseconds.
type Receipt struct {
	Origin     string
	Realm      id.Realm
	Index      uint64
	Commitment Commitment
	TimeMillis int64
}

const (
	receiptPrefix = "tkr1."
	receiptDomain = "tikakosh/receipt/v1\x00" // domain separation of the signature
	receiptFixed  = 4 + 8 + 32 + 8            // realm, index, commitment, time
)

// MaxOrigin is the greatest length of an origin in bytes. A receipt with a
// longer one does not parse.
const MaxOrigin = 255

// signed is the canonical encoding: domain, length-prefixed origin, then
// fixed-size big-endian fields. Each receipt has one encoding only.
func (r Receipt) signed() []byte {
	b := []byte(receiptDomain)
	b = binary.BigEndian.AppendUint16(b, uint16(min(len(r.Origin), math.MaxUint16)))
	b = append(b, r.Origin...)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Realm))
	b = binary.BigEndian.AppendUint64(b, r.Index)
	b = append(b, r.Commitment[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(r.TimeMillis))
}

// SignReceipt signs r with Ed25519 (RFC 8032) and returns its text: one line,
// "tkr1." and base64url without padding of signature and encoding.
func SignReceipt(r Receipt, key ed25519.PrivateKey) string {
	body := r.signed()
	return receiptPrefix + base64.RawURLEncoding.EncodeToString(append(ed25519.Sign(key, body), body...))
}

// SignedReceipt is a parsed receipt whose signature has not been looked at.
type SignedReceipt struct {
	Receipt
	signature [ed25519.SignatureSize]byte
}

// ParseReceipt reads a receipt's text: fault.Invalid for anything but the exact
// form that SignReceipt makes. The signature is not checked; see Verify.
func ParseReceipt(text string) (SignedReceipt, error) {
	var s SignedReceipt
	bad := fault.New(fault.Invalid, "receipt", "this is not a receipt")
	rest, ok := strings.CutPrefix(text, receiptPrefix)
	if !ok || len(rest) > 1024 || strings.ContainsAny(rest, "\r\n") { // the decoder would skip line ends
		return s, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	const head = len(receiptDomain) + 2
	if err != nil || len(raw) < ed25519.SignatureSize+head {
		return s, bad
	}
	body := raw[copy(s.signature[:], raw):]
	n := int(binary.BigEndian.Uint16(body[head-2:]))
	if n > MaxOrigin || len(body) != head+n+receiptFixed || string(body[:len(receiptDomain)]) != receiptDomain {
		return s, bad
	}
	s.Origin = string(body[head : head+n])
	body = body[head+n:]
	s.Realm = id.Realm(binary.BigEndian.Uint32(body))
	s.Index = binary.BigEndian.Uint64(body[4:])
	s.Commitment = Commitment(body[12:44])
	s.TimeMillis = int64(binary.BigEndian.Uint64(body[44:]))
	return s, nil
}

// Verify checks the signature (RFC 8032): fault.Integrity when it is not key's,
// fault.Invalid when key has another length.
func (s SignedReceipt) Verify(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fault.New(fault.Invalid, "key", "a receipt key has 32 bytes")
	}
	if !ed25519.Verify(key, s.signed(), s.signature[:]) {
		return fault.New(fault.Integrity, "receipt", "the receipt's signature is wrong")
	}
	return nil
}

// OpenReceipt parses a receipt's text and verifies its signature: fault.Invalid
// for a malformed one, fault.Integrity for a wrong signature.
func OpenReceipt(text string, key ed25519.PublicKey) (Receipt, error) {
	s, err := ParseReceipt(text)
	if err == nil {
		err = s.Verify(key)
	}
	if err != nil {
		return Receipt{}, err
	}
	return s.Receipt, nil
}
