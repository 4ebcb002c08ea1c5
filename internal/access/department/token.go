package department

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/fault"
)

const (
	// MaxToken bounds an ID token, in bytes: a few kilobytes where it lists many groups.
	MaxToken = 32 << 10

	skew       = 60 // seconds that the provider's clock may differ, as for proofs (ADR 1)
	maxClaimed = 500
)

// Asked is what a token has to answer. Times in Unix seconds.
type Asked struct {
	Nonce string
	Begun int64 // when the nonce was made
	Now   int64
}

// Told is what a token proves.
type Told struct {
	Subject string
	Name    string // "" where the token does not say it
	Number  string // what tells this human from others; "" likewise
	Left    bool   // the provider says itself that the account is not active
	Grants  []access.Grant
}

// refused is why a token proves nothing: for the vault's log, not for who sent it. The
// code holds no personal data.
func refused(code string) error { return fault.New(fault.Unauthorized, code, "the token was refused") }

// claims are those that are read. Times are numbers, fractions of a second allowed.
type claims struct {
	AuthorizedParty string          `json:"azp"`
	ACR             string          `json:"acr"`
	AMR             []string        `json:"amr"`
	AuthTime        *float64        `json:"auth_time"`
	Expires         *float64        `json:"exp"`
	Issued          *float64        `json:"iat"`
	NotBefore       *float64        `json:"nbf"`
	Name            string          `json:"name"`
	Active          json.RawMessage `json:"active"`
}

// Verify holds an ID token against the configuration and the question: signed by one of
// the provider's keys with that key's own algorithm, by this issuer, for this client and
// no other, with the nonce, now, by a person who was just asked for a phishing-resistant
// factor. fault.Unauthorized; its code says which of it was not so.
func (c Config) Verify(ctx context.Context, token string, a Asked) (Told, error) {
	if len(token) > MaxToken || strings.Count(token, ".") != 2 {
		return Told{}, refused("form")
	}
	got, err := c.verifier(a).Verify(ctx, token)
	if err != nil {
		return Told{}, refused(reason(err))
	}
	var all map[string]json.RawMessage
	var s claims
	if got.Claims(&all) != nil || twice(all) || got.Claims(&s) != nil || !utf8.ValidString(got.Subject) || !printable(got.Subject) {
		return Told{}, refused("form")
	}
	if got.Issuer != c.Issuer && !ablate.Off(ablate.OIDCIssuer) { // go-oidc takes a second name for Google's
		return Told{}, refused("issuer")
	}
	if (len(got.Audience) != 1 || got.Audience[0] != c.Client || s.AuthorizedParty != "" && s.AuthorizedParty != c.Client) && !ablate.Off(ablate.OIDCAudience) {
		return Told{}, refused("audience")
	}
	if (got.Nonce == "" || got.Nonce != a.Nonce) && !ablate.Off(ablate.OIDCNonce) {
		return Told{}, refused("nonce")
	}
	if !s.timely(a) {
		return Told{}, refused("time")
	}
	if !c.factored(s, a) && !ablate.Off(ablate.OIDCFactor) {
		return Told{}, refused("factor")
	}
	told := Told{Subject: got.Subject, Name: s.Name, Left: bytes.Equal(bytes.TrimSpace(s.Active), []byte("false"))}
	if c.Number != "" {
		if json.Unmarshal(all[c.Number], &told.Number) != nil || !printable(told.Number) {
			return Told{}, refused("number")
		}
	}
	told.Grants, err = c.grants(all)
	return told, err
}

// verifier is go-oidc's, over the keys of the configuration alone: it fetches nothing.
func (c Config) verifier(a Asked) *oidc.IDTokenVerifier {
	var keys []crypto.PublicKey
	var algorithms []string
	for _, k := range c.Keys {
		keys = append(keys, k.Key)
		if alg := string(algorithm(k)); !slices.Contains(algorithms, alg) {
			algorithms = append(algorithms, alg)
		}
	}
	cfg := &oidc.Config{ClientID: c.Client, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true, // timely checks it, with its own skew
		Now: func() time.Time { return time.Unix(a.Now, 0) }}
	if ablate.Built { // a test build shows what each of these is for
		cfg.SkipIssuerCheck = ablate.Off(ablate.OIDCIssuer)
		cfg.SkipClientIDCheck = ablate.Off(ablate.OIDCAudience)
		if cfg.InsecureSkipSignatureCheck = ablate.Off(ablate.OIDCSignature); cfg.InsecureSkipSignatureCheck {
			cfg.SupportedSigningAlgs = append(cfg.SupportedSigningAlgs, string(jose.HS256))
		}
	}
	return oidc.NewVerifier(c.Issuer, &oidc.StaticKeySet{PublicKeys: keys}, cfg)
}

