package journey

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// noLists is a policy of an operator's own: nobody has a day's list.
const noLists = `
@id("no-lists")
forbid (principal is Staff, action == Action::"staff.list", resource);
`

// inForce is what the public is told.
func inForce(t *testing.T, s *harness.Server) (digest string, defaults, other bool) {
	t.Helper()
	var got struct {
		Policies struct {
			Digest   string
			Defaults bool
			Other    bool `json:"other_folder_refused"`
		}
	}
	a := s.Client().Must("GET", harness.RulesPath, nil)
	if err := json.Unmarshal(a.Body, &got); err != nil || !a.OK() || len(got.Policies.Digest) != 64 {
		t.Fatalf("what is in force: %v %s", err, a.Text())
	}
	return got.Policies.Digest, got.Policies.Defaults, got.Policies.Other
}

// TestOwnPolicies runs an installation under policies of its own: from the first start on,
// then with others in the folder, which are not in force before two people and a day.
func TestOwnPolicies(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	dir := filepath.Join(t.TempDir(), "own")
	plain := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	standard, defaults, _ := inForce(t, plain)
	if !defaults {
		t.Error("a plain start has policies of its own")
	}
	if out, code := plain.Command("policies", "write", dir); code != 0 {
		t.Fatal(out)
	}
	plain.Stop()
	file := filepath.Join(dir, "centre.cedar")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(more string) {
		if err := os.WriteFile(file, append(append([]byte{}, text...), more...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(noLists)
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--policies", dir}})
	digest := func() string {
		out, code := s.Command("policies", "check", dir)
		if code != 0 {
			t.Fatal(out)
		}
		first, _, _ := strings.Cut(out, "\n")
		return strings.TrimPrefix(first, "policies ")
	}
	strict := digest()
	if got, defaults, _ := inForce(t, s); got != strict || got == standard || defaults {
		t.Fatalf("the first start: %s, defaults %v, want %s", got, defaults, strict)
	}
	day := s.OpenToday()
	lists := func() int {
		day = s.OpenToday()
		return s.Client().Signed(s.StaffKey("vaccinator"), dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session}).Status
	}
	if got := lists(); got != 403 {
		t.Fatalf("a list under policies that forbid lists: %d", got)
	}
	a, second, _ := s.Administrators()

	s.Stop()
	write("\n@id(\"typing-error\")\npermit (principal is Staff, action == Action::\"staff.lists\", resource);\n")
	if err := s.TryUp(); err == nil || !strings.Contains(err.Error(), "centre.cedar:") {
		t.Fatalf("a start with policies in error: %v", err)
	}
	write("// without a word about lists\n")
	s.Up()
	wide := digest()
	if got, _, other := inForce(t, s); got != strict || !other {
		t.Fatalf("a start with other policies changed them: %s, want %s; other %v", got, strict, other)
	}
	if got := lists(); got != 403 {
		t.Fatalf("a list after a start with other policies: %d", got)
	}
	if out, _ := s.Command("policies", "show", "--data", s.Data); !strings.Contains(out, strict) || !strings.Contains(out, "not in force") {
		t.Errorf("policies show: %s", out)
	}
	if out, _ := s.Command("doctor", "--data", s.Data, "--policies", dir); !strings.Contains(out, strict) || !strings.Contains(out, "not in force") {
		t.Errorf("doctor: %s", out)
	}
	for _, d := range []*harness.Desk{a, second} {
		d.Passkeys.Origin = s.StaffOrigin() // at another port now
		d.Must(d.SignIn(""))
	}
	approvedByTwo(t, a, second, wide, lists)
	s.Stop()
	s.Up()
	if got, _, other := inForce(t, s); got != wide || other {
		t.Fatalf("after a start: %s, want %s; other %v", got, wide, other)
	}
}

// approvedByTwo has two people agree on what the operator offered, which permits lists.
func approvedByTwo(t *testing.T, a, second *harness.Desk, wide string, lists func() int) {
	t.Helper()
	s := a.Server
	var list struct {
		Proposals []struct {
			ID     string `json:"proposal_id"`
			Kind   string
			By     string `json:"proposed_by"`
			Digest string
		}
	}
	if err := json.Unmarshal(a.Must(a.Ask("GET", "proposals", nil)).Body, &list); err != nil || len(list.Proposals) != 1 || list.Proposals[0].By != "operator" || list.Proposals[0].Digest != wide {
		t.Fatalf("what waits: %v %+v", err, list)
	}
	p := map[string]any{"proposal_id": list.Proposals[0].ID}
	approve := func(d *harness.Desk) harness.Answer {
		return d.Fresh("approve", d.Approval(list.Proposals[0].ID))
	}
	if got := a.Must(approve(a)); got.Field("state") != "waiting" {
		t.Fatalf("the first of two people: %s", got.Text())
	}
	if got := approve(a); got.Status != 403 {
		t.Fatalf("the same person twice: %s", got.Text())
	}
	shown := second.Must(second.Ask("GET", "changes/one?proposal_id="+list.Proposals[0].ID, nil))
	if !strings.Contains(string(shown.Part("files_in_force")), "no-lists") || strings.Contains(string(shown.Part("files")), "no-lists") {
		t.Errorf("the proposal: %s", shown.Text())
	}
	second.Must(approve(second))
	s.Forward(23 * time.Hour)
	if got := lists(); got != 403 {
		t.Fatalf("an hour before the day is over: %d", got)
	}
	s.Forward(time.Hour)
	if got := lists(); got != 200 {
		t.Fatalf("two people and a day later: %d", got)
	}
	if got, _, other := inForce(t, s); got != wide || other {
		t.Fatalf("in force: %s, want %s; other %v", got, wide, other)
	}
	a.Must(a.SignIn(""))
	if got := a.Ask("POST", "withdraw", p); got.Status != 404 {
		t.Errorf("what is in force was withdrawn: %s", got.Text())
	}
}
