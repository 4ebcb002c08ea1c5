package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/access/passkey/passkeytest"
)

// IdentityPath is where the routes of staff who sign in begin, after /api.
const IdentityPath = "/v3/staff/identity/"

// National is the first administrator's role.
const National = "national@national"

// Desk is a browser at which a member of staff works: a software authenticator, and the
// key of the session. Written from docs/adr/0031, apart from the product's own client.
type Desk struct {
	*Server
	Passkeys *passkeytest.Authenticator
	Key      StaffKey
	Member   string
	Device   string
	Language string // Accept-Language of its requests
}

// Desk is a browser that nobody has used.
func (s *Server) Desk() *Desk {
	s.tb.Helper()
	d := &Desk{Server: s, Passkeys: &passkeytest.Authenticator{Origin: s.StaffOrigin()}}
	d.NewKey()
	return d
}

// StaffOrigin is where staff sign in on this server.
func (s *Server) StaffOrigin() string {
	base := strings.TrimSuffix(s.API, "/api")
	return "http://localhost" + base[strings.LastIndex(base, ":"):]
}

// NewKey gives the browser a new key, as before each sign-in.
func (d *Desk) NewKey() {
	d.tb.Helper()
	k, err := NewStaffKey("", 0)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.Key = k
}

// Ask sends an act signed with the desk's key. body is marshalled unless it is bytes.
// header are further pairs of name and value.
func (d *Desk) Ask(method, act string, body any, header ...string) Answer {
	d.tb.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		raw = b
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			d.tb.Fatal(err)
		}
	}
	proof, err := d.Key.Sign(Claims(method, d.API+IdentityPath+act, raw, d.Now()))
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.Raw(method, act, raw, append(header, "DPoP", proof)...)
}

