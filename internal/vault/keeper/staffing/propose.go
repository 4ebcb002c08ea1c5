package staffing

import (
	"fmt"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/proposals"
	"tikakosh/internal/vault/state"
)

// signedBody is every field of the acts that a passkey signs.
type signedBody struct {
	Nonce    string `json:"nonce"`
	Name     string `json:"name,omitempty"`
	Grant    string `json:"grant,omitempty"`
	Number   string `json:"staff_number,omitempty"`
	Member   string `json:"member_id,omitempty"`
	Proposal string `json:"proposal_id,omitempty"`
	Read     string `json:"text_sha256,omitempty"`
}

// only refuses fields that an act does not have.
func (b signedBody) only(fields ...string) error {
	for name, text := range map[string]string{"name": b.Name, "grant": b.Grant, "staff_number": b.Number, "member_id": b.Member, "proposal_id": b.Proposal, "text_sha256": b.Read} {
		if text != "" && !slices.Contains(fields, name) {
			return fault.New(fault.Invalid, "USRRES0001", name+" is not a field of this request")
		}
	}
	return nil
}

// signedAct carries out an act that needs a fresh assertion.
func (t *txn) signedAct(act string, a *actor, r vault.StaffAct, out *vault.StaffActed) (refused, err error) {
	var f signedBody
	if err := staffBody(r.Signed.Body, &f); err != nil {
		return nil, err
	}
	if refused, err = t.freshlySigned(a, r.Signed, f.Nonce); err != nil || refused != nil {
		return refused, err
	}
	switch act {
	case "POST " + vault.ActDeviceLink:
		return nil, firstErr(f.only(), t.proposeDevice(a, out))
	case "POST " + vault.ActInvite:
		return nil, firstErr(f.only("name", "grant", "staff_number"), t.invite(a, f, out))
	case "POST " + vault.ActGrant:
		return nil, firstErr(f.only("member_id", "grant"), t.proposeGrant(a, f, out))
	case "POST " + vault.ActRecover:
		return nil, firstErr(f.only("member_id"), t.proposeRecovery(a, f, out))
	default:
		if err := f.only("proposal_id", "text_sha256"); err != nil {
			return nil, err
		}
		return t.approveStaff(a, f.Proposal, f.Read, out)
	}
}

// staffProposed keeps a proposal. It waits a day, and is on the public list, where fewer than
// three humans could decide over these grants.
func (t *txn) staffProposed(a *actor, p state.StaffProposal, over []access.Grant, life time.Duration, out *vault.StaffActed) (string, error) {
	name, now := id.NewOrdered(), t.k.now()
	p.By, p.At, p.NotBefore, p.Expires, p.State = a.id, now.UnixMilli(), now.UnixMilli(), now.Add(life).UnixMilli(), state.ProposalWaiting
	able, others, err := t.others(p, over)
	if err != nil {
		return "", err
	}
	p.Alone = others == 0
	if len(able) < enoughStaff {
		if err := t.waitPublicly(name, &p, life); err != nil {
			return "", err
		}
	}
	if p.Kind != state.ProposeGrant {
		out.Link = t.k.newLink(name, &p)
	}
	t.Append(a.entry("proposed: "+p.Kind, grantText(p.Grant), name))
	out.Proposal, out.Kind, out.Member, out.From, out.Expires, out.State = name, p.Kind, p.Member, p.NotBefore, p.Expires, p.State
	return name, engine.Put(t, state.StaffProposals, name, p, 0)
}

// others counts the humans who could decide over these grants, and those among them who
// are neither the proposer nor whom it is about.
func (t *txn) others(p state.StaffProposal, over []access.Grant) (able map[string]bool, others int, err error) {
	if able, err = t.approvers(over); err != nil {
		return nil, 0, err
	}
	by, _, err1 := engine.Get[state.StaffMember](t, state.StaffMembers, p.By)
	subject, _, err2 := engine.Get[state.StaffMember](t, state.StaffMembers, p.Member)
	for human := range able {
		if human != by.Human && human != subject.Human {
			others++
		}
	}
	return able, others, firstErr(err1, err2)
}

