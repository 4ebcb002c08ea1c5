package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// custodians enrols the two whose approval a restore behind the ledger takes.
func custodians(t *testing.T, s *harness.Server, dir string) {
	t.Helper()
	for who, name := range map[string]string{"one": "Custodian One", "two": "Custodian Two"} {
		must(t, s, "staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", filepath.Join(dir, who+".json"))
	}
}

// behind stops a server, restores a set that is behind its ledger, as the custodians
// approve it, and starts it again: on PostgreSQL in new databases.
func behind(t *testing.T, s *harness.Server, dir, set, identity string) {
	t.Helper()
	time.Sleep(1500 * time.Millisecond)
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	args := append([]string{"restore", "--from", set, "--data", s.Data, "--identity", identity, "--key-files", filepath.Join(old, "vault", "keys"), "--ledger", published}, into(t, s, true)...)
	for _, who := range []string{"one", "two"} {
		out := filepath.Join(dir, who+".approval")
		must(t, s, "restore-approve", "--key", filepath.Join(dir, who+".json"), "--from", set, "--ledger", published, "--out", out)
		args = append(args, "--gap-approval", out)
	}
	must(t, s, args...)
	borrow(t, old, s.Data)
	s.Up()
}

// TestMembersEnded: what an approved restore behind the ledger brings back of people who
// work here waits for the operator, and what had ended stays ended: a member who was
// disabled, a passkey that was lost, a role that was taken, a link that was withdrawn.
func TestMembersEnded(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{})
	dir := place(t)
	to, identity := ageKey(t, dir)
	custodians(t, s, dir)
	a, b, c := s.Administrators()
	disabled := a.Invite(b, "Gopal Test", harness.National)
	taken := a.Invite(b, "Tara Test", fmt.Sprintf("vaccinator@centre/1/1/%d", s.StaffKey("vaccinator").Centre))
	stays := a.Invite(b, "Vani Test", harness.National)
	inv := a.Must(a.Fresh("invitations", map[string]any{"name": "Waman Test", "grant": harness.National}))
	b.Must(b.Fresh("approve", b.Approval(inv.Field("proposal_id"))))
	set := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))

	b.Must(b.Ask("POST", "members/disable", map[string]any{"member_id": disabled.Member, "reason": "left"}))
	b.Must(b.Ask("POST", "grants/end", map[string]any{"member_id": taken.Member, "grant": fmt.Sprintf("vaccinator@centre/1/1/%d", s.StaffKey("vaccinator").Centre), "reason": "moved"}))
	b.Must(b.Ask("POST", "devices/end", map[string]any{"member_id": c.Member, "device_id": c.Device, "reason": "lost"}))
	b.Must(b.Ask("POST", "withdraw", map[string]any{"proposal_id": inv.Field("proposal_id")}))
	behind(t, s, dir, set, identity)

	for _, d := range []*harness.Desk{a, b, c, disabled, taken, stays} {
		d.Passkeys.Origin = s.StaffOrigin()
		if got := d.SignIn(""); got.Status != 401 {
			t.Errorf("a member whom nobody confirmed signs in: %s", got.Text())
		}
	}
	members := must(t, s, "staff", "members", "--data", s.Data)
	if n := strings.Count(members, "suspended"); n != 5 || !strings.Contains(members, disabled.Member+"\tdisabled") {
		t.Errorf("want five suspended and one disabled:\n%s", members)
	}
	refused(t, s, "not suspended", "staff", "confirm", "--data", s.Data, "--staff="+disabled.Member)
	for _, d := range []*harness.Desk{a, b, c, taken, stays} {
		must(t, s, "staff", "confirm", "--data", s.Data, "--staff="+d.Member)
	}
	a.Must(a.SignIn(""))
	b.Must(b.SignIn(""))
	stays.Must(stays.SignIn(""))
	for what, got := range map[string]harness.Answer{"who was disabled": disabled.SignIn(""), "whose only role was taken": taken.SignIn(""), "by a passkey that was ended": c.SignIn(""),
		"on a link that was withdrawn": s.Desk().Enrol(strings.SplitN(inv.Field("link"), "#", 2)[1], "")} {
		if got.OK() {
			t.Errorf("%s comes in again: %s", what, got.Text())
		}
	}
	must(t, s, "ledger", "audit", "--data", s.Data)
}