// Raw sends an act with headers of the caller's making.
func (d *Desk) Raw(method, act string, raw []byte, header ...string) Answer {
	d.tb.Helper()
	if d.Language != "" {
		header = append(header, "Accept-Language", d.Language)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.API+IdentityPath+act, bytes.NewReader(raw))
	if err != nil {
		d.tb.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		d.tb.Fatal(err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: text}
}

// Fresh carries out an act that a passkey signs: nonce first, then the request.
func (d *Desk) Fresh(act string, body map[string]any) Answer {
	d.tb.Helper()
	n := d.Ask("POST", "nonce", map[string]any{})
	if !n.OK() {
		return n
	}
	body["nonce"] = n.Field("nonce")
	raw, err := json.Marshal(body)
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.Ask("POST", act, raw, "X-Assertion", d.Assertion(n.Part("options"), "POST", act, raw))
}

// Assertion is the header by which a passkey signs one request.
func (d *Desk) Assertion(options []byte, method, act string, raw []byte) string {
	d.tb.Helper()
	return d.assertion(options, method, IdentityPath+act, raw)
}

func (d *Desk) assertion(options []byte, method, path string, raw []byte) string {
	d.tb.Helper()
	sum := sha256.Sum256([]byte(method + "\n" + d.API + path + "\n" + string(raw)))
	answer, err := d.Passkeys.Get(options, sum[:])
	if err != nil {
		d.tb.Fatal(err)
	}
	return b64(answer)
}

// FreshAt sends a request to any address of staff, which a passkey signs.
func (d *Desk) FreshAt(path string, body map[string]any) Answer {
	d.tb.Helper()
	n := d.Must(d.Ask("POST", "nonce", map[string]any{}))
	body["nonce"] = n.Field("nonce")
	raw, err := json.Marshal(body)
	if err != nil {
		d.tb.Fatal(err)
	}
	proof, err := d.Key.Sign(Claims("POST", d.API+path, raw, d.Now()))
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.Client().Must("POST", path, raw, "DPoP", proof, "X-Assertion", d.assertion(n.Part("options"), "POST", path, raw))
}

// RosterMode switches a centre's roster mode on as it is meant: by two people, and a day.
// Both are signed in again.
func (d *Desk) RosterMode(second *Desk, centre int64) {
	d.tb.Helper()
	p := d.Must(d.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": centre, "on": true}))
	second.Must(second.Fresh("approve", second.Approval(p.Field("proposal_id"))))
	d.Forward(24*time.Hour + time.Second)
	d.Must(d.SignIn(""))
	second.Must(second.SignIn(""))
}

// Approval is the body of the approval of a proposal as this desk is shown it: its id, and
// the digest of its text. A proposal that it is not shown has none.
func (d *Desk) Approval(proposal string) map[string]any {
	d.tb.Helper()
	return map[string]any{"proposal_id": proposal, "text_sha256": hashOf(d.ProposalText(proposal))}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// ProposalText is what a proposal says, as this desk is shown it: in the list, or alone.
func (d *Desk) ProposalText(proposal string) string {
	d.tb.Helper()
	var list struct {
		Proposals []struct {
			ID   string `json:"proposal_id"`
			Text string `json:"text"`
		}
	}
	if a := d.Ask("GET", "proposals", nil); a.OK() {
		if err := json.Unmarshal(a.Body, &list); err != nil {
			d.tb.Fatal(err)
		}
	}
	for _, p := range list.Proposals {
		if p.ID == proposal && p.Text != "" {
			return p.Text
		}
	}
	return d.Ask("GET", "changes/one?proposal_id="+proposal, nil).Field("text")
}

// Enrol makes a passkey on a link. name is for the first administrator.
func (d *Desk) Enrol(link, name string) Answer {
	d.tb.Helper()
	body := map[string]any{"link": link}
	if name != "" {
		body["name"] = name
	}
	c := d.Ask("POST", "enrol/begin", body)
	if !c.OK() {
		return c
	}
	answer, err := d.Passkeys.Create(c.Part("options"))
	if err != nil {
		d.tb.Fatal(err)
	}
	a := d.Ask("POST", "enrol/finish", map[string]any{"ceremony": c.Field("ceremony"), "credential": json.RawMessage(answer)})
	if a.OK() {
		d.Member, d.Device = a.Field("member_id"), a.Field("device_id")
	}
	return a
}

// SignIn begins a session with a new key. grant may be "".
func (d *Desk) SignIn(grant string) Answer {
	d.tb.Helper()
	d.NewKey()
	c := d.Ask("POST", "sign-in/begin", map[string]any{})
	if !c.OK() {
		return c
	}
	answer, err := d.Passkeys.Get(c.Part("options"), nil)
	if err != nil {
		d.tb.Fatal(err)
	}
	body := map[string]any{"ceremony": c.Field("ceremony"), "credential": json.RawMessage(answer)}
	if grant != "" {
		body["grant"] = grant
	}
	return d.Ask("POST", "sign-in/finish", body)
}

// Session is the name of the desk's session: its key's RFC 7638 thumbprint.
func (d *Desk) Session() string {
	j := d.Key.JWK()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + j["x"] + `","y":"` + j["y"] + `"}`))
	return b64(sum[:])
}

// Must fails the test unless an answer is a success.
func (d *Desk) Must(a Answer) Answer {
	d.tb.Helper()
	if !a.OK() {
		d.tb.Fatalf("%s", a.Text())
	}
	return a
}

// FirstAdministrator enrols and signs in who the set-up link is for.
func (s *Server) FirstAdministrator(name string) *Desk {
	s.tb.Helper()
	out, code := s.Command("staff", "setup-link", "--data", s.Data)
	if code != 0 {
		s.tb.Fatal("staff setup-link: ", out)
	}
	link, _, _ := strings.Cut(out, "\n")
	d := s.Desk()
	d.Must(d.Enrol(link, name))
	d.Must(d.SignIn(""))
	return d
}

// OperatorApproves is `tikakosh staff approve`.
func (s *Server) OperatorApproves(proposal string) {
	s.tb.Helper()
	if out, code := s.Command("staff", "approve", "--data", s.Data, "--proposal", proposal); code != 0 {
		s.tb.Fatal("staff approve: ", out)
	}
}

// Invite takes an invitation to its end: approved by second, or by the operator where
// that is nil, after whatever wait there is. The new member is signed in; who waited
// has to sign in again.
func (d *Desk) Invite(second *Desk, name, grant string) *Desk {
	d.tb.Helper()
	link := d.Invited(second, name, grant)
	n := d.Server.Desk()
	n.Must(n.Enrol(link, ""))
	n.Must(n.SignIn(""))
	return n
}

// Invited is the link of an invitation that was approved.
func (d *Desk) Invited(second *Desk, name, grant string) (link string) {
	d.tb.Helper()
	inv := d.Must(d.Fresh("invitations", map[string]any{"name": name, "grant": grant}))
	from, err := time.Parse(time.RFC3339, inv.Field("approve_from"))
	if err != nil {
		d.tb.Fatal(err)
	}
	if wait := from.Sub(d.Now()); wait > 0 {
		d.Forward(wait + time.Second)
		for _, x := range []*Desk{d, second} {
			if x != nil {
				x.Must(x.SignIn(""))
			}
		}
	}
	if second == nil {
		d.OperatorApproves(inv.Field("proposal_id"))
	} else {
		second.Must(second.Fresh("approve", second.Approval(inv.Field("proposal_id"))))
	}
	return inv.Field("link")
}

// Administrators is a server's first three national administrators, signed in, so that
// no proposal waits.
func (s *Server) Administrators() (a, b, c *Desk) {
	s.tb.Helper()
	a = s.FirstAdministrator("Nita Test")
	b = a.Invite(nil, "Omar Test", National)
	c = a.Invite(b, "Priya Test", National)
	for _, d := range []*Desk{a, b, c} {
		d.Must(d.SignIn(""))
	}
	return a, b, c
}

// Part is a field of a JSON answer as it stands there.
func (a Answer) Part(name string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(a.Body, &m) != nil {
		return nil
	}
	return m[name]
}