// waitPublicly puts a proposal on the public list, where everybody sees for a day that
// few people are about to change who works here.
func (t *txn) waitPublicly(name string, p *state.StaffProposal, life time.Duration) error {
	p.NotBefore = p.At + smallWait.Milliseconds()
	if p.Kind != state.ProposeDevice { // its link is used at once, and what it made waits
		p.Expires = p.NotBefore + life.Milliseconds()
	}
	public := state.Correction{Centre: p.Grant.Scope.Centre(), Kind: "staff-" + p.Kind, State: state.CorrectionOpen, At: p.At, NotBefore: p.NotBefore}
	return engine.Put(t, state.Corrections, publicPrefix+name, public, 0)
}

// giving checks that the actor may give a grant to somebody else, or to themself.
func (t *txn) giving(a *actor, do policy.Action, g access.Grant, other bool) error {
	if err := t.may(a, do, policy.Facts{Fresh: true, Other: other}, g.Scope); err != nil {
		return err
	}
	if !access.MayGrant(a.grants(), g) {
		return notTheirs()
	}
	return t.placed(g.Scope, false)
}

func (t *txn) invite(a *actor, f signedBody, out *vault.StaffActed) error {
	name, err := staffName(f.Name)
	if err != nil {
		return err
	}
	g, err := access.ParseGrant(f.Grant)
	if err != nil {
		return err
	}
	if len(f.Number) > 200 {
		return fault.New(fault.Invalid, "USRRES0001", "staff_number is too long")
	}
	tag := name
	if f.Number != "" {
		tag = f.Number
	}
	member := id.New()
	m := state.StaffMember{Name: t.k.sealMemberName(member, name), Human: t.k.keys.HumanTag(tag), State: state.MemberInvited, Since: t.k.now().UnixMilli()}
	if err := t.giving(a, policy.StaffInvite, g, m.Human != a.row.Human); err != nil {
		return err
	}
	if m.Human == a.row.Human {
		return ownDecision()
	}
	if err := t.putMember(member, m); err != nil {
		return err
	}
	_, err = t.staffProposed(a, state.StaffProposal{Kind: state.ProposeInvitation, Member: member, Grant: g}, []access.Grant{g}, inviteLife, out)
	return err
}

func (t *txn) proposeGrant(a *actor, f signedBody, out *vault.StaffActed) error {
	g, err := access.ParseGrant(f.Grant)
	if err != nil {
		return err
	}
	m, err := t.staffMember(f.Member)
	if err := t.giving(a, policy.StaffGrantPropose, g, about(a, f.Member, m).Other); err != nil {
		return err
	}
	switch {
	case err != nil:
		return err
	case m.Human == a.row.Human:
		return ownDecision()
	case m.State != state.MemberActive:
		return fault.New(fault.Conflict, "member", "this member does not work here now")
	case m.Department != "":
		return theirs()
	case slices.Contains(m.Grants, g) || len(m.Grants) >= grantsMost:
		return fault.New(fault.Conflict, "grant", "this member holds that role already, or too many")
	}
	_, err = t.staffProposed(a, state.StaffProposal{Kind: state.ProposeGrant, Member: f.Member, Grant: g}, []access.Grant{g}, inviteLife, out)
	return err
}

func (t *txn) proposeRecovery(a *actor, f signedBody, out *vault.StaffActed) error {
	m, err := t.memberUnder(a, policy.StaffRecover, f.Member, false)
	if err != nil {
		return err
	}
	if m.State != state.MemberActive {
		return fault.New(fault.Conflict, "member", "this member does not work here now")
	}
	_, err = t.staffProposed(a, state.StaffProposal{Kind: state.ProposeRecovery, Member: f.Member}, m.Grants, recoveryLife, out)
	return err
}

