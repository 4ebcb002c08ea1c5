package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A role of these tests is the test binary itself: the first argument says what
// it does, the second is its name, and descriptor 3 takes what it reports.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[0] == "tikakosh" {
		os.Exit(actAs(os.Args[1], os.Args[2], os.Args[3:]))
	}
	if os.Getenv("TIKAKOSH_SUPERVISE_TEST") == "supervisor" {
		os.Exit(actSupervisor())
	}
	os.Exit(m.Run())
}

func report(name, format string, a ...any) {
	// One write per line: several processes share the pipe.
	_, _ = os.NewFile(uintptr(dupOf(3)), "report").WriteString(name + " " + fmt.Sprintf(format, a...) + "\n")
}

func dupOf(fd int) int {
	n, err := syscall.Dup(fd)
	if err != nil {
		os.Exit(99)
	}
	return n
}

func actAs(act, name string, more []string) int {
	if act == "badconfig" {
		return ExitConfig
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if act == "orphan" { // hears of the end and does nothing about it
		watchParent(func() {}, 50*time.Millisecond)
	} else {
		WatchParent(stop)
	}
	report(name, "start %d", os.Getpid())
	switch act {
	case "facts":
		facts(name)
	case "hardened":
		if err := Harden(HardenOpts{}); err != nil {
			report(name, "error %v", err)
			return 1
		}
	case "spy":
		spy(name, more)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		Ready()
		select {}
	case "brief":
		Ready()
		return 0
	case "failing":
		Ready()
		return 3
	case "slow":
		time.Sleep(30 * time.Millisecond)
	}
	report(name, "ready")
	Ready()
	Ready()
	if act == "orphan" {
		select {}
	}
	<-ctx.Done()
	report(name, "stop")
	return 0
}

// facts reports who and what this process is.
func facts(name string) {
	groups, _ := os.Getgroups()
	env := os.Environ()
	slices.Sort(env)
	status, _ := os.ReadFile("/proc/self/status")
	nnp := 0
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, t := range tasks {
		s, _ := os.ReadFile(t)
		if strings.Contains(string(s), "NoNewPrivs:\t1") {
			nnp++
		}
	}
	caps := ""
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "CapEff:") {
			caps = strings.TrimSpace(line[7:])
		}
	}
	var open []string
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if n, _ := strconv.Atoi(fd.Name()); err == nil && n >= 3 && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/fs/cgroup/") && !strings.HasPrefix(to, "anon_inode:") { // the runtime's own
			open = append(open, fd.Name()+"="+to)
		}
	}
	dir, _ := os.Getwd()
	report(name, "facts uid=%d gid=%d groups=%v env=%q nnp=%v caps=%s files=%v dir=%s", os.Getuid(), os.Getgid(), groups, env, nnp == len(tasks), caps, open, dir)
}

// spy tries to read other processes' secrets.
func spy(name string, pids []string) {
	for _, pid := range pids {
		_, err := os.ReadFile("/proc/" + pid + "/environ")
		mem, merr := os.Open("/proc/" + pid + "/mem")
		if merr == nil {
			mem.Close()
		}
		report(name, "environ=%v memory=%v", err == nil, merr == nil)
	}
}

// actSupervisor supervises what its arguments say, "act:name", reporting to
// descriptor 3.
func actSupervisor() int {
	var roles []Role
	for _, a := range os.Args[1:] {
		act, name, _ := strings.Cut(a, ":")
		uid := 0
		if act == "separate" {
			act, uid = "facts", 65534
		}
		roles = append(roles, Role{Name: name, Args: []string{act, name}, Files: []*os.File{os.NewFile(3, "report")}, Separate: uid > 0, UID: uid, GID: uid})
	}
	s := Supervisor{Roles: roles, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Grace: 30 * time.Second}
	if err := s.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, ErrConfig) {
			return ExitConfig
		}
		return 1
	}
	return 0
}

// reports is a pipe that roles report to.
type reports struct {
	t     *testing.T
	write *os.File
	read  *os.File
	lines chan string
	seen  []string
}

func newReports(t *testing.T) *reports {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := &reports{t: t, write: write, read: read, lines: make(chan string, 10_000)}
	go func() {
		defer close(r.lines)
		sc := bufio.NewScanner(read)
		for sc.Scan() {
			r.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() { write.Close(); read.Close() })
	return r
}

// await returns the next line that begins with prefix, without it.
func (r *reports) await(prefix string) string {
	r.t.Helper()
	over := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("no line %q before the end; seen %q", prefix, r.seen)
			}
			r.seen = append(r.seen, line)
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(rest)
			}
		case <-over:
			r.t.Fatalf("no line %q; seen %q", prefix, r.seen)
		}
	}
}

// end closes our side and waits until every process that reports has gone.
func (r *reports) end() []string {
	r.t.Helper()
	r.write.Close()
	over := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return r.seen
			}
			r.seen = append(r.seen, line)
		case <-over:
			r.t.Fatalf("a process is still there; seen %q", r.seen)
		}
	}
}

// awaitPID returns the process id of a role's next start.
func (r *reports) awaitPID(name string) int {
	r.t.Helper()
	pid, err := strconv.Atoi(r.await(name + " start "))
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

func (r *reports) role(act, name string, more ...string) Role {
	return Role{Name: name, Args: append([]string{act, name}, more...), Env: []string{"TZ=UTC"}, Files: []*os.File{r.write}}
}

// run starts a supervisor; the function stops it and returns Run's error.
func run(t *testing.T, s *Supervisor) (stop func() error) {
	t.Helper()
	if s.Now == nil {
		s.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = func() error {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(15 * time.Second):
			t.Fatal("the supervisor does not end")
			return nil
		}
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}
