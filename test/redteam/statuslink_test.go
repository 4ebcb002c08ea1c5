package redteam

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"filippo.io/age"

	"tikakosh/test/harness"
)

// TestO1StatusLink is a captured worker, whose user owns the folder of the backup's
// status: it puts links where root, who makes a backup by hand, writes next, to have
// a file of root's replaced by what it does not even have to say.
func TestO1StatusLink(t *testing.T) {
	t.Parallel()
	run(t, "O1", trial{own: true, base: harness.Options{Unseeded: true}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		dir, err := os.MkdirTemp("", "tikakosh-link-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		const was = "root's own\n"
		target := filepath.Join(dir, "of-root")
		if err := os.WriteFile(target, []byte(was), 0o600); err != nil {
			t.Fatal(err)
		}
		status := filepath.Join(s.Data, "status")
		info, err := os.Stat(status)
		if err != nil {
			t.Fatal(err)
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && owner.Uid == 0 {
			t.Fatal("the folder is not the worker's: this attack shows nothing")
		}
		for _, name := range []string{"backup.json", "backup.json.new", ".backup.json.new", "backup.json.tmp"} {
			path := filepath.Join(status, name)
			_ = os.Remove(path)
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
		k, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		if out, exit := s.Command("backup", "--data", s.Data, "--to", filepath.Join(dir, "set"), "--recipient", k.Recipient().String()); exit != 0 {
			t.Fatal(out)
		}
		raw, err := os.ReadFile(target)
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != was {
			return true, "root wrote its status into a file that the worker chose"
		}
		if info, err := os.Lstat(filepath.Join(status, "backup.json")); err != nil || !info.Mode().IsRegular() {
			t.Errorf("the status was not written: %v", err)
		}
		return false, "the link is replaced, its target untouched"
	}})
}
