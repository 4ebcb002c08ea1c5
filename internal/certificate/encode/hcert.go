package encode

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"sort"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// MaxHC1 is the greatest length of a signed text, in characters: the
// alphanumeric capacity of a QR code of version 18 at error correction Q
// (ISO/IEC 18004 table 7), the largest code the page prints.
const MaxHC1 = 574

const hc1Prefix = "HC1:"

// Carrier is one signed form of the facts. A carrier is immutable, so safe for
// concurrent use.
type Carrier interface {
	// Name is "EU-DCC" or "ICVP".
	Name() string
	// Encode states the newest dose the carrier can state and signs it. The
	// text has at most MaxHC1 characters: where names are too long together, the
	// text (not the page) gives up what fits lists, the Latin name last. The
	// same facts under the same software key give the same text. Errors:
	// fault.Invalid with CodeFacts, fault.Unavailable when the key does not sign.
	Encode(Facts, Signer) (string, error)
	// Verify reads a text of this carrier; see the function Verify.
	Verify(text string, keys KeySet, now time.Time) (Verified, error)
}

// CarrierFor picks the carrier for a product by its registry name: the EU DCC
// claim for COVID-19 products, the ICVP claim for everything else.
func CarrierFor(product string) Carrier {
	if ProductOf(product).COVID {
		return hcert{name: CarrierDCC, claim: dccClaim{}}
	}
	return hcert{name: CarrierICVP, claim: icvpClaim{}}
}

// The names of the carriers.
const (
	CarrierDCC  = "EU-DCC"
	CarrierICVP = "ICVP"
)

// claim maps facts to what is signed and back.
type claim interface {
	// build states the newest dose within what fit allows.
	build(f Facts, fit fit) (cwt, error)
	// read checks the claim and returns what it states, without issue times.
	read(c cwt) (Verified, error)
}

type hcert struct {
	name  string
	claim claim
}

// Name implements Carrier.
func (h hcert) Name() string { return h.name }

// Encode implements Carrier.
func (h hcert) Encode(f Facts, s Signer) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	if s.Key == nil {
		return "", fault.New(fault.Internal, "", "no certificate key")
	}
	// The signature's bytes decide a few characters of the length, so the search
	// measures with stand-in bytes and leaves that much room.
	const room = 3
	steps, i := fits(), 0
	if n, err := h.measure(f, s.KID, steps[0]); err != nil || n > MaxHC1-room { // most names fit at once
		i = sort.Search(len(steps)-1, func(i int) bool {
			n, err := h.measure(f, s.KID, steps[i])
			return err != nil || n <= MaxHC1-room
		})
	}
	for ; i < len(steps); i++ {
		c, err := h.claim.build(f, steps[i])
		if err != nil {
			return "", err
		}
		payload, err := encodeCBOR(c)
		if err != nil {
			return "", err
		}
		sig, err := s.sign(toBeSigned(protectedHeader(s.KID), payload))
		if err != nil {
			return "", err
		}
		text, err := assemble(s.KID, payload, sig)
		if err != nil {
			return "", err
		}
		if len(text) <= MaxHC1 {
			return text, nil
		}
	}
	return "", fault.New(fault.Invalid, CodeFacts, "a certificate cannot be made: its texts are too long together")
}

// measure is the length of the text with a stand-in signature.
func (h hcert) measure(f Facts, k KID, step fit) (int, error) {
	c, err := h.claim.build(f, step)
	if err != nil {
		return 0, err
	}
	payload, err := encodeCBOR(c)
	if err != nil {
		return 0, err
	}
	one := sha256.Sum256(payload)
	two := sha256.Sum256(one[:])
	text, err := assemble(k, payload, append(one[:], two[:]...))
	if fault.CodeOf(err) == CodeFacts {
		return maxInflated * 3, nil
	}
	return len(text), err
}

// fit says what of the names and of the private claim goes into a text. local
// and latin are characters.
type fit struct {
	lot, id      bool
	local, latin int
}

