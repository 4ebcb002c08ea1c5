package backup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestDrill: the newest set of a folder is tried, and what came of it is noted
// where the operator's figures are made from.
func TestDrill(t *testing.T) {
	t.Parallel()
	dir := place(t)
	to, identity := ageKey(t, dir)
	sets := filepath.Join(dir, "sets")
	if err := os.Mkdir(sets, 0o700); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, &builder, harness.Options{})
	keys := filepath.Join(s.Data, "vault", "keys")
	args := []string{"drill", "--sets", sets, "--identity", identity, "--key-files", keys, "--note", s.Data}
	noted := func() (verified, failed int64) {
		var st struct {
			Verified int64 `json:"verified_ms"`
			Failed   int64 `json:"drill_failed_ms"`
		}
		raw, err := os.ReadFile(filepath.Join(s.Data, "status", "backup.json"))
		if err != nil || json.Unmarshal(raw, &st) != nil {
			t.Fatalf("%s %v", raw, err)
		}
		return st.Verified, st.Failed
	}
	refused(t, s, "no backup set", args...)
	if v, f := noted(); v != 0 || f == 0 {
		t.Errorf("nothing to try: verified %d, failed %d", v, f)
	}
	old := filepath.Join(sets, "tikakosh-20240101T000000.000Z.tikakosh")
	must(t, s, "backup", "--data", s.Data, "--to", old, "--recipient", to)
	refused(t, s, "no newer one reaches this folder", args...)
	good := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", sets, "--recipient", to))
	if out := must(t, s, args...); !strings.Contains(out, "verdict: this set can be restored") {
		t.Errorf("%s", out)
	}
	if v, f := noted(); v == 0 || f != 0 {
		t.Errorf("after a drill that passed: verified %d, failed %d", v, f)
	}
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(good, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, s, "changed", args...)
	if v, f := noted(); v == 0 || f == 0 {
		t.Errorf("after a drill that failed: verified %d, failed %d", v, f)
	}
}
