package staffing

import (
	"slices"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// MarkEnded is the mark on the ledger of a credential that was ended and must not come
// back with an older copy. Of members it names the member who was disabled, a device
// ("device/" and its id), or a role that was taken ("grant/", the member and the grant).
const MarkEnded = "credential"

func deviceMark(device string) string { return "device/" + device }

func grantMark(member string, g access.Grant) string { return "grant/" + member + "/" + g.String() }

// markEnded marks what was just ended. The caller appends the entry that says so.
func (t *txn) markEnded(what string) { t.Mark(engine.MarkSalt(t.k.keys, MarkEnded, what, 0)) }

// Suspend is what a restore behind the ledger does to members of staff. What was ended in
// lost entries, as their marks say, ends again, and every session ends. With all, nobody
// knows what else was lost: every active member is out of use until Resume, and links and
// proposals are worthless. It counts the members it changed. The caller appends the entry.
func (k *Office) Suspend(on *engine.Txn, ended func(mark string) bool, all bool) (n int, err error) {
	t := k.in(on)
	if all { // what lost entries took away from a department must not come back
		if err := t.rows().Suspended(); err != nil {
			return 0, err
		}
	}
	const page = 500
	for after := ""; ; {
		rows, err := t.Tx.Scan(t.Ctx, state.StaffMembers, after, page)
		if err != nil {
			return n, err
		}
		for _, s := range rows {
			after = s.Key
			changed, err := t.restored(s.Key, ended, all)
			if err != nil {
				return n, err
			}
			if changed {
				n++
			}
		}
		if len(rows) < page {
			break
		}
	}
	if !all {
		return n, nil
	}
	return n, t.endProposals()
}

// restored brings one member to what the lost entries' marks say of them.
func (t *txn) restored(member string, ended func(mark string) bool, all bool) (changed bool, err error) {
	m, err := t.staffMember(member)
	if err != nil || m.State == state.MemberDisabled {
		return false, err
	}
	if ended(member) {
		_, err := t.disabled(member, &m)
		return true, err
	}
	for i := range m.Devices {
		if d := &m.Devices[i]; d.State != state.DeviceEnded && (ended(deviceMark(d.ID)) || (all && d.State == state.DevicePending)) {
			d.State, changed = state.DeviceEnded, true
		}
	}
	for _, g := range slices.Clone(m.Grants) {
		if !ended(grantMark(member, g)) {
			continue
		}
		changed = true
		if err := t.takeGrant(member, &m, g); err != nil {
			return false, err
		}
	}
	if all && m.State == state.MemberActive {
		m.State, changed = state.MemberSuspended, true
	}
	if t.endStaffSessions(&m, "") == 0 && !changed {
		return false, nil
	}
	return changed, t.putMember(member, m)
}

// takeGrant takes a grant that the member holds. The caller puts the row.
func (t *txn) takeGrant(member string, m *state.StaffMember, g access.Grant) error {
	i := slices.Index(m.Grants, g)
	m.Grants = slices.Delete(m.Grants, i, i+1)
	if slices.ContainsFunc(m.Grants, func(o access.Grant) bool { return o.Scope == g.Scope }) {
		return nil
	}
	return t.join(member, g.Scope, true)
}

// endProposals ends what waits or has a link that works: it may have been used, refused or
// withdrawn in what was lost.
func (t *txn) endProposals() error {
	const page = 500
	for after := ""; ; {
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
			if p.State != state.ProposalWaiting && p.State != state.ProposalApproved {
				continue
			}
			p.State, p.Secret = state.ProposalWithdrawn, nil
			if err := engine.Put(t, state.StaffProposals, s.Key, p, s.Expires); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// Resume is the operator's word that a suspended member still works here. The caller
// appends the entry. fault.NotFound, fault.Conflict: not suspended.
func (k *Office) Resume(on *engine.Txn, member string) error {
	t := k.in(on)
	m, err := t.staffMember(member)
	if err != nil {
		return err
	}
	if m.State != state.MemberSuspended {
		return fault.New(fault.Conflict, "member", "this member is not suspended")
	}
	m.State = state.MemberActive
	return t.putMember(member, m)
}
