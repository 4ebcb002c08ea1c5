package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/machine"
)

func TestClockJudged(t *testing.T) {
	good := machine.Clock{Synchronised: true, Service: "chrony", Servers: []string{"ntp.example"}, Offset: time.Millisecond}
	for name, c := range map[string]struct {
		change func(*machine.Clock)
		want   Status
	}{
		"good":            {func(*machine.Clock) {}, OK},
		"off":             {func(c *machine.Clock) { c.Offset = -3 * time.Second }, Fail},
		"not disciplined": {func(c *machine.Clock) { c.Synchronised = false }, Warn},
		"no service":      {func(c *machine.Clock) { c.Service = "none found" }, Warn},
		"no servers":      {func(c *machine.Clock) { c.Servers = nil }, Warn},
		"no answer":       {func(c *machine.Clock) { c.Err = os.ErrPermission }, Warn},
	} {
		clock := good
		c.change(&clock)
		if got := judgeClock(clock); got.Status != c.want || (got.Do == "") != (c.want == OK) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSyncJudged(t *testing.T) {
	dir := "/proc" // no memory file system and no disk
	for took, want := range map[time.Duration]Status{3 * time.Microsecond: Fail, 200 * time.Microsecond: OK, 30 * time.Millisecond: Warn} {
		if got := judgeSync(dir, []time.Duration{took, took, took}); got.Status != want {
			t.Errorf("%v: %+v", took, got)
		}
	}
	if got := judgeSync("/dev/shm", []time.Duration{time.Millisecond}); got.Status != Fail || !strings.Contains(got.Text, "memory") {
		t.Errorf("memory: %+v", got)
	}
	path := t.TempDir()
	if times, err := syncTimes(path, time.Now); err != nil || len(times) != 40 {
		t.Errorf("%d %v", len(times), err)
	}
	if left, _ := os.ReadDir(path); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := Sync("/proc/nobody", time.Now).Run(t.Context()); got[0].Status != Fail {
		t.Errorf("%+v", got)
	}
}

func TestSwapJudged(t *testing.T) {
	const head = "Filename Type Size Used Priority\n"
	for text, want := range map[string]Status{head: OK, head + "/dev/dm-1 partition 1 0 -2\n": OK, head + "/swapfile file 1 0 -2\n": Warn, head + "/dev/sda2 partition 1 0 -2\n": Warn} {
		if got := judgeSwap(text); got.Status != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestPorts(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := Ports(map[string]string{"a": ln.Addr().String(), "b": "127.0.0.1:0", "c": "nonsense", "d": "off", "e": ""}).Run(t.Context())
	if len(got) != 3 || got[0].Status != Fail || got[1].Status != OK || got[2].Status != Fail {
		t.Errorf("%+v", got)
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	open, closed, link := filepath.Join(dir, "open"), filepath.Join(dir, "closed"), filepath.Join(dir, "link")
	for path, mode := range map[string]os.FileMode{open: 0o644, closed: 0o600} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(closed, link); err != nil {
		t.Fatal(err)
	}
	got := Modes([]Mode{{open, 0o600, -1}, {closed, 0o600, os.Getuid() + 1}, {link, 0o777, -1}, {filepath.Join(dir, "absent"), 0, 0}}).Run(t.Context())
	if len(got) != 3 || !strings.Contains(got[0].Do, "chmod 0600 "+open) || !strings.Contains(got[1].Do, "chown") || !strings.Contains(got[2].Text, "link") {
		t.Errorf("%+v", got)
	}
	if got := Modes([]Mode{{closed, 0o600, os.Getuid()}}).Run(t.Context()); len(got) != 1 || got[0].Status != OK {
		t.Errorf("%+v", got)
	}
}

func TestMachineAnswers(t *testing.T) {
	all := Run(t.Context(), []Check{Clock(), Entropy(), Disk("data", t.TempDir(), 1), Disk("too small", t.TempDir(), 1<<62), OpenFiles(1), OpenFiles(1 << 62), Memory()})
	if len(all) < 6 {
		t.Fatalf("%+v", all)
	}
	by := map[string]Result{}
	for _, r := range all {
		if r.Name == "" || r.Text == "" || (r.Status != OK && r.Do == "") {
			t.Errorf("%+v", r)
		}
		by[r.Name] = r
	}
	if by["entropy"].Status != OK || by["disk too small"].Status != Fail {
		t.Errorf("%+v", by)
	}
}

func TestPrint(t *testing.T) {
	all := Run(t.Context(), []Check{One("a", func(context.Context) Result { return Good("fine") }), One("b", func(context.Context) Result { return Concern("do this", "so so") })})
	if Worst(all) != Warn || Worst(nil) != OK || Worst(append(all, Bad("x", "y"))) != Fail {
		t.Error("the worst is wrong")
	}
	var text, raw bytes.Buffer
	Print(&text, all)
	if !strings.Contains(text.String(), "WARN  b") || !strings.Contains(text.String(), "-> do this") || !strings.Contains(text.String(), "1 ok, 1 warnings, 0 failures") {
		t.Error(text.String())
	}
	var back struct{ Worst, Results any }
	if err := PrintJSON(&raw, all); err != nil || json.Unmarshal(raw.Bytes(), &back) != nil || back.Worst != "WARN" {
		t.Errorf("%s %v", raw.String(), err)
	}
}
