package harness

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tikakosh/internal/access/department/departmenttest"
)

// DepartmentArgs are the arguments of a server that knows the secret by which it is a
// client of a test's identity provider.
func DepartmentArgs(tb TB) []string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-secrets-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "secrets.json")
	if err := os.WriteFile(file, []byte(`{"health":{"client_secret":"`+departmenttest.Secret+`"}}`), 0o600); err != nil {
		tb.Fatal(err)
	}
	return []string{"--department-secrets", file}
}

// Provider starts an identity provider by the server's clock.
func (s *Server) Provider() *departmenttest.Provider {
	s.tb.Helper()
	p, err := departmenttest.Start(s.Now)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = p.Close() })
	return p
}

// SetDepartment hands a provider's file in, with changes, and returns what the command
// printed.
func (s *Server) SetDepartment(p *departmenttest.Provider, with map[string]any) string {
	s.tb.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-department-")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "health.json")
	if err := os.WriteFile(file, p.Config(with), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	out, code := s.Command("department", "set", "--data", s.Data, "--file", file)
	if code != 0 {
		s.tb.Fatal("department set: ", out)
	}
	return out
}

// Waiting is the proposal that department set printed.
func Waiting(out string) string {
	m := regexp.MustCompile(`\tproposal ([0-9a-f-]{36})`).FindStringSubmatch(out)
	if m == nil {
		return ""
	}
	return m[1]
}

// Department starts a provider and takes its configuration to its end: a day, and the
// approval of by, who is signed in again.
func (s *Server) Department(by *Desk, with map[string]any) *departmenttest.Provider {
	s.tb.Helper()
	p := s.Provider()
	proposal := Waiting(s.SetDepartment(p, with))
	s.Forward(24*time.Hour + time.Minute)
	by.Must(by.SignIn(""))
	by.Must(by.Fresh("approve", by.Approval(proposal)))
	return p
}

// Brought is what a browser has after its way to the provider and back.
type Brought struct{ Ceremony, Code, Verifier, Nonce string }

// AtDepartment begins a sign-in with the desk's key, goes to the provider and comes back.
// Written from docs/adr/0037, apart from the product's own client. The answer is that of
// the beginning where that was refused.
func (d *Desk) AtDepartment() (Brought, Answer) {
	d.tb.Helper()
	a := d.Ask("POST", "department/begin", map[string]any{"department": "health"})
	if !a.OK() {
		return Brought{}, a
	}
	var o struct {
		Authorize string `json:"authorization_endpoint"`
		Client    string `json:"client_id"`
		Redirect  string `json:"redirect_uri"`
		Scope     string `json:"scope"`
		Mode      string `json:"response_mode"`
		Nonce     string `json:"nonce"`
	}
	if err := json.Unmarshal(a.Part("options"), &o); err != nil {
		d.tb.Fatal(err)
	}
	b := Brought{Ceremony: a.Field("ceremony"), Verifier: rand.Text() + rand.Text(), Nonce: o.Nonce}
	sum, state := sha256.Sum256([]byte(b.Verifier)), rand.Text()
	q := url.Values{"response_type": {"code"}, "client_id": {o.Client}, "redirect_uri": {o.Redirect}, "scope": {o.Scope}, "response_mode": {o.Mode}, "state": {state}, "nonce": {o.Nonce},
		"code_challenge_method": {"S256"}, "code_challenge": {b64(sum[:])}}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(o.Authorize + "?" + q.Encode())
	if err != nil {
		d.tb.Fatal(err)
	}
	defer res.Body.Close()
	back, err := res.Location()
	if err != nil {
		d.tb.Fatalf("the provider does not send the browser back: %d, %v", res.StatusCode, err)
	}
	answer, err := url.ParseQuery(back.Fragment)
	if err != nil || answer.Get("state") != state || !strings.HasPrefix(back.String(), o.Redirect+"#") {
		d.tb.Fatalf("the provider's answer: %s, %v", back, err)
	}
	b.Code = answer.Get("code")
	return b, a
}

// Brings ends a sign-in at a department.
func (d *Desk) Brings(b Brought, grant string) Answer {
	d.tb.Helper()
	body := map[string]any{"ceremony": b.Ceremony, "department": "health", "code": b.Code, "verifier": b.Verifier}
	if grant != "" {
		body["grant"] = grant
	}
	a := d.Ask("POST", "department/finish", body)
	if a.OK() {
		var told struct {
			Member struct {
				ID string `json:"member_id"`
			} `json:"member"`
		}
		if err := json.Unmarshal(a.Body, &told); err != nil {
			d.tb.Fatal(err)
		}
		d.Member = told.Member.ID
	}
	return a
}

// Comes signs in at a department with a new key, as who the provider's Login says.
func (d *Desk) Comes(grant string) Answer {
	d.tb.Helper()
	d.NewKey()
	b, a := d.AtDepartment()
	if !a.OK() {
		return a
	}
	return d.Brings(b, grant)
}
