package exchange_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/access/department/departmenttest"
	"tikakosh/internal/access/exchange"
	"tikakosh/internal/fault"
)

const (
	redirect = "https://staff.example.org/department"
	verifier = "a-verifier-of-at-least-forty-three-characters-long"
)

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// code is what a browser would bring back.
func code(t *testing.T, p *departmenttest.Provider) string {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {departmenttest.Client}, "redirect_uri": {redirect}, "nonce": {"n"}, "state": {"s"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Issuer+"/authorize?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	u, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}

func TestExchange(t *testing.T) {
	p, err := departmenttest.Start(noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	x := exchange.New(map[string]exchange.Secret{"health": {Secret: departmenttest.Secret}, "wrong": {Secret: "another"}}, noon)
	at := exchange.Provider{ID: "health", Issuer: p.Issuer, Client: departmenttest.Client, Token: p.Issuer + "/token", Redirect: redirect}
	one := code(t, p)
	token, err := x.IDToken(t.Context(), at, one, verifier)
	if err != nil || strings.Count(token, ".") != 2 {
		t.Fatalf("%q, %v", token, err)
	}
	ask := func(at exchange.Provider, code, verifier string) error {
		_, err := x.IDToken(t.Context(), at, code, verifier)
		return err
	}
	other, elsewhere, wrong := at, at, at
	other.Redirect, elsewhere.Token, wrong.ID = "https://evil.example/", p.Issuer+"/nothing", "wrong"
	for name, one := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"a code again":       {ask(at, one, verifier), fault.Unauthorized},
		"another verifier":   {ask(at, code(t, p), verifier+"x"), fault.Unauthorized},
		"another place":      {ask(other, code(t, p), verifier), fault.Unauthorized},
		"no code":            {ask(at, "", verifier), fault.Unauthorized},
		"a long code":        {ask(at, strings.Repeat("x", 5000), verifier), fault.Unauthorized},
		"no such address":    {ask(elsewhere, code(t, p), verifier), fault.Unavailable},
		"not the client":     {ask(wrong, code(t, p), verifier), fault.Unavailable},
		"nobody listens":     {ask(exchange.Provider{Token: "http://127.0.0.1:1/"}, "c", verifier), fault.Unavailable},
		"the provider waits": {late(t, x, at), fault.Unavailable},
	} {
		if !fault.Is(one.err, one.kind) {
			t.Errorf("%s: %v", name, one.err)
		}
	}
}

func late(t *testing.T, x *exchange.Exchanger, at exchange.Provider) error {
	t.Helper()
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer s.Close()
	defer close(end)
	at.Token = s.URL
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := x.IDToken(ctx, at, "c", verifier)
	return err
}

// TestAsks: what reaches the provider, as a public client and with a key of our own; a
// redirect is not followed.
func TestAsks(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var form url.Values
	var auth string
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form, auth = r.PostForm, r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"x","token_type":"Bearer","id_token":"a.b.c"}`))
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	raw, err := json.Marshal(map[string]any{"keyed": map[string]any{"private_key": jose.JSONWebKey{Key: key, KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := exchange.ParseSecrets(raw)
	if err != nil {
		t.Fatal(err)
	}
	x := exchange.New(secrets, noon)
	at := exchange.Provider{ID: "public", Client: "us", Token: s.URL + "/token", Redirect: redirect}
	if _, err := x.IDToken(t.Context(), at, "c", verifier); err != nil || auth != "" || form.Get("client_id") != "us" || form.Get("client_secret") != "" || form.Get("code_verifier") != verifier {
		t.Errorf("%v: %v %q", err, form, auth)
	}
	at.ID = "keyed"
	if _, err := x.IDToken(t.Context(), at, "c", verifier); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jws.Verify(key.Public())
	if err != nil || !strings.Contains(string(claims), `"aud":"`+at.Token+`"`) || form.Get("client_secret") != "" {
		t.Errorf("%v: %s", err, claims)
	}
	at.Token = s.URL + "/away"
	if _, err := x.IDToken(t.Context(), at, "c", verifier); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a redirect: %v", err)
	}
}

func TestFind(t *testing.T) {
	p, err := departmenttest.Start(noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	got, err := exchange.Find(t.Context(), p.Issuer)
	if err != nil || len(got.Keys) != 1 || got.Token != p.Issuer+"/token" || got.Authorize != p.Issuer+"/authorize" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := exchange.Find(t.Context(), p.Issuer+"/"); err == nil {
		t.Error("another issuer's metadata")
	}
}

// FuzzSecrets: a file of secrets is refused, or each department has one way to be known.
func FuzzSecrets(f *testing.F) {
	f.Add([]byte(`{"a":{"client_secret":"x"}}`))
	f.Add([]byte(`{"a":{"private_key":{"kty":"EC"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := exchange.ParseSecrets(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range got {
			if (s.Secret == "") == (s.Key == nil) {
				t.Fatalf("%q", raw)
			}
		}
	})
}

// TestDirectory: the list is asked for twice a second at most, at once for a department
// that is not on it, and stays what it was while nobody answers.
func TestDirectory(t *testing.T) {
	now, asked, fails := noon(), 0, false
	d := exchange.NewDirectory(func(context.Context) ([]exchange.Provider, error) {
		if asked++; fails {
			return nil, fault.New(fault.Unavailable, "away", "away")
		}
		return []exchange.Provider{{ID: "health", Token: "http://127.0.0.1:1/"}}, nil
	}, exchange.New(nil, noon), func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for range 3 {
		if got := d.Known(t.Context()); len(got) != 1 || asked != 1 {
			t.Fatalf("%v, asked %d times", got, asked)
		}
	}
	now = now.Add(100 * time.Millisecond)
	if _, err := d.IDToken(t.Context(), "other", "c", verifier); !fault.Is(err, fault.NotFound) || asked != 2 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	now, fails = now.Add(time.Second), true
	if _, err := d.IDToken(t.Context(), "health", "c", verifier); !fault.Is(err, fault.Unavailable) || asked != 3 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}
