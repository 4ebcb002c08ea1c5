// Package department is the identity provider of a department whose staff sign in
// there (ADR 37): what its configuration says, what of it is in force, and what an ID
// token of it proves. Pure: it reaches no network, keeps nothing, and knows the time
// only as it is told. The signature is verified by go-oidc against the keys in the
// configuration.
package department

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
)

// Bounds of a configuration.
const (
	MaxConfig  = 256 << 10 // bytes; a mapping line has about 100, so that it holds 2,000
	maxKeys    = 20
	maxGrants  = 20 // of one claim value and of one member, as for everybody (ADR 31)
	maxValues  = 5000
	maxText    = 200
	minMaxAge  = 60       // seconds
	longMaxAge = 8 * 3600 // seconds: as long as a session lives
	minRSA     = 2048     // bits
)

// Factor says which factors count as phishing-resistant, by what the token asserts: one
// of ACR as its acr, or all of one list of AMR among its amr (RFC 8176).
type Factor struct {
	ACR []string   `json:"acr,omitempty"`
	AMR [][]string `json:"amr,omitempty"`
}

// Ceiling is what the department's tokens can give at the most: these roles, within
// this place.
type Ceiling struct {
	Scope access.Scope  `json:"scope"`
	Roles []access.Role `json:"roles"`
}

// Covers reports whether a grant is under the ceiling.
func (c Ceiling) Covers(g access.Grant) bool {
	return g.Valid() && slices.Contains(c.Roles, g.Role) && c.Scope.Covers(g.Scope)
}

// Config is a department's identity provider, as its file says. Parse makes one that
// holds together; the zero value lets nobody in.
type Config struct {
	ID        string              `json:"id"`
	Names     map[string]string   `json:"names"` // of the department, by language: en and hi
	Issuer    string              `json:"issuer"`
	Client    string              `json:"client_id"`
	Authorize string              `json:"authorization_endpoint"`
	Token     string              `json:"token_endpoint"`
	Scopes    []string            `json:"scopes,omitempty"`        // asked for besides openid
	Mode      string              `json:"response_mode,omitempty"` // fragment (where none is said) or query
	Keys      []jose.JSONWebKey   `json:"keys"`
	Factor    Factor              `json:"factor"`
	MaxAge    int64               `json:"max_age"`                // seconds since the person was there and asked
	Number    string              `json:"number_claim,omitempty"` // tells humans apart, as staff_number of an invitation
	Roles     string              `json:"roles_claim,omitempty"`  // its values are looked up in Mapping
	Mapping   map[string][]string `json:"mapping,omitempty"`
	Grants    string              `json:"grants_claim,omitempty"` // its values are grants, ROLE@PLACE
	Ceiling   Ceiling             `json:"ceiling"`
}

func wrong(text string) error { return fault.New(fault.Invalid, "department", text) }

