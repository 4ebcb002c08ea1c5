package redteam

import (
	"os"
	"path/filepath"
	"testing"

	"tikakosh/test/harness"
)

// custodians enrols a key of the role custodian for each human named.
func (x sets) custodians(t *testing.T, s *harness.Server, names ...string) (keys []string) {
	t.Helper()
	for i, name := range names {
		key := filepath.Join(x.dir, string(rune('a'+i)))
		if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", key); exit != 0 {
			t.Fatal(out)
		}
		keys = append(keys, key)
	}
	return keys
}

// behind puts an older set in the place of a stopped server's data, with the
// custodians' approval, and starts the server on it. The old data folder is
// returned.
func (x sets) behind(t *testing.T, s *harness.Server, older string, custodians []string) (old string, err error) {
	t.Helper()
	s.Stop()
	old = filepath.Join(x.dir, "data")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	args := []string{"restore", "--identity", x.identity, "--from", older, "--data", s.Data, "--ledger", published, "--key-files", filepath.Join(old, "vault", "keys")}
	for _, key := range custodians {
		if out, exit := s.Command("restore-approve", "--key", key, "--from", older, "--ledger", published, "--out", key+".approval"); exit != 0 {
			t.Fatal(out)
		}
		args = append(args, "--gap-approval", key+".approval")
	}
	if out, exit := s.Command(args...); exit != 0 {
		t.Fatal(out)
	}
	for _, file := range []string{"registry/demo.json", "staff/manager.json", "staff/vaccinator.json"} { // a demo's own, no part of a set
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Data, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(old, file), filepath.Join(s.Data, file)); err != nil {
			t.Fatal(err)
		}
	}
	return old, s.TryUp()
}

func TestB4OneHumanTwice(t *testing.T) {
	t.Parallel()
	run(t, "B4", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		keys := x.custodians(t, s, "Custodian Test", " custodian  TEST")
		older := x.take(t, s, "older")
		c, mobile := s.Holder()
		c.Enrol(nameA)
		if _, err := x.behind(t, s, older, keys); err != nil {
			return false, "the vault does not start on an older copy that one human approved with two keys"
		}
		people := s.Client().SignIn(mobile).Beneficiaries()
		return len(people) == 0, "the vault runs on the older copy that one human approved with two keys"
	}})
}
