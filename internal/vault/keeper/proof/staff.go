package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// Match holds the claims against the request they came with.
func (c Claims) Match(s vault.Signed) error {
	sum := sha256.Sum256(s.Body)
	if c.Method != s.Method || c.URL != s.URL || c.Body != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return Bad("the proof is for another request")
	}
	if len(c.ID) < 16 || len(c.ID) > 128 {
		return Bad("the proof has no usable jti")
	}
	return nil
}

// Thumbprint is the RFC 7638 thumbprint of a P-256 public key; it names the
// credential.
func Thumbprint(jwk []byte) (id.Staff, error) {
	var key jose.JSONWebKey
	if len(jwk) > 2048 || json.Unmarshal(jwk, &key) != nil || !key.Valid() || !key.IsPublic() {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	pub, ok := key.Key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	return id.Staff(base64.RawURLEncoding.EncodeToString(sum)), nil
}

// Proven verifies a signed request inside t: form, the one algorithm, an
// enrolled and active key, method, URL, body, time, and that the proof was
// never seen before (I10).
func (t *Txn) Proven(s vault.Signed) (id.Staff, state.Staff, error) {
	staff, row, used, err := t.Proof(s)
	if err == nil && used && !ablate.Off(ablate.ProofReplay) {
		err = Bad("the proof was used before")
	}
	return staff, row, err
}

// Proof is proven that leaves it to the caller to refuse a proof that was used
// before for the very same request.
func (t *Txn) Proof(s vault.Signed) (staff id.Staff, row state.Staff, used bool, err error) {
	staff, claims, row, err := t.Parts(s)
	if err != nil {
		return "", row, false, err
	}
	if err := claims.Covers(s, "", t.k.now()); err != nil {
		return "", row, false, err
	}
	if !row.Active {
		return "", row, false, Bad("this credential was ended")
	}
	if used, err = t.Spend(string(staff), claims); err == nil && row.Session != "" {
		err = t.touch(row.Session, row.Until)
	}
	return staff, row, used, err
}

// Parts is who signed a request and what the proof says: the key is enrolled or a member's session, and nothing else
// of it is checked.
func (t *Txn) Parts(s vault.Signed) (staff id.Staff, c Claims, row state.Staff, err error) {
	bad := Bad("a DPoP proof of an enrolled staff key is wanted")
	c, err = t.k.Read(s.Proof, bad, func(thumb string) ([]byte, error) {
		var ok bool
		var err error
		staff = id.Staff(thumb)
		if row, ok, err = engine.Get[state.Staff](t, state.StaffKeys, thumb); err == nil && !ok {
			member, session, ok, err1 := t.SessionOf(thumb)
			if err = err1; ok {
				staff, row = member, session
			} else if err == nil && !ablate.Off(ablate.VaultProof) {
				err = bad
			}
		}
		return row.JWK, err
	})
	return staff, c, row, err
}
