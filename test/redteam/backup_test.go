package redteam

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"tikakosh/internal/backup"
	"tikakosh/test/harness"
)

// sets is where a test keeps backup sets and the key that opens them.
type sets struct {
	dir, to, identity string
}

func newSets(t *testing.T) sets {
	t.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-sets-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	x := sets{dir: dir, to: k.Recipient().String(), identity: filepath.Join(dir, "identity")}
	if err := os.WriteFile(x.identity, []byte(k.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return x
}

// take makes a set of a running server.
func (x sets) take(t *testing.T, s *harness.Server, name string) string {
	t.Helper()
	path := filepath.Join(x.dir, name)
	if out, exit := s.Command("backup", "--data", s.Data, "--to", path, "--recipient", x.to); exit != 0 {
		t.Fatal(out)
	}
	return path
}

// exchanged is a set with the registry's part of another one. Who can write where
// sets are kept needs no key for it.
func exchanged(t *testing.T, newer, older, to string) {
	t.Helper()
	part := func(path, name string) (backup.Part, io.Reader, []byte) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		body, signed, err := backup.Inspect(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range body.Parts {
			if p.Name != name {
				continue
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			r, err := backup.OpenPart(f, p)
			if err != nil {
				t.Fatal(err)
			}
			return p, r, signed
		}
		t.Fatalf("no part %s", name)
		return backup.Part{}, nil, nil
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := backup.NewWriter(out)
	var manifest []byte
	for _, from := range []struct{ path, name string }{{newer, "vault"}, {older, "registry"}} {
		p, r, signed := part(from.path, from.name)
		if from.name == "vault" {
			manifest = signed
		}
		pw, err := w.Part(p.Name, p.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(pw, r); err != nil {
			t.Fatal(err)
		}
		if err := pw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(manifest); err != nil {
		t.Fatal(err)
	}
}

func TestB1ChangedSet(t *testing.T) {
	t.Parallel()
	run(t, "B1", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		older := x.take(t, s, "older")
		c, _ := s.Holder()
		c.Enrol(nameA)
		newer := x.take(t, s, "newer")
		forged := filepath.Join(x.dir, "forged")
		exchanged(t, newer, older, forged)
		args := []string{"restore", "--identity", x.identity, "--key-files", filepath.Join(s.Data, "vault", "keys"), "--only-copy"}
		if out, exit := s.Command(append(args, "--from", newer, "--data", filepath.Join(x.dir, "right"))...); exit != 0 {
			t.Fatalf("the set as it was made: %s", out)
		}
		out, exit := s.Command(append(args, "--from", forged, "--data", filepath.Join(x.dir, "wrong"))...)
		return exit == 0, "restore of a set with another registry: " + strings.SplitN(strings.ReplaceAll(out, x.dir, ""), "\n", 2)[0]
	}})
}

func TestR51OldBackup(t *testing.T) {
	t.Parallel()
	run(t, "R51", trial{name: "restored", own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		older := x.take(t, s, "older")
		c, _ := s.Holder()
		c.Enrol(nameA)
		s.Stop()
		out, exit := s.Command("restore", "--identity", x.identity, "--from", older, "--data", filepath.Join(x.dir, "live"),
			"--key-files", filepath.Join(s.Data, "vault", "keys"), "--ledger", filepath.Join(s.Data, "ledger"))
		return exit == 0, "restore of an older set beside the newer ledger: " + strings.SplitN(strings.ReplaceAll(out, x.dir, ""), ":", 3)[0]
	}}, trial{name: "put in place", own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		s.Stop()
		files := []string{harness.VaultDB, harness.RegistryDB}
		for _, f := range files {
			if err := copyInPlace(filepath.Join(s.Data, f), filepath.Join(s.Data, f)+".old"); err != nil {
				t.Fatal(err)
			}
		}
		s.Up()
		c, mobile := s.Holder()
		c.Enrol(nameA)
		s.Stop()
		for _, f := range files {
			if err := copyInPlace(filepath.Join(s.Data, f)+".old", filepath.Join(s.Data, f)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(filepath.Join(s.Data, "ledger")); err != nil {
			t.Fatal(err)
		}
		if err := s.TryUp(); err != nil {
			return false, "the vault does not start without its published ledger"
		}
		people := s.Client().SignIn(mobile).Beneficiaries()
		return len(people) == 0, "the vault runs on the older databases"
	}})
}

// copyInPlace writes a file's content into another one, which keeps its owner.
func copyInPlace(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

func TestB2ErasedBack(t *testing.T) {
	t.Parallel()
	run(t, "B2", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		x := newSets(t)
		var with []string
		for _, who := range []string{"one", "two"} {
			key := filepath.Join(x.dir, who)
			if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", "Custodian "+who, "--out", key); exit != 0 {
				t.Fatal(out)
			}
			with = append(with, "--gap-approval", key+".approval")
		}
		c, mobile := s.Holder()
		ref := c.Enrol(nameA)
		c.Enrol(nameB)
		older := x.take(t, s, "older")
		if a := c.Remove(ref); !a.OK() {
			t.Fatal(a.Text())
		}
		s.Stop()
		old := filepath.Join(x.dir, "data")
		if err := os.Rename(s.Data, old); err != nil {
			t.Fatal(err)
		}
		published := filepath.Join(old, "ledger")
		for _, who := range []string{"one", "two"} {
			key := filepath.Join(x.dir, who)
			if out, exit := s.Command("restore-approve", "--key", key, "--from", older, "--ledger", published, "--out", key+".approval"); exit != 0 {
				t.Fatal(out)
			}
		}
		args := append([]string{"restore", "--identity", x.identity, "--from", older, "--data", s.Data, "--ledger", published,
			"--key-files", filepath.Join(old, "vault", "keys")}, with...)
		if out, exit := s.Command(args...); exit != 0 {
			t.Fatal(out)
		}
		if err := os.Rename(filepath.Join(old, "registry", "demo.json"), filepath.Join(s.Data, "registry", "demo.json")); err != nil {
			t.Fatal(err)
		}
		s.Up()
		c = c.SignIn(mobile)
		if back, a := shows(c, nameB); !back {
			t.Fatalf("who stays is not there: %s", a.Text())
		}
		back, _ := shows(c, nameA)
		return back, "after an approved restore of a copy of before the erasure the household's view was asked for"
	}})
}

func TestB3Left(t *testing.T) {
	t.Parallel()
	run(t, "B3", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		ref := c.Enrol(nameA)
		s.Vaccinate(c, mobile, ref)
		if a := c.Must("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": ref}); !a.OK() {
			t.Fatal(a.Text())
		}
		seen, _ := shows(c, nameA)
		return seen, "the household's view was asked for right after a leave"
	}})
}
