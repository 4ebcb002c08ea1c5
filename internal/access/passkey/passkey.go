// Package passkey makes the questions of WebAuthn ceremonies and verifies the
// answers: what a browser is asked to create or sign, and whether what came back is
// by the right authenticator, over the right challenge, for this site. Pure: no
// clock, no rows; that a challenge is used once and in time is the caller's.
package passkey

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"tikakosh/internal/fault"
)

const (
	// MaxAnswer bounds the JSON of a browser's answer, in bytes. The largest honest
	// one, a new RSA key with a credential id of a kilobyte, has half of it.
	MaxAnswer = 8 << 10
	// ChallengeBytes is the length of a challenge; WebAuthn asks for 16 at least.
	ChallengeBytes = 32

	minRSA = 256 // bytes of an RSA modulus
)

// Site is who asks: the relying party. Origins are those of the staff client,
// exactly as a browser writes them.
type Site struct {
	ID      string
	Name    string
	Origins []string
}

// NewSite makes the site of some origins. Its id is the host of the first; the
// others are that host or below it. Plain HTTP is taken for localhost only, as
// browsers do. fault.Invalid otherwise.
func NewSite(name string, origins ...string) (Site, error) {
	bad := fault.New(fault.Invalid, "origin", "an origin of the staff client is https://HOST or https://HOST:PORT, a name and no address; http only for localhost; all under the first one's host")
	s := Site{Name: name, Origins: origins}
	for i, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || o != u.Scheme+"://"+u.Host || u.User != nil || o != strings.ToLower(o) {
			return Site{}, bad
		}
		host := u.Hostname()
		local := host == "localhost" || strings.HasSuffix(host, ".localhost")
		if (u.Scheme != "https" && (u.Scheme != "http" || !local)) || strings.Trim(host, "0123456789.") == "" || strings.ContainsRune(host, ':') {
			return Site{}, bad
		}
		if i == 0 {
			s.ID = host
		} else if host != s.ID && !strings.HasSuffix(host, "."+s.ID) {
			return Site{}, bad
		}
	}
	if s.ID == "" || s.Name == "" {
		return Site{}, bad
	}
	return s, nil
}

// NewChallenge draws a challenge.
func NewChallenge() []byte {
	b := make([]byte, ChallengeBytes)
	rand.Read(b)
	return b
}

// User is whom a passkey is made for. Handle (1 to 64 bytes) is opaque: the
// authenticator gives it back with each answer.
type User struct {
	Handle []byte
	Name   string
}

// Credential is a passkey as its owner's row keeps it. Key is a COSE key. Copyable
// says that its provider may copy it to other devices (the flag BE), Copied that it
// has (BS).
type Credential struct {
	ID       []byte
	Key      []byte
	Count    uint32
	Copyable bool
	Copied   bool
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

type descriptor struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func descriptors(ids [][]byte) []descriptor {
	out := []descriptor{}
	for _, id := range ids {
		out = append(out, descriptor{"public-key", b64(id)})
	}
	return out
}

// algorithms are the signatures taken, in order of preference (COSE numbers).
func algorithms() []webauthncose.COSEAlgorithmIdentifier {
	return []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256}
}

// Creation is PublicKeyCredentialCreationOptionsJSON (WebAuthn level 3, 5.1.8) for a
// discoverable passkey with user verification and without attestation. have are the
// user's credentials, so that one authenticator is not enrolled twice. timeout in
// milliseconds.
func (s Site) Creation(u User, challenge []byte, have [][]byte, timeout int64) json.RawMessage {
	type param struct {
		Type string `json:"type"`
		Alg  int    `json:"alg"`
	}
	var params []param
	for _, a := range algorithms() {
		params = append(params, param{"public-key", int(a)})
	}
	return marshal(map[string]any{
		"rp":                 map[string]string{"id": s.ID, "name": s.Name},
		"user":               map[string]string{"id": b64(u.Handle), "name": u.Name, "displayName": u.Name},
		"challenge":          b64(challenge),
		"pubKeyCredParams":   params,
		"timeout":            timeout,
		"excludeCredentials": descriptors(have),
		"authenticatorSelection": map[string]any{"residentKey": "required", "requireResidentKey": true,
			"userVerification": "required"},
		"attestation": "none",
	})
}

// Request is PublicKeyCredentialRequestOptionsJSON. allow is empty at sign-in: the
// authenticator knows whom it holds keys for. Without a challenge the client puts the
// digest of the request there that is to be signed.
func (s Site) Request(challenge []byte, allow [][]byte, timeout int64) json.RawMessage {
	o := map[string]any{"rpId": s.ID, "timeout": timeout, "allowCredentials": descriptors(allow), "userVerification": "required"}
	if challenge != nil {
		o["challenge"] = b64(challenge)
	}
	return marshal(o)
}

func marshal(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("passkey: options do not marshal: " + err.Error()) // strings and numbers only
	}
	return raw
}

func badAnswer() error {
	return fault.New(fault.Invalid, "passkey", "this is not an answer of a passkey")
}

