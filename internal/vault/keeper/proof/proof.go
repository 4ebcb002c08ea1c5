package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// ProofWindow is how far a proof's time may be from the vault's clock.
const ProofWindow = 60 * time.Second

// Claims are those of a DPoP proof (RFC 9449 4.2) and the digest of the
// body, which DPoP alone does not cover. Access binds a proof to a bearer.
type Claims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Body   string `json:"bh"`            // base64url SHA-256 of the request body
	Access string `json:"ath,omitempty"` // base64url SHA-256 of the bearer, of a partner's request with one
}

// readyProof is a proof as far as it can be judged without looking anything up:
// its form was right, and the signature is that of the key in its header.
type readyProof struct {
	key    *ecdsa.PublicKey
	thumb  string
	claims Claims
}

// parseProof reads a compact ES256 proof of form typ dpop+jwt with its key in the
// header and verifies it under that key.
func parseProof(proof string) (p readyProof, ok bool) {
	if len(proof) > 4096 || strings.Count(proof, ".") != 2 {
		return p, false
	}
	tok, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(tok.Signatures) != 1 {
		return p, false
	}
	h := tok.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if typ != "dpop+jwt" || h.JSONWebKey == nil || !h.JSONWebKey.Valid() || !h.JSONWebKey.IsPublic() {
		return p, false
	}
	if p.key, ok = h.JSONWebKey.Key.(*ecdsa.PublicKey); !ok || p.key.Curve != elliptic.P256() {
		return p, false
	}
	thumb, err := h.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return p, false
	}
	p.thumb = base64.RawURLEncoding.EncodeToString(thumb)
	if h.KeyID != "" && ablate.Off(ablate.SessionKey) {
		p.thumb = h.KeyID // whoever names a session is taken for it
	}
	payload := tok.UnsafePayloadWithoutVerification()
	if !ablate.Off(ablate.VaultProof) {
		if payload, err = tok.Verify(p.key); err != nil {
			return p, false
		}
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	return p, dec.Decode(&p.claims) == nil
}

// Read returns the claims of a proof that is signed by the key that enrolled
// returns for the header's key, named by its thumbprint. bad is the error for
// anything else.
func (k *Desk) Read(proof string, bad error, enrolled func(thumb string) (jwk []byte, err error)) (c Claims, err error) {
	p, ok := k.proofs.get(proof)
	if !ok {
		if p, ok = parseProof(proof); !ok {
			return c, bad
		}
	}
	known, err := enrolled(p.thumb)
	if err != nil {
		return c, err
	}
	if !ablate.Off(ablate.VaultProof) {
		key, err := k.proofs.enrolledKey(known)
		if err != nil {
			return c, err
		}
		if !key.Equal(p.key) && !ablate.Off(ablate.SessionKey) {
			return c, bad
		}
	}
	return p.claims, nil
}

// readyProofs holds proofs that were verified before the transaction that needs
// them, as long as their request lasts, and the keys last read from enrolled rows. It
// grants nothing: whether the key is enrolled and the proof fresh and unused is
// looked up in the transaction.
type readyProofs struct {
	mu   sync.RWMutex
	by   map[[sha256.Size]byte]readyProof
	keys map[string]*ecdsa.PublicKey // by their text
}

// The bounds of what is kept; beyond them a proof is verified where it is needed.
const (
	readyMax = 10_000
	keysMax  = 1_000
)

func (r *readyProofs) get(proof string) (readyProof, bool) {
	name := sha256.Sum256([]byte(proof))
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.by[name]
	return p, ok
}

// enrolledKey reads the key of an enrolled row, whose MAC was checked.
func (r *readyProofs) enrolledKey(jwk []byte) (*ecdsa.PublicKey, error) {
	r.mu.RLock()
	key := r.keys[string(jwk)]
	r.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	var j jose.JSONWebKey
	if json.Unmarshal(jwk, &j) == nil {
		key, _ = j.Key.(*ecdsa.PublicKey)
	}
	if key == nil {
		return nil, state.Integrity(state.StaffKeys, "an enrolled key is malformed")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil || len(r.keys) >= keysMax {
		r.keys = map[string]*ecdsa.PublicKey{}
	}
	r.keys[string(jwk)] = key
	return key, nil
}

// ahead verifies the proofs in a request before the transaction that needs them, as
// verifyAhead does with bearers. The caller calls forget when the request is over.
func (r *readyProofs) ahead(request []byte) (forget func()) {
	var names [][sha256.Size]byte
	mark := []byte(`"Proof":"`)
	for len(names) < 4 {
		_, rest, ok := bytes.Cut(request, mark)
		if !ok {
			break
		}
		text, after, closed := bytes.Cut(rest, []byte(`"`))
		request = after
		if !closed || len(text) == 0 {
			continue
		}
		if p, ok := parseProof(string(text)); ok {
			name := sha256.Sum256(text)
			names = append(names, name)
			r.mu.Lock()
			if r.by == nil {
				r.by = map[[sha256.Size]byte]readyProof{}
			}
			if len(r.by) < readyMax {
				r.by[name] = p
			}
			r.mu.Unlock()
		}
	}
	return func() {
		if len(names) == 0 {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, name := range names {
			delete(r.by, name)
		}
	}
}

// Covers reports why a proof is not for this request, with this bearer ("" for
// none), now.
func (c Claims) Covers(s vault.Signed, bearer string, now time.Time) error {
	sum := sha256.Sum256(s.Body)
	access := ""
	if bearer != "" {
		digest := sha256.Sum256([]byte(bearer))
		access = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	if c.Method != s.Method || c.URL != s.URL || c.Body != base64.RawURLEncoding.EncodeToString(sum[:]) || c.Access != access {
		return Bad("the proof is for another request")
	}
	if d := now.Sub(time.Unix(c.Issued, 0)); (d > ProofWindow || d < -ProofWindow) && !ablate.Off(ablate.ProofTime) {
		return Bad("the proof's time is too far from the server's clock")
	}
	if len(c.ID) < 16 || len(c.ID) > 128 {
		return Bad("the proof has no usable jti")
	}
	return nil
}

// Spend marks a proof of a key as used and reports whether it was before.
func (t *Txn) Spend(owner string, c Claims) (used bool, err error) {
	key := owner + "/" + c.ID
	if _, used, err = engine.Get[state.Counter](t, state.Replays, key); err != nil || used {
		return used, err
	}
	return false, engine.Put(t, state.Replays, key, state.Counter{N: t.k.ProofMark(c)}, t.k.now().Add(10*time.Minute).UnixMilli())
}

// ProofMark tells the request that used a proof id from others that bear the same
// one: who signs chooses the id. It is keyed, so that no two requests can be made to
// have one mark.
func (k *Desk) ProofMark(c Claims) int64 {
	sum := k.keys.MAC(keyring.PurposeBooking, k.keys.RealmBytes(), []byte("proof mark"), []byte(c.ID), []byte(c.Method), []byte(c.URL), []byte(c.Body))
	return int64(binary.BigEndian.Uint64(sum) >> 1)
}

// Bad is the error of a signed request that is not believed.
func Bad(text string) error { return fault.New(fault.Unauthorized, "proof", text) }
