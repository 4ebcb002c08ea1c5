package upgrade

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"tikakosh/test/harness"
)

// The files of a version's backup set, beside its data.
const (
	setFile      = "set.tikakosh"
	identityFile = "set-identity.txt"
)

// makeSet keeps a backup set of the fixture, and the key that opens it.
func makeSet(t *testing.T, s *harness.Server, dst string) {
	t.Helper()
	if err := os.MkdirAll(dst, 0o755); err != nil {
		t.Fatal(err)
	}
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dst, identityFile), []byte("# A test key, published with the source.\n"+k.String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dst, setFile))
	if out, exit := s.Command("backup", "--data", s.Data, "--to", filepath.Join(dst, setFile), "--recipient", k.Recipient().String()); exit != 0 {
		t.Fatal(out)
	}
	if err := os.Chmod(filepath.Join(dst, setFile), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOldSets: every backup set of an older version passes the drill, becomes an
// installation of this version, and shows what was there.
func TestOldSets(t *testing.T) {
	sets, err := filepath.Glob(filepath.Join(fixtures(t), "sets", "v*", setFile))
	if err != nil || len(sets) == 0 {
		t.Fatalf("no sets (%v)", err)
	}
	for _, set := range sets {
		t.Run(filepath.Base(filepath.Dir(set)), func(t *testing.T) { oldSet(t, filepath.Dir(set)) })
	}
}

func oldSet(t *testing.T, dir string) {
	var f facts
	raw, err := os.ReadFile(filepath.Join(dir, "facts.json"))
	if err != nil || json.Unmarshal(raw, &f) != nil {
		t.Fatal(err)
	}
	source := room(t) // with the modes that key files must have
	unpack(t, filepath.Join(dir, "data"), source)
	keys := filepath.Join(source, "vault", "keys")
	bin, err := builder.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	data := room(t)
	tool := harness.Tool(t, bin)
	with := []string{"restore", "--from", filepath.Join(dir, setFile), "--identity", filepath.Join(dir, identityFile), "--key-files", keys}
	if out, exit := tool.Command(append(with, "--verify")...); exit != 0 || !strings.Contains(out, "verdict: this set can be restored") {
		t.Fatalf("drill: %s", out)
	}
	if out, exit := tool.Command(append(with, "--only-copy", "--data", data)...); exit != 0 {
		t.Fatalf("restore: %s", out)
	}
	if err := os.Rename(filepath.Join(source, "registry", "demo.json"), filepath.Join(data, "registry", "demo.json")); err != nil { // a demo's own
		t.Fatal(err)
	}
	s := at(t, &builder, data, f.MadeAt.Add(time.Hour))
	migrated(t, s)
	c := s.Client().SignIn(f.Mobile)
	samePeople(t, c, f)
	if out, exit := s.Command("ledger", "audit", "--data", data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}
