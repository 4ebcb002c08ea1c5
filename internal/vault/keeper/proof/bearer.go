package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// What a bearer is, and how long it and its row last.
const (
	BearerLife     = 15 * time.Minute
	BearerKept     = time.Hour // how long a session's row outlives it
	bearerType     = "tikakosh+jwt"
	bearerAudience = "tikakosh"
	ScopeHolder    = "holder"
	ScopePartner   = "partner"
)

// BearerClaims is all a bearer says: no personal data, and a subject that is
// pairwise (another realm or partner sees another one).
type BearerClaims struct {
	ID      string `json:"jti"`
	Issuer  string `json:"iss"`
	Aud     string `json:"aud"`
	Subject string `json:"sub"`
	Scope   string `json:"scope"`
	Expiry  int64  `json:"exp"`
	Issued  int64  `json:"iat"`
}

// MintHolder writes the session row and returns the bearer text (ES256 JWT,
// RFC 7519) for after the commit.
func (t *Txn) MintHolder(h id.Household, origin string) (func() (vault.Session, error), error) {
	return t.Mint(state.Bearer{Household: h, Origin: origin}, string(h), ScopeHolder, BearerLife)
}

// Mint is mintBearer for any row, whose end it fills in. A partner sees one
// subject for whoever is named by the same text, and no other partner sees it.
func (t *Txn) Mint(row state.Bearer, subject, scope string, life time.Duration) (func() (vault.Session, error), error) {
	jti := id.Secret(20)
	now := t.k.now()
	exp := now.Add(life).Truncate(time.Second)
	row.Expires = exp.UnixMilli()
	if err := engine.Put(t, state.Bearers, bearerKey(jti), row, exp.Add(time.Hour).UnixMilli()); err != nil {
		return nil, err
	}
	claims := BearerClaims{ID: jti, Issuer: t.k.origin, Aud: bearerAudience, Scope: scope, Expiry: exp.Unix(), Issued: now.Unix(),
		Subject: hex.EncodeToString(t.k.keys.MAC(keyring.PurposeView, []byte("sub"), t.k.keys.RealmBytes(), []byte(subject), []byte(row.Partner))[:16])}
	return func() (vault.Session, error) {
		text, err := t.k.SignBearer(claims)
		if err == nil {
			t.k.proven.put(text, claims)
		}
		return vault.Session{Bearer: text, ExpiresAt: exp.UnixMilli()}, err
	}, nil
}

// Extend moves the end of a live session to BearerLife from now, but not beyond whole after
// its beginning, and returns its bearer anew. It is the same session: what ends the one
// bearer ends the other. fault.Forbidden "EXTEND" when nothing is left.
func (t *Txn) Extend(h vault.Holder, whole time.Duration) (func() (vault.Session, error), error) {
	key, row, err := t.Held(h)
	if err != nil {
		return nil, err
	}
	claims, err := t.k.CheckBearer(h.Bearer)
	if err != nil {
		return nil, err
	}
	if row.Began == 0 {
		row.Began = row.Expires - BearerLife.Milliseconds()
	}
	now := t.k.now()
	exp := now.Add(BearerLife)
	if last := time.UnixMilli(row.Began).Add(whole); exp.After(last) && !ablate.Off(ablate.HolderHour) {
		exp = last
	}
	if exp = exp.Truncate(time.Second); exp.UnixMilli() <= row.Expires {
		return nil, fault.New(fault.Forbidden, "EXTEND", "the session has gone on for as long as one may: sign in again")
	}
	row.Expires = exp.UnixMilli()
	claims.Expiry, claims.Issued = exp.Unix(), now.Unix()
	return func() (vault.Session, error) {
		text, err := t.k.SignBearer(claims)
		return vault.Session{Bearer: text, ExpiresAt: row.Expires}, err
	}, engine.Put(t, state.Bearers, key, row, row.Expires+BearerKept.Milliseconds())
}

// SignBearer makes the text of a bearer.
func (k *Desk) SignBearer(c BearerClaims) (string, error) {
	opts := (&jose.SignerOptions{}).WithType(bearerType)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.keys.Now().Bearer}, opts)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "bearer signer")
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "bearer")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "bearer")
	}
	text, err := signed.CompactSerialize()
	return text, fault.Wrap(fault.Internal, err, "bearer")
}

func bearerKey(jti string) string {
	sum := sha256.Sum256([]byte("tikakosh/bearer\x00" + jti))
	return hex.EncodeToString(sum[:])
}

