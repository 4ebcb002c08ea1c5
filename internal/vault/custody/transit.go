package custody

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

// maxTransit bounds an answer of the key service, in bytes.
const maxTransit = 1 << 20

// TransitConfig says where a transit service (OpenBao, Vault) is and how to log
// in: transit:https://HOST:PORT/MOUNT?key=PREFIX&token-file=FILE or
// &role-id-file=FILE&secret-id-file=FILE, and &ca-file=FILE, &namespace=NAME.
type TransitConfig struct {
	Base       string // address with the mount, no slash at the end
	Login      string // address of the service alone
	Key        string // prefix of the names of our keys; "tikakosh" when not given
	Namespace  string
	TokenFile  string // holds a token; read again whenever the service refuses
	RoleIDFile string // AppRole
	SecretFile string // AppRole's secret id
	CAFile     string // certificates to trust instead of the system's
}

// ParseTransit reads such a text. It refuses plain HTTP and secrets in the text:
// a command line can be read by every user of a machine. fault.Invalid.
func ParseTransit(text string) (TransitConfig, error) {
	bad := func(format string, a ...any) (TransitConfig, error) {
		return TransitConfig{}, fault.Newf(fault.Invalid, "keys", "--keys transit: "+format, a...)
	}
	rest, ok := strings.CutPrefix(text, KindTransit+":")
	u, err := url.Parse(rest)
	if !ok || err != nil || len(text) > 4096 || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return bad("an https address is wanted, without a user")
	}
	mount := strings.Trim(u.Path, "/")
	if mount == "" {
		mount = "transit"
	}
	c := TransitConfig{Login: "https://" + u.Host + "/v1/auth/approle/login", Base: "https://" + u.Host + "/v1/" + mount, Key: "tikakosh"}
	fields := map[string]*string{"key": &c.Key, "namespace": &c.Namespace, "token-file": &c.TokenFile, "role-id-file": &c.RoleIDFile,
		"secret-id-file": &c.SecretFile, "ca-file": &c.CAFile}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("the part after ? does not parse")
	}
	for name, v := range values {
		into, known := fields[name]
		if !known || len(v) != 1 || v[0] == "" {
			return bad("%q is not understood, empty, or stands there twice; secrets are in files that token-file, role-id-file and secret-id-file name", name)
		}
		*into = v[0]
	}
	if strings.Trim(c.Key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return bad("key has letters, digits, - and _")
	}
	if (c.TokenFile == "") == (c.RoleIDFile == "") || (c.RoleIDFile == "") != (c.SecretFile == "") {
		return bad("give token-file, or role-id-file and secret-id-file")
	}
	return c, nil
}

// Transit is custody in a transit secrets engine: the wrapping key
// (aes256-gcm96) and the id-tag keys (hmac) are made there and cannot be
// exported. It is safe for concurrent use.
type Transit struct {
	cfg  TransitConfig
	http *http.Client

	mu    sync.Mutex
	token string
}

// OpenTransit logs in and looks for the wrapping key. With create the keys that do
// not exist are made: only for a database that is fresh.
func OpenTransit(cfg TransitConfig, create bool) (*Transit, error) {
	pool, err := x509.SystemCertPool()
	if cfg.CAFile != "" {
		pool = x509.NewCertPool()
		raw, rerr := os.ReadFile(cfg.CAFile)
		if rerr != nil || !pool.AppendCertsFromPEM(raw) {
			return nil, fault.Newf(fault.Invalid, "keys", "ca-file %s holds no certificate that can be read", cfg.CAFile)
		}
	} else if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the system's certificates")
	}
	t := &Transit{cfg: cfg, http: &http.Client{Timeout: remoteTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
			MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}}}
	if create {
		if err := t.make(t.root(), map[string]any{"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false}); err != nil {
			return nil, err
		}
		if err := t.MakeTagKey(1); err != nil {
			return nil, err
		}
	}
	found, err := t.find(t.root())
	if err == nil && !found {
		err = Missing("key " + t.root() + " of the key service")
	}
	return t, err
}

func (t *Transit) root() string              { return t.cfg.Key + "-root" }
func (t *Transit) tagKey(version int) string { return fmt.Sprintf("%s-idtag-%d", t.cfg.Key, version) }

