// Package departmenttest is an identity provider on this machine, for tests: it shows
// its metadata and keys, sends browsers back with a code, and gives signed ID tokens for
// it. Written from OpenID Connect Core 1.0, RFC 7636 and RFC 9207, apart from the
// product. It asks nobody for anything: who comes is who Login says.
package departmenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The provider's client: this installation.
const (
	Client = "tikakosh"
	Secret = "a secret of the tests, known to the web role"
)

// Provider is one. Its fields may be changed between requests with Set.
type Provider struct {
	Issuer string
	Key    *ecdsa.PrivateKey

	now func() time.Time
	srv *http.Server

	mu    sync.Mutex
	login map[string]any                     // claims of who signs in
	forge func(claims map[string]any) string // makes the token in the provider's stead
	codes map[string]grant
	given []string
	open  bool
}

type grant struct {
	redirect, challenge string
	claims              map[string]any
}

// Start begins to serve on a free port of this machine, by the clock now.
func Start(now func() time.Time) (*Provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{Issuer: "http://" + ln.Addr().String(), Key: key, now: now, codes: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/jwks",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{"keys": []any{p.JWK()}}) })
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.srv.Serve(ln) }()
	return p, nil
}

// Close ends it.
func (p *Provider) Close() error { return p.srv.Close() }

// JWK is the public key.
func (p *Provider) JWK() jose.JSONWebKey {
	return jose.JSONWebKey{Key: p.Key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}
}

// Login says who signs in next: claims besides those every token has. An entry that is
// nil takes one of those away.
func (p *Provider) Login(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.login = claims
}

// Forge has f make the tokens; nil: the provider again.
func (p *Provider) Forge(f func(claims map[string]any) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forge = f
}

// Public makes it take clients without a secret too.
func (p *Provider) Public(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = yes
}

// Given are the ID tokens that were given, in order.
func (p *Provider) Given() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.given...)
}

// Sign makes a token of claims with the provider's key.
func (p *Provider) Sign(claims map[string]any) string { return Sign(jose.ES256, p.Key, claims) }

// Sign makes a compact JWS of claims.
func Sign(alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "one"))
	if err != nil {
		panic(err) // a test gave a key that does not fit
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(raw)
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// Unsigned is a token with the algorithm "none".
func Unsigned(claims map[string]any) string {
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(raw) + "."
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Claims are those of a good token about who signs in, asked for with a nonce.
func (p *Provider) Claims(nonce string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now().Unix()
	out := map[string]any{"iss": p.Issuer, "aud": Client, "sub": "sub-1", "iat": now, "exp": now + 300, "auth_time": now, "nonce": nonce, "amr": []string{"hwk", "user", "mfa"}, "acr": "phr"}
	maps.Copy(out, p.login)
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || back.Host == "" || q.Get("client_id") != Client:
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("nonce") == "" || q.Get("state") == "":
		http.Error(w, "a code with PKCE S256, state and nonce is wanted", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	claims := p.Claims(q.Get("nonce"))
	p.mu.Lock()
	p.codes[code] = grant{redirect: back.String(), challenge: q.Get("code_challenge"), claims: claims}
	p.mu.Unlock()
	params := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.Issuer}}.Encode()
	if q.Get("response_mode") == "fragment" {
		back.Fragment = ""
		http.Redirect(w, r, back.String()+"#"+params, http.StatusFound)
		return
	}
	back.RawQuery = params
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":%q}`, code)
	}
	user, secret, _ := r.BasicAuth()
	if user == "" {
		user, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	if user != Client || secret != Secret && secret != url.QueryEscape(Secret) && !(open && secret == "") {
		fail("invalid_client")
		return
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	forge := p.forge
	p.mu.Unlock()
	if !ok || r.PostFormValue("grant_type") != "authorization_code" || g.challenge != b64(sum[:]) || g.redirect != r.PostFormValue("redirect_uri") {
		fail("invalid_grant")
		return
	}
	if forge == nil {
		forge = p.Sign
	}
	token := forge(g.claims)
	p.mu.Lock()
	p.given = append(p.given, token)
	p.mu.Unlock()
	answer(w, map[string]any{"access_token": "nothing", "token_type": "Bearer", "expires_in": 60, "id_token": token})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Config is the provider's file as an operator writes it: a vaccinator and a manager at
// a centre by mapping, others by the claim grants within the ceiling, which is a state.
// with changes or, by nil, leaves out fields.
func (p *Provider) Config(with map[string]any) []byte {
	c := map[string]any{"id": "health", "names": map[string]string{"en": "Health Department", "hi": "स्वास्थ्य विभाग"}, "issuer": p.Issuer, "client_id": Client,
		"authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "keys": []any{p.JWK()},
		"factor": map[string]any{"acr": []string{"phr", "phrh"}, "amr": [][]string{{"hwk", "user"}, {"fido"}}}, "max_age": 900,
		"roles_claim": "roles", "mapping": map[string][]string{"jab-7": {"vaccinator@centre/21/395/7"}, "lead-7": {"manager@centre/21/395/7", "vaccinator@centre/21/395/7"}},
		"grants_claim": "grants", "number_claim": nil,
		"ceiling": map[string]any{"scope": "state/21", "roles": []string{"district", "manager", "vaccinator", "verifier"}}}
	maps.Copy(c, with)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic(err)
	}
	return raw
}
