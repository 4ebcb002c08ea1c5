package departments

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/department"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// Staff are the members of staff, as keeper/staffing keeps them. Each calls fn for every
// member. EndSessions ends all of a member's and counts them, without putting the row;
// Disable ends everything of a member and puts it.
type Staff interface {
	Each(fn func(member string, m *state.StaffMember) error) error
	Put(member string, m state.StaffMember) error
	EndSessions(m *state.StaffMember) int
	Disable(member string, m *state.StaffMember) (int, error)
}

// Account names the member of an account at an identity provider: a keyed tag of issuer
// and subject, so that the database names no account, and none has two members.
func Account(keys *keyring.Ring, issuer, subject string) string {
	var u uuid.UUID
	copy(u[:], keys.MAC(keyring.PurposeMatch, keys.RealmBytes(), []byte("staff account"), []byte(issuer), []byte(subject)))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // RFC 9562, version 8: of our own making
	return u.String()
}

// Nonce is the question of a session's key: whoever knows seed and key can see that it
// was made for that key and no other.
func Nonce(seed []byte, thumb string) []byte {
	sum := sha256.Sum256(append(slices.Clone(seed), thumb...))
	return sum[:]
}

// Asked is what a token has to answer of a ceremony that lasts that long.
func Asked(q state.Ceremony, life time.Duration, now time.Time) department.Asked {
	return department.Asked{Nonce: base64.RawURLEncoding.EncodeToString(q.Challenge), Begun: (q.Expires - life.Milliseconds()) / 1000, Now: now.Unix()}
}

// Question is what a browser takes to a provider. seed and nonce as bytes: it can see
// that the nonce is its own key's.
func Question(c department.Config, redirect string, nonce, seed []byte) (json.RawMessage, error) {
	mode := c.Mode
	if mode == "" {
		mode = "fragment"
	}
	b64 := base64.RawURLEncoding.EncodeToString
	raw, err := json.Marshal(map[string]any{"department": c.ID, "issuer": c.Issuer, "authorization_endpoint": c.Authorize, "client_id": c.Client, "redirect_uri": redirect,
		"scope": strings.Join(append([]string{"openid"}, c.Scopes...), " "), "response_mode": mode, "max_age": c.MaxAge, "acr_values": strings.Join(c.Factor.ACR, " "), "nonce": b64(nonce), "seed": b64(seed)})
	return raw, fault.Wrap(fault.Internal, err, "sign-in at a department")
}

// of calls fn for each member of a department.
func of(name string, staff Staff, fn func(member string, m *state.StaffMember) error) error {
	return staff.Each(func(member string, m *state.StaffMember) error {
		if m.Department != name {
			return nil
		}
		return fn(member, m)
	})
}

// Out ends all sessions of a department's members: each signs in again, under what is in
// force then.
func (r Rows) Out(name string, staff Staff) (ended int, err error) {
	err = of(name, staff, func(member string, m *state.StaffMember) error {
		n := staff.EndSessions(m)
		if ended += n; n == 0 {
			return nil
		}
		return staff.Put(member, *m)
	})
	return ended, err
}

// Leaves disables a member whom their department no longer has, and counts the sessions
// that end by it.
func (r Rows) Leaves(member string, m *state.StaffMember, staff Staff) (int, error) {
	if ablate.Off(ablate.OIDCLeaver) {
		return 0, nil
	}
	m.Left = true
	r.Append(engine.Entry{Kind: "staff", View: "member disabled", Role: "department", Actor: member, Reason: "left the department", Evidence: m.Department})
	return staff.Disable(member, m)
}

// AllLeave disables every member of a department.
func (r Rows) AllLeave(name string, staff Staff) (members, ended int, err error) {
	err = of(name, staff, func(member string, m *state.StaffMember) error {
		if m.State == state.MemberDisabled {
			return nil
		}
		n, err := r.Leaves(member, m, staff)
		ended += n
		members++
		return err
	})
	return members, ended, err
}

// few is how many members an export may disable, be they more than half or not.
const few = 10

// Sync takes in a department's word on who works there.
func (r Rows) Sync(s vault.StaffSync, staff Staff, keys *keyring.Ring) (out vault.StaffSynced, err error) {
	if len(s.Left)+len(s.Stay) > vault.MaxSync {
		return out, fault.Newf(fault.Invalid, "sync", "at most %d accounts at once", vault.MaxSync)
	}
	issuer, err := r.issuer(s.Department)
	if err != nil {
		return out, err
	}
	stay, left := map[string]bool{}, map[string]bool{}
	for _, subject := range s.Stay {
		stay[Account(keys, issuer, subject)] = true
	}
	for _, subject := range s.Left {
		left[Account(keys, issuer, subject)] = true
	}
	total := 0
	gone := map[string]*state.StaffMember{}
	var order []string
	err = of(s.Department, staff, func(member string, m *state.StaffMember) error {
		if m.State == state.MemberDisabled {
			if !stay[member] || !m.Left { // whom an administrator disabled stays so
				return nil
			}
			m.State, m.Left, m.Grants = state.MemberActive, false, nil // the next sign-in gives roles
			r.Append(engine.Entry{Kind: "staff", View: "member back", Role: "department", Actor: member, Evidence: s.Department})
			out.Back++
			return staff.Put(member, *m)
		}
		total++
		if left[member] || s.Whole && !stay[member] {
			order = append(order, member)
			gone[member] = m
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	if !s.Many && len(order) > few && 2*len(order) > total {
		return out, fault.Newf(fault.Conflict, "many", "this would disable %d of %d members: is the file whole? If it is right, --many", len(order), total)
	}
	for _, member := range order {
		n, err := r.Leaves(member, gone[member], staff)
		if err != nil {
			return out, err
		}
		out.Disabled++
		out.Ended += n
	}
	return out, nil
}

// issuer is that of a department that is in force or waits; fault.NotFound.
func (r Rows) issuer(name string) (string, error) {
	row, _, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, name)
	if err != nil {
		return "", err
	}
	v, err := r.View(name, row)
	if err == nil && v.Issuer == "" {
		err = fault.New(fault.NotFound, "department", "no such department")
	}
	return v.Issuer, err
}
