// Package departments is the part of the vault that keeps the identity providers of
// departments whose staff sign in there (ADR 37): which configuration is in force, which
// one waits for a second person, and what becomes of both. Who the members are, and who
// may decide, is keeper/staffing's.
package departments

import (
	"tikakosh/internal/access/department"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// Most is how many departments an installation has.
const Most = 100

// Rows are the departments as one transaction sees them. Now in Unix milliseconds.
type Rows struct {
	*engine.Txn
	Now int64
}

// Entry is an entry of the ledger about a department, by the machine's operator.
func Entry(view, reason, evidence string) engine.Entry {
	return engine.Entry{Kind: "staff", View: view, Role: "operator", Actor: "operator", Reason: reason, Evidence: evidence}
}

// Live reads a department and its configuration in force; not ok: none is.
func (r Rows) Live(name string) (row state.StaffDepartment, c department.Config, ok bool, err error) {
	row, ok, err = engine.Get[state.StaffDepartment](r, state.StaffDepartments, name)
	if err != nil || !ok || len(row.Config) == 0 {
		return row, c, false, err
	}
	c, err = read(row.Config)
	return row, c, err == nil, err
}

func read(raw []byte) (department.Config, error) {
	c, err := department.Parse(raw)
	if err != nil {
		err = state.Integrity(state.StaffDepartments, "a configuration cannot be read")
	}
	return c, err
}

// Each calls fn for every department, in order.
func (r Rows) Each(fn func(name string, row state.StaffDepartment) error) error {
	rows, err := r.Tx.Scan(r.Ctx, state.StaffDepartments, "", Most)
	if err != nil {
		return err
	}
	for _, s := range rows {
		row, _, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, s.Key)
		if err != nil {
			return err
		}
		if err := fn(s.Key, row); err != nil {
			return err
		}
	}
	return nil
}

// InForce are those in force, as the web role needs them.
func (r Rows) InForce(redirect string) ([]vault.Department, error) {
	out := []vault.Department{}
	err := r.Each(func(_ string, row state.StaffDepartment) error {
		if len(row.Config) == 0 {
			return nil
		}
		c, err := read(row.Config)
		out = append(out, vault.Department{ID: c.ID, Names: c.Names, Issuer: c.Issuer, Client: c.Client, Token: c.Token, Redirect: redirect})
		return err
	})
	return out, err
}

// View is a department as the operator sees it.
func (r Rows) View(name string, row state.StaffDepartment) (vault.DepartmentState, error) {
	v := vault.DepartmentState{ID: name, Proposal: row.Proposal, Since: row.Since}
	for _, one := range []struct {
		raw    []byte
		digest *string
	}{{row.Next, &v.Waiting}, {row.Config, &v.InForce}} {
		if len(one.raw) == 0 {
			continue
		}
		c, err := read(one.raw)
		if err != nil {
			return v, err
		}
		v.Name, v.Issuer, *one.digest = c.Names["en"], c.Issuer, c.Digest()
	}
	if row.Proposal != "" {
		p, _, err := engine.Get[state.StaffProposal](r, state.StaffProposals, row.Proposal)
		if v.From = p.NotBefore; err != nil {
			return v, err
		}
	}
	return v, nil
}

// Handed takes in what a file takes away of what is in force, and reports whether it
// did (taken), whether the file adds something, so that it has to be proposed, and
// whether nothing changed at all. What waited is withdrawn. The caller puts the row, but
// where nothing changed.
func (r Rows) Handed(next department.Config) (row state.StaffDepartment, taken, adds, same bool, err error) {
	if err := r.newIssuer(next); err != nil {
		return row, false, false, false, err
	}
	row, c, live, err := r.Live(next.ID)
	if err != nil {
		return row, false, false, false, err
	}
	waited := row.Proposal != ""
	if err := r.withdrawn(&row); err != nil || !live {
		return row, false, true, false, err
	}
	in, stays := c.Within(next)
	if taken = !stays || in.Digest() != c.Digest(); taken {
		row.Config, row.Since = nil, r.Now
		if stays {
			row.Config = in.Bytes()
		}
		r.Append(Entry("department: something was taken away", next.ID, next.Digest()))
	}
	adds = !stays || in.Digest() != next.Digest()
	return row, taken, adds, !taken && !adds && !waited, nil
}

