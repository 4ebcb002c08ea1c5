package keeper_test

import (
	"maps"
	"testing"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// forbidding puts the program's policies and one that forbids into force; "" the program's
// alone.
func (r *rig) forbidding(text string) {
	r.t.Helper()
	program, err := policy.Files()
	if err != nil {
		r.t.Fatal(err)
	}
	files := map[string]string{"forbid.cedar": text}
	for name, f := range program {
		files[name] = string(f)
	}
	if text == "" {
		files = nil
	}
	if err := r.k.AskPolicies(files); err != nil {
		r.t.Fatal(err)
	}
}

// TestPoliciesOverMembers: what members of staff do among themselves asks the policies
// as well as the rules of who grants what: with all of it forbidden nothing goes, and
// with the program's own policies the very same does.
func TestPoliciesOverMembers(t *testing.T) {
	r, a, b, c := three(t)
	m := a.joins(b, "Mira Test", "manager@centre/21/395/7")
	v := m.joins(b, "Vani Test", "vaccinator@centre/21/395/7")
	lost := a.joins(b, "Lata Test", "verifier@centre/21/395/7")
	gone := a.joins(b, "Gopal Test", "auditor@national")
	waits := a.mustFresh(vault.ActInvite, map[string]any{"name": "Waman Test", "grant": "auditor@national"})
	taken := a.mustFresh(vault.ActInvite, map[string]any{"name": "Xavi Test", "grant": "auditor@national"})
	day := r.clock().Add(24 * time.Hour).Format("02-01-2006")
	signed := func(d *desk, act string, body map[string]any) func() error {
		return func() error { _, err := d.fresh(act, maps.Clone(body)); return err }
	}
	plain := func(d *desk, act string, body map[string]any) func() error {
		return func() error { _, err := d.act(act, body); return err }
	}
	get := func(d *desk, act string) func() error {
		return func() error { _, err := d.get(act); return err }
	}
	acts := []struct { // in an order in which each leaves the others something to do
		name string
		do   func() error
	}{
		{"me", get(v, vault.ActMe)},
		{"proposals", get(v, vault.ActProposals)},
		{"grant chosen", plain(v, vault.ActGrantChosen, map[string]any{"grant": "vaccinator@centre/21/395/7"})},
		{"members", get(m, vault.ActMembers)},
		{"member", get(m, vault.ActMember+"?member_id="+v.member)},
		{"roster", get(m, vault.ActRoster+"?center_id=7&date="+day)},
		{"roster put", plain(m, vault.ActRosterPut, map[string]any{"member_id": v.member, "center_id": 7, "date": day, "on": true})},
		{"device link", signed(v, vault.ActDeviceLink, map[string]any{})},
		{"invite", signed(m, vault.ActInvite, map[string]any{"name": "Yuri Test", "grant": "vaccinator@centre/21/395/7"})},
		{"grant", signed(m, vault.ActGrant, map[string]any{"member_id": v.member, "grant": "verifier@centre/21/395/7"})},
		{"recovery", signed(a, vault.ActRecover, map[string]any{"member_id": lost.member})},
		{"approve", signed(c, vault.ActApprove, c.approval(waits.Proposal))},
		{"withdraw", plain(a, vault.ActWithdraw, map[string]any{"proposal_id": taken.Proposal})},
		{"sessions end", plain(m, vault.ActSessionsEnd, map[string]any{"member_id": lost.member})},
		{"device end", plain(a, vault.ActDeviceEnd, map[string]any{"member_id": lost.member, "device_id": lost.device, "reason": "lost"})},
		{"grant end", plain(a, vault.ActGrantEnd, map[string]any{"member_id": lost.member, "grant": "verifier@centre/21/395/7", "reason": "moved"})},
		{"disable", plain(a, vault.ActDisable, map[string]any{"member_id": gone.member, "reason": "left"})},
		{"sign out", plain(v, vault.ActSignOut, map[string]any{})},
	}
	r.forbidding(`@id("nothing") forbid (principal is Staff, action, resource) unless { [Action::"staff.nonce", Action::"policy.propose", Action::"policy.approve"].contains(action) };`)
	for _, x := range acts {
		if err := x.do(); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s, which the policies forbid: %v", x.name, err)
		}
	}
	r.forbidding(`@id("no-nonce") forbid (principal is Staff, action == Action::"staff.nonce", resource);`)
	if _, err := v.begin(vault.ActNonce, map[string]any{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a nonce, which the policies forbid: %v", err)
	}
	r.forbidding("")
	for _, x := range acts {
		if err := x.do(); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}
