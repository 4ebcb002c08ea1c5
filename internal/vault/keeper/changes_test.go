package keeper_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

const day = 24 * time.Hour

// wants proposes that centre 7 opens from its list, or ends that.
func (d *desk) wants(on bool) (vault.StaffActed, error) {
	return d.fresh(vault.ActChange, map[string]any{"kind": vault.ChangeRosterMode, "center_id": 7, "on": on})
}

func (d *desk) approves(p vault.StaffActed) {
	d.r.t.Helper()
	d.mustFresh(vault.ActApprove, d.approval(p.Proposal))
}

// settled puts into force what is due and reports whether centre 7 opens from its list.
func (r *rig) settled() bool {
	r.t.Helper()
	if err := r.k.SettleChanges(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	on, err := r.k.RosterMode(r.t.Context(), 7)
	if err != nil {
		r.t.Fatal(err)
	}
	return on
}

// TestChangeOfWhoLostTheirRole: two people agree on a change; before its day is over the
// role of one of them is taken. They still work here, in another role, and what they wanted
// does not come into force.
func TestChangeOfWhoLostTheirRole(t *testing.T) {
	for _, proposer := range []bool{true, false} {
		r, a, b, c := three(t)
		m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
		n := a.joins(b, "Nora Test", "manager@centre/21/395/7")
		for _, d := range []*desk{m, n} {
			b.approves(a.mustFresh(vault.ActGrant, map[string]any{"member_id": d.member, "grant": "vaccinator@centre/21/395/7"}))
		}
		r.backIn(m, n)
		p, err := m.wants(true)
		if err != nil {
			t.Fatal(err)
		}
		n.approves(p)
		lost := m
		if !proposer {
			lost = n
		}
		c.mustAct(vault.ActGrantEnd, map[string]any{"member_id": lost.member, "grant": "manager@centre/21/395/7", "reason": "an inquiry"})
		r.advance(day + time.Second)
		if r.settled() {
			t.Errorf("proposer %v: in force, and who wanted it may not decide it any more", proposer)
		}
		r.close()
	}
	r, a, b, c := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	p, err := m.wants(true)
	if err != nil {
		t.Fatal(err)
	}
	c.mustAct(vault.ActGrantEnd, map[string]any{"member_id": m.member, "grant": "manager@centre/21/395/7", "reason": "an inquiry"})
	if _, err := b.fresh(vault.ActApprove, b.approval(p.Proposal)); fault.CodeOf(err) != "ended" {
		t.Errorf("approved, and its proposer's role was taken: %v", err)
	}
	r.close()
}

// TestEndedModeStaysEnded: two people had several changes of the same kind approved; who ends
// the mode after the first is in force does not get it back from the second.
func TestEndedModeStaysEnded(t *testing.T) {
	r, a, b, c := three(t)
	for range 2 {
		p, err := a.wants(true)
		if err != nil {
			t.Fatal(err)
		}
		b.approves(p)
		r.advance(time.Minute)
	}
	r.advance(day - 90*time.Second) // the first is in force, the second in half a minute
	r.backIn(a, b, c)
	if !r.settled() {
		t.Fatal("not in force after a day")
	}
	if _, err := c.wants(false); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour)
	if r.settled() {
		t.Error("one person ended it, and a change of before switched it on again")
	}
}

// TestChangesFilled: one member cannot fill the list of what waits, so that nobody else
// proposes anything.
func TestChangesFilled(t *testing.T) {
	r, a, b, _ := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		_, err = m.wants(true)
	}
	if fault.CodeOf(err) != "many" {
		t.Errorf("a hundred proposals: %v", err)
	}
	r.backIn(a)
	if _, err := a.fresh(vault.ActChange, map[string]any{"kind": vault.ChangeBudgets, "budgets": map[string]int{"base": 29}}); err != nil {
		t.Errorf("somebody else's proposal: %v", err)
	}
}

// TestChangesAfterGap: a vault goes on from a copy behind its ledger. A roster mode that
// was ended in what was lost is off, one that was not stays on, and a change that was withdrawn there does
// not come into force.
func TestChangesAfterGap(t *testing.T) {
	r, a, b, c := three(t)
	modes := func(on bool, centres ...int) (out []vault.StaffActed) {
		for _, n := range centres {
			p := a.mustFresh(vault.ActChange, map[string]any{"kind": vault.ChangeRosterMode, "center_id": n, "on": on})
			b.approves(p)
			out = append(out, p)
		}
		return out
	}
	modes(true, 7, 8)
	r.advance(day + time.Second)
	r.backIn(a, b, c)
	if !r.settled() {
		t.Fatal("not in force after a day")
	}
	waits := modes(true, 9)[0]
	r.close()
	older, err := os.ReadFile(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	have := r.k.LastNext()
	if _, err := c.wants(false); err != nil {
		t.Fatal(err)
	}
	c.mustAct(vault.ActWithdraw, map[string]any{"proposal_id": waits.Proposal})
	leaves, err := r.k.Leaves(t.Context(), uint64(have), 100)
	if err != nil || len(leaves) == 0 {
		t.Fatal(len(leaves), err)
	}
	r.close()
	if err := os.WriteFile(r.path(), older, 0o600); err != nil {
		t.Fatal(err)
	}
	r.cfg.Restore = &keeper.RestoreOrder{Set: "recovered database", Ledger: have, Known: "ledger", Unpublished: leaves}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if r.settled() {
		t.Error("a roster mode that was ended is on again")
	}
	r.advance(day + time.Second)
	r.settled()
	for centre, want := range map[id.Centre]bool{8: true, 9: false} {
		if on, err := r.k.RosterMode(t.Context(), centre); err != nil || on != want {
			t.Errorf("centre %d: %v %v", centre, on, err)
		}
	}
}

// TestProposalsNotHidden: whoever makes links for devices by the thousand hides no proposal of
// somebody else's from those who decide about it.
func TestProposalsNotHidden(t *testing.T) {
	r, a, b, _ := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	if err := r.k.FillProposals(t.Context(), m.member, 2500); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Second)
	p := a.mustFresh(vault.ActInvite, map[string]any{"name": "Zoya Test", "grant": nationalAll})
	got, err := b.get(vault.ActProposals)
	if err != nil || !slices.ContainsFunc(got.Proposals, func(x vault.StaffProposal) bool { return x.ID == p.Proposal }) {
		t.Errorf("an invitation is not shown: %v, %d shown", err, len(got.Proposals))
	}
}
