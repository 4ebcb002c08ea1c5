// Package passkeytest is a software authenticator and browser for tests, written
// from WebAuthn level 3 and CTAP 2.2, apart from what verifies it. It really signs.
package passkeytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// The COSE algorithms it signs with.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
)

// Flags of authenticator data.
const (
	flagUP = 1 << 0
	flagUV = 1 << 2
	flagBE = 1 << 3
	flagBS = 1 << 4
	flagAT = 1 << 6
)

// Passkey is a credential inside an Authenticator.
type Passkey struct {
	ID     []byte
	RPID   string
	Handle []byte
	Count  uint32
	key    crypto.Signer
	alg    int
}

// Authenticator holds passkeys and answers as a browser at Origin would. The zero
// value of each switch is the honest behaviour.
type Authenticator struct {
	Origin   string
	Alg      int // of new passkeys; 0: ES256
	Passkeys []*Passkey

	NoUser      bool   // user not verified
	Absent      bool   // user not present
	CrossOrigin bool   // asked from a frame of another site
	RPID        string // signs for this site instead of the one asked for
	Kind        string // claims this kind of ceremony
	Format      string // attestation format instead of none
	Copyable    bool   // passkeys are synchronised: BE and BS are set
	NoCount     bool   // the count stays 0, as of synchronised passkeys
	NoHandle    bool   // leaves the user handle out
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *Authenticator) clientData(kind, challenge string) []byte {
	if a.Kind != "" {
		kind = a.Kind
	}
	raw, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin})
	return raw
}

func (a *Authenticator) data(rpID string, count uint32, attested []byte) []byte {
	if a.RPID != "" {
		rpID = a.RPID
	}
	flags := byte(flagUP | flagUV)
	if a.Absent {
		flags &^= flagUP
	}
	if a.NoUser {
		flags &^= flagUV
	}
	if a.Copyable {
		flags |= flagBE | flagBS
	}
	if attested != nil {
		flags |= flagAT
	}
	sum := sha256.Sum256([]byte(rpID))
	out := append(sum[:], flags)
	out = binary.BigEndian.AppendUint32(out, count)
	return append(out, attested...)
}

func newKey(alg int) (crypto.Signer, map[int]any, error) {
	switch alg {
	case EdDSA:
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		return priv, map[int]any{1: 1, 3: EdDSA, -1: 6, -2: []byte(pub)}, err
	case RS256:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		return key, map[int]any{1: 3, 3: RS256, -1: key.N.Bytes(), -2: []byte{1, 0, 1}}, nil
	default:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		point, err := key.PublicKey.Bytes()
		return key, map[int]any{1: 2, 3: ES256, -1: 1, -2: point[1:33], -3: point[33:]}, err
	}
}