// reason is which check of go-oidc's failed, by its words; "signature" for all others.
func reason(err error) string {
	for text, code := range map[string]string{"issued by a different provider": "issuer", "expected audience": "audience", "malformed jwt": "form"} {
		if strings.Contains(err.Error(), text) {
			return code
		}
	}
	return "signature"
}

// twice reports whether a claim that is checked stands there in another spelling too:
// Go's reader of JSON would take either.
func twice(all map[string]json.RawMessage) bool {
	checked := []string{"iss", "sub", "aud", "azp", "nonce", "acr", "amr", "auth_time", "exp", "iat", "nbf", "name", "active"}
	for name := range all {
		if lower := strings.ToLower(name); lower != name && slices.Contains(checked, lower) {
			return true
		}
	}
	return false
}

func (s claims) timely(a Asked) bool {
	const most = 1 << 40 // seconds: what is beyond is no time, and no sum of it overflows
	for _, t := range []*float64{s.Expires, s.Issued, s.NotBefore} {
		if t != nil && !(*t >= 0 && *t < most) {
			return false
		}
	}
	now := float64(a.Now)
	return s.Expires != nil && s.Issued != nil && now < *s.Expires+skew &&
		*s.Issued <= now+skew && *s.Issued >= float64(a.Begun)-skew && *s.Expires > *s.Issued &&
		(s.NotBefore == nil || *s.NotBefore <= now+skew)
}

// factored reports whether the person was asked lately, and for what counts here.
func (c Config) factored(s claims, a Asked) bool {
	if s.AuthTime == nil || !(*s.AuthTime <= float64(a.Now)+skew) || !(*s.AuthTime >= float64(a.Now-c.MaxAge-skew)) {
		return false
	}
	if s.ACR != "" && slices.Contains(c.Factor.ACR, s.ACR) {
		return true
	}
	return slices.ContainsFunc(c.Factor.AMR, func(list []string) bool {
		return !slices.ContainsFunc(list, func(v string) bool { return !slices.Contains(s.AMR, v) })
	})
}

// grants are what the token's claims give: of the mapping what they name, of the grants
// claim what they say. One that is no grant or goes beyond the ceiling refuses the whole
// token: who wrote it did not mean this installation.
func (c Config) grants(all map[string]json.RawMessage) ([]access.Grant, error) {
	found := map[access.Grant]bool{}
	if c.Roles != "" {
		values, ok := texts(all[c.Roles])
		if !ok {
			return nil, refused("roles")
		}
		for _, v := range values {
			for _, text := range c.Mapping[v] {
				g, err := access.ParseGrant(text)
				if err != nil {
					return nil, refused("roles")
				}
				found[g] = true
			}
		}
	}
	if c.Grants != "" {
		values, ok := texts(all[c.Grants])
		if !ok {
			return nil, refused("grants")
		}
		for _, v := range values {
			g, err := access.ParseGrant(v)
			if err != nil || g.String() != v {
				return nil, refused("grants")
			}
			found[g] = true
		}
	}
	out := slices.SortedFunc(maps.Keys(found), func(a, b access.Grant) int { return strings.Compare(a.String(), b.String()) })
	if len(out) > maxGrants {
		return nil, refused("grants")
	}
	for _, g := range out {
		if !c.Ceiling.Covers(g) && !ablate.Off(ablate.OIDCCeiling) {
			return nil, refused("ceiling")
		}
	}
	return out, nil
}

// texts reads a claim that is a text, a list of texts, or not there.
func texts(raw json.RawMessage) ([]string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	return many, json.Unmarshal(raw, &many) == nil && len(many) <= maxClaimed
}