// newIssuer refuses a second department of one issuer: an account has one member.
func (r Rows) newIssuer(next department.Config) error {
	n := 0
	err := r.Each(func(name string, row state.StaffDepartment) error {
		v, err := r.View(name, row)
		if err == nil && name != next.ID {
			if n++; v.Issuer == next.Issuer {
				err = fault.New(fault.Conflict, "issuer", "another department has that issuer")
			}
		}
		return err
	})
	if err == nil && n >= Most-1 {
		err = fault.New(fault.Conflict, "departments", "there are too many departments")
	}
	return err
}

// withdrawn ends the proposal that waits, if one does.
func (r Rows) withdrawn(row *state.StaffDepartment) error {
	name := row.Proposal
	row.Next, row.Proposal = nil, ""
	if name == "" {
		return nil
	}
	p, ok, err := engine.Get[state.StaffProposal](r, state.StaffProposals, name)
	if err != nil || !ok || p.State != state.ProposalWaiting {
		return err
	}
	p.State = state.ProposalWithdrawn
	r.Append(Entry("withdrawn: "+p.Kind, p.Department, p.Digest))
	return engine.Put(r, state.StaffProposals, name, p, 0)
}

// Put writes a department's row.
func (r Rows) Put(name string, row state.StaffDepartment) error {
	return engine.Put(r, state.StaffDepartments, name, row, 0)
}

// Approved puts in force exactly what was proposed; fault.Conflict where something else
// was since.
func (r Rows) Approved(proposal string, p state.StaffProposal) error {
	row, _, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, p.Department)
	if err != nil {
		return err
	}
	c, err := department.Parse(row.Next)
	if err != nil || row.Proposal != proposal || c.Digest() != p.Digest {
		return fault.New(fault.Conflict, "department", "another configuration of this department was proposed since")
	}
	r.Append(Entry("department in force", p.Department, p.Digest))
	return r.Put(p.Department, state.StaffDepartment{Config: row.Next, Since: r.Now})
}

// Dropped forgets what waited, where somebody withdrew it.
func (r Rows) Dropped(proposal string, p state.StaffProposal) error {
	row, ok, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, p.Department)
	if err != nil || !ok || row.Proposal != proposal {
		return err
	}
	row.Next, row.Proposal = nil, ""
	return r.Put(p.Department, row)
}

// Show shows who decides on a proposal what it is about: the whole configuration.
func (r Rows) Show(p state.StaffProposal, v *vault.StaffProposal) error {
	row, _, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, p.Department)
	if err != nil {
		return err
	}
	if c, err := department.Parse(row.Next); err == nil && c.Digest() == p.Digest {
		v.Name, v.Digest, v.Department = c.Names["en"], p.Digest, c.Bytes()
	}
	return nil
}

// Ended takes a department out of use. fault.NotFound.
func (r Rows) Ended(name string) error {
	row, ok, err := engine.Get[state.StaffDepartment](r, state.StaffDepartments, name)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "department", "no such department")
	}
	if err != nil {
		return err
	}
	if err := r.withdrawn(&row); err != nil {
		return err
	}
	r.Append(Entry("department ended", "by the operator", name))
	return r.Put(name, state.StaffDepartment{Since: r.Now})
}

// Suspended takes every department out of use, after a restore behind the ledger: what
// the lost entries took away must not come back with the older rows.
func (r Rows) Suspended() error {
	return r.Each(func(name string, row state.StaffDepartment) error {
		if len(row.Config)+len(row.Next) == 0 {
			return nil
		}
		return r.Put(name, state.StaffDepartment{Since: r.Now})
	})
}
