package ops

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tikakosh/test/harness"
)

// TestBehindProxy: with --proxy the limits for one network count the networks that
// the proxy names, and only its word counts; without it they count the proxy's own.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	asked := func(s *harness.Server, c *harness.Client, from string) int {
		return c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": s.Mobile()}, "X-Forwarded-For", from).Status
	}
	limit := []string{"--prefix-limit", "1"}
	behind := harness.Start(t, &b, harness.Options{Unseeded: true, Args: append(limit, "--proxy", "127.0.0.0/8,::1/128")})
	client := behind.Client()
	for _, c := range []struct {
		from string
		want int
	}{{"198.51.100.7", 200}, {"203.0.113.9", 200}, {"192.0.2.1, 203.0.113.10", 429}} {
		if got := asked(behind, client, c.from); got != c.want {
			t.Errorf("behind a proxy, from %s: %d, want %d", c.from, got, c.want)
		}
	}
	without := harness.Start(t, &b, harness.Options{Unseeded: true, Args: limit})
	client = without.Client() // each has a network of its own
	if first, second := asked(without, client, "198.51.100.7"), asked(without, client, "203.0.113.9"); first != 200 || second != 429 {
		t.Errorf("without a proxy: %d, then %d, want 200 and 429", first, second)
	}
}

// TestUnitsUmask: under the unit's umask the operator's role, which has a user
// of its own, still reads the status of the backups.
func TestUnitsUmask(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/tikakosh.service")
	if err != nil || !strings.Contains(string(unit), "\nUMask=0027\n") {
		t.Fatal("the unit's umask is another one:", err)
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	if _, err := b.Path(harness.Plain); err != nil {
		t.Fatal(err)
	}
	before := syscall.Umask(0o027) // children inherit it; tests that run beside are paused
	s := harness.Start(t, &b, harness.Options{Unseeded: true})
	syscall.Umask(before)
	folder := filepath.Join(s.Data, "status")
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%s: %v %v", folder, info, err)
	}
}

// TestUnitsFilter: what the unit's filter of system calls takes away with
// "~@privileged" and the program needs is given back after it, in the order that
// systemd reads.
func TestUnitsFilter(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("../../deploy/systemd/tikakosh.service")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(unit), "\nSystemCallFilter=~@privileged\n")
	for _, call := range []string{"@chown", "@setuid", "adjtimex"} { // all three are in @privileged
		given := false
		for line := range strings.Lines(after) {
			if list, is := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter="); is {
				for _, word := range strings.Fields(list) {
					given = given || word == call
				}
			}
		}
		if !ok || !given {
			t.Errorf("%s is not given back", call)
		}
	}
}
