package ops

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// exitConfig is EX_CONFIG, which the unit's RestartPreventExitStatus names.
const exitConfig = 78

// started runs `tikakosh run` until it ends; a start that was meant to be refused
// and is not fails the test.
func started(t *testing.T, binary, data string, args ...string) (out string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"run", "--data", data, "--listen", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--outbox", "127.0.0.1:0"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	raw, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("run %v was not refused\n%s", args, raw)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

// TestForgottenOrigin: a start with another --origin, as after an upgrade with a new
// unit, ends with EX_CONFIG and a text that names the right one, so that systemd does
// not try again and again; nothing of the ledger's files is touched, and the start
// with the right one goes on.
func TestForgottenOrigin(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	const origin = "clinic.example/ledger/1"
	s := harness.Start(t, &b, harness.Options{Run: true, Args: []string{"--origin", origin}})
	c, _ := s.Holder()
	c.Enrol("Asha Test")
	time.Sleep(700 * time.Millisecond) // a checkpoint
	s.Stop()
	files := func() map[string]string {
		out := map[string]string{}
		for _, name := range []string{"vkey", "checkpoint"} {
			raw, err := os.ReadFile(filepath.Join(s.Data, "ledger", name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = string(raw)
		}
		return out
	}
	before := files()
	out, exit := started(t, s.Binary, s.Data)
	if exit != exitConfig || !strings.Contains(out, origin) && !strings.Contains(out, "--origin") {
		t.Errorf("a forgotten --origin: exit %d\n%s", exit, out)
	}
	for name, was := range before {
		if now := files()[name]; now != was {
			t.Errorf("%s was %q, is %q", name, was, now)
		}
	}
	s.Up()
	if got := s.Client().With(c.Bearer).Beneficiaries(); len(got) != 1 {
		t.Errorf("with the right one: %+v", got)
	}
}

// TestRefusedStarts: what starting again cannot mend ends `run` with EX_CONFIG, also
// when it is a role that refuses.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	binary, err := b.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"keys that were never split, said by the vault": {[]string{"--keys", "shares"}, "keys split"},
		"custody that does not exist, by the vault":     {[]string{"--keys", "nonsense"}, "--keys"},
		"databases that do not go together, by run":     {[]string{"--vault-db", "postgres://u@127.0.0.1/v"}, "go together"},
		"a backup without a recipient, by run":          {[]string{"--backup-to", filepath.Join(t.TempDir(), "sets")}, "--backup-recipient"},
	} {
		data, err := os.MkdirTemp("", "tikakosh-refused-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(data) })
		if err := os.Chmod(data, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, exit := started(t, binary, data, c.args...); exit != exitConfig || !strings.Contains(out, c.text) {
			t.Errorf("%s: exit %d, want %d and %q\n%s", name, exit, exitConfig, c.text, out)
		}
	}
}

// TestUmask: files are private although the operator's shell makes them open by
// default. It is not parallel: a umask is the process's.
func TestUmask(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	if _, err := b.Path(harness.Plain); err != nil {
		t.Fatal(err)
	}
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	data := filepath.Join(os.TempDir(), "tikakosh-umask-"+filepath.Base(t.TempDir()))
	t.Cleanup(func() { _ = os.RemoveAll(data); _ = os.RemoveAll(data + ".clock") })
	s := harness.Start(t, &b, harness.Options{Data: data, People: 1, Args: []string{"--log-seal-first", "200ms", "--log-seal-every", "300ms"}})
	c, mobile := s.Holder()
	s.Vaccinate(c, mobile, c.Enrol("Asha Test"))
	waitFor(t, "a sealed log", func() bool {
		return len(files(t, filepath.Join(s.Data, "logs"), "seals")) > 0 || globbed(s.Data, "logs/seals/*.json")
	})
	if out, exit := s.Command("keys", "rotate", "certificate", "--data", s.Data); exit != 0 {
		t.Fatal(out)
	}
	s.KillRole(harness.RoleVault) // files of a start after the first
	s.Alive()
	s.Stop()
	// What the world may do, at most, by the first part of the path; "" is the root.
	most := map[string]fs.FileMode{"": 0o755, "vault": 0o700, "registry": 0o770, "ledger": 0o755, "staff": 0o700, "logs": 0o750, "status": 0o755}
	n := 0
	if err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n++
		part, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, data), "/"), "/")
		allowed, known := most[part]
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !known {
			t.Errorf("%s is not in the table", path)
		}
		if !d.IsDir() && part != "" {
			allowed &= 0o666
		}
		if got := info.Mode().Perm(); got&^allowed != 0 {
			t.Errorf("%s has mode %04o, at most %04o is right", path, got, allowed)
		}
		return nil
	}); err != nil || n < 30 {
		t.Errorf("%d files, %v", n, err)
	}
}

func globbed(data, pattern string) bool {
	got, err := filepath.Glob(filepath.Join(data, pattern))
	return err == nil && len(got) > 0
}