// fits lists what is given up to stay within MaxHC1, least loss first: the lot,
// then last four digits and gender (the private claim), then the end of the
// name in its own script by whole words, then the end of the Latin one.
func fits() []fit {
	out := []fit{{true, true, 80, 80}, {false, true, 80, 80}, {false, false, 80, 80}}
	for n := 64; n >= 8; n -= 4 {
		out = append(out, fit{local: n, latin: 80})
	}
	for n := 80; n >= 16; n -= 4 {
		out = append(out, fit{latin: n})
	}
	return out
}

// Verify implements Carrier.
func (h hcert) Verify(text string, keys KeySet, now time.Time) (Verified, error) {
	m, err := DecodeHC1(text)
	if err != nil {
		return Verified{}, err
	}
	if m.carrier.name != h.name {
		return Verified{}, malformed("the text is of another carrier")
	}
	return m.Open(keys, now)
}

// Verify checks a signed text of any carrier against keys at the instant now
// and returns what was signed. Outer white space is ignored, nothing else is.
// Errors are fault.Invalid with CodeMalformed, CodeUnknownKey, CodeSignature,
// CodeExpired or CodeNotYet; with the last two the Verified is filled, because
// a genuine certificate is worth showing with its dates.
func Verify(text string, keys KeySet, now time.Time) (Verified, error) {
	m, err := DecodeHC1(text)
	if err != nil {
		return Verified{}, err
	}
	return m.Open(keys, now)
}

// Message is a well-formed, not yet verified certificate. It shows nothing but
// the key it names; Open is the only way to what it states.
type Message struct {
	kid      KID
	payload  []byte
	sig      []byte
	carrier  hcert
	verified Verified
}

// KID names the key the message says it is signed with.
func (m Message) KID() KID { return m.kid }

// DecodeHC1 reads a text without checking the signature: prefix, base45, zlib,
// COSE_Sign1, CWT and claim, each bounded and in its one allowed spelling. It
// returns a fault.Invalid with CodeMalformed.
func DecodeHC1(text string) (Message, error) {
	text = strings.TrimSpace(text)
	if len(text) > MaxHC1 {
		return Message{}, malformed("too long")
	}
	body, ok := strings.CutPrefix(text, hc1Prefix)
	if !ok {
		return Message{}, malformed("no HC1 prefix")
	}
	packed, err := decodeBase45(body)
	if err != nil {
		return Message{}, err
	}
	raw, err := inflate(packed)
	if err != nil {
		return Message{}, err
	}
	m, err := splitMessage(raw)
	if err != nil {
		return Message{}, err
	}
	if again, err := assemble(m.kid, m.payload, m.sig); (err != nil || again != text) && !ablate.Off(ablate.CertSignature) {
		return Message{}, malformed("not in the one allowed spelling")
	}
	return m, m.readPayload()
}

// Open verifies the signature and the validity; see Verify.
func (m Message) Open(keys KeySet, now time.Time) (Verified, error) {
	pub, ok := keys.find(m.kid)
	if !ok {
		return Verified{}, fault.New(fault.Invalid, CodeUnknownKey, "signed with a key that is not in the key set: "+m.kid.String())
	}
	if !m.signedBy(pub) && !ablate.Off(ablate.CertSignature) {
		return Verified{}, fault.New(fault.Invalid, CodeSignature, "the signature does not match: altered, or not issued under this key")
	}
	v := m.verified
	switch {
	case now.Before(v.IssuedAt):
		return v, fault.New(fault.Invalid, CodeNotYet, "the certificate is not valid yet")
	case !now.Before(v.ExpiresAt):
		return v, fault.New(fault.Invalid, CodeExpired, "the certificate has expired")
	}
	return v, nil
}

func (m Message) signedBy(pub *ecdsa.PublicKey) bool {
	return verifySignature(pub, toBeSigned(protectedHeader(m.kid), m.payload), m.sig)
}

