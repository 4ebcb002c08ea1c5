package redteam

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestL1LogLine is the machine's administrator who wants a request not to have
// been: the line goes, the others get new numbers, the statements about log files
// are thrown away, and the installation is started anew.
func TestL1LogLine(t *testing.T) {
	t.Parallel()
	base := harness.Options{Unseeded: true, Args: []string{"--log-seal-first", "200ms", "--log-seal-every", "300ms"}}
	run(t, "L1", trial{own: true, base: base, try: func(t *testing.T, s *harness.Server) (bool, string) {
		logs := filepath.Join(s.Data, "logs")
		seals := func() int {
			names, err := filepath.Glob(filepath.Join(logs, "seals", "0*.json"))
			if err != nil {
				t.Fatal(err)
			}
			return len(names)
		}
		mark := []byte(`"route":"/api/v2/registration/beneficiary/genders"`)
		s.Client().Must("GET", "/v2/registration/beneficiary/genders", nil)
		name := ""
		until(t, "the line and a statement about it", func() bool {
			names, _ := filepath.Glob(filepath.Join(logs, "web", "*.jsonl"))
			if len(names) != 1 || seals() < 1 {
				return false
			}
			name = names[0]
			raw, _ := os.ReadFile(name)
			return bytes.Contains(raw, mark)
		})
		before := seals()
		s.Client().Must("GET", "/v2/admin/location/states", nil)
		until(t, "one more statement", func() bool { return seals() > before })
		s.Stop()
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var kept []byte
		n := 0
		for _, line := range bytes.SplitAfter(raw, []byte("\n")) {
			_, rest, ok := bytes.Cut(line, []byte(","))
			if !ok || bytes.Contains(line, mark) {
				continue
			}
			n++
			kept = append(append(kept, `{"seq":`+strconv.Itoa(n)+`,`...), rest...)
		}
		if err := os.WriteFile(name, kept, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(logs, "seals")); err != nil {
			t.Fatal(err)
		}
		s.Up()
		until(t, "a statement or an alarm", func() bool {
			return seals() > 0 || strings.Contains(s.Log(), `"alarm":"logs"`)
		})
		out, exit := s.Command("logs", "verify", "--data", s.Data)
		last := strings.TrimSpace(out)
		return exit == 0, last[strings.LastIndexByte(last, '\n')+1:]
	}})
}

func until(t *testing.T, what string, have func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !have(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}
