package journey

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestDepartment: a department's file comes into force, its vaccinator signs in at its
// provider, works at the centre, and is out when the department says so.
func TestDepartment(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: harness.DepartmentArgs(t), Clock: harness.ClockAt(t, "10:00")})
	admin := s.FirstAdministrator("Nita Test")
	centre := s.Today().Centre
	p := s.Provider()
	file := filepath.Join(t.TempDir(), "health.json")
	command := func(args ...string) string {
		t.Helper()
		out, code := s.Command(args...)
		if code != 0 {
			t.Fatalf("%v: %s", args, out)
		}
		return out
	}
	// The operator writes what the department is let do; its keys are fetched.
	mapping := map[string]any{"jab": []string{fmt.Sprintf("vaccinator@centre/1/1/%d", centre)}}
	if err := os.WriteFile(file, p.Config(map[string]any{"keys": nil, "token_endpoint": nil, "authorization_endpoint": nil, "mapping": mapping, "grants_claim": nil,
		"ceiling": map[string]any{"scope": "state/1", "roles": []string{"vaccinator"}}}), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.Command("department", "set", "--data", s.Data, "--file", file); code == 0 || !strings.Contains(out, "endpoint") {
		t.Fatalf("a file without keys: %s", out)
	}
	if out := command("department", "keys", "--file", file); !strings.HasPrefix(out, "new\t") {
		t.Fatal(out)
	}
	out := command("department", "set", "--data", s.Data, "--file", file)
	vani := s.Desk()
	if a := vani.Comes(""); a.Status != 404 {
		t.Fatalf("before it is in force: %s", a.Text())
	}
	if a := admin.Fresh("approve", admin.Approval(harness.Waiting(out))); a.Status != 409 {
		t.Fatalf("at once: %s", a.Text())
	}
	s.Forward(24*time.Hour + time.Minute)
	admin.Must(admin.SignIn(""))
	admin.Must(admin.Fresh("approve", admin.Approval(harness.Waiting(out))))
	if list := command("department", "list", "--data", s.Data); !strings.Contains(list, "waits none") || strings.Contains(list, "in force none") {
		t.Fatal(list)
	}

	p.Login(map[string]any{"sub": "vani", "roles": []string{"jab"}, "name": "Vani Test"})
	vani.Must(vani.Comes(""))
	day := s.OpenToday()
	admin.Must(admin.Ask("POST", "roster", map[string]any{"member_id": vani.Member, "center_id": day.Centre, "date": day.Date, "on": true}))
	if a := s.Client().Signed(vani.Key, harness.WalkInPath, harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()); !a.OK() {
		t.Fatalf("a person registered: %s", a.Text())
	}
	if a := vani.Ask("POST", "nonce", map[string]any{}); a.Status != 403 || a.Field("errorCode") != "passkey" {
		t.Fatalf("a nonce for a passkey that there is not: %s", a.Text())
	}
	// A start later it is the same member, and the same department.
	s.Stop()
	s.Up()
	again := s.Desk()
	again.Must(again.Comes(""))
	if again.Member != vani.Member {
		t.Fatalf("two members of one account: %s, %s", vani.Member, again.Member)
	}
	export := filepath.Join(t.TempDir(), "staff.csv")
	if err := os.WriteFile(export, []byte("sub,active\nvani,false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := command("staff", "sync", "--data", s.Data, "--department", "health", export); !strings.HasPrefix(out, "disabled\t1 members, 2 sessions") {
		t.Fatal(out)
	}
	if a := again.Ask("GET", "me", nil); a.Status != 401 {
		t.Fatalf("a leaver's session: %s", a.Text())
	}
	if a := again.Comes(""); a.Status != 401 {
		t.Fatalf("a leaver signs in: %s", a.Text())
	}
	for _, secret := range append(p.Given(), "Vani Test") {
		if strings.Contains(s.Log(), secret) {
			t.Error("a token or a name is in the log")
		}
	}
	if out := command("department", "end", "--data", s.Data, "--id", "health"); !strings.HasPrefix(out, "ended\t0 members") {
		t.Fatal(out)
	}
}