// proposeDevice makes a link for the actor's own second device. What is made with it
// waits for another human.
func (t *txn) proposeDevice(a *actor, out *vault.StaffActed) error {
	if err := t.may(a, policy.StaffDeviceLink, policy.Facts{Fresh: true}); err != nil {
		return err
	}
	_, err := t.staffProposed(a, state.StaffProposal{Kind: state.ProposeDevice, Member: a.id}, a.row.Grants, deviceLife, out)
	return err
}

// mayApproveStaff reports why a member may not be the second human for a proposal now.
func (t *txn) mayApproveStaff(a *actor, p state.StaffProposal) error {
	m, err := t.subjectOf(p)
	if err != nil {
		return err
	}
	by := state.StaffMember{State: state.MemberActive} // a department is proposed at the machine, approved here
	if p.Kind != state.ProposeDepartment {
		if by, err = t.staffMember(p.By); err != nil {
			return err
		}
	}
	right, places := access.MayManage(a.grants(), m.Grants), placesOf(m)
	if p.Grant.Valid() {
		right, places = access.MayGrant(a.grants(), p.Grant), []access.Scope{p.Grant.Scope}
	}
	second, off := by.Human != a.row.Human && m.Human != a.row.Human, ablate.Off(ablate.SecondPerson)
	refused := t.may(a, policy.StaffApprove, policy.Facts{Fresh: true, Second: second || off, Waited: t.waited(p) == nil || off}, places...)
	switch {
	case refused != nil && fault.CodeOf(refused) != "wait": // of which the rules say more
		return refused
	case !right:
		return notTheirs()
	case off:
		return refused
	case !second:
		return notSecond()
	case by.State != state.MemberActive:
		return fault.New(fault.Conflict, "ended", "who proposed this no longer works here; propose it again")
	}
	return firstErr(t.waited(p), refused)
}

func notSecond() error {
	return fault.New(fault.Forbidden, "second", "somebody else approves what you proposed, or what is about you")
}

func (t *txn) waited(p state.StaffProposal) error {
	if wait := p.NotBefore - t.k.now().UnixMilli(); wait > 0 {
		return &fault.Error{Kind: fault.Conflict, Code: "wait", Text: "fewer than three people could approve this: it is approved 24 hours after it was proposed, and is on the public list meanwhile",
			RetryAfter: time.Duration(wait) * time.Millisecond}
	}
	return nil
}

func (t *txn) proposal(name string) (state.StaffProposal, error) {
	gone := fault.New(fault.NotFound, "proposal", "no such proposal, or it was decided or is too old")
	if !id.Valid(name) {
		return state.StaffProposal{}, gone
	}
	p, ok, err := engine.Get[state.StaffProposal](t, state.StaffProposals, name)
	if err == nil && (!ok || p.State != state.ProposalWaiting || p.Kind == state.ProposeSetup || t.k.now().UnixMilli() >= p.Expires) {
		err = gone
	}
	return p, err
}

// approveStaff is the second human's word; read is the digest of the text that they read.
// A refusal is returned apart from an error: that they read another one is kept.
func (t *txn) approveStaff(a *actor, name, read string, out *vault.StaffActed) (refused, err error) {
	if known, refused, err := t.k.changes.Approve(t.Txn, a.who(), name, read, out); known || err != nil {
		return refused, err
	}
	p, err := t.proposal(name)
	if err == nil {
		err = t.mayApproveStaff(a, p)
	}
	if err != nil {
		return nil, err
	}
	v, err := t.viewProposal(name, p)
	if err != nil {
		return nil, err
	}
	if refused := proposals.Read(v.Text, read); refused != nil {
		t.Append(a.entry("refused: another text of a proposal was read", p.Kind, name))
		t.k.log.Error("alarm: somebody approved another text than that of the proposal; the web role shows what is not so", "alarm", "staff", "proposal", name)
		return refused, nil
	}
	t.Append(a.entry("approved: "+p.Kind, grantText(p.Grant), name))
	return nil, t.approvedStaff(name, p, a.id, out)
}

