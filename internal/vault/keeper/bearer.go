package keeper

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

const (
	bearerLife     = 15 * time.Minute
	bearerKept     = time.Hour // how long a session's row outlives it
	bearerType     = "tikakosh+jwt"
	bearerAudience = "tikakosh"
	scopeHolder    = "holder"
	scopePartner   = "partner"
)

// bearerClaims is all a bearer says: no personal data, and a subject that is
// pairwise (another realm or partner sees another one).
type bearerClaims struct {
	ID      string `json:"jti"`
	Issuer  string `json:"iss"`
	Aud     string `json:"aud"`
	Subject string `json:"sub"`
	Scope   string `json:"scope"`
	Expiry  int64  `json:"exp"`
	Issued  int64  `json:"iat"`
}

// mintBearer writes the session row and returns the bearer text (ES256 JWT,
// RFC 7519) for after the commit.
func (t *txn) mintBearer(h id.Household, origin string) (func() (vault.Session, error), error) {
	return t.mint(state.Bearer{Household: h, Origin: origin}, string(h), scopeHolder, bearerLife)
}

// mint is mintBearer for any row, whose end it fills in. A partner sees one
// subject for whoever is named by the same text, and no other partner sees it.
func (t *txn) mint(row state.Bearer, subject, scope string, life time.Duration) (func() (vault.Session, error), error) {
	jti := id.Secret(20)
	now := t.k.now()
	exp := now.Add(life).Truncate(time.Second)
	row.Expires = exp.UnixMilli()
	if err := engine.Put(t, state.Bearers, bearerKey(jti), row, exp.Add(time.Hour).UnixMilli()); err != nil {
		return nil, err
	}
	claims := bearerClaims{ID: jti, Issuer: t.k.cfg.Origin, Aud: bearerAudience, Scope: scope, Expiry: exp.Unix(), Issued: now.Unix(),
		Subject: hex.EncodeToString(t.k.keys.MAC(keyring.PurposeView, []byte("sub"), t.k.keys.RealmBytes(), []byte(subject), []byte(row.Partner))[:16])}
	return func() (vault.Session, error) {
		text, err := t.k.signBearer(claims)
		if err == nil {
			t.k.proven.put(text, claims)
		}
		return vault.Session{Bearer: text, ExpiresAt: exp.UnixMilli()}, err
	}, nil
}

func (k *Keeper) signBearer(c bearerClaims) (string, error) {
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

// checkBearer verifies form, the one allowed algorithm, signature and times. It
// does not say whether the session is live; live does, inside a transaction.
func (k *Keeper) checkBearer(text string) (bearerClaims, error) {
	var c bearerClaims
	if len(text) > 1024 {
		return c, unauthenticated()
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
		return c, unauthenticated()
	}
	payload, err := k.verifyBearer(tok)
	if err != nil || len(tok.Signatures) != 1 {
		return c, unauthenticated()
	}
	h := tok.Signatures[0].Protected
	if typ, _ := h.ExtraHeaders[jose.HeaderType].(string); typ != bearerType || h.JSONWebKey != nil || len(h.ExtraHeaders) != 1 || h.KeyID != "" {
		return c, unauthenticated()
	}
	c, err = k.bearerTimes(payload)
	if err == nil {
		k.proven.put(text, c)
	}
	return c, err
}

// verifyBearer tries the current key, one that is announced, and old ones as long
// as bearers of theirs may live.
func (k *Keeper) verifyBearer(tok *jose.JSONWebSignature) (payload []byte, err error) {
	now := k.now().UnixMilli()
	err = unauthenticated()
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

func (k *Keeper) bearerTimes(payload []byte) (bearerClaims, error) {
	var c bearerClaims
	dec := json.NewDecoder(strings.NewReader(string(payload)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, unauthenticated()
	}
	now := k.now()
	exp := time.Unix(c.Expiry, 0)
	if c.ID == "" || c.Aud != bearerAudience || c.Issuer != k.cfg.Origin || (c.Scope != scopeHolder && c.Scope != scopePartner) || !now.Before(exp) || exp.Sub(now) > bearerLife {
		return c, unauthenticated()
	}
	return c, nil
}

// looseBearer is what a careless library does: it believes the token's own
// header. It exists only in builds that switch controls off.
func (k *Keeper) looseBearer(text string) (bearerClaims, error) {
	all := []jose.SignatureAlgorithm{jose.ES256, jose.HS256, jose.RS256}
	if tok, err := jose.ParseSignedCompact(text, all); err == nil {
		if payload, err := tok.Verify(&k.keys.Now().Bearer.PublicKey); err == nil {
			return k.bearerTimes(payload)
		}
		return k.bearerTimes(tok.UnsafePayloadWithoutVerification())
	}
	return bearerClaims{}, unauthenticated()
}

// live returns the household of a holder's bearer that is live in this
// transaction. One that was given to a partner is refused: what a partner may do
// asks visit.
func (t *txn) live(h vault.Holder) (id.Household, state.Bearer, error) {
	_, row, err := t.session(h)
	if err == nil && row.Partner != "" && !ablate.Off(ablate.PartnerScope) {
		err = outOfScope()
	}
	if err != nil {
		return "", row, err
	}
	return row.Household, row, nil
}

// session returns the row of a bearer that is live in this transaction, and its
// key. From then on household shows a card's session only its own person.
func (t *txn) session(h vault.Holder) (string, state.Bearer, error) {
	t.only = ""
	if ablate.Off(ablate.VaultProof) && strings.HasPrefix(h.Bearer, "household:") {
		return "", state.Bearer{Household: id.Household(strings.TrimPrefix(h.Bearer, "household:"))}, nil
	}
	c, err := t.k.checkBearer(h.Bearer)
	if err != nil {
		return "", state.Bearer{}, err
	}
	row, ok, err := engine.Get[state.Bearer](t, state.Bearers, bearerKey(c.ID))
	if err != nil {
		return "", row, err
	}
	if !ok || row.Revoked || t.k.eng.Ended(bearerKey(c.ID)) || row.Expires <= t.k.now().UnixMilli() {
		return "", row, unauthenticated()
	}
	row, err = t.scoped(row)
	return bearerKey(c.ID), row, err
}

func unauthenticated() error {
	return fault.New(fault.Unauthorized, "bearer", "no live session: sign in with a one-time code")
}

// endSession revokes a bearer, in its row and on the ledger; an ended or unknown one is no error.
func (k *Keeper) endSession(t *txn, h vault.Holder) error {
	c, err := k.checkBearer(h.Bearer)
	if err != nil {
		return nil //nolint:nilerr // no session of ours: there is nothing to end
	}
	row, ok, err := engine.Get[state.Bearer](t, state.Bearers, bearerKey(c.ID))
	if err != nil || !ok || row.Revoked {
		return err
	}
	row.Revoked = true
	t.Append(engine.Entry{Kind: engine.SignOut, House: row.Household, Role: "holder", Evidence: bearerKey(c.ID)})
	return engine.Put(t, state.Bearers, bearerKey(c.ID), row, row.Expires+bearerKept.Milliseconds())
}
