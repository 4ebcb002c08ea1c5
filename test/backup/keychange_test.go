package backup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestLedgerKeyChange: sets of before and after a change of the ledger's key
// restore, beside published files of before and after it; and a gap whose
// checkpoint the newer key signed is approved for a set that knows the older only.
func TestLedgerKeyChange(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--key-publish", "1s", "--key-announce", "1s", "--key-drain", "1s"}})
	dir := place(t)
	to, identity := ageKey(t, dir)
	for who, name := range map[string]string{"one": "Custodian One", "two": "Custodian Two"} {
		must(t, s, "staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", filepath.Join(dir, who+".json"))
	}
	c, mobile := s.Holder()
	c.Enrol("Asha Test")
	time.Sleep(1500 * time.Millisecond) // published
	mirror := filepath.Join(dir, "mirror")
	if err := os.CopyFS(mirror, os.DirFS(filepath.Join(s.Data, "ledger"))); err != nil {
		t.Fatal(err)
	}
	vkey := func(folder string) string {
		raw, err := os.ReadFile(filepath.Join(folder, "vkey"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	before := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	must(t, s, "keys", "rotate", "ledger", "--wait", "--data", s.Data)
	c.Enrol("Ravi Test")
	time.Sleep(1500 * time.Millisecond)
	after := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published, keys := filepath.Join(old, "ledger"), filepath.Join(old, "vault", "keys")
	if vkey(published) == vkey(mirror) {
		t.Fatal("the key did not change")
	}
	with := func(set string, more ...string) []string {
		return append([]string{"restore", "--from", set, "--identity", identity, "--key-files", keys}, more...)
	}
	for name, args := range map[string][]string{
		"of before, by its keys":                         with(before, "--verify"),
		"of before, by the newer published files":        with(before, "--verify", "--ledger", published),
		"of after, by its keys":                          with(after, "--verify"),
		"of after, by its own key":                       with(after, "--verify", "--vkey", vkey(published)),
		"of after, beside older published files":         with(after, "--data", filepath.Join(dir, "a"), "--ledger", mirror, "--vkey", vkey(published)),
		"of after, beside an older published checkpoint": with(after, "--data", filepath.Join(dir, "b"), "--checkpoint", filepath.Join(mirror, "checkpoint"), "--vkey", vkey(published)),
	} {
		if out, exit := s.Command(args...); exit != 0 {
			t.Errorf("a set %s: %s", name, out)
		}
	}
	refused(t, s, "not signed", with(after, "--verify", "--vkey", vkey(mirror))...)
	refused(t, s, "two people must approve", with(before, "--data", s.Data, "--ledger", published)...)
	args := with(before, "--data", s.Data, "--ledger", published)
	for _, who := range []string{"one", "two"} {
		out := filepath.Join(dir, who+".approval")
		must(t, s, "restore-approve", "--key", filepath.Join(dir, who+".json"), "--from", before, "--ledger", published, "--out", out)
		args = append(args, "--gap-approval", out)
	}
	if out := must(t, s, args...); !strings.Contains(out, "goes on under "+vkey(mirror)) {
		t.Errorf("the operator is not told under which key the ledger goes on: %s", out)
	}
	borrow(t, old, s.Data)
	s.Up()
	if people := c.SignIn(mobile).Beneficiaries(); len(people) != 1 {
		t.Errorf("after the restore: %+v", people)
	}
	time.Sleep(1500 * time.Millisecond)
	must(t, s, "ledger", "audit", "--data", s.Data)
	must(t, s, "ledger", "verify", filepath.Join(s.Data, "ledger"))
	continues(t, s, published)
}
