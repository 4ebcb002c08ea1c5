package redteam

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/access/department/departmenttest"
	"tikakosh/test/harness"
)

// vaccinator is who signs in at the department, in these attacks honestly or not.
func vaccinator(sub string) map[string]any {
	return map[string]any{"sub": sub, "roles": []string{"jab-7"}, "name": "Vani Test"}
}

// atDepartment is a trial on a server with a department in force.
func atDepartment(try func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string)) trial {
	return trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		p := s.Department(s.FirstAdministrator("Nita Test"), nil)
		p.Public(true)
		p.Login(vaccinator("one"))
		if a := s.Desk().Comes(""); !a.OK() {
			t.Fatalf("honestly: %s", a.Text())
		}
		return try(t, s, p)
	}}
}

// forged signs in with tokens made from good claims, and reports which were taken.
func forged(t *testing.T, s *harness.Server, p *departmenttest.Provider, tokens map[string]func(claims map[string]any) string) (bool, string) {
	t.Helper()
	var taken []string
	for name, make := range tokens {
		p.Forge(make)
		if a := s.Desk().Comes(""); a.OK() {
			taken = append(taken, name)
		} else if a.Status != 401 {
			t.Errorf("%s: %s", name, a.Text())
		}
	}
	p.Forge(nil)
	return len(taken) > 0, fmt.Sprintf("%d of %d forms of such a token were taken", len(taken), len(tokens))
}

// changed signs the claims as the provider would, with some changed.
func changed(p *departmenttest.Provider, change map[string]any) func(map[string]any) string {
	return func(claims map[string]any) string {
		all := maps.Clone(claims)
		maps.Copy(all, change)
		maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
		return p.Sign(all)
	}
}

// TestS20TokenOfAnother: what a captured web role has of somebody's sign-in is good for
// that browser's key alone.
func TestS20TokenOfAnother(t *testing.T) {
	t.Parallel()
	run(t, "S20", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		given := p.Given()
		again, _ := forged(t, s, p, map[string]func(map[string]any) string{"again": func(map[string]any) string { return given[len(given)-1] }})
		victim, thief := s.Desk(), s.Desk()
		seen, a := victim.AtDepartment()
		victim.Must(a)
		own, a := thief.AtDepartment()
		thief.Must(a)
		own.Code, own.Verifier = seen.Code, seen.Verifier
		stolen := thief.Brings(own, "")
		return again || stolen.OK(), fmt.Sprintf("a token again: taken %v; code and verifier of another browser: status %d", again, stolen.Status)
	}))
}

// TestS21OtherClient: the provider serves other applications too.
func TestS21OtherClient(t *testing.T) {
	t.Parallel()
	run(t, "S21", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		return forged(t, s, p, map[string]func(map[string]any) string{"aud": changed(p, map[string]any{"aud": "payroll"}), "two": changed(p, map[string]any{"aud": []string{"payroll", departmenttest.Client}}),
			"azp": changed(p, map[string]any{"azp": "payroll"})})
	}))
}

// TestS22OtherIssuer: providers for many tenants sign for all of them with one key.
func TestS22OtherIssuer(t *testing.T) {
	t.Parallel()
	run(t, "S22", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		return forged(t, s, p, map[string]func(map[string]any) string{"another tenant": changed(p, map[string]any{"iss": p.Issuer + "/another"}), "none": changed(p, map[string]any{"iss": nil})})
	}))
}

// TestS23NotSigned: the old ways around a signature.
func TestS23NotSigned(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "S23", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		spki, err := x509.MarshalPKIXPublicKey(p.Key.Public())
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(p.JWK())
		if err != nil {
			t.Fatal(err)
		}
		hmac := func(secret []byte) func(map[string]any) string {
			return func(claims map[string]any) string { return departmenttest.Sign(jose.HS256, secret, claims) }
		}
		return forged(t, s, p, map[string]func(map[string]any) string{"none": departmenttest.Unsigned, "HS256 with the PEM": hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
			"HS256 with the DER": hmac(spki), "HS256 with the JWK": hmac(jwk), "another key": func(claims map[string]any) string { return departmenttest.Sign(jose.ES256, other, claims) }})
	}))
}

// TestS24WeakFactor: the department lets people in who could have been phished.
func TestS24WeakFactor(t *testing.T) {
	t.Parallel()
	run(t, "S24", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		return forged(t, s, p, map[string]func(map[string]any) string{"password": changed(p, map[string]any{"acr": "1", "amr": []string{"pwd"}}),
			"texted code": changed(p, map[string]any{"acr": nil, "amr": []string{"pwd", "sms", "mfa"}}), "a key that nobody touched": changed(p, map[string]any{"acr": nil, "amr": []string{"hwk"}}),
			"not said": changed(p, map[string]any{"acr": nil, "amr": nil}), "yesterday": changed(p, map[string]any{"auth_time": s.Now().Unix() - 86400})})
	}))
}

// TestS25Leaver: the department's export says that somebody left.
func TestS25Leaver(t *testing.T) {
	t.Parallel()
	run(t, "S25", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		leaver := s.Desk()
		leaver.Must(leaver.Comes(""))
		file := filepath.Join(t.TempDir(), "staff.csv")
		if err := os.WriteFile(file, []byte("sub,active\none,false\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := s.Command("staff", "sync", "--data", s.Data, "--department", "health", file); code != 0 {
			t.Fatal(out)
		}
		live, again := leaver.Ask("GET", "me", nil), s.Desk().Comes("")
		return live.OK() || again.OK(), fmt.Sprintf("a leaver's live session: status %d, a new one: %d", live.Status, again.Status)
	}))
}

// TestS26Ceiling: whoever writes in the department's directory gives roles here.
func TestS26Ceiling(t *testing.T) {
	t.Parallel()
	run(t, "S26", atDepartment(func(t *testing.T, s *harness.Server, p *departmenttest.Provider) (bool, string) {
		got, tried := 0, 0
		for _, grant := range []string{harness.National, "state@state/21", "auditor@state/21", "manager@centre/7/77/8", "investigator@national"} {
			p.Login(map[string]any{"sub": "x" + strings.Split(grant, "@")[0], "grants": []string{grant}})
			tried++
			if a := s.Desk().Comes(""); a.OK() {
				got++
			}
		}
		p.Login(map[string]any{"sub": "fine", "grants": []string{"manager@centre/21/395/9"}})
		if a := s.Desk().Comes(""); !a.OK() {
			t.Fatalf("a role below the ceiling: %s", a.Text())
		}
		return got > 0, fmt.Sprintf("%d of %d roles above the department's ceiling were given", got, tried)
	}))
}

// TestS27OperatorAlone: who owns the machine names a provider of their own, with nobody
// else.
func TestS27OperatorAlone(t *testing.T) {
	t.Parallel()
	run(t, "S27", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		p := s.Provider()
		p.Public(true)
		s.SetDepartment(p, map[string]any{"mapping": map[string][]string{"me": {harness.National}}, "ceiling": map[string]any{"scope": "national", "roles": []string{"national"}}, "grants_claim": nil})
		p.Login(map[string]any{"sub": "evil", "roles": []string{"me"}})
		a := s.Desk().Comes("")
		return a.OK(), fmt.Sprintf("signing in at a provider that nobody else approved: status %d", a.Status)
	}})
}