// away is the fault of a service that does not do what it should: it is asked
// again.
func away(format string, a ...any) error {
	return fault.Newf(fault.Unavailable, "key-custody", "the key service "+format, a...)
}

// secretOf reads a file with a secret, which nobody else may read.
func secretOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", away("cannot be logged in to: %v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fault.Newf(fault.Forbidden, "key-mode", "%s is open to others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", away("cannot be logged in to: %v", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// login gets a token, unless another caller has got one since old was refused.
func (t *Transit) login(old string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.token != old {
		return t.token, nil
	}
	if t.cfg.TokenFile != "" {
		token, err := secretOf(t.cfg.TokenFile)
		t.token = token
		return token, err
	}
	role, err := secretOf(t.cfg.RoleIDFile)
	if err != nil {
		return "", err
	}
	secret, err := secretOf(t.cfg.SecretFile)
	if err != nil {
		return "", err
	}
	var out struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	status, _, err := t.send(http.MethodPost, t.cfg.Login, "", map[string]string{"role_id": role, "secret_id": secret}, &out)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK || out.Auth.Token == "" {
		return "", away("refuses the AppRole (status %d)", status)
	}
	t.token = out.Auth.Token
	return t.token, nil
}

// send is one request. Its error is one of the way there; what the service says is
// in status and errors.
func (t *Transit) send(method, address, token string, body, into any) (status int, errs []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), remoteTimeout)
	defer cancel()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fault.Wrap(fault.Internal, err, "key service call")
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, r)
	if err != nil {
		return 0, nil, fault.Wrap(fault.Internal, err, "key service call")
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if t.cfg.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", t.cfg.Namespace)
	}
	req.Header.Set("X-Vault-Request", "true")
	res, err := t.http.Do(req)
	if err != nil {
		return 0, nil, away("cannot be reached")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxTransit))
	if err != nil {
		return 0, nil, away("broke its answer off")
	}
	var told struct {
		Errors []string `json:"errors"`
	}
	_ = json.Unmarshal(raw, &told) // a proxy's page has none
	if into != nil && res.StatusCode == http.StatusOK && json.Unmarshal(raw, into) != nil {
		return 0, nil, away("gave an answer in another form")
	}
	return res.StatusCode, told.Errors, nil
}

// ask is send with a token, logging in again when the service refuses it.
func (t *Transit) ask(method, path string, body, into any) (status int, errs []string, err error) {
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	for try := 0; ; try++ {
		if token == "" {
			if token, err = t.login(""); err != nil {
				return 0, nil, err
			}
		}
		status, errs, err = t.send(method, t.cfg.Base+path, token, body, into)
		if err != nil {
			return 0, nil, err
		}
		if status != http.StatusForbidden || try > 0 {
			break
		}
		if token, err = t.login(token); err != nil {
			return 0, nil, err
		}
	}
	switch {
	case status == http.StatusForbidden:
		return 0, nil, away("refuses this role %s %s: its policy or token does not allow it", method, path)
	case status >= 300 && status != http.StatusBadRequest && status != http.StatusNotFound:
		return 0, nil, away("answers %d (sealed, standby or busy)", status) // 429, 472, 473, 5xx
	}
	return status, errs, nil
}

func notFound(status int, errs []string) bool {
	return status == http.StatusNotFound || strings.Contains(strings.Join(errs, " "), "not found")
}

// find reports whether a key is there. One that can be exported is refused: its
// copies would be nobody's secret.
func (t *Transit) find(name string) (bool, error) {
	var out struct {
		Data struct {
			Exportable bool `json:"exportable"`
			Backup     bool `json:"allow_plaintext_backup"`
		} `json:"data"`
	}
	status, errs, err := t.ask(http.MethodGet, "/keys/"+name, nil, &out)
	switch {
	case err != nil:
		return false, err
	case notFound(status, errs):
		return false, nil
	case status != http.StatusOK:
		return false, away("does not say whether %s is there (%d)", name, status)
	case out.Data.Exportable || out.Data.Backup:
		return false, fault.Newf(fault.Integrity, "key", "the key %s of the key service can be exported or backed up in the clear", name)
	}
	return true, nil
}

