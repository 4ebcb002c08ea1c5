package staffing

import (
	"context"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/access"
	"tikakosh/internal/access/department"
	"tikakosh/internal/access/passkey"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/departments"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

const departmentLife = 10 * time.Minute // for signing in at the provider, with whatever it asks

// theirs is the answer to who changes what the department says at each sign-in.
func theirs() error {
	return fault.New(fault.Conflict, "department", "this member's roles come from their department and are changed there; here the member can be disabled")
}

func hasPasskey(m state.StaffMember) bool {
	return slices.ContainsFunc(m.Devices, func(d state.StaffDevice) bool { return d.State == state.DeviceActive })
}

// signsNothing refuses, before anything is asked, a member of a department who has nothing
// to confirm an act with: two people give them a passkey here.
func signsNothing(m state.StaffMember) error {
	if m.Department == "" || hasPasskey(m) {
		return nil
	}
	return fault.New(fault.Forbidden, "passkey", "this is confirmed with a passkey made here, and you have none: two administrators give you a link for one")
}

// MaySecond is why a member of staff is nobody's second person, nil where they may be one:
// a directory can make any number of accounts, so that whom it alone vouches for approves
// nothing. A machine's key is the operator's word.
func (k *Office) MaySecond(on engine.Transaction, s id.Staff) error {
	if !id.Valid(string(s)) {
		return nil
	}
	m, ok, err := engine.Get[state.StaffMember](on, state.StaffMembers, string(s))
	if err != nil || !ok {
		return err
	}
	return signsNothing(m)
}

// departmentBegin asks what the provider's token has to answer. The browser takes
// Options to the provider; it can see that the nonce is its own key's.
func (t *txn) departmentBegin(s vault.Signed) (vault.StaffCeremony, error) {
	var f struct {
		Department string `json:"department"`
	}
	thumb, _, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err = firstErr(err, staffBody(s.Body, &f)); err != nil {
		return vault.StaffCeremony{}, err
	}
	_, c, ok, err := t.rows().Live(f.Department)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "department", "no such department")
	}
	if err != nil {
		return vault.StaffCeremony{}, err
	}
	seed := passkey.NewChallenge()
	challenge := departments.Nonce(seed, thumb)
	out, err := t.ceremony(state.Ceremony{Kind: ceremonyDepartment, Key: thumb, Challenge: challenge, Department: c.ID}, departmentLife.Milliseconds())
	if err != nil {
		return out, err
	}
	out.Options, err = departments.Question(c, t.k.redirect(), challenge, seed)
	return out, err
}

func (k *Office) redirect() string { return k.site.Origins[0] + "/department" }

// departmentFinish lets a browser's key in that a department vouches for. A refusal is
// returned apart from an error: the ceremony is spent.
func (t *txn) departmentFinish(s vault.Signed, token string, out *vault.StaffActed) (refused, err error) {
	var f struct {
		Ceremony   string `json:"ceremony"`
		Department string `json:"department"`
		Code       string `json:"code"`     // the web role's to use, as is
		Verifier   string `json:"verifier"` // this
		Grant      string `json:"grant"`
	}
	if err := staffBody(s.Body, &f); err != nil {
		return nil, err
	}
	thumb, jwk, err := t.k.proofs.With(t.Txn).NewKey(s)
	if err != nil {
		return nil, err
	}
	q, ok, err := t.useCeremony(f.Ceremony, ceremonyDepartment, thumb)
	if err != nil || !ok || q.Department != f.Department {
		return signInRefused(), err
	}
	_, c, ok, err := t.rows().Live(q.Department)
	if err != nil || !ok {
		return signInRefused(), err
	}
	told, err := c.Verify(t.Ctx, token, departments.Asked(q, departmentLife, t.k.now()))
	if err != nil {
		t.k.log.Warn("alarm: a department's token was refused", "alarm", "staff", "department", c.ID, "why", fault.CodeOf(err))
		return signInRefused(), nil
	}
	member := departments.Account(t.k.keys, c.Issuer, told.Subject)
	m, known, err := engine.Get[state.StaffMember](t, state.StaffMembers, member)
	switch {
	case err != nil:
		return nil, err
	case known && (m.State != state.MemberActive || m.Department != c.ID):
		return signInRefused(), nil
	case told.Left && known:
		_, err = t.rows().Leaves(member, &m, staffOf{t})
		return signInRefused(), err
	case told.Left:
		return signInRefused(), nil
	case len(told.Grants) == 0 && !known:
		return noRole(), nil
	}
	if refused, err = t.fromDepartment(member, &m, c, told, known); err != nil || refused != nil {
		return refused, err
	}
	return t.signedIn(member, m, state.StaffSession{Key: thumb, JWK: jwk, Device: "department:" + c.ID}, f.Grant, out)
}

func noRole() error {
	return fault.New(fault.Forbidden, "grant", "your department gives you no role here; ask there")
}

// fromDepartment brings a member to what their department says now: name and roles. A
// change of roles ends all their sessions. The caller puts the row, but where refused is
// set it was put.
func (t *txn) fromDepartment(member string, m *state.StaffMember, c department.Config, told department.Told, known bool) (refused, err error) {
	if !known {
		human := told.Number
		if human == "" {
			human = "account " + c.Issuer + " " + told.Subject
		}
		*m = state.StaffMember{Human: t.k.keys.HumanTag(human), State: state.MemberActive, Since: t.k.now().UnixMilli(), Department: c.ID}
	}
	name, err := staffName(told.Name)
	if err != nil {
		name = c.Names["en"]
	}
	old := ""
	if known {
		if old, err = t.k.memberName(member, *m); err != nil {
			return nil, err
		}
	}
	if old != name {
		m.Name = t.k.sealMemberName(member, name)
	}
	if known && slices.Equal(m.Grants, told.Grants) {
		return nil, nil
	}
	view := "roles changed by their department"
	if !known {
		view = "joined through their department"
	}
	var texts []string
	for _, g := range told.Grants {
		texts = append(texts, g.String())
	}
	t.Append(engine.Entry{Kind: kindStaff, View: view, Role: "department", Actor: member, Reason: strings.Join(texts, " "), Evidence: c.ID + " " + c.Digest()})
	t.endStaffSessions(m, "")
	if err := t.regrant(member, m, told.Grants); err != nil {
		return nil, err
	}
	if len(m.Grants) == 0 {
		return noRole(), t.putMember(member, *m)
	}
	return nil, nil
}

// regrant gives a member these roles in place of those they had. fault.Conflict where
// one is at a place that is on record as lying elsewhere.
func (t *txn) regrant(member string, m *state.StaffMember, grants []access.Grant) error {
	at := func(list []access.Grant, s access.Scope) bool {
		return slices.ContainsFunc(list, func(g access.Grant) bool { return g.Scope == s })
	}
	for _, g := range m.Grants {
		if !at(grants, g.Scope) {
			if err := t.join(member, g.Scope, true); err != nil {
				return err
			}
		}
	}
	for _, g := range grants {
		if err := firstErr(t.placed(g.Scope, true), t.join(member, g.Scope, false)); err != nil {
			return err
		}
	}
	m.Grants = grants
	return nil
}

// Departments implements the vault's word.
func (k *Office) Departments(ctx context.Context, _ vault.Empty) (vault.Departments, error) {
	out := vault.Departments{List: []vault.Department{}}
	if k.site.ID == "" { // without a staff client there are none
		return out, nil
	}
	err := k.eng.View(ctx, func(tx *engine.Txn) (err error) {
		out.List, err = k.in(tx).rows().InForce(k.redirect())
		return err
	})
	return out, err
}