// approvedStaff carries out what needs nobody else any more, and lets links be used.
func (t *txn) approvedStaff(name string, p state.StaffProposal, second string, out *vault.StaffActed) error {
	p.State, p.Second = state.ProposalApproved, second
	m, err := t.subjectOf(p)
	if err != nil {
		return err
	}
	now := t.k.now().UnixMilli()
	switch p.Kind {
	case state.ProposeInvitation:
		if err := t.placed(p.Grant.Scope, true); err != nil {
			return err
		}
	case state.ProposeDepartment:
		p.State = state.ProposalUsed
		if err := t.rows().Approved(name, p); err != nil {
			return err
		}
		if out.Ended, err = t.rows().Out(p.Department, staffOf{t}); err != nil {
			return err
		}
	case state.ProposeRecovery:
		p.Expires = now + recoveryLife.Milliseconds()
	case state.ProposeGrant:
		if m.State != state.MemberActive || slices.Contains(m.Grants, p.Grant) {
			return fault.New(fault.Conflict, "member", "this member does not work here now, or holds that role")
		}
		p.State, m.Grants = state.ProposalUsed, append(m.Grants, p.Grant)
		if err := firstErr(t.placed(p.Grant.Scope, true), t.join(p.Member, p.Grant.Scope, false)); err != nil {
			return err
		}
	case state.ProposeDevice:
		i := slices.IndexFunc(m.Devices, func(d state.StaffDevice) bool { return d.ID == p.Device && d.State == state.DevicePending })
		if i < 0 {
			return fault.New(fault.Conflict, "device", "no device was enrolled with that link, or it was ended since")
		}
		p.State, m.Devices[i].State = state.ProposalUsed, state.DeviceActive
	}
	if p.State == state.ProposalUsed && p.Kind != state.ProposeDepartment {
		out.Ended = t.endStaffSessions(&m, "")
		if err := t.putMember(p.Member, m); err != nil {
			return err
		}
	}
	public, ok, err := engine.Get[state.Correction](t, state.Corrections, publicPrefix+name)
	if err != nil {
		return err
	}
	if ok {
		public.State, public.Done = state.CorrectionDone, now
		if err := engine.Put(t, state.Corrections, publicPrefix+name, public, 0); err != nil {
			return err
		}
	}
	out.Proposal, out.Kind, out.Member, out.State = name, p.Kind, p.Member, p.State
	return engine.Put(t, state.StaffProposals, name, p, 0)
}

func (t *txn) withdraw(a *actor, body []byte) error {
	var f struct {
		Proposal string `json:"proposal_id"`
	}
	if err := staffBody(body, &f); err != nil {
		return err
	}
	if !id.Valid(f.Proposal) {
		return fault.New(fault.NotFound, "proposal", "no such proposal")
	}
	if known, err := t.k.changes.Withdraw(t.Txn, a.who(), f.Proposal); known || err != nil {
		return err
	}
	p, ok, err := engine.Get[state.StaffProposal](t, state.StaffProposals, f.Proposal)
	if err != nil {
		return err
	}
	if !ok || (p.State != state.ProposalWaiting && p.State != state.ProposalApproved) || p.Kind == state.ProposeSetup {
		return fault.New(fault.NotFound, "proposal", "no such proposal, or it was carried out")
	}
	m, err := t.subjectOf(p)
	if err != nil {
		return err
	}
	places := placesOf(m)
	switch {
	case p.By == a.id:
		places = nil
	case p.Grant.Valid():
		places = []access.Scope{p.Grant.Scope}
	}
	may := t.may(a, policy.StaffWithdraw, policy.Facts{Own: p.By == a.id}, places...) == nil
	if !may || (p.By != a.id && !access.MayManage(a.grants(), m.Grants) && !access.MayGrant(a.grants(), p.Grant)) {
		return fault.New(fault.NotFound, "proposal", "no such proposal, or it was carried out")
	}
	if i := slices.IndexFunc(m.Devices, func(d state.StaffDevice) bool { return d.ID == p.Device && d.State == state.DevicePending }); i >= 0 {
		m.Devices[i].State = state.DeviceEnded
		t.markEnded(deviceMark(p.Device))
		if err := t.putMember(p.Member, m); err != nil {
			return err
		}
	}
	if p.Kind == state.ProposeDepartment {
		if err := t.rows().Dropped(f.Proposal, p); err != nil {
			return err
		}
	}
	p.State, p.Secret = state.ProposalWithdrawn, nil
	t.Append(a.entry("withdrawn: "+p.Kind, grantText(p.Grant), f.Proposal))
	return engine.Put(t, state.StaffProposals, f.Proposal, p, 0)
}