// TestPostgresLedgerMade: a machine that has made the ledger's files, from a database
// that it shares, does not start when they are gone: an older copy of the database
// could stand there (R51). With the files back it does; and a machine that has never
// made them makes them.
func TestPostgresLedgerMade(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Engine: pgtest.Shared(t), People: 1})
	c, _ := s.Holder()
	c.Enrol("Asha Test")
	time.Sleep(700 * time.Millisecond) // a checkpoint
	s.Stop()
	ledger, kept := filepath.Join(s.Data, "ledger"), s.Data+".kept"
	t.Cleanup(func() { _ = os.RemoveAll(kept) })
	if err := os.Rename(ledger, kept); err != nil {
		t.Fatal(err)
	}
	err := s.TryUp()
	if err == nil || !strings.Contains(err.Error(), "exit status 78") || !strings.Contains(s.Log(), "the ledger's published files are missing") || !strings.Contains(s.Log(), "another machine's ledger folder") {
		t.Fatalf("a start without the ledger's files: %v\n%s", err, s.LogAround(""))
	}
	if globbed(ledger, "checkpoint") {
		t.Error("it published a ledger all the same")
	}
	if err := os.RemoveAll(ledger); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, ledger); err != nil {
		t.Fatal(err)
	}
	s.Up()
	if got := s.Client().With(c.Bearer).Beneficiaries(); len(got) != 1 {
		t.Errorf("with the files back: %+v", got)
	}
	s.Stop()
	// Without the mark it is a machine that takes over for the first time.
	for _, path := range []string{ledger, filepath.Join(s.Data, "vault", "ledger-made")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	s.Up()
	if !strings.Contains(s.Log(), "makes the ledger's published files for the first time") {
		t.Error("a machine's first time is not said")
	}
}

// TestDoctorBackups: what is wrong with the folder of the scheduled backups is said
// before the first of them fails.
func TestDoctorBackups(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	binary, err := b.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	tool, dir := harness.Tool(t, binary), t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data, good, open := filepath.Join(dir, "data"), filepath.Join(dir, "good"), filepath.Join(dir, "open")
	for path, mode := range map[string]fs.FileMode{data: 0o755, filepath.Join(data, "in"): 0o700, good: 0o700, open: 0o777, filepath.Join(dir, "others"): 0o700} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	const worker, other = 64304, 64301
	if os.Geteuid() == 0 {
		for path, uid := range map[string]int{good: worker, open: worker, filepath.Join(data, "in"): worker, filepath.Join(dir, "others"): other} {
			if err := os.Chown(path, uid, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink(filepath.Join(data, "in"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	for name, c := range map[string]struct {
		args         []string
		status, text string
	}{
		"none":              {nil, "WARN", "no backups are scheduled"},
		"good":              {[]string{"--backup-to", good, "--backup-recipient", key}, "OK", "is writable for who makes the sets"},
		"not there yet":     {[]string{"--backup-to", filepath.Join(dir, "new"), "--backup-recipient", key}, "OK", "is made at the start"},
		"nowhere":           {[]string{"--backup-to", filepath.Join(dir, "no", "new"), "--backup-recipient", key}, "FAIL", "nor what it should lie in"},
		"a file":            {[]string{"--backup-to", filepath.Join(dir, "file"), "--backup-recipient", key}, "FAIL", "is no folder"},
		"in the data":       {[]string{"--backup-to", filepath.Join(data, "in"), "--backup-recipient", key}, "FAIL", "inside the data folder"},
		"linked there":      {[]string{"--backup-to", filepath.Join(dir, "link"), "--backup-recipient", key}, "FAIL", "inside the data folder"},
		"others may write":  {[]string{"--backup-to", open, "--backup-recipient", key}, "FAIL", "chmod go-w"},
		"no room":           {[]string{"--backup-to", good, "--backup-recipient", key, "--backup-keep", "1000000000"}, "FAIL", "are to be kept"},
		"no recipient":      {[]string{"--backup-to", good}, "FAIL", "without a recipient"},
		"not a recipient":   {[]string{"--backup-to", good, "--backup-recipient", "age1nonsense"}, "FAIL", "--backup-recipient"},
		"on the data's own": {[]string{"--backup-to", good, "--backup-recipient", key}, "WARN", "on the data's own disk"},
	} {
		got, _ := doctor(t, tool, append(c.args, "--data", data, "--listen", "127.0.0.1:0", "--ops-addr", "off", "--outbox", "127.0.0.1:0")...)
		if !has(got, "backups", c.status, c.text) {
			t.Errorf("%s: no %s %q in %+v", name, c.status, c.text, got)
		}
	}
	if os.Geteuid() == 0 {
		got, _ := doctor(t, tool, "--backup-to", filepath.Join(dir, "others"), "--backup-recipient", key, "--data", data, "--listen", "127.0.0.1:0", "--ops-addr", "off", "--outbox", "127.0.0.1:0")
		if !has(got, "backups", "FAIL", "chown 64304 ") {
			t.Errorf("somebody else's folder: %+v", got)
		}
	}
}
