package permits

import (
	"testing"

	"tikakosh/internal/access"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// TestActing: a member's session acts at the place of its grant and with its roster; a
// machine's key at its own centre.
func TestActing(t *testing.T) {
	e, err := policy.Default(func(a policy.Action, ids []string) { t.Errorf("alarm: %s %v", a, ids) })
	if err != nil {
		t.Fatal(err)
	}
	a := New(e)
	machine := func(role access.Role, c id.Centre) state.Staff { return state.Staff{Role: string(role), Centre: c} }
	human := func(grant string) state.Staff {
		g, err := access.ParseGrant(grant)
		if err != nil {
			t.Fatal(err)
		}
		return state.Staff{Role: string(g.Role), Centre: g.Scope.Centre(), Grant: g, Session: "key"}
	}
	open := []state.OpenSession{{Centre: 7}}
	approved := policy.Facts{Second: true, Waited: true}
	for _, c := range []struct {
		what  string
		row   state.Staff
		do    policy.Action
		at    id.Centre
		facts policy.Facts
		want  policy.Missing
	}{
		{"a machine at its centre", machine(access.Vaccinator, 7), policy.StaffView, 7, AtWork(open, open), policy.MissingNothing},
		{"a machine elsewhere", machine(access.Vaccinator, 7), policy.StaffView, 8, AtWork(open, open), policy.MissingPlace},
		{"a human on the roster", human("vaccinator@centre/1/1/7"), policy.StaffView, 7, AtWork(open, open), policy.MissingNothing},
		{"a human off the roster", human("vaccinator@centre/1/1/7"), policy.StaffView, 7, AtWork(open, nil), policy.MissingRoster},
		{"nothing open", human("vaccinator@centre/1/1/7"), policy.StaffView, 7, AtWork(nil, nil), policy.MissingSession},
		{"a dose off the roster", human("vaccinator@centre/1/1/7"), policy.StaffDose, 7, policy.Facts{}, policy.MissingRoster},
		{"a human elsewhere", human("vaccinator@centre/1/1/7"), policy.StaffDose, 8, policy.Facts{Rostered: true}, policy.MissingPlace},
		{"of the nation", human("privacy@national"), policy.PolicyApprove, 0, approved, policy.MissingNothing},
		{"of a state, about the installation", human("privacy@state/1"), policy.PolicyApprove, 0, approved, policy.MissingPlace},
	} {
		if p := a.May(c.row, c.do, c.at, c.facts); p.Missing() != c.want {
			t.Errorf("%s: %q, want %q", c.what, p.Missing(), c.want)
		}
	}
}
