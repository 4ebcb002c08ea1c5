package harness

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
)

// PartnerKey is a partner's credentials. Its requests are signed by code written
// from RFC 9449 and docs/adr/0011, apart from the product's own.
type PartnerKey struct {
	Partner string
	APIKey  string
	File    string // its credentials on disk, until the test ends
	StaffKey
}

// EnrolPartner enrols a partner with the operator's command. options are further
// arguments of it.
func (s *Server) EnrolPartner(name, scopes string, options ...string) PartnerKey {
	s.tb.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-partner-")
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "partner.json")
	args := append([]string{"partner", "enrol", "--data", s.Data, "--name", name, "--scope", scopes, "--out", file}, options...)
	if out, exit := s.Command(args...); exit != 0 {
		s.tb.Fatalf("partner enrol: %d %s", exit, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		s.tb.Fatal(err)
	}
	k, err := ParsePartner(raw)
	if err != nil {
		s.tb.Fatal(err)
	}
	k.File = file
	return k
}

// ParsePartner reads a partner's credentials as `partner enrol` writes them.
func ParsePartner(raw []byte) (PartnerKey, error) {
	var f struct {
		Partner string `json:"partner"`
		APIKey  string `json:"x_api_key"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return PartnerKey{}, err
	}
	k, err := ParseStaffKey(raw)
	return PartnerKey{Partner: f.Partner, APIKey: f.APIKey, StaffKey: k}, err
}

// Headers are those of a partner's signed request below the API's address.
func (p PartnerKey) Headers(c *Client, method, path string, body []byte) []string {
	c.Server.tb.Helper()
	claims := Claims(method, c.Server.API+path, body, c.Server.Now())
	if c.Bearer != "" {
		sum := sha256.Sum256([]byte(c.Bearer))
		claims["ath"] = b64(sum[:])
	}
	proof, err := p.Sign(claims)
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	return []string{"X-Api-Key", p.APIKey, "DPoP", proof}
}

// By sends a request as a partner, with the client's bearer if it has one.
func (c *Client) By(p PartnerKey, method, path string, body any) Answer {
	c.Server.tb.Helper()
	var raw []byte
	if body != nil {
		var ok bool
		if raw, ok = body.([]byte); !ok {
			var err error
			if raw, err = json.Marshal(body); err != nil {
				c.Server.tb.Fatal(err)
			}
		}
	}
	var send any
	if raw != nil {
		send = raw
	}
	return c.Must(method, path, send, p.Headers(c, method, path, raw)...)
}

// PartnerToken takes a person's consent through a partner's code: auth for its
// sign-in, else a status asked for that name.
func (c *Client) PartnerToken(p PartnerKey, mobile, name string) string {
	c.Server.tb.Helper()
	base, body := "/v2/auth", map[string]any{"mobile": mobile}
	if name != "" {
		base, body = "/v3/vaccination", map[string]any{"mobile_number": mobile, "full_name": name}
	}
	before := len(c.Server.To(mobile))
	txn := c.need("partner's code", c.By(p, "POST", base+"/generateOTP", body)).Field("txnId")
	code := c.Server.codeAfter(mobile, before)
	a := c.need("partner's confirmation", c.By(p, "POST", base+"/confirmOTP", map[string]any{"otp": Digest(code), "txnId": txn}))
	return a.Field("token")
}
