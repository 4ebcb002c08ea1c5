package backup

import (
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestDepartmentAfterRestore: behind the ledger a department is out of use, whatever the
// copy has, and its members wait for the operator; when it is handed in anew and approved
// they are who they were. What the department said meanwhile was lost: a member who left in
// the gap stays out.
func TestDepartmentAfterRestore(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{Args: harness.DepartmentArgs(t)})
	dir := place(t)
	to, identity := ageKey(t, dir)
	custodians(t, s, dir)
	admin := s.FirstAdministrator("Nita Test")
	p := s.Department(admin, nil)
	come := func(sub string) (*harness.Desk, harness.Answer) {
		d := s.Desk()
		p.Login(map[string]any{"sub": sub, "roles": []string{"jab-7"}, "name": "Vani Test"})
		return d, d.Comes("")
	}
	vani, a := come("vani")
	vani.Must(a)
	viru, a := come("viru")
	viru.Must(a)
	set := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	admin.Must(admin.Ask("POST", "members/disable", map[string]any{"member_id": viru.Member, "reason": "left"}))
	behind(t, s, dir, set, identity)

	if list := must(t, s, "department", "list", "--data", s.Data); !strings.Contains(list, "in force none") || !strings.Contains(list, "waits none") {
		t.Errorf("after the gap: %s", list)
	}
	if _, got := come("vani"); got.Status != 404 {
		t.Errorf("a department that nobody confirmed: %s", got.Text())
	}
	must(t, s, "staff", "confirm", "--data", s.Data, "--staff="+admin.Member)
	admin.Passkeys.Origin = s.StaffOrigin()
	proposal := harness.Waiting(s.SetDepartment(p, nil))
	if proposal == "" {
		t.Fatal("what was in force before the gap is taken without a second person")
	}
	s.Forward(24*time.Hour + time.Minute)
	admin.Must(admin.SignIn(""))
	admin.Must(admin.Fresh("approve", admin.Approval(proposal)))
	if _, got := come("vani"); got.OK() {
		t.Errorf("a member whom nobody confirmed: %s", got.Text())
	}
	must(t, s, "staff", "confirm", "--data", s.Data, "--staff="+vani.Member)
	again, got := come("vani")
	again.Must(got)
	if again.Member != vani.Member {
		t.Error("the account is another member now")
	}
	if _, got := come("viru"); got.OK() {
		t.Errorf("who was disabled in the gap: %s", got.Text())
	}
	must(t, s, "ledger", "audit", "--data", s.Data)
}