var (
	idForm    = regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`)
	claimForm = regexp.MustCompile(`^[A-Za-z0-9_:/.-]{1,200}$`)
	scopeForm = regexp.MustCompile(`^[!#-\[\]-~]{1,100}$`)
)

// Parse reads a configuration; fault.Invalid says what is wrong with it. Fields it does
// not know are refused: a rule that is misspelt must not be one that is missing.
func Parse(raw []byte) (Config, error) {
	var c Config
	if len(raw) > MaxConfig || !utf8.Valid(raw) {
		return Config{}, wrong("a department's file is JSON of at most 256 KB")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, wrong("a department's file is one JSON object with the fields of docs/OPERATIONS.md and no others")
	}
	if dec.More() {
		return Config{}, wrong("a department's file is one JSON object")
	}
	for _, check := range []func() error{c.name, c.places, c.keys, c.factor, c.claims, c.ceiling} {
		if err := check(); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func printable(s string) bool {
	return s != "" && len(s) <= maxText && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

func (c *Config) name() error {
	if !idForm.MatchString(c.ID) {
		return wrong("id has to be 2 to 32 of a-z, 0-9 and -, a letter first")
	}
	if len(c.Names) != 2 || !printable(c.Names["en"]) || !printable(c.Names["hi"]) {
		return wrong("names has to hold the department's name as en and as hi")
	}
	if !printable(c.Client) {
		return wrong("client_id is what the provider calls this installation")
	}
	return nil
}

// place reads an address of the provider's. Plain HTTP is for a provider on this very
// machine, where nobody is between.
func place(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(text) > 2*maxText || u.Hostname() == "" || u.String() != text {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	local := err == nil && addr.IsLoopback() || u.Hostname() == "localhost"
	return u.Scheme == "https" || u.Scheme == "http" && local
}

func (c *Config) places() error {
	u, err := url.Parse(c.Issuer)
	if !place(c.Issuer) || err != nil || u.RawQuery != "" {
		return wrong("issuer has to be the provider's https address, exactly as its tokens say it")
	}
	if !place(c.Authorize) || !place(c.Token) {
		return wrong("authorization_endpoint and token_endpoint have to be https addresses of the provider")
	}
	if c.Mode != "" && c.Mode != "fragment" && c.Mode != "query" {
		return wrong("response_mode is fragment or query")
	}
	for _, s := range c.Scopes {
		if !scopeForm.MatchString(s) || s == "openid" || s == "offline_access" {
			return wrong("scopes are asked for besides openid, and none of them is offline_access")
		}
	}
	return nil
}

// algorithm is the one a key signs with; "" where the key is not taken.
func algorithm(k jose.JSONWebKey) jose.SignatureAlgorithm {
	var alg jose.SignatureAlgorithm
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			alg = jose.ES256
		}
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSA {
			alg = jose.RS256
		}
	case ed25519.PublicKey:
		alg = jose.EdDSA
	}
	if k.Algorithm != "" && k.Algorithm != string(alg) || k.Use != "" && k.Use != "sig" {
		return ""
	}
	return alg
}

// Takes reports whether a configuration can hold that key.
func Takes(k jose.JSONWebKey) bool { return k.Valid() && k.IsPublic() && algorithm(k) != "" }

func (c *Config) keys() error {
	if len(c.Keys) == 0 || len(c.Keys) > maxKeys {
		return wrong("keys has to hold the provider's keys, 1 to 20: tikakosh department keys brings them")
	}
	for i, k := range c.Keys {
		if !Takes(k) {
			return wrong("keys are public signing keys: EC P-256 (ES256), RSA of 2048 bits or more (RS256), Ed25519 (EdDSA)")
		}
		c.Keys[i] = jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: string(algorithm(k)), Use: "sig"} // without certificates
	}
	return nil
}

func (c *Config) factor() error {
	if len(c.Factor.ACR)+len(c.Factor.AMR) == 0 {
		return wrong("factor has to say by which acr or amr the provider asserts a phishing-resistant factor")
	}
	for _, v := range c.Factor.ACR {
		if !printable(v) || v == "0" || strings.HasSuffix(v, ":Password") || strings.HasSuffix(v, ":PasswordProtectedTransport") {
			return wrong("an acr that stands for a password is no phishing-resistant factor")
		}
	}
	for _, list := range c.Factor.AMR {
		has := func(any ...string) bool {
			return slices.ContainsFunc(any, func(v string) bool { return slices.Contains(list, v) })
		}
		alone := has("fido", "sc", "phr", "phrh")
		if !alone && !(has("hwk", "swk", "pop") && has("pin", "fpt", "face", "iris", "retina", "vbm", "user", "mfa", "mca")) || !allPrintable(list) {
			return wrong("a list of amr has to hold fido, sc, phr or phrh, or a key (hwk, swk, pop) together with how its owner was verified (pin, fpt, face, iris, retina, vbm, user, mfa, mca)")
		}
	}
	if c.MaxAge < minMaxAge || c.MaxAge > longMaxAge {
		return wrong("max_age has to be 60 to 28800 seconds: how long ago the person may have been asked")
	}
	return nil
}

func allPrintable(list []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !printable(s) })
}

func (c *Config) claims() error {
	for _, name := range []string{c.Number, c.Roles, c.Grants} {
		if name != "" && !claimForm.MatchString(name) {
			return wrong("number_claim, roles_claim and grants_claim are names of claims")
		}
	}
	if c.Roles == "" && c.Grants == "" {
		return wrong("roles_claim with its mapping, or grants_claim, has to say which claim gives roles")
	}
	if (c.Roles == "") != (len(c.Mapping) == 0) || len(c.Mapping) > maxValues {
		return wrong("roles_claim goes together with a mapping of its values to grants")
	}
	return nil
}

