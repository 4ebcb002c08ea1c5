package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		ran  []time.Duration
		want []time.Duration
	}{
		{"doubles to the bound", make([]time.Duration, 9), []time.Duration{0, 50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 2000 * ms, 2000 * ms}},
		{"starts anew when healthy", []time.Duration{0, 0, 10 * time.Second, 0}, []time.Duration{0, 50 * ms, 0, 50 * ms}},
		{"not healthy yet", []time.Duration{0, 0, 10*time.Second - 1}, []time.Duration{0, 50 * ms, 100 * ms}},
	} {
		var b backoff
		for i, ran := range c.ran {
			if got := b.wait(ran); got != c.want[i] {
				t.Errorf("%s: wait %d is %v, want %v", c.name, i, got, c.want[i])
			}
		}
	}
}

func TestOrder(t *testing.T) {
	r := newReports(t)
	var mu sync.Mutex
	var ready []string
	stop := run(t, &Supervisor{Roles: []Role{r.role("slow", "vault"), r.role("slow", "courier"), r.role("run", "web")},
		Ready: func(name string) { mu.Lock(); ready = append(ready, name); mu.Unlock() }})
	r.await("web ready")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range r.end() {
		f := strings.Fields(line)
		got = append(got, f[0]+" "+f[1])
	}
	want := []string{"vault start", "vault ready", "courier start", "courier ready", "web start", "web ready", "web stop", "courier stop", "vault stop"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ready) < 2 || !slices.Equal(ready[:2], []string{"vault", "courier"}) {
		t.Errorf("ready calls %q", ready)
	}
}

func TestRestart(t *testing.T) {
	r := newReports(t)
	stop := run(t, &Supervisor{Roles: []Role{r.role("run", "vault"), r.role("run", "web")}})
	first := r.awaitPID("vault")
	web := r.awaitPID("web")
	r.await("web ready")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	second := r.awaitPID("vault")
	t.Logf("back after %v", time.Since(begin))
	if time.Since(begin) > 500*time.Millisecond {
		t.Errorf("the first restart took %v", time.Since(begin))
	}
	if second == first {
		t.Error("the same process")
	}
	r.await("vault ready")
	if err := syscall.Kill(web, 0); err != nil {
		t.Error("the other role was touched")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if all := r.end(); !slices.Equal(all[len(all)-2:], []string{"web stop", "vault stop"}) {
		t.Errorf("%q", all)
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestRestartSlowsDown(t *testing.T) {
	r := newReports(t)
	var log syncBuffer
	stop := run(t, &Supervisor{Roles: []Role{r.role("failing", "web")}, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	begin := time.Now()
	for range 4 {
		r.awaitPID("web")
	}
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("four starts in %v: the waits 0, 50 and 100 ms were not kept", took)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, `"child":"web","ended":"exit status 3"`) || !strings.Contains(text, `"after":"50ms"`) {
		t.Error(text)
	}
}

func TestBadConfiguration(t *testing.T) {
	for _, first := range []bool{true, false} {
		r := newReports(t)
		roles := []Role{r.role("run", "vault"), r.role("badconfig", "web")}
		if first {
			slices.Reverse(roles)
		}
		s := &Supervisor{Roles: roles, Now: time.Now}
		err := s.Run(t.Context())
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "web") {
			t.Errorf("%v", err)
		}
		if all := r.end(); !first && all[len(all)-1] != "vault stop" {
			t.Errorf("%q", all)
		}
	}
}

func TestOnce(t *testing.T) {
	r := newReports(t)
	once := r.role("brief", "seed")
	once.Once = true
	stop := run(t, &Supervisor{Roles: []Role{once, r.role("run", "web")}})
	r.await("web ready")
	time.Sleep(30 * time.Millisecond)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(strings.Join(r.end(), "\n"), "seed start"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func TestGrace(t *testing.T) {
	r := newReports(t)
	stop := run(t, &Supervisor{Roles: []Role{r.role("stubborn", "vault"), r.role("run", "web")}, Grace: 50 * time.Millisecond})
	r.await("web ready")
	begin := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 50*time.Millisecond || took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	r.end()
}

// TestStopWhileRestarting stops in every phase of a role that keeps ending.
func TestStopWhileRestarting(t *testing.T) {
	for i := range 12 {
		r := newReports(t)
		stop := run(t, &Supervisor{Roles: []Role{r.role("brief", "web")}, Grace: 5 * time.Second})
		r.awaitPID("web")
		time.Sleep(time.Duration(i) * time.Millisecond)
		begin := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("stopping took %v", took)
		}
		r.end()
	}
}

func TestCannotStart(t *testing.T) {
	r := newReports(t)
	bad := r.role("run", "web")
	bad.Dir = "/nowhere/at/all"
	crowded := r.role("run", "web")
	for len(crowded.Files) <= maxFiles {
		crowded.Files = append(crowded.Files, r.write)
	}
	for name, role := range map[string]Role{"folder": bad, "descriptors": crowded} {
		s := &Supervisor{Roles: []Role{r.role("run", "vault"), role}, Now: time.Now}
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "role web") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&Supervisor{}).Run(t.Context()); !fault.Is(err, fault.Internal) {
		t.Errorf("without a clock: %v", err)
	}
	r.end()
}

// supervisor starts a supervisor as a process of its own.
func supervisor(t *testing.T, program string, r *reports, roles ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, roles...)
	cmd.Env = []string{"TIKAKOSH_SUPERVISE_TEST=supervisor"}
	cmd.ExtraFiles = []*os.File{r.write}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestSignals(t *testing.T) {
	t.Run("one stops", func(t *testing.T) {
		r := newReports(t)
		cmd := supervisor(t, "/proc/self/exe", r, "run:vault", "run:web")
		r.await("web ready")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if all := r.end(); !slices.Equal(all[len(all)-2:], []string{"web stop", "vault stop"}) {
			t.Errorf("%q", all)
		}
	})
	t.Run("two kill", func(t *testing.T) {
		r := newReports(t)
		cmd := supervisor(t, "/proc/self/exe", r, "stubborn:vault", "run:web")
		r.await("web ready")
		_ = cmd.Process.Signal(syscall.SIGINT)
		r.await("web stop")
		begin := time.Now()
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		r.end()
	})
	t.Run("configuration", func(t *testing.T) {
		r := newReports(t)
		cmd := supervisor(t, "/proc/self/exe", r, "run:vault", "badconfig:web")
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != ExitConfig {
			t.Error(err)
		}
		r.end()
	})
}

// TestNoOrphans kills the supervisor, which then can do nothing for its roles.
func TestNoOrphans(t *testing.T) {
	r := newReports(t)
	cmd := supervisor(t, "/proc/self/exe", r, "run:vault", "orphan:courier", "run:web")
	r.await("web ready")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	all := strings.Join(r.end(), "\n") // returns when the last process has gone
	for _, want := range []string{"vault stop", "web stop"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
}

// TestClosedProgram runs roles as another user from a program that this user
// can neither reach nor execute.
func TestClosedProgram(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "tikakosh")
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o700, 0o755} {
		if err := os.WriteFile(program, data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(program, mode); err != nil {
			t.Fatal(err)
		}
		act, uid := "facts", fmt.Sprint("uid=", os.Getuid())
		if os.Geteuid() == 0 {
			act, uid = "separate", "uid=65534"
		}
		r := newReports(t)
		cmd := supervisor(t, program, r, act+":web")
		if got := r.await("web facts "); !strings.HasPrefix(got, uid) {
			t.Errorf("mode %o: %s", mode, got)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		r.end()
	}
}
