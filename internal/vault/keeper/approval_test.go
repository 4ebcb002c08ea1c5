package keeper_test

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/proposals"
	"tikakosh/internal/vault/state"
)

// approval is the body of the approval of a proposal, as it is shown to this member.
func (d *desk) approval(proposal string) map[string]any {
	d.r.t.Helper()
	return map[string]any{"proposal_id": proposal, "text_sha256": proposals.Digest(d.text(proposal))}
}

// text is what a proposal says, as it is shown to this member; "" where it is not.
func (d *desk) text(proposal string) string {
	list, _ := d.get(vault.ActProposals)
	for _, p := range list.Proposals {
		if p.ID == proposal && p.Text != "" {
			return p.Text
		}
	}
	alone, _ := d.get(vault.ActChangeShown + "?proposal_id=" + proposal)
	return alone.Text
}

// onLedger is how many entries there are.
func (r *rig) onLedger() (n int) {
	r.t.Helper()
	if err := r.st.View(r.t.Context(), func(tx state.Tx) error {
		rows, err := tx.Entries(r.t.Context(), 0, 10000)
		n = len(rows)
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// refusedFor is an approval of one proposal by somebody who was shown another one's text.
func (d *desk) refusedFor(proposal, shown string) {
	d.r.t.Helper()
	before := d.r.onLedger()
	_, err := d.fresh(vault.ActApprove, map[string]any{"proposal_id": proposal, "text_sha256": proposals.Digest(shown)})
	if d.r.onLedger() != before+1 {
		d.r.t.Error("the refusal of another text is no entry")
	}
	if !fault.Is(err, fault.Forbidden) || fault.CodeOf(err) != "another" {
		d.r.t.Errorf("an approval of another text: %v", err)
	}
}

// TestApprovalIsOfAText: of each kind of proposal, who read another one's text approves
// nothing; who read its own does.
func TestApprovalIsOfAText(t *testing.T) {
	r, a, b, c := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	r.backIn(a, b, c, m)
	files, err := policy.Files()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{}
	for name, text := range files {
		own[name] = string(text) + "\n// <&>\u2028 of this installation\n"
	}
	bait := a.mustFresh(vault.ActInvite, map[string]any{"name": "Harmless Test", "grant": "auditor@national"}).Proposal
	told := c.text(bait)
	if !strings.Contains(told, "Harmless Test") {
		t.Fatalf("the text of an invitation: %s", told)
	}
	device := m.mustFresh(vault.ActDeviceLink, map[string]any{})
	other := r.desk()
	if err := other.enrol(device.Link, ""); err != nil {
		t.Fatal(err)
	}
	for _, p := range []vault.StaffActed{
		a.mustFresh(vault.ActInvite, map[string]any{"name": "Vani Test", "grant": nationalAll}),
		a.mustFresh(vault.ActGrant, map[string]any{"member_id": m.member, "grant": "verifier@centre/21/395/7"}),
		a.mustFresh(vault.ActRecover, map[string]any{"member_id": m.member}),
		device,
		a.mustFresh(vault.ActChange, map[string]any{"kind": vault.ChangeRosterMode, "center_id": 7, "on": true}),
		a.mustFresh(vault.ActChange, map[string]any{"kind": vault.ChangeBudgets, "budgets": map[string]int{"base": 29}}),
		a.mustFresh(vault.ActChange, map[string]any{"kind": vault.ChangePolicies, "files": own}),
	} {
		b.refusedFor(p.Proposal, told)
		b.refusedFor(p.Proposal, "")
		text := b.text(p.Proposal)
		if !strings.Contains(text, `"kind":"`+p.Kind+`"`) {
			t.Errorf("the text of %s: %.200s", p.Kind, text)
		}
		if _, err := b.fresh(vault.ActApprove, map[string]any{"proposal_id": p.Proposal}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an approval of no text: %v", err)
		}
		b.mustFresh(vault.ActApprove, b.approval(p.Proposal))
	}
	if n := strings.Count(r.log(), "alarm: somebody approved another text"); n != 21 {
		t.Errorf("%d alarms of 21 refusals", n)
	}
}

// TestApprovalOfADepartment: the same, of what the operator handed in.
func TestApprovalOfADepartment(t *testing.T) {
	r, a, _, _ := three(t)
	d := r.hand(r.provider().Config(nil))
	r.advance(24 * time.Hour)
	r.backIn(a)
	text := a.text(d.Proposal)
	if !strings.Contains(text, d.Waiting) {
		t.Fatalf("the text does not say the digest %s: %s", d.Waiting, text)
	}
	a.refusedFor(d.Proposal, text+" ")
	a.mustFresh(vault.ActApprove, a.approval(d.Proposal))
}
