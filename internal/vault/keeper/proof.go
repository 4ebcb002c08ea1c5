package keeper

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// proofWindow is how far a proof's time may be from the vault's clock.
const proofWindow = 60 * time.Second

// proofClaims are those of a DPoP proof (RFC 9449 4.2) and the digest of the
// body, which DPoP alone does not cover. Access binds a proof to a bearer.
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Body   string `json:"bh"`            // base64url SHA-256 of the request body
	Access string `json:"ath,omitempty"` // base64url SHA-256 of the bearer, of a partner's request with one
}

// readProof reads a compact ES256 proof of form typ dpop+jwt with its key in
// the header, and verifies it under the key that enrolled returns for the
// header's key, named by its thumbprint. bad is the error for anything else.
func readProof(proof string, bad error, enrolled func(thumb string) (jwk []byte, err error)) (c proofClaims, err error) {
	if len(proof) > 4096 || strings.Count(proof, ".") != 2 {
		return c, bad
	}
	tok, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(tok.Signatures) != 1 {
		return c, bad
	}
	h := tok.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if typ != "dpop+jwt" || h.JSONWebKey == nil {
		return c, bad
	}
	jwk, err := h.JSONWebKey.MarshalJSON()
	if err != nil {
		return c, bad
	}
	thumb, err := thumbprint(jwk)
	if err != nil {
		return c, bad
	}
	known, err := enrolled(string(thumb))
	if err != nil {
		return c, err
	}
	payload := tok.UnsafePayloadWithoutVerification()
	if !ablate.Off(ablate.VaultProof) {
		var key jose.JSONWebKey
		if json.Unmarshal(known, &key) != nil {
			return c, integrity(state.StaffKeys, "an enrolled key is malformed")
		}
		if payload, err = tok.Verify(key.Key); err != nil {
			return c, bad
		}
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if dec.Decode(&c) != nil {
		return c, bad
	}
	return c, nil
}

// covers reports why a proof is not for this request, with this bearer ("" for
// none), now.
func (c proofClaims) covers(s vault.Signed, bearer string, now time.Time) error {
	sum := sha256.Sum256(s.Body)
	access := ""
	if bearer != "" {
		digest := sha256.Sum256([]byte(bearer))
		access = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	if c.Method != s.Method || c.URL != s.URL || c.Body != base64.RawURLEncoding.EncodeToString(sum[:]) || c.Access != access {
		return badProof("the proof is for another request")
	}
	if d := now.Sub(time.Unix(c.Issued, 0)); d > proofWindow || d < -proofWindow {
		return badProof("the proof's time is too far from the server's clock")
	}
	if len(c.ID) < 16 || len(c.ID) > 128 {
		return badProof("the proof has no usable jti")
	}
	return nil
}

// spend marks a proof of a key as used and reports whether it was before.
func (t *txn) spend(owner string, c proofClaims) (used bool, err error) {
	key := owner + "/" + c.ID
	if _, used, err = get[state.Counter](t, state.Replays, key); err != nil || used {
		return used, err
	}
	return false, put(t, state.Replays, key, state.Counter{N: 1}, t.k.now().Add(10*time.Minute).UnixMilli())
}

func badProof(text string) error { return fault.New(fault.Unauthorized, "proof", text) }
