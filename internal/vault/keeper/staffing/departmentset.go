package staffing

import (
	"context"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/department"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/departments"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

func (t *txn) rows() departments.Rows {
	return departments.Rows{Txn: t.Txn, Now: t.k.now().UnixMilli()}
}

// overDepartments are the grants of whom a department's configuration is decided over
// like: it can give any role up to its ceiling, so that the nation's administrators do.
func overDepartments() []access.Grant {
	return []access.Grant{{Role: access.National, Scope: access.Everywhere()}}
}

// subjectOf is whom a proposal is about; for a department's configuration a member with
// the grants that who decides has to stand over, and nothing else.
func (t *txn) subjectOf(p state.StaffProposal) (state.StaffMember, error) {
	if p.Kind == state.ProposeDepartment {
		return state.StaffMember{Grants: overDepartments()}, nil
	}
	return t.staffMember(p.Member)
}

// departmentWord carries out a word of the operator's and answers with all departments.
func (k *Office) departmentWord(ctx context.Context, fn func(*txn) (change vault.DepartmentState, err error)) (vault.DepartmentStates, error) {
	if err := k.staffOff(); err != nil {
		return vault.DepartmentStates{}, err
	}
	var out vault.DepartmentStates
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.DepartmentStates{List: []vault.DepartmentState{}}
		change, err := fn(t)
		if err != nil {
			return err
		}
		return t.rows().Each(func(name string, row state.StaffDepartment) error {
			v, err := t.rows().View(name, row)
			if name == change.ID {
				v.Ended, v.Members = change.Ended, change.Members
			}
			out.List = append(out.List, v)
			return err
		})
	})
	out.Receipts = receipts
	return out, err
}

// DepartmentList implements the vault's word.
func (k *Office) DepartmentList(ctx context.Context, _ vault.Empty) (vault.DepartmentStates, error) {
	return k.departmentWord(ctx, func(*txn) (vault.DepartmentState, error) { return vault.DepartmentState{}, nil })
}

// DepartmentSet implements the vault's word. What the file takes away is gone at once,
// with all sessions of the department's members; what it adds is a proposal: a day on
// the public list, and a national administrator's passkey.
func (k *Office) DepartmentSet(ctx context.Context, r vault.DepartmentRequest) (vault.DepartmentStates, error) {
	next, err := department.Parse(r.Config)
	if err != nil {
		return vault.DepartmentStates{}, err
	}
	return k.departmentWord(ctx, func(t *txn) (change vault.DepartmentState, err error) {
		change.ID = next.ID
		row, taken, adds, same, err := t.rows().Handed(next)
		if err != nil || same {
			return change, err
		}
		if taken {
			if change.Ended, err = t.rows().Out(next.ID, staffOf{t}); err != nil {
				return change, err
			}
		}
		if adds {
			if err := t.proposeDepartment(&row, next); err != nil {
				return change, err
			}
		}
		return change, t.rows().Put(next.ID, row)
	})
}

// proposeDepartment puts a configuration before a second person, and on the public list
// for a day, however many could approve it: it is a rule for many, not about one.
func (t *txn) proposeDepartment(row *state.StaffDepartment, next department.Config) error {
	if ablate.Off(ablate.OIDCSecond) {
		row.Config, row.Since = next.Bytes(), t.k.now().UnixMilli()
		t.Append(operatorEntry("department in force", next.ID, next.Digest()))
		return nil
	}
	name := id.NewOrdered()
	p := state.StaffProposal{Kind: state.ProposeDepartment, By: byOperator, At: t.k.now().UnixMilli(), State: state.ProposalWaiting, Department: next.ID, Digest: next.Digest()}
	able, err := t.approvers(overDepartments())
	if err != nil {
		return err
	}
	p.Alone = len(able) == 0
	if err := t.waitPublicly(name, &p, inviteLife); err != nil {
		return err
	}
	row.Next, row.Proposal = next.Bytes(), name
	t.Append(operatorEntry("proposed: "+p.Kind, p.Department, p.Digest))
	return engine.Put(t, state.StaffProposals, name, p, 0)
}

// DepartmentEnd implements the vault's word.
func (k *Office) DepartmentEnd(ctx context.Context, r vault.DepartmentRequest) (vault.DepartmentStates, error) {
	return k.departmentWord(ctx, func(t *txn) (change vault.DepartmentState, err error) {
		change.ID = r.ID
		if err := t.rows().Ended(r.ID); err != nil {
			return change, err
		}
		change.Members, change.Ended, err = t.rows().AllLeave(r.ID, staffOf{t})
		return change, err
	})
}

// staffOf are the members of staff for keeper/departments.
type staffOf struct{ *txn }

// Put implements departments.Staff.
func (s staffOf) Put(member string, m state.StaffMember) error { return s.putMember(member, m) }

// EndSessions implements departments.Staff.
func (s staffOf) EndSessions(m *state.StaffMember) int { return s.endStaffSessions(m, "") }

// Disable implements departments.Staff.
func (s staffOf) Disable(member string, m *state.StaffMember) (int, error) {
	return s.disabled(member, m)
}

// Each calls fn for every member; it implements departments.Staff too.
func (t *txn) Each(fn func(member string, m *state.StaffMember) error) error {
	const page = 500
	for after := ""; ; {
		rows, err := t.Tx.Scan(t.Ctx, state.StaffMembers, after, page)
		if err != nil {
			return err
		}
		for _, s := range rows {
			after = s.Key
			m, err := t.staffMember(s.Key)
			if err != nil {
				return err
			}
			if err := fn(s.Key, &m); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// StaffSync implements the vault's word.
func (k *Office) StaffSync(ctx context.Context, r vault.StaffSync) (vault.StaffSynced, error) {
	if err := k.staffOff(); err != nil {
		return vault.StaffSynced{}, err
	}
	var out vault.StaffSynced
	receipts, err := k.update(ctx, func(t *txn) (err error) {
		out, err = t.rows().Sync(r, staffOf{t}, t.k.keys)
		return err
	})
	out.Receipts = receipts
	return out, err
}
