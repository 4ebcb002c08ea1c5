// Package custodytest is a transit key service for tests, written from the public
// description of OpenBao's API. It is not OpenBao.
package custodytest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Transit answers what our client asks of a transit secrets engine mounted at
// "transit", over TLS.
type Transit struct {
	*httptest.Server
	RoleID, SecretID string

	mu     sync.Mutex
	keys   map[string]*key
	tokens map[string]bool
	down   int
	asked  map[string]int
}

type key struct {
	kind       string
	secret     []byte
	exportable bool
	deletable  bool
}

// NewTransit starts a service with one AppRole.
func NewTransit() *Transit {
	t := &Transit{RoleID: "role", SecretID: "secret-" + random(), keys: map[string]*key{}, tokens: map[string]bool{}, asked: map[string]int{}}
	t.Server = httptest.NewTLSServer(http.HandlerFunc(t.serve))
	return t
}

func random() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// CA is the certificate to trust, in PEM.
func (t *Transit) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: t.Certificate().Raw})
}

// Token gives out a token.
func (t *Transit) Token() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := "s." + random()
	t.tokens[token] = true
	return token
}

// Revoke ends every token that was given out.
func (t *Transit) Revoke() { t.mu.Lock(); clear(t.tokens); t.mu.Unlock() }

// Down lets every answer have a status (503: sealed); 0 ends that.
func (t *Transit) Down(status int) { t.mu.Lock(); t.down = status; t.mu.Unlock() }

// Exportable makes a key one that can be taken out.
func (t *Transit) Exportable(name string) { t.mu.Lock(); t.keys[name].exportable = true; t.mu.Unlock() }

// Secrets are the keys' own bytes, by name.
func (t *Transit) Secrets() map[string][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string][]byte{}
	for name, k := range t.keys {
		out[name] = k.secret
	}
	return out
}

func (t *Transit) serve(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[r.URL.Path]++
	var body map[string]any
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	text := func(name string) string { s, _ := body[name].(string); return s }
	switch {
	case t.down != 0:
		fail(w, t.down, "Vault is sealed")
	case r.URL.Path == "/v1/auth/approle/login":
		if text("role_id") != t.RoleID || text("secret_id") != t.SecretID {
			fail(w, http.StatusBadRequest, "invalid role or secret ID")
			return
		}
		token := "s." + random()
		t.tokens[token] = true
		write(w, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": 1200, "renewable": true}})
	case !t.tokens[r.Header.Get("X-Vault-Token")]:
		fail(w, http.StatusForbidden, "permission denied")
	default:
		rest, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
		if !ok {
			fail(w, http.StatusNotFound)
			return
		}
		t.transit(w, r.Method, strings.Split(rest, "/"), text, body)
	}
}

func (t *Transit) transit(w http.ResponseWriter, method string, path []string, text func(string) string, body map[string]any) {
	if len(path) < 2 {
		fail(w, http.StatusNotFound)
		return
	}
	k := t.keys[path[1]]
	switch do := method + " " + path[0]; {
	case do == "POST keys" && len(path) == 3 && path[2] == "config" && k != nil:
		k.deletable, _ = body["deletion_allowed"].(bool)
		w.WriteHeader(http.StatusNoContent)
	case do == "POST keys" && len(path) == 2:
		if k == nil {
			k = &key{kind: text("type"), secret: make([]byte, 32)}
			rand.Read(k.secret)
			k.exportable, _ = body["exportable"].(bool)
			t.keys[path[1]] = k
		}
		write(w, map[string]any{"data": map[string]any{"name": path[1], "type": k.kind}})
	case k == nil && do == "GET keys":
		fail(w, http.StatusNotFound)
	case k == nil:
		fail(w, http.StatusBadRequest, "encryption key not found")
	case do == "GET keys":
		write(w, map[string]any{"data": map[string]any{"name": path[1], "type": k.kind, "exportable": k.exportable,
			"allow_plaintext_backup": false, "deletion_allowed": k.deletable, "latest_version": 1}})
	case do == "DELETE keys" && !k.deletable:
		fail(w, http.StatusBadRequest, "deletion is not allowed for this key")
	case do == "DELETE keys":
		delete(t.keys, path[1])
		w.WriteHeader(http.StatusNoContent)
	case do == "POST encrypt" && k.kind == "aes256-gcm96":
		blob := aead(k.secret).Seal(nil, nil, plain(text("plaintext")), plain(text("associated_data")))
		write(w, map[string]any{"data": map[string]any{"ciphertext": "vault:v1:" + base64.StdEncoding.EncodeToString(blob), "key_version": 1}})
	case do == "POST decrypt" && k.kind == "aes256-gcm96":
		raw, err := aead(k.secret).Open(nil, nil, plain(strings.TrimPrefix(text("ciphertext"), "vault:v1:")), plain(text("associated_data")))
		if err != nil {
			fail(w, http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		write(w, map[string]any{"data": map[string]any{"plaintext": base64.StdEncoding.EncodeToString(raw)}})
	case do == "POST hmac" && k.kind == "hmac" && len(path) == 3 && path[2] == "sha2-256":
		h := hmac.New(sha256.New, k.secret)
		h.Write(plain(text("input")))
		write(w, map[string]any{"data": map[string]any{"hmac": "vault:v1:" + base64.StdEncoding.EncodeToString(h.Sum(nil))}})
	default:
		fail(w, http.StatusBadRequest, "unsupported operation")
	}
}

func plain(text string) []byte {
	b, _ := base64.StdEncoding.DecodeString(text)
	return b
}

func aead(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, errs ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, errs...)})
}
