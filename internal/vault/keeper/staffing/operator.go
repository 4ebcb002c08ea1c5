package staffing

import (
	"context"

	"tikakosh/internal/access"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// operate runs what the machine's operator asks about staff identities.
func (k *Office) operate(ctx context.Context, fn func(*txn, *vault.StaffActed) error) (vault.StaffActed, error) {
	if err := k.staffOff(); err != nil {
		return vault.StaffActed{}, err
	}
	var out vault.StaffActed
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.StaffActed{}
		return fn(t, &out)
	})
	out.Receipts = receipts
	return out, err
}

func operatorEntry(view, reason, evidence string) engine.Entry {
	return engine.Entry{Kind: kindStaff, View: view, Role: byOperator, Actor: byOperator, Reason: reason, Evidence: evidence}
}

// StaffSetup implements the vault's word: the link of the first administrator. A new
// one makes those before worthless once one is used; while nobody is there, several may
// be about.
func (k *Office) StaffSetup(ctx context.Context, _ vault.StaffOperatorRequest) (vault.StaffActed, error) {
	return k.operate(ctx, func(t *txn, out *vault.StaffActed) error {
		if err := t.noAdministrator(); err != nil {
			return err
		}
		name, now := id.NewOrdered(), k.now()
		p := state.StaffProposal{Kind: state.ProposeSetup, By: byOperator, At: now.UnixMilli(), NotBefore: now.UnixMilli(), Expires: now.Add(setupLife).UnixMilli(), State: state.ProposalApproved}
		out.Link, out.Proposal, out.Kind, out.Expires = k.newLink(name, &p), name, p.Kind, p.Expires
		t.Append(operatorEntry("set-up link made", "", name))
		return engine.Put(t, state.StaffProposals, name, p, 0)
	})
}

// StaffMembers implements the vault's word: every member, without names.
func (k *Office) StaffMembers(ctx context.Context, _ vault.StaffOperatorRequest) (vault.StaffActed, error) {
	return k.operate(ctx, func(t *txn, out *vault.StaffActed) error {
		out.Members = []vault.StaffMember{}
		return t.Each(func(member string, m *state.StaffMember) error {
			v := vault.StaffMember{ID: member, State: m.State, Since: m.Since, Grants: []string{}}
			for _, g := range m.Grants {
				v.Grants = append(v.Grants, g.String())
			}
			out.Members = append(out.Members, v)
			return nil
		})
	})
}

// StaffEnd implements the vault's word: the operator disables a member.
func (k *Office) StaffEnd(ctx context.Context, r vault.StaffOperatorRequest) (vault.StaffActed, error) {
	return k.operate(ctx, func(t *txn, out *vault.StaffActed) error {
		m, err := t.staffMember(r.Member)
		if err != nil {
			return err
		}
		t.Append(operatorEntry("member disabled", "by the operator", r.Member))
		out.Ended, err = t.disabled(r.Member, &m)
		return err
	})
}

// StaffProposals implements the vault's word: what waits, without names.
func (k *Office) StaffProposals(ctx context.Context, _ vault.StaffOperatorRequest) (vault.StaffActed, error) {
	return k.operate(ctx, func(t *txn, out *vault.StaffActed) error {
		out.Proposals = []vault.StaffProposal{}
		return t.recent(func(name string, p state.StaffProposal) error {
			out.Proposals = append(out.Proposals, viewProposalOf(name, p))
			return nil
		})
	})
}

// StaffApprove implements the vault's word: the operator approves what nobody else
// could when it was proposed, and cannot now, after the wait.
func (k *Office) StaffApprove(ctx context.Context, r vault.StaffOperatorRequest) (vault.StaffActed, error) {
	return k.operate(ctx, func(t *txn, out *vault.StaffActed) error {
		p, err := t.proposal(r.Proposal)
		if err != nil {
			return err
		}
		m, err := t.subjectOf(p)
		if err != nil {
			return err
		}
		over := m.Grants
		if p.Grant.Valid() {
			over = []access.Grant{p.Grant}
		}
		_, others, err := t.others(p, over)
		if err != nil {
			return err
		}
		if !p.Alone || others > 0 { // somebody may have come meanwhile
			return fault.New(fault.Forbidden, "second", "another administrator approves this, at the staff client")
		}
		if err := t.waited(p); err != nil {
			return err
		}
		t.Append(operatorEntry("approved: "+p.Kind, grantText(p.Grant), r.Proposal))
		return t.approvedStaff(r.Proposal, p, byOperator, out)
	})
}
