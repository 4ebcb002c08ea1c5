package custody_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/custody/custodytest"
)

// login is the files that a configuration names.
func login(t testing.TB, s *custodytest.Transit) (cfg custody.TransitConfig, dir string) {
	t.Helper()
	dir = t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg, err := custody.ParseTransit("transit:" + s.URL + "/transit?key=vault&role-id-file=" + put("role", s.RoleID+"\n") +
		"&secret-id-file=" + put("secret", s.SecretID) + "&ca-file=" + put("ca.pem", string(s.CA())))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

func TestTransit(t *testing.T) {
	s := custodytest.NewTransit()
	defer s.Close()
	cfg, dir := login(t, s)
	if _, err := custody.OpenTransit(cfg, false); !fault.Is(err, fault.Integrity) {
		t.Errorf("no key yet: %v", err)
	}
	p, err := custody.OpenTransit(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	custody.Exercise(t, p)
	blob, err := p.Wrap("a", []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := custody.OpenTransit(cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Revoke() // its token has expired: it logs in again, side by side
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := again.Unwrap("a", blob); err != nil || string(got) != "key" {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	for _, status := range []int{503, 429, 500, 473, 301} {
		s.Down(status)
		if _, err := again.Tag(2, nil); !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "key-custody" {
			t.Errorf("status %d: %v", status, err)
		}
	}
	s.Down(0)
	if _, err := again.Tag(2, nil); err != nil {
		t.Errorf("back again: %v", err)
	}
	if _, err := again.Unwrap("a", []byte("another custody's")); !fault.Is(err, fault.Integrity) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Revoke()
	if _, err := again.Tag(2, nil); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "AppRole") {
		t.Errorf("a wrong secret: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.OpenTransit(cfg, false); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a secret open to others: %v", err)
	}
	// By a token that somebody else keeps fresh.
	byToken := cfg
	byToken.RoleIDFile, byToken.SecretFile, byToken.TokenFile = "", "", filepath.Join(dir, "token")
	for range 2 {
		if err := os.WriteFile(byToken.TokenFile, []byte(s.Token()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err = custody.OpenTransit(byToken, false); err != nil {
			t.Fatal(err)
		}
		s.Revoke()
	}
	if _, err := p.Wrap("a", nil); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "policy or token") {
		t.Errorf("a token that has ended: %v", err)
	}
	if err := os.WriteFile(byToken.TokenFile, []byte(s.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Unwrap("a", blob); err != nil {
		t.Errorf("with a fresh token: %v", err)
	}
	s.Exportable("vault-root")
	if _, err := custody.OpenTransit(byToken, false); !fault.Is(err, fault.Integrity) {
		t.Errorf("a key that can be exported: %v", err)
	}
	stranger := byToken
	stranger.CAFile = ""
	if _, err := custody.OpenTransit(stranger, false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a service that nobody vouches for: %v", err)
	}
	for name, secret := range s.Secrets() {
		if bytes.Contains(blob, secret) {
			t.Errorf("%s is in a blob", name)
		}
	}
}

func TestTransitTexts(t *testing.T) {
	for text, why := range map[string]string{
		"transit:http://bao:8200/transit?token-file=/t":                         "https",
		"transit:https://user:pw@bao/transit?token-file=/t":                     "without a user",
		"transit:https://bao/transit":                                           "token-file",
		"transit:https://bao/transit?token-file=/t&role-id-file=/r":             "token-file",
		"transit:https://bao/transit?role-id-file=/r":                           "token-file",
		"transit:https://bao/transit?token=s.abc":                               "secrets are in files",
		"transit:https://bao/transit?token-file=/t&token-file=/u":               "twice",
		"transit:https://bao/transit?token-file=/t&key=a/b":                     "letters",
		"transit:https:///transit?token-file=/t":                                "https",
		"pkcs11:https://bao/transit?token-file=/t":                              "https",
		"transit:https://bao/transit?token-file=/t" + strings.Repeat("x", 5000): "https",
	} {
		if _, err := custody.ParseTransit(text); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.70s: %v", text, err)
		}
	}
	c, err := custody.ParseTransit("transit:https://bao.example:8200?token-file=/t&namespace=health")
	if err != nil || c.Base != "https://bao.example:8200/v1/transit" || c.Key != "tikakosh" || c.Namespace != "health" {
		t.Errorf("%+v %v", c, err)
	}
}

func FuzzParseTransit(f *testing.F) {
	f.Add("transit:https://bao.example:8200/transit?token-file=/t&namespace=health")
	f.Add("transit:https://bao?role-id-file=/r&secret-id-file=/s&ca-file=/c&key=k")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := custody.ParseTransit(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
			return
		}
		if !strings.HasPrefix(c.Base, "https://") || c.TokenFile+c.RoleIDFile == "" {
			t.Errorf("%q is taken as %+v", text, c)
		}
	})
}
