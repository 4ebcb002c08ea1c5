package edge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// StaffKeys names the staff keys that are enrolled, and says whether a request
// is of one of them.
type StaffKeys interface {
	StaffNames(ctx context.Context) (vault.StaffNames, error)
	StaffCheck(ctx context.Context, r vault.StaffCheckRequest) (vault.StaffChecked, error)
}

const (
	// proofWindow is how far a proof's time may be from the server's clock, as in
	// the vault.
	proofWindow = 60 * time.Second
	// namesLife is how long the list of staff keys is used before it is asked for
	// again, namesWait how soon a stranger's key may cause that.
	namesLife = time.Minute
	namesWait = 5 * time.Second
	// namesTimeout bounds the question: while the vault is down, doses are still
	// recorded.
	namesTimeout = time.Second
)

// staffNames remembers the names of the staff keys, public values, for when the
// vault is down. The zero value knows none.
type staffNames struct {
	mu     sync.Mutex
	loaded bool
	asked  time.Time
	names  map[string]bool
}

// has reports whether a key is enrolled, and whether that is known at all.
func (n *staffNames) has(ctx context.Context, from StaffKeys, name string, now time.Time) (ok, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	age := now.Sub(n.asked).Abs()
	if !n.loaded && age >= namesWait || n.loaded && (age >= namesLife || !n.names[name] && age >= namesWait) {
		n.asked = now
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), namesTimeout)
		got, err := from.StaffNames(ctx)
		cancel()
		if err == nil {
			n.loaded, n.names = true, make(map[string]bool, len(got.Names))
			for _, x := range got.Names {
				n.names[string(x)] = true
			}
		}
	}
	return n.names[name], n.loaded
}

// add notes a name that the vault has just vouched for: that of a key enrolled, or a
// session begun, since the names were last asked for.
func (n *staffNames) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.loaded && len(n.names) < namesAdded {
		n.names[name] = true
	}
}

// namesAdded bounds what the list can grow to between two questions.
const namesAdded = 1 << 20

// staffed refuses what is no staff member's request before anything is read or
// asked for it, so that it costs nothing and tells nothing, not even by its time.
// A key that was enrolled a moment ago is not among the names yet: of that one the
// vault is asked, about the request alone. What the staff member may do is the
// vault's to say, by the act itself.
func (c *Ctx) staffed() error {
	if ablate.Off(ablate.StaffFirst) || ablate.Off(ablate.VaultProof) {
		return nil
	}
	now := c.s.cfg.Now()
	name, err := checkProof(c.staff, now)
	if err != nil {
		return err
	}
	ok, known := c.s.staff.has(c.r.Context(), c.s.cfg.Codes, name, now)
	if ok {
		return nil
	}
	_, err = c.s.cfg.Codes.StaffCheck(c.r.Context(), vault.StaffCheckRequest{Signed: c.staff})
	if err == nil {
		c.s.staff.add(name)
	}
	if fault.Is(err, fault.Unavailable) && c.route.Waits && !known {
		return nil // nobody can say whose key it is, and a dose is recorded all the same (I9)
	}
	return err
}

// checkProof verifies a signed staff request as far as that goes without the
// vault: form, signature under the key in its header, method, address, body and
// time. It returns the key's name (RFC 7638). That the key may do what it asks is
// the vault's to say.
func checkProof(s vault.Signed, now time.Time) (name string, err error) {
	bad := fault.New(fault.Unauthorized, "proof", "a DPoP proof of a staff key is wanted")
	tok, err := jose.ParseSignedCompact(s.Proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(tok.Signatures) != 1 {
		return "", bad
	}
	h := tok.Signatures[0].Protected
	if typ, _ := h.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" || h.JSONWebKey == nil || !h.JSONWebKey.IsPublic() {
		return "", bad
	}
	payload, err := tok.Verify(h.JSONWebKey)
	if err != nil {
		return "", bad
	}
	var c struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		Issued int64  `json:"iat"`
		Body   string `json:"bh"`
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if dec.Decode(&c) != nil || len(c.ID) < 16 || len(c.ID) > 128 {
		return "", bad
	}
	sum := sha256.Sum256(s.Body)
	if c.Method != s.Method || c.URL != s.URL || c.Body != base64.RawURLEncoding.EncodeToString(sum[:]) || (now.Sub(time.Unix(c.Issued, 0)).Abs() > proofWindow && !ablate.Off(ablate.ProofTime)) {
		return "", bad
	}
	thumb, err := h.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", bad
	}
	return base64.RawURLEncoding.EncodeToString(thumb), nil
}
