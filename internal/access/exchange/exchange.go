// Package exchange is the web role's part of a sign-in at a department's identity
// provider (ADR 37): it turns the code that a browser brought into an ID token, which
// the vault then verifies. It also brings a provider's metadata and keys, for the
// operator. It believes nothing of what it is given.
package exchange

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"tikakosh/internal/access/department"
	"tikakosh/internal/fault"
)

const (
	// MaxCode bounds a code and a verifier, in bytes.
	MaxCode = 4096

	patience  = 10 * time.Second // for one answer of a provider
	maxAnswer = 1 << 20          // bytes
	assertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Provider is where a department's tokens are asked for.
type Provider struct {
	ID       string
	Names    map[string]string // of the department, by language
	Issuer   string
	Client   string
	Token    string // address
	Redirect string // where the browser came back
}

// Secret is how the installation shows the provider that it is the client: one of both.
type Secret struct {
	Secret string           `json:"client_secret,omitempty"`
	Key    *jose.JSONWebKey `json:"private_key,omitempty"` // private_key_jwt (RFC 7523)
}

// ParseSecrets reads the file of the clients' secrets, by department; fault.Invalid.
func ParseSecrets(raw []byte) (map[string]Secret, error) {
	out := map[string]Secret{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if len(raw) > department.MaxConfig || dec.Decode(&out) != nil || dec.More() {
		return nil, fault.New(fault.Invalid, "secrets", `the departments' secrets are JSON: {"ID":{"client_secret":"…"}} or {"ID":{"private_key":{…JWK…}}}`)
	}
	for _, s := range out {
		if (s.Secret == "") == (s.Key == nil) || len(s.Secret) > MaxCode {
			return nil, fault.New(fault.Invalid, "secrets", "each department has client_secret or private_key, and not both")
		}
		if s.Key != nil {
			if _, err := s.signer(); err != nil {
				return nil, fault.New(fault.Invalid, "secrets", "private_key is a private EC P-256 or RSA key as JWK")
			}
		}
	}
	return out, nil
}

func (s Secret) signer() (jose.Signer, error) {
	if s.Key == nil || !s.Key.Valid() || s.Key.IsPublic() {
		return nil, errors.New("no private key")
	}
	alg := jose.RS256
	if _, ok := s.Key.Key.(*ecdsa.PrivateKey); ok {
		alg = jose.ES256
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: s.Key.Key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.Key.KeyID))
}

// Exchanger asks providers. It is safe for concurrent use.
type Exchanger struct {
	secrets map[string]Secret
	now     func() time.Time
	http    *http.Client
}

// New makes one. A provider without a secret is asked as a public client: PKCE alone
// then binds the code.
func New(secrets map[string]Secret, now func() time.Time) *Exchanger {
	return &Exchanger{secrets: secrets, now: now, http: client()}
}

// client follows no redirect: the addresses are the operator's, and no others.
func client() *http.Client {
	return &http.Client{Timeout: patience, Transport: bounded{http.DefaultTransport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// bounded cuts an answer off that is too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// IDToken gives the code and its PKCE verifier to the provider and returns its ID token,
// unread. fault.Unauthorized: the provider refuses the code. fault.Unavailable: it does
// not answer, or not as it should; a code is then spent all the same. No error holds
// what the provider said.
func (x *Exchanger) IDToken(ctx context.Context, p Provider, code, verifier string) (string, error) {
	if code == "" || verifier == "" || len(code) > MaxCode || len(verifier) > MaxCode {
		return "", fault.New(fault.Unauthorized, "code", "the code was refused")
	}
	cfg := oauth2.Config{ClientID: p.Client, RedirectURL: p.Redirect, Endpoint: oauth2.Endpoint{TokenURL: p.Token, AuthStyle: oauth2.AuthStyleInParams}}
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
	if s := x.secrets[p.ID]; s.Key != nil {
		signed, err := x.assert(s, p)
		if err != nil {
			return "", err
		}
		options = append(options, oauth2.SetAuthURLParam("client_assertion_type", assertion), oauth2.SetAuthURLParam("client_assertion", signed))
	} else if s.Secret != "" {
		cfg.ClientSecret, cfg.Endpoint.AuthStyle = s.Secret, oauth2.AuthStyleInHeader
	}
	got, err := cfg.Exchange(context.WithValue(ctx, oauth2.HTTPClient, x.http), code, options...)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return "", fault.New(fault.Unauthorized, "code", "the code was refused")
	}
	if err != nil {
		return "", unanswered(refused)
	}
	token, ok := got.Extra("id_token").(string)
	if !ok || len(token) > department.MaxToken {
		return "", unanswered(nil)
	}
	return token, nil
}

// unanswered names the provider's error where it is one of RFC 6749's words.
func unanswered(refused *oauth2.RetrieveError) error {
	code := "department"
	if refused != nil {
		switch refused.ErrorCode {
		case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request", "invalid_scope":
			code += "-" + strings.ReplaceAll(refused.ErrorCode, "_", "-")
		}
	}
	return fault.New(fault.Unavailable, code, "the department's identity provider does not answer as it should; try again")
}

// assert is private_key_jwt.
func (x *Exchanger) assert(s Secret, p Provider) (string, error) {
	signer, err := s.signer()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "client key")
	}
	now := x.now().Unix()
	raw, err := json.Marshal(map[string]any{"iss": p.Client, "sub": p.Client, "aud": p.Token, "jti": rand.Text(), "iat": now, "exp": now + 60})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "client assertion")
	}
	jws, err := signer.Sign(raw)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "client assertion")
	}
	return jws.CompactSerialize()
}

// Found is what a provider says of itself.
type Found struct {
	Authorize string
	Token     string
	Keys      []jose.JSONWebKey // those a configuration can hold
}

// Find asks a provider for its metadata (OpenID Connect Discovery 1.0) and its keys.
// It is for the operator, on a machine that reaches it; roles do not call it.
func Find(ctx context.Context, issuer string) (Found, error) {
	c := client()
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, c), issuer)
	if err != nil {
		return Found{}, fault.Wrap(fault.Unavailable, err, "the provider's metadata")
	}
	var says struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&says); err != nil {
		return Found{}, fault.Wrap(fault.Invalid, err, "the provider's metadata")
	}
	u, err := url.Parse(says.Keys)
	if err != nil || u.Scheme != "https" && !strings.HasPrefix(says.Keys, issuer+"/") {
		return Found{}, fault.New(fault.Invalid, "jwks", "the provider's keys are at no https address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, says.Keys, nil)
	if err != nil {
		return Found{}, fault.Wrap(fault.Invalid, err, "jwks")
	}
	res, err := c.Do(req)
	if err != nil {
		return Found{}, fault.Wrap(fault.Unavailable, err, "the provider's keys")
	}
	defer res.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil || res.StatusCode != http.StatusOK {
		return Found{}, fault.New(fault.Unavailable, "jwks", "the provider's keys cannot be read")
	}
	out := Found{Authorize: p.Endpoint().AuthURL, Token: p.Endpoint().TokenURL}
	for _, k := range set.Keys {
		if department.Takes(k) {
			out.Keys = append(out.Keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: k.Algorithm, Use: k.Use})
		}
	}
	return out, nil
}