// CheckBearer verifies form, the one allowed algorithm, signature and times. It
// does not say whether the session is live; live does, inside a transaction.
func (k *Desk) CheckBearer(text string) (BearerClaims, error) {
	var c BearerClaims
	if len(text) > 1024 {
		return c, Unauthenticated()
	}
	algs := []jose.SignatureAlgorithm{jose.ES256}
	if ablate.Off(ablate.JWTAlg) {
		return k.looseBearer(text)
	}
	if c, ok := k.proven.get(text, k.now()); ok {
		return c, nil
	}
	tok, err := jose.ParseSignedCompact(text, algs)
	if err != nil {
		return c, Unauthenticated()
	}
	payload, err := k.verifyBearer(tok)
	if err != nil || len(tok.Signatures) != 1 {
		return c, Unauthenticated()
	}
	h := tok.Signatures[0].Protected
	if typ, _ := h.ExtraHeaders[jose.HeaderType].(string); typ != bearerType || h.JSONWebKey != nil || len(h.ExtraHeaders) != 1 || h.KeyID != "" {
		return c, Unauthenticated()
	}
	c, err = k.bearerTimes(payload)
	if err == nil {
		k.proven.put(text, c)
	}
	return c, err
}

// verifyBearer tries the current key, one that is announced, and old ones as long
// as bearers of theirs may live.
func (k *Desk) verifyBearer(tok *jose.JSONWebSignature) (payload []byte, err error) {
	now := k.now().UnixMilli()
	err = Unauthenticated()
	for _, key := range k.keys.Now().Bearers {
		if key.Until != 0 && now >= key.Until {
			continue
		}
		if payload, err = tok.Verify(key.Public); err == nil {
			return payload, nil
		}
	}
	return nil, err
}

func (k *Desk) bearerTimes(payload []byte) (BearerClaims, error) {
	var c BearerClaims
	dec := json.NewDecoder(strings.NewReader(string(payload)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, Unauthenticated()
	}
	now := k.now()
	exp := time.Unix(c.Expiry, 0)
	if c.ID == "" || c.Aud != bearerAudience || c.Issuer != k.origin || (c.Scope != ScopeHolder && c.Scope != ScopePartner) || !now.Before(exp) || exp.Sub(now) > BearerLife {
		return c, Unauthenticated()
	}
	return c, nil
}

// looseBearer is what a careless library does: it believes the token's own
// header. It exists only in builds that switch controls off.
func (k *Desk) looseBearer(text string) (BearerClaims, error) {
	all := []jose.SignatureAlgorithm{jose.ES256, jose.HS256, jose.RS256}
	if tok, err := jose.ParseSignedCompact(text, all); err == nil {
		if payload, err := tok.Verify(&k.keys.Now().Bearer.PublicKey); err == nil {
			return k.bearerTimes(payload)
		}
		return k.bearerTimes(tok.UnsafePayloadWithoutVerification())
	}
	return BearerClaims{}, Unauthenticated()
}

// Held returns the row of a bearer that is live in this transaction, and its key.
func (t *Txn) Held(h vault.Holder) (string, state.Bearer, error) {
	if ablate.Off(ablate.VaultProof) && strings.HasPrefix(h.Bearer, "household:") {
		return "", state.Bearer{Household: id.Household(strings.TrimPrefix(h.Bearer, "household:"))}, nil
	}
	c, err := t.k.CheckBearer(h.Bearer)
	if err != nil {
		return "", state.Bearer{}, err
	}
	row, ok, err := engine.Get[state.Bearer](t, state.Bearers, bearerKey(c.ID))
	if err != nil {
		return "", row, err
	}
	if !ok || row.Revoked || t.k.eng.Ended(bearerKey(c.ID)) || row.Expires <= t.k.now().UnixMilli() {
		return "", row, Unauthenticated()
	}
	return bearerKey(c.ID), row, nil
}

// Unauthenticated is the error of a bearer that is none, or not live.
func Unauthenticated() error {
	return fault.New(fault.Unauthorized, "bearer", "no live session: sign in with a one-time code")
}

// EndSession revokes a bearer, in its row and on the ledger; an ended or unknown one is no error.
func (t *Txn) EndSession(h vault.Holder) error {
	c, err := t.k.CheckBearer(h.Bearer)
	if err != nil {
		return nil //nolint:nilerr // no session of ours: there is nothing to end
	}
	row, ok, err := engine.Get[state.Bearer](t, state.Bearers, bearerKey(c.ID))
	if err != nil || !ok || row.Revoked {
		return err
	}
	row.Revoked = true
	t.Append(engine.Entry{Kind: engine.SignOut, House: row.Household, Role: "holder", Evidence: bearerKey(c.ID)})
	return engine.Put(t, state.Bearers, bearerKey(c.ID), row, row.Expires+BearerKept.Milliseconds())
}