// recent lists proposals that may still be decided or used, newest last: their ids
// begin with their time. All of them: old links of one member, of which there may be any
// number, hide nobody's newer proposal.
func (t *txn) recent(fn func(name string, p state.StaffProposal) error) error {
	const page = 1000
	now := t.k.now()
	since := now.Add(-2*inviteLife - smallWait).UnixMilli()
	for after := fmt.Sprintf("%08x-%04x", since>>16, since&0xffff); ; {
		rows, err := t.Tx.Scan(t.Ctx, state.StaffProposals, after, page)
		if err != nil {
			return err
		}
		for _, s := range rows {
			after = s.Key
			p, _, err := engine.Get[state.StaffProposal](t, state.StaffProposals, s.Key)
			if err != nil {
				return err
			}
			if (p.State != state.ProposalWaiting && p.State != state.ProposalApproved) || now.UnixMilli() >= p.Expires || p.Kind == state.ProposeSetup {
				continue
			}
			if err := fn(s.Key, p); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

func (t *txn) proposals(a *actor, out *vault.StaffActed) error {
	if err := t.may(a, policy.StaffProposals, policy.Facts{}); err != nil {
		return err
	}
	out.Proposals = []vault.StaffProposal{}
	err := t.recent(func(name string, p state.StaffProposal) error {
		m, err := t.subjectOf(p)
		if err != nil || len(out.Proposals) >= proposalsPage {
			return err
		}
		mine := p.By == a.id
		if !mine && !access.MayManage(a.grants(), m.Grants) && !access.MayGrant(a.grants(), p.Grant) {
			return nil
		}
		v, err := t.viewProposal(name, p)
		v.Mine = mine
		out.Proposals = append(out.Proposals, v)
		return err
	})
	if err != nil {
		return err
	}
	changes, err := t.k.changes.List(t.Txn, a.who())
	out.Proposals = append(out.Proposals, changes...)
	t.Append(a.entry("list of proposals", decimal(int64(len(out.Proposals)))+" rows", ""))
	return err
}

// viewProposal is a proposal with all that it says.
func (t *txn) viewProposal(name string, p state.StaffProposal) (v vault.StaffProposal, err error) {
	v = viewProposalOf(name, p)
	if p.Kind == state.ProposeDepartment {
		err = t.rows().Show(p, &v)
	} else {
		var m state.StaffMember
		if m, err = t.staffMember(p.Member); err == nil {
			v.Name, err = t.k.memberName(p.Member, m)
		}
	}
	if err != nil {
		return v, err
	}
	v.Text, err = proposals.Says{Kind: v.Kind, By: v.By, Member: v.Member, Name: v.Name, Grant: v.Grant, Device: v.Device, Department: v.Department, Digest: v.Digest}.Text()
	return v, err
}

func viewProposalOf(name string, p state.StaffProposal) vault.StaffProposal {
	return vault.StaffProposal{ID: name, Kind: p.Kind, Member: p.Member, Grant: grantText(p.Grant), Device: p.Device, By: p.By, At: p.At,
		NotBefore: p.NotBefore, Expires: p.Expires, State: p.State}
}