func (t *Transit) make(name string, kind map[string]any) error {
	if found, err := t.find(name); err != nil || found {
		return err
	}
	status, errs, err := t.ask(http.MethodPost, "/keys/"+name, kind, nil)
	if err == nil && status != http.StatusOK && status != http.StatusNoContent {
		err = away("does not make %s (%d %s)", name, status, strings.Join(errs, "; "))
	}
	return err
}

// Wrap implements Provider.
func (t *Transit) Wrap(name string, key []byte) ([]byte, error) {
	if len(key) > MaxKey {
		return nil, fault.New(fault.Invalid, "key", "a key to wrap is too long")
	}
	var out struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
		} `json:"data"`
	}
	status, _, err := t.ask(http.MethodPost, "/encrypt/"+t.root(), map[string]string{"plaintext": base64.StdEncoding.EncodeToString(key),
		"associated_data": base64.StdEncoding.EncodeToString(AAD(name))}, &out)
	if err == nil && (status != http.StatusOK || out.Data.Ciphertext == "") {
		err = away("does not wrap (%d)", status)
	}
	return []byte(out.Data.Ciphertext), err
}

// Unwrap implements Provider.
func (t *Transit) Unwrap(name string, blob []byte) ([]byte, error) {
	if !strings.HasPrefix(string(blob), "vault:v") || len(blob) > 4*MaxKey {
		return nil, NotOpened() // wrapped by another custody
	}
	var out struct {
		Data struct {
			Plaintext string `json:"plaintext"`
		} `json:"data"`
	}
	status, errs, err := t.ask(http.MethodPost, "/decrypt/"+t.root(), map[string]string{"ciphertext": string(blob),
		"associated_data": base64.StdEncoding.EncodeToString(AAD(name))}, &out)
	switch {
	case err != nil:
		return nil, err
	case notFound(status, errs):
		return nil, Missing("key " + t.root() + " of the key service")
	case status != http.StatusOK:
		return nil, NotOpened()
	}
	key, err := base64.StdEncoding.DecodeString(out.Data.Plaintext)
	if err != nil || len(key) == 0 {
		return nil, away("gave an answer in another form")
	}
	return key, nil
}

// Tag implements Provider.
func (t *Transit) Tag(version int, data []byte) ([]byte, error) {
	var out struct {
		Data struct {
			HMAC string `json:"hmac"`
		} `json:"data"`
	}
	status, errs, err := t.ask(http.MethodPost, "/hmac/"+t.tagKey(version)+"/sha2-256",
		map[string]any{"input": base64.StdEncoding.EncodeToString(TagInput(data)), "key_version": 1}, &out)
	switch {
	case err != nil:
		return nil, err
	case notFound(status, errs):
		return nil, Missing("key " + t.tagKey(version) + " of the key service")
	}
	text, ok := strings.CutPrefix(out.Data.HMAC, "vault:v1:")
	tag, err := base64.StdEncoding.DecodeString(text)
	if status != http.StatusOK || !ok || err != nil || len(tag) != 32 {
		return nil, away("does not tag (%d)", status)
	}
	return tag, nil
}

// MakeTagKey implements Provider.
func (t *Transit) MakeTagKey(version int) error {
	return t.make(t.tagKey(version), map[string]any{"type": "hmac", "key_size": keyBytes, "exportable": false, "allow_plaintext_backup": false})
}

// DestroyTagKey implements Provider.
func (t *Transit) DestroyTagKey(version int) error {
	name := t.tagKey(version)
	if found, err := t.find(name); err != nil || !found {
		return err
	}
	for _, step := range []struct {
		method, path string
		body         any
	}{{http.MethodPost, "/keys/" + name + "/config", map[string]any{"deletion_allowed": true}}, {http.MethodDelete, "/keys/" + name, nil}} {
		status, errs, err := t.ask(step.method, step.path, step.body, nil)
		if err != nil {
			return err
		}
		if status != http.StatusOK && status != http.StatusNoContent {
			return away("does not destroy %s (%d %s)", name, status, strings.Join(errs, "; "))
		}
	}
	return nil
}
