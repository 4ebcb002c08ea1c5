package staffing

import (
	"context"
	"slices"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// StaffAct implements the vault's word: any act of a member of staff but the beginning
// of a ceremony. Which one it is, is in the signed address.
func (k *Office) StaffAct(ctx context.Context, r vault.StaffAct) (vault.StaffActed, error) {
	act, q, err := actOf(r.Signed)
	if err = firstErr(err, k.staffOff()); err != nil {
		return vault.StaffActed{}, err
	}
	var out vault.StaffActed
	var refused error
	receipts, err := k.update(ctx, func(t *txn) (err error) {
		out, refused = vault.StaffActed{}, nil
		switch act {
		case "POST " + vault.ActSignInFinish:
			refused, err = t.signInFinish(r.Signed, &out)
			return err
		case "POST " + vault.ActDepartmentFinish:
			refused, err = t.departmentFinish(r.Signed, r.Token, &out)
			return err
		case "POST " + vault.ActEnrolFinish:
			refused, err = t.enrolFinish(r.Signed, &out)
			return err
		}
		a, err := t.acting(r.Signed)
		if err != nil {
			return err
		}
		refused, err = t.act(act, q.Get, &a, r, &out)
		return err
	})
	if err = firstErr(err, refused); err != nil {
		return vault.StaffActed{}, err
	}
	out.Receipts = receipts
	return out, nil
}

// act carries out what a signed-in member asks. A refusal is returned apart from an
// error, so that what it counted is kept.
func (t *txn) act(act string, q func(string) string, a *actor, r vault.StaffAct, out *vault.StaffActed) (refused, err error) {
	body := r.Signed.Body
	switch act {
	case "POST " + vault.ActSignOut:
		return nil, firstErr(staffBody(body, &struct{}{}), t.signOut(a))
	case "GET " + vault.ActMe:
		return nil, t.me(a, out)
	case "POST " + vault.ActGrantChosen:
		return nil, t.chooseGrant(a, body, out)
	case "POST " + vault.ActSessionsEnd:
		return nil, t.endOthers(a, body, out)
	case "POST " + vault.ActDeviceEnd:
		return nil, t.endDevice(a, body, out)
	case "POST " + vault.ActDisable:
		return nil, t.disable(a, body, out)
	case "POST " + vault.ActGrantEnd:
		return nil, t.endGrant(a, body, out)
	case "GET " + vault.ActMembers:
		return nil, t.members(a, q("after"), out)
	case "GET " + vault.ActMember:
		return nil, t.oneMember(a, q("member_id"), out)
	case "GET " + vault.ActProposals:
		return nil, t.proposals(a, out)
	case "POST " + vault.ActWithdraw:
		return nil, t.withdraw(a, body)
	case "POST " + vault.ActRosterPut:
		return nil, t.putRoster(a, body)
	case "GET " + vault.ActRoster:
		return nil, t.roster(a, q("center_id"), q("date"), out)
	case "POST " + vault.ActChange:
		return t.proposeChange(a, r.Signed, out)
	case "GET " + vault.ActChangeShown:
		return nil, t.showChange(a, q("proposal_id"), out)
	case "POST " + vault.ActDeviceLink, "POST " + vault.ActInvite, "POST " + vault.ActGrant, "POST " + vault.ActRecover, "POST " + vault.ActApprove:
		return t.signedAct(act, a, r, out)
	}
	return nil, proof.Bad("the proof is for another request")
}

func (t *txn) signOut(a *actor) error {
	if err := t.may(a, policy.StaffSignOut, policy.Facts{}); err != nil {
		return err
	}
	t.endStaffSessions(&a.row, a.session.Key)
	t.Append(a.entry("signed out", "", ""))
	return t.putMember(a.id, a.row)
}

// me is who the session is. It is the member's own, so that it is no entry.
func (t *txn) me(a *actor, out *vault.StaffActed) error {
	if err := t.may(a, policy.StaffMe, policy.Facts{}); err != nil {
		return err
	}
	return t.shown(a.id, a.row, a.session.Key, out)
}

func (t *txn) shown(m string, row state.StaffMember, current string, out *vault.StaffActed) error {
	person, err := t.k.viewMember(m, row)
	if err != nil {
		return err
	}
	if out.Sessions, err = t.viewSessions(row, current); err != nil {
		return err
	}
	for i := range out.Sessions {
		if out.Sessions[i].Current {
			out.Session = &out.Sessions[i]
		}
	}
	out.Person, out.Member, out.Devices = &person, m, viewDevices(row)
	return nil
}

func (t *txn) chooseGrant(a *actor, body []byte, out *vault.StaffActed) error {
	var f struct {
		Grant string `json:"grant"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	if f.Grant == "" {
		return fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: grant")
	}
	if err := t.may(a, policy.StaffGrantChoose, policy.Facts{}); err != nil {
		return err
	}
	g, err := chosen(a.row, f.Grant)
	if err != nil {
		return err
	}
	for i := range a.row.Sessions {
		if s := &a.row.Sessions[i]; s.Key == a.session.Key {
			s.Grant = g
			a.session = *s
		}
	}
	v, _, err := t.viewSession(a.session, a.session.Key)
	out.Session = &v
	t.Append(a.entry("acts under another role", g.String(), ""))
	return firstErr(err, t.putMember(a.id, a.row))
}

// memberUnder is a member the actor decides about: themself where self is allowed, or one
// over all of whose grants the session's grant stands.
func (t *txn) memberUnder(a *actor, do policy.Action, member string, self bool) (state.StaffMember, error) {
	m, err := t.staffMember(member)
	if err != nil {
		return m, err
	}
	facts := about(a, member, m)
	facts.Fresh = do == policy.StaffRecover // seen before any act that a passkey signs
	places := placesOf(m)
	if facts.Own {
		places = nil
	}
	if err := t.may(a, do, facts, places...); err != nil {
		return m, err
	}
	if member == a.id || m.Human == a.row.Human {
		if self && member == a.id {
			return a.row, nil
		}
		return m, ownDecision()
	}
	if !access.MayManage(a.grants(), m.Grants) {
		return m, fault.New(fault.Forbidden, "role", "your role does not stand over all that this member may do; whoever's does decides")
	}
	return m, nil
}

func (t *txn) endOthers(a *actor, body []byte, out *vault.StaffActed) error {
	var f struct {
		Member  string `json:"member_id"`
		Session string `json:"session_id"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	m, err := t.memberUnder(a, policy.StaffSessionsEnd, f.Member, true)
	if err != nil {
		return err
	}
	if f.Session != "" && !slices.ContainsFunc(m.Sessions, func(s state.StaffSession) bool { return s.Key == f.Session }) {
		return fault.New(fault.NotFound, "session", "no such session")
	}
	out.Ended = t.endStaffSessions(&m, f.Session)
	t.Append(a.entry("sessions ended", f.Member, ""))
	return t.putMember(f.Member, m)
}

func (t *txn) endDevice(a *actor, body []byte, out *vault.StaffActed) error {
	var f struct {
		Member string `json:"member_id"`
		Device string `json:"device_id"`
		Reason string `json:"reason"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	reason, err := reasonText(f.Reason)
	if err != nil {
		return err
	}
	m, err := t.memberUnder(a, policy.StaffDeviceEnd, f.Member, true)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(m.Devices, func(d state.StaffDevice) bool { return d.ID == f.Device && d.State != state.DeviceEnded })
	if i < 0 {
		return fault.New(fault.NotFound, "device", "no such device, or it was ended before")
	}
	m.Devices[i].State = state.DeviceEnded
	t.markEnded(deviceMark(f.Device))
	out.Ended = t.endStaffSessions(&m, "")
	t.Append(a.entry("device ended", reason, f.Device))
	return t.putMember(f.Member, m)
}

func (t *txn) disable(a *actor, body []byte, out *vault.StaffActed) error {
	var f struct {
		Member string `json:"member_id"`
		Reason string `json:"reason"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	reason, err := reasonText(f.Reason)
	if err != nil {
		return err
	}
	m, err := t.memberUnder(a, policy.StaffDisable, f.Member, false)
	if err != nil {
		return err
	}
	t.Append(a.entry("member disabled", reason, f.Member))
	out.Ended, err = t.disabled(f.Member, &m)
	return err
}

// disabled ends everything of a member. The caller appends the entry.
func (t *txn) disabled(member string, m *state.StaffMember) (int, error) {
	n := t.endStaffSessions(m, "")
	t.markEnded(member)
	m.State = state.MemberDisabled
	for i := range m.Devices {
		m.Devices[i].State = state.DeviceEnded
	}
	for _, g := range m.Grants {
		if err := t.join(member, g.Scope, true); err != nil {
			return 0, err
		}
	}
	return n, t.putMember(member, *m)
}

func (t *txn) endGrant(a *actor, body []byte, out *vault.StaffActed) error {
	var f struct {
		Member string `json:"member_id"`
		Grant  string `json:"grant"`
		Reason string `json:"reason"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	reason, err := reasonText(f.Reason)
	if err != nil {
		return err
	}
	g, err := access.ParseGrant(f.Grant)
	if err != nil {
		return err
	}
	m, err := t.staffMember(f.Member)
	if err != nil {
		return err
	}
	if err := t.may(a, policy.StaffGrantEnd, about(a, f.Member, m), g.Scope); err != nil {
		return err
	}
	i := slices.Index(m.Grants, g)
	switch {
	case m.Human == a.row.Human:
		return ownDecision()
	case !access.MayGrant(a.grants(), g):
		return notTheirs()
	case i < 0:
		return fault.New(fault.NotFound, "grant", "this member does not hold that role")
	case m.Department != "":
		return theirs()
	}
	if err := t.takeGrant(f.Member, &m, g); err != nil {
		return err
	}
	t.markEnded(grantMark(f.Member, g))
	out.Ended = t.endStaffSessions(&m, "")
	t.Append(a.entry("role taken: "+g.String(), reason, f.Member))
	return t.putMember(f.Member, m)
}

func notTheirs() error {
	return fault.New(fault.Forbidden, "role", "your role does not give that one; whoever's does decides")
}

// administers reports whether a role has members of staff to look after.
func administers(g access.Grant) bool { return g.Role.Grants(access.Vaccinator) }

func (t *txn) members(a *actor, after string, out *vault.StaffActed) error {
	if err := t.may(a, policy.StaffMembers, policy.Facts{}); err != nil {
		return err
	}
	if !administers(a.session.Grant) {
		return notTheirs()
	}
	out.Members = []vault.StaffMember{}
	rows, err := t.Tx.Scan(t.Ctx, state.StaffMembers, after, membersPage)
	if err != nil {
		return err
	}
	for _, s := range rows {
		m, err := t.staffMember(s.Key)
		if err != nil {
			return err
		}
		if seen(a, m) < 0 {
			continue
		}
		v, err := t.k.viewMember(s.Key, m)
		if err != nil {
			return err
		}
		out.Members = append(out.Members, v)
	}
	if out.More = len(rows) == membersPage; out.More {
		out.Member = rows[len(rows)-1].Key
	}
	t.Append(a.entry("list of members", decimal(int64(len(out.Members)))+" members", ""))
	return nil
}

// seen is which of a member's grants is within the actor's place: they work, or worked,
// there. -1: none.
func seen(a *actor, m state.StaffMember) int {
	return slices.IndexFunc(m.Grants, func(g access.Grant) bool { return a.session.Grant.Scope.Covers(g.Scope) })
}

func (t *txn) oneMember(a *actor, member string, out *vault.StaffActed) error {
	m, err := t.staffMember(member)
	if err != nil {
		return err
	}
	i := seen(a, m)
	if i < 0 || t.may(a, policy.StaffMember, policy.Facts{}, m.Grants[i].Scope) != nil || !administers(a.session.Grant) {
		return fault.New(fault.NotFound, "member", "no such member of staff")
	}
	t.Append(a.entry("member shown", "", member))
	return t.shown(member, m, "", out)
}
