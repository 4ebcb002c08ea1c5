package keeper_test

import (
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

const day = 24 * time.Hour

// wants proposes that centre 7 opens from its list, or ends that.
func (d *desk) wants(on bool) (vault.StaffActed, error) {
	return d.fresh(vault.ActChange, map[string]any{"kind": vault.ChangeRosterMode, "center_id": 7, "on": on})
}

func (d *desk) approves(p vault.StaffActed) {
	d.r.t.Helper()
	d.mustFresh(vault.ActApprove, map[string]any{"proposal_id": p.Proposal})
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
// role of one of them is taken. They still work here, in another role or in none, and what
// they wanted does not come into force.
func TestChangeOfWhoLostTheirRole(t *testing.T) {
	for _, proposer := range []bool{true, false} {
		r, a, b, c := three(t)
		m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
		n := a.joins(b, "Nora Test", "manager@centre/21/395/7")
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
	if _, err := b.fresh(vault.ActApprove, map[string]any{"proposal_id": p.Proposal}); fault.CodeOf(err) != "ended" {
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
