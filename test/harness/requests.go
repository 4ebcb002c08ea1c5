package harness

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// Where people ask for something about their own records, and where staff answer it.
const (
	RequestsPath      = "/v3/requests"
	StaffRequestsPath = "/v3/staff/requests"
)

// Entry is one entry of an access history.
type Entry struct {
	Index     int64  `json:"index"`
	Kind      string `json:"kind"`
	View      string `json:"view"`
	Role      string `json:"role"`
	Reference string `json:"beneficiary_reference_id"`
}

// History is the access history of the household's people, the newest first.
func (c *Client) History() []Entry {
	c.Server.tb.Helper()
	var list struct {
		Openings []Entry `json:"openings"`
	}
	if a := c.Must("GET", "/v3/openings?limit=200", nil); !a.OK() || json.Unmarshal(a.Body, &list) != nil {
		c.Server.tb.Fatalf("the access history: %s", a.Text())
	}
	return list.Openings
}

// LooksWrong is the form that says so of the newest entry about a person of that kind and
// role; "" is any.
func (c *Client) LooksWrong(ref, kind, role string) map[string]any {
	c.Server.tb.Helper()
	for range 2 { // reading is an entry
		for _, e := range c.History() {
			if e.Reference == ref && (kind == "" || e.Kind == kind) && (role == "" || e.Role == role) {
				return map[string]any{"kind": "opening", "beneficiary_reference_id": ref, "index": e.Index, "text": "I was not there."}
			}
		}
	}
	c.Server.tb.Fatalf("nothing of kind %q by %q", kind, role)
	return nil
}

// About is the address, in this browser, of the pages about a person.
func (p *Portal) About(ref string) string {
	sum := sha256.Sum256([]byte(p.Cookie("__Host-seat") + ref))
	return "/p/" + base64.RawURLEncoding.EncodeToString(sum[:])[:11]
}