// Registered verifies the answer to Creation (WebAuthn 7.1). fault.Invalid: it is no
// such answer. fault.Unauthorized: it is for another challenge, site or kind, was
// made without verifying the user, or its key is none that is taken.
func (s Site) Registered(answer, challenge []byte) (Credential, error) {
	if len(answer) > MaxAnswer {
		return Credential{}, badAnswer()
	}
	p, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Credential{}, badAnswer()
	}
	refused := fault.New(fault.Unauthorized, "passkey", "the new passkey was refused; begin again")
	att, client := p.Response.AttestationObject, p.Response.CollectedClientData
	if client.CrossOrigin || client.TopOrigin != "" || !plainAttestation(att) {
		return Credential{}, refused
	}
	params := make([]protocol.CredentialParameter, 0, 3)
	for _, a := range algorithms() {
		params = append(params, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	if _, err := p.Verify(b64(challenge), s.ID, s.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, nil, params,
		protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return Credential{}, refused
	}
	c := Credential{ID: att.AuthData.AttData.CredentialID, Key: att.AuthData.AttData.CredentialPublicKey, Count: att.AuthData.Counter,
		Copyable: att.AuthData.Flags.HasBackupEligible(), Copied: att.AuthData.Flags.HasBackupState()}
	if len(c.ID) < 16 || (c.Copied && !c.Copyable) || !goodKey(c.Key) {
		return Credential{}, refused
	}
	return c, nil
}

// plainAttestation reports whether an attestation states nothing about the device, as
// was asked for: none, or the key signing for itself, which browsers leave in place.
// All other statements are refused before anything verifies their certificates.
func plainAttestation(a protocol.AttestationObject) bool {
	switch protocol.AttestationFormat(a.Format) {
	case protocol.AttestationFormatNone:
		return len(a.AttStatement) == 0 && len(a.SubStatements) == 0
	case protocol.AttestationFormatPacked:
		_, chain := a.AttStatement["x5c"]
		_, group := a.AttStatement["ecdaaKeyId"]
		return !chain && !group
	default:
		return false
	}
}

// goodKey reports whether a COSE key is one of the forms taken: the algorithm's own
// curve, and no short RSA key. That points lie on their curve the parser checks.
func goodKey(cose []byte) bool {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return false
	}
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		return k.Algorithm == int64(webauthncose.AlgES256) && k.Curve == int64(webauthncose.P256)
	case webauthncose.OKPPublicKeyData:
		return k.Algorithm == int64(webauthncose.AlgEdDSA) && k.Curve == int64(webauthncose.Ed25519)
	case webauthncose.RSAPublicKeyData:
		return k.Algorithm == int64(webauthncose.AlgRS256) && len(k.Modulus) >= minRSA && slices.Equal(k.Exponent, []byte{1, 0, 1})
	default:
		return false
	}
}

// Assertion is an answer to Request that was read and not verified yet. Credential
// and Handle say, unproven, whose it claims to be.
type Assertion struct {
	Credential []byte
	Handle     []byte
	parsed     *protocol.ParsedCredentialAssertionData
}

// ParseAssertion reads an answer; fault.Invalid when it is none.
func ParseAssertion(answer []byte) (Assertion, error) {
	if len(answer) > MaxAnswer {
		return Assertion{}, badAnswer()
	}
	p, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil || len(p.RawID) > 1023 || len(p.Response.UserHandle) > 64 {
		return Assertion{}, badAnswer()
	}
	return Assertion{Credential: p.RawID, Handle: p.Response.UserHandle, parsed: p}, nil
}

// CodeCopied is the fault's code when a passkey's count did not grow: the
// authenticator may have been copied. End the credential.
const CodeCopied = "copied"

// Verify verifies an answer against the row of its credential and the challenge
// (WebAuthn 7.2), and returns the row as it is to be kept. fault.Unauthorized: not by
// this credential, for another challenge or site, without user verification, or with
// the code "copied".
func (s Site) Verify(a Assertion, challenge []byte, c Credential) (Credential, error) {
	refused := fault.New(fault.Unauthorized, "passkey", "the passkey's answer was refused; begin again")
	if a.parsed == nil || !slices.Equal(a.Credential, c.ID) {
		return c, refused
	}
	client, data := a.parsed.Response.CollectedClientData, a.parsed.Response.AuthenticatorData
	if client.CrossOrigin || client.TopOrigin != "" {
		return c, refused
	}
	if err := a.parsed.Verify(b64(challenge), s.ID, "", s.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, c.Key,
		protocol.SignaturePolicy{}); err != nil {
		return c, refused
	}
	if data.Flags.HasBackupEligible() != c.Copyable || (data.Flags.HasBackupState() && !c.Copyable) {
		return c, refused
	}
	if (data.Counter != 0 || c.Count != 0) && data.Counter <= c.Count {
		return c, fault.New(fault.Unauthorized, CodeCopied, "this passkey may have been copied: its count did not grow")
	}
	c.Count, c.Copied = data.Counter, data.Flags.HasBackupState()
	return c, nil
}