// readPayload reads the CWT and lets the claim that is there read itself.
func (m *Message) readPayload() error {
	var c cwt
	if err := decodeCBOR(m.payload, &c); err != nil {
		return err
	}
	switch {
	case c.HCert.DCC != nil && c.HCert.ICVP == nil:
		m.carrier = hcert{name: CarrierDCC, claim: dccClaim{}}
	case c.HCert.DCC == nil && c.HCert.ICVP != nil:
		m.carrier = hcert{name: CarrierICVP, claim: icvpClaim{}}
	default:
		return malformed("exactly one claim is wanted")
	}
	if !isUpper(c.Issuer, 2) || c.IssuedAt <= 0 || c.Expires <= c.IssuedAt || c.Expires > 1<<40 {
		return malformed("issuer or validity")
	}
	v, err := m.carrier.claim.read(c)
	if err != nil {
		return err
	}
	v.Carrier, v.KID, v.Country = m.carrier.name, m.kid, c.Issuer
	v.IssuedAt, v.ExpiresAt = time.Unix(c.IssuedAt, 0).UTC(), time.Unix(c.Expires, 0).UTC()
	m.verified = v
	return nil
}

const (
	algES256     = -7 // RFC 9053 section 2.1
	tagCoseSign1 = 18 // RFC 9052 section 4.2
)

// header is the protected header: algorithm and key id, nothing else.
type header struct {
	Alg int64  `cbor:"1,keyasint"`
	KID []byte `cbor:"4,keyasint"`
}

// sign1 is COSE_Sign1 (RFC 9052 section 4.2).
type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[int64]cbor.RawMessage
	Payload     []byte
	Signature   []byte
}

func protectedHeader(k KID) []byte {
	b, err := encodeCBOR(header{Alg: algES256, KID: k[:]})
	if err != nil {
		panic("encode: a header of two fields does not encode") // cannot happen: the type is fixed
	}
	return b
}

// toBeSigned is Sig_structure (RFC 9052 section 4.4) without external data.
func toBeSigned(protected, payload []byte) []byte {
	b, err := encodeCBOR([]any{"Signature1", protected, []byte{}, payload})
	if err != nil {
		panic("encode: a list of byte strings does not encode") // cannot happen
	}
	return b
}

// assemble writes the one text of a message.
func assemble(k KID, payload, sig []byte) (string, error) {
	raw, err := encodeCBOR(cbor.Tag{Number: tagCoseSign1, Content: sign1{
		Protected: protectedHeader(k), Unprotected: map[int64]cbor.RawMessage{}, Payload: payload, Signature: sig,
	}})
	if err != nil {
		return "", err
	}
	if len(raw) > maxInflated {
		return "", fault.New(fault.Invalid, CodeFacts, "a certificate cannot be made: its texts are too long together")
	}
	return hc1Prefix + encodeBase45(compress(raw, len(raw)-len(sig))), nil
}

func splitMessage(raw []byte) (Message, error) {
	var tag cbor.RawTag
	if err := decodeCBOR(raw, &tag); err != nil {
		return Message{}, err
	}
	if tag.Number != tagCoseSign1 {
		return Message{}, malformed("not COSE_Sign1")
	}
	var s sign1
	if err := decodeCBOR(tag.Content, &s); err != nil {
		return Message{}, err
	}
	var h header
	if err := decodeCBOR(s.Protected, &h); err != nil {
		return Message{}, err
	}
	if h.Alg != algES256 || len(h.KID) != len(KID{}) || len(s.Unprotected) != 0 || len(s.Signature) != 64 {
		return Message{}, malformed("header or signature size")
	}
	return Message{kid: KID(h.KID), payload: s.Payload, sig: s.Signature}, nil
}

func encodeCBOR(v any) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cbor")
	}
	b, err := mode.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cbor")
	}
	return b, nil
}

// decodeCBOR reads exactly one bounded item: no duplicate or unknown keys, no
// indefinite lengths, no big nesting, nothing after it.
func decodeCBOR(b []byte, v any) error {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   6,
		MaxArrayElements:  16,
		MaxMapPairs:       16,
		IndefLength:       cbor.IndefLengthForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cbor")
	}
	if err := mode.Unmarshal(b, v); err != nil {
		return malformed("cbor")
	}
	return nil
}
