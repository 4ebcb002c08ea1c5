package ops

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

type finding struct{ Name, Status, Text, Do string }

// doctor runs the command and returns what it found.
func doctor(t *testing.T, binary *harness.Server, args ...string) (findings []finding, exit int) {
	t.Helper()
	out, exit := binary.Command(append([]string{"doctor", "--json"}, args...)...)
	line, rest, _ := strings.Cut(out, "\n")
	var got struct{ Results []finding }
	if err := json.Unmarshal([]byte(line), &got); err != nil || len(got.Results) < 12 {
		t.Fatalf("doctor %v: %v\n%s\n%s", args, err, line, rest)
	}
	return got.Results, exit
}

func has(all []finding, name, status, text string) bool {
	return slices.ContainsFunc(all, func(f finding) bool {
		return f.Name == name && f.Status == status && strings.Contains(f.Text+" "+f.Do, text)
	})
}

// TestDoctor: a new folder is fine, a running installation's too, and what is
// wrong is named with what to do and fails.
func TestDoctor(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Unseeded: true})
	free := []string{"--listen", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0"}
	trial := append(free, "--outbox", "127.0.0.1:0")
	fresh := filepath.Join(t.TempDir(), "new")
	got, exit := doctor(t, s, append(trial, "--data", fresh)...)
	for _, f := range got {
		if f.Status == "FAIL" && f.Name != "sync" { // this machine's folder for tests may be in memory
			t.Errorf("a new folder: %+v", f)
		}
		if f.Status != "OK" && f.Do == "" {
			t.Errorf("nothing to do about %+v", f)
		}
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("the data folder was made")
	}
	if !has(got, "courier", "WARN", "--routes") || !has(got, "database", "OK", "none yet") || (exit != 0) != slices.ContainsFunc(got, func(f finding) bool { return f.Status == "FAIL" }) {
		t.Errorf("exit %d, %+v", exit, got)
	}
	got, _ = doctor(t, s, append(trial, "--data", s.Data)...)
	if !has(got, "running", "WARN", "an installation runs") || !has(got, "database", "OK", "SQLite 3.") || !has(got, "database", "OK", "vault: SQLite") || has(got, "modes", "FAIL", "") {
		t.Errorf("a running installation: %+v", got)
	}
	api := strings.TrimPrefix(s.Root, "http://")
	got, exit = doctor(t, s, "--data", fresh, "--listen", api, "--ops-addr", "off", "--public-url", "http://vaccination.example", "--log-days", "30", "--keys", "nonsense")
	for _, want := range [][3]string{{"ports", "FAIL", "is taken"}, {"courier", "FAIL", "no way for messages"}, {"addresses", "FAIL", "not encrypted"}, {"addresses", "WARN", "a year"}, {"keys", "FAIL", "KEYS.md"}} {
		if !has(got, want[0], want[1], want[2]) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	if exit == 0 {
		t.Error("failures, and exit code 0")
	}
	nowhere := "postgres://nobody@127.0.0.1:1/"
	got, exit = doctor(t, s, append(trial, "--data", fresh, "--db", nowhere+"registry", "--vault-db", nowhere+"vault")...)
	if exit == 0 || !has(got, "database", "FAIL", "registry: ") || !has(got, "database", "FAIL", "vault: ") || has(got, "database", "OK", "will be made") {
		t.Errorf("a database server that is not there: %d %+v", exit, got)
	}
	s.Stop()
	keys, err := filepath.Glob(filepath.Join(s.Data, "vault", "keys", "*"))
	if err != nil || len(keys) == 0 {
		t.Fatal("no keys", err)
	}
	if err := os.Chmod(keys[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if got, exit = doctor(t, s, append(trial, "--data", s.Data)...); exit == 0 || !has(got, "modes", "FAIL", "chmod 0600 "+keys[0]) {
		t.Errorf("an open key: %d %+v", exit, got)
	}
	for _, k := range keys {
		if err := os.Rename(k, filepath.Join(s.Data, filepath.Base(k))); err != nil {
			t.Fatal(err)
		}
	}
	if got, exit = doctor(t, s, append(trial, "--data", s.Data)...); exit == 0 || !has(got, "keys", "FAIL", "no key") {
		t.Errorf("no keys: %d %+v", exit, got)
	}
}