func (c *Config) ceiling() error {
	if c.Ceiling.Scope.Level() == access.LevelNone || len(c.Ceiling.Roles) == 0 {
		return wrong("ceiling has to say within which place, and which roles at the most, the department gives")
	}
	for _, r := range c.Ceiling.Roles {
		if !slices.Contains(access.Roles(), r) {
			return wrong("ceiling names a role that there is not")
		}
	}
	for value, texts := range c.Mapping {
		if !printable(value) || len(texts) == 0 || len(texts) > maxGrants {
			return wrong("mapping has for each value of the claim a list of 1 to 20 grants")
		}
		for _, text := range texts {
			g, err := access.ParseGrant(text)
			if err != nil || g.String() != text {
				return wrong("mapping holds something that is no grant ROLE@PLACE")
			}
			if !c.Ceiling.Covers(g) {
				return wrong("mapping gives more than the ceiling: " + text)
			}
		}
	}
	return nil
}

// Bytes is the one form of a configuration.
func (c Config) Bytes() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil // a parsed configuration can be written
	}
	return raw
}

// Digest is the hex SHA-256 of Bytes: what two people agree on, and what the ledger
// names.
func (c Config) Digest() string {
	sum := sha256.Sum256(c.Bytes())
	return hex.EncodeToString(sum[:])
}

// Within is what stays of c when next is to come: what both allow. Taking away needs
// nobody else, so that it is in force at once; what next adds is not in the result. Not
// ok: nothing stays, as for another issuer or client.
func (c Config) Within(next Config) (Config, bool) {
	if c.ID != next.ID || c.Issuer != next.Issuer || c.Client != next.Client || c.Number != next.Number {
		return Config{}, false
	}
	out := c
	out.Names, out.Authorize, out.Token, out.Scopes, out.Mode = next.Names, next.Authorize, next.Token, next.Scopes, next.Mode
	out.MaxAge = min(c.MaxAge, next.MaxAge)
	out.Keys = nil
	for _, k := range c.Keys {
		if slices.ContainsFunc(next.Keys, func(o jose.JSONWebKey) bool { return sameKey(k, o) }) {
			out.Keys = append(out.Keys, k)
		}
	}
	out.Factor = Factor{ACR: both(c.Factor.ACR, next.Factor.ACR)}
	for _, list := range c.Factor.AMR {
		if slices.ContainsFunc(next.Factor.AMR, func(o []string) bool { return slices.Equal(list, o) }) {
			out.Factor.AMR = append(out.Factor.AMR, list)
		}
	}
	out.Ceiling.Roles = both(c.Ceiling.Roles, next.Ceiling.Roles)
	if c.Ceiling.Scope.Covers(next.Ceiling.Scope) {
		out.Ceiling.Scope = next.Ceiling.Scope
	}
	out.Mapping = nil
	if out.Roles = c.Roles; next.Roles != c.Roles {
		out.Roles = ""
	}
	for value, grants := range c.Mapping {
		stay := slices.DeleteFunc(both(grants, next.Mapping[value]), func(text string) bool {
			g, err := access.ParseGrant(text)
			return err != nil || !out.Ceiling.Covers(g)
		})
		if out.Roles != "" && len(stay) > 0 {
			if out.Mapping == nil {
				out.Mapping = map[string][]string{}
			}
			out.Mapping[value] = stay
		}
	}
	if len(out.Mapping) == 0 {
		out.Roles = ""
	}
	if next.Grants != c.Grants {
		out.Grants = ""
	}
	_, err := Parse(out.Bytes())
	return out, err == nil && (next.Ceiling.Scope.Covers(c.Ceiling.Scope) || c.Ceiling.Scope.Covers(next.Ceiling.Scope))
}

func both[T comparable](a, b []T) []T {
	var out []T
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

func sameKey(a, b jose.JSONWebKey) bool {
	x, err1 := a.MarshalJSON()
	y, err2 := b.MarshalJSON()
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}