// Create answers creation options (PublicKeyCredentialCreationOptionsJSON) with a new
// discoverable passkey, as PublicKeyCredential.toJSON gives it.
func (a *Authenticator) Create(options []byte) ([]byte, error) {
	var o struct {
		RP        struct{ ID string }
		User      struct{ ID string }
		Challenge string
		Exclude   []struct{ ID string } `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	for _, e := range o.Exclude {
		if slices.ContainsFunc(a.Passkeys, func(p *Passkey) bool { return b64(p.ID) == e.ID }) {
			return nil, errors.New("InvalidStateError: this authenticator holds a passkey of this user")
		}
	}
	key, cose, err := newKey(a.Alg)
	if err != nil {
		return nil, err
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, err
	}
	p := &Passkey{ID: make([]byte, 32), RPID: o.RP.ID, Handle: handle, key: key, alg: a.Alg}
	rand.Read(p.ID)
	enc, _ := cbor.CTAP2EncOptions().EncMode()
	rawKey, err := enc.Marshal(cose)
	if err != nil {
		return nil, err
	}
	attested := binary.BigEndian.AppendUint16(make([]byte, 16), uint16(len(p.ID)))
	data := a.data(o.RP.ID, p.Count, append(append(attested, p.ID...), rawKey...))
	client := a.clientData("webauthn.create", o.Challenge)
	format, statement := "none", map[string]any{}
	switch a.Format {
	case "":
	case "self": // packed, by the key itself
		sig, err := p.sign(data, client)
		if err != nil {
			return nil, err
		}
		alg := a.Alg
		if alg == 0 {
			alg = ES256
		}
		format, statement = "packed", map[string]any{"alg": alg, "sig": sig}
	default:
		format, statement = a.Format, map[string]any{"alg": ES256, "sig": []byte{1}, "x5c": [][]byte{{1}}}
	}
	object, err := enc.Marshal(map[string]any{"fmt": format, "attStmt": statement, "authData": data})
	if err != nil {
		return nil, err
	}
	a.Passkeys = append(a.Passkeys, p)
	return json.Marshal(map[string]any{"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key", "clientExtensionResults": map[string]any{},
		"authenticatorAttachment": "platform",
		"response":                map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal"}}})
}

func (p *Passkey) sign(data, client []byte) ([]byte, error) {
	sum := sha256.Sum256(client)
	message := append(slices.Clone(data), sum[:]...)
	if p.alg == EdDSA {
		return p.key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return p.key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// Get answers request options with the newest passkey for their site among those
// allowed. challenge, if not nil, stands in for the options' own.
func (a *Authenticator) Get(options, challenge []byte) ([]byte, error) {
	var o struct {
		RPID      string `json:"rpId"`
		Challenge string
		Allow     []struct{ ID string } `json:"allowCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	if challenge != nil {
		o.Challenge = b64(challenge)
	}
	for _, p := range slices.Backward(a.Passkeys) {
		if p.RPID != o.RPID || (len(o.Allow) > 0 && !slices.ContainsFunc(o.Allow, func(e struct{ ID string }) bool { return e.ID == b64(p.ID) })) {
			continue
		}
		if !a.NoCount {
			p.Count++
		}
		data, client := a.data(o.RPID, p.Count, nil), a.clientData("webauthn.get", o.Challenge)
		sig, err := p.sign(data, client)
		if err != nil {
			return nil, err
		}
		response := map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig)}
		if !a.NoHandle {
			response["userHandle"] = b64(p.Handle)
		}
		return json.Marshal(map[string]any{"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key", "clientExtensionResults": map[string]any{},
			"authenticatorAttachment": "platform", "response": response})
	}
	return nil, errors.New("NotAllowedError: no passkey for this site")
}

// Forge holds a passkey that claims to be p, for the same user, with a key of its own:
// what somebody can make who knows all that is public of it.
func (a *Authenticator) Forge(p *Passkey) error {
	key, _, err := newKey(ES256)
	if err != nil {
		return err
	}
	a.Passkeys = append(a.Passkeys, &Passkey{ID: p.ID, RPID: p.RPID, Handle: p.Handle, Count: p.Count + 1000, key: key, alg: ES256})
	return nil
}

// saved is a passkey in a file. The private key is PKCS #8.
type saved struct {
	ID     []byte `json:"id"`
	RPID   string `json:"rp_id"`
	Handle []byte `json:"handle"`
	Count  uint32 `json:"count"`
	Alg    int    `json:"alg"`
	Key    []byte `json:"key"`
}

// MarshalJSON writes the passkey down with its private key, for a later test.
func (p *Passkey) MarshalJSON() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(saved{ID: p.ID, RPID: p.RPID, Handle: p.Handle, Count: p.Count, Alg: p.alg, Key: key})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Passkey) UnmarshalJSON(raw []byte) error {
	var s saved
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("a key that does not sign")
	}
	*p = Passkey{ID: s.ID, RPID: s.RPID, Handle: s.Handle, Count: s.Count, key: signer, alg: s.Alg}
	return nil
}
