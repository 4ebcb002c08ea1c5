package backup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestSchedule: the worker makes sets by itself, keeps the newest, says so in its
// status file, and can read none of them.
func TestSchedule(t *testing.T) {
	t.Parallel()
	dir := place(t)
	to, identity := ageKey(t, dir)
	sets := filepath.Join(dir, "sets")
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--backup-to", sets, "--backup-every", "1s", "--backup-keep", "2", "--backup-recipient", to}})
	list := func() []string {
		found, err := filepath.Glob(filepath.Join(sets, "*.tikakosh"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	await(t, "two sets", func() bool { return len(list()) >= 2 })
	first := list()[0]
	await(t, "the oldest is dropped", func() bool { _, err := os.Stat(first); return os.IsNotExist(err) && len(list()) <= 3 })
	var st struct {
		Finished int64 `json:"finished_ms"`
		OK       bool  `json:"ok"`
		Bytes    int64 `json:"bytes"`
		Verified int64 `json:"verified_ms"`
	}
	status := func() {
		raw, err := os.ReadFile(filepath.Join(s.Data, "status", "backup.json"))
		if err != nil || json.Unmarshal(raw, &st) != nil {
			t.Fatalf("%s %v", raw, err)
		}
	}
	status()
	if !st.OK || st.Bytes < 1000 || st.Finished == 0 || st.Verified != 0 {
		t.Errorf("%+v", st)
	}
	s.Stop()
	newest := list()[len(list())-1]
	out := must(t, s, "restore", "--verify", "--from", newest, "--identity", identity, "--key-files", filepath.Join(s.Data, "vault", "keys"), "--note", s.Data)
	if !strings.Contains(out, "verdict: this set can be restored") {
		t.Errorf("%s", out)
	}
	if status(); st.Verified == 0 || !st.OK {
		t.Errorf("after the drill: %+v", st)
	}
	if out, exit := s.Command("demo", "--data", s.Data, "--backup-to", sets, "--listen", "127.0.0.1:0", "--outbox", "127.0.0.1:0"); exit == 0 || !strings.Contains(out, "--backup-recipient") {
		t.Errorf("without a recipient: %d %s", exit, out)
	}
	s.Up()
}
