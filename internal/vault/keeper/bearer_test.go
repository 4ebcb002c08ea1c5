package keeper_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claimsOf reads a bearer's payload.
func claimsOf(t testing.TB, bearer string) keeper.BearerClaims {
	t.Helper()
	var c keeper.BearerClaims
	if err := json.Unmarshal(harness.Payload(bearer), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBearerSaysNothing looks at what a bearer shows to whoever reads it.
func TestBearerSaysNothing(t *testing.T) {
	r := newRig(t)
	a, b := r.signIn("0000000101"), r.signIn("0000000101")
	other := r.signIn("0000000102")
	var fields map[string]any
	if err := json.Unmarshal(harness.Payload(a.Bearer), &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if !strings.Contains(" jti iss aud sub scope exp iat ", " "+name+" ") {
			t.Errorf("a bearer has the claim %q", name)
		}
	}
	m, err := r.k.Membership(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(harness.Payload(a.Bearer)), string(m.Household)) {
		t.Error("a bearer names its household")
	}
	ca, cb, co := claimsOf(t, a.Bearer), claimsOf(t, b.Bearer), claimsOf(t, other.Bearer)
	if ca.Subject != cb.Subject || ca.ID == cb.ID || ca.Subject == co.Subject {
		t.Errorf("subjects %s %s %s, ids %s %s", ca.Subject, cb.Subject, co.Subject, ca.ID, cb.ID)
	}
	if life := time.Duration(ca.Expiry-ca.Issued) * time.Second; life != 15*time.Minute {
		t.Errorf("a bearer lives %v", life)
	}
}

// TestBearerForms refuses everything that is not the very text the vault made.
func TestBearerForms(t *testing.T) {
	r := newRig(t)
	good := r.signIn("0000000101").Bearer
	part := strings.Split(good, ".")
	keys, err := r.k.Keys(t.Context(), vault.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*keeper.BearerClaims)) string {
		c := claimsOf(t, good)
		change(&c)
		text, err := r.k.SignBearer(c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	hs := func(secret []byte) string {
		text := b64([]byte(`{"alg":"HS256","typ":"tikakosh+jwt"}`)) + "." + part[1]
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(text))
		return text + "." + b64(m.Sum(nil))
	}
	header := func(h string) string { return harness.Forge(good, []byte(h), nil) }
	now := r.clock().Unix()
	cases := map[string]string{
		"nothing":            "",
		"not a token":        "a.b.c",
		"one part less":      part[0] + "." + part[1],
		"no signature":       part[0] + "." + part[1] + ".",
		"another signature":  part[0] + "." + part[1] + "." + b64(make([]byte, 64)),
		"another payload":    harness.Forge(good, nil, []byte(`{"jti":"x"}`)),
		"alg none":           header(`{"alg":"none","typ":"tikakosh+jwt"}`),
		"alg HS256":          hs(keys.BearerJWK),
		"alg HS256, empty":   hs(nil),
		"own key, jwk":       ownBearer(t, mine, claimsOf(t, good), true),
		"own key":            ownBearer(t, mine, claimsOf(t, good), false),
		"with kid":           header(`{"alg":"ES256","typ":"tikakosh+jwt","kid":"../../key"}`),
		"another type":       header(`{"alg":"ES256","typ":"JWT"}`),
		"too long":           good + strings.Repeat("A", 1024),
		"JSON form":          fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, part[1], part[0], part[2]),
		"white space":        " " + good,
		"another issuer":     changed(func(c *keeper.BearerClaims) { c.Issuer = "other.example/ledger" }),
		"another audience":   changed(func(c *keeper.BearerClaims) { c.Aud = "other" }),
		"another scope":      changed(func(c *keeper.BearerClaims) { c.Scope = "staff" }),
		"without id":         changed(func(c *keeper.BearerClaims) { c.ID = "" }),
		"of another session": changed(func(c *keeper.BearerClaims) { c.ID = "abcdefghijklmnopqrst" }),
		"ended":              changed(func(c *keeper.BearerClaims) { c.Expiry = now }),
		"too long a life":    changed(func(c *keeper.BearerClaims) { c.Expiry = now + 16*60 }),
		"a huge life":        changed(func(c *keeper.BearerClaims) { c.Expiry = 1 << 62 }),
		"a negative life":    changed(func(c *keeper.BearerClaims) { c.Expiry = -1 << 62 }),
	}
	for name, text := range cases {
		if _, err := r.k.Membership(t.Context(), vault.Holder{Bearer: text}); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.k.EndSession(t.Context(), vault.Holder{Bearer: text}); err != nil {
			t.Errorf("ending %s: %v", name, err)
		}
	}
	if _, err := r.k.Membership(t.Context(), vault.Holder{Bearer: good}); err != nil {
		t.Errorf("the good one, after all that: %v", err)
	}
	if _, err := r.k.Membership(t.Context(), vault.Holder{Bearer: changed(func(*keeper.BearerClaims) {})}); err != nil {
		t.Errorf("the same claims, signed again: %v", err)
	}
}

// ownBearer signs with a key that is not the vault's.
func ownBearer(t *testing.T, key *ecdsa.PrivateKey, c keeper.BearerClaims, embed bool) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: embed}).WithType("tikakosh+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEveryPersonalActNeedsALiveBearer calls each of them with a live, an
// ended and no bearer.
func TestEveryPersonalActNeedsALiveBearer(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	p := r.register("0000000101", 1)
	rec := r.records(p.person)
	ended := r.signIn("0000000101")
	if _, err := r.k.EndSession(ctx, ended); err != nil {
		t.Fatal(err)
	}
	acts := map[string]func(vault.Holder) error{
		"membership": func(h vault.Holder) error { _, err := r.k.Membership(ctx, h); return err },
		"enrol": func(h vault.Holder) error {
			_, err := r.k.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: "k", Identity: asha(2), Consent: consentOne})
			return err
		},
		"open": func(h vault.Holder) error {
			_, err := r.k.Open(ctx, vault.OpenRequest{Holder: h, Records: rec})
			return err
		},
		"openings": func(h vault.Holder) error { _, err := r.k.Openings(ctx, vault.OpeningsRequest{Holder: h}); return err },
		"certificate": func(h vault.Holder) error {
			_, err := r.k.Certificate(ctx, vault.CertificateRequest{Holder: h, Record: rec[0]})
			return err
		},
		"book": func(h vault.Holder) error { return r.book(h, "hold", 1, r.offer("COVISHIELD"), p.person) },
		"cancel": func(h vault.Holder) error {
			_, err := r.k.Cancel(ctx, vault.CancelRequest{Holder: h, Hold: "hold"})
			return err
		},
		"slip": func(h vault.Holder) error {
			_, err := r.k.Slip(ctx, vault.SlipRequest{Holder: h, Hold: "hold", Records: rec})
			return err
		},
		"remove": func(h vault.Holder) error {
			_, err := r.k.Remove(ctx, vault.RemoveRequest{Holder: h, Record: rec[0]})
			return err
		},
	}
	before := r.k.LastNext()
	for name, act := range acts {
		for which, h := range map[string]vault.Holder{"none": {}, "ended": ended} {
			if err := act(h); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("%s with bearer %s: %v", name, which, err)
			}
		}
	}
	if r.k.LastNext() != before {
		t.Error("a refused act left an entry")
	}
	for name, act := range acts {
		if err := act(p.holder); fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s with a live bearer: %v", name, err)
		}
	}
}
