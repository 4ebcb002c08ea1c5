package supervise

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// The waits before a role is started again.
const (
	firstWait    = 50 * time.Millisecond // after the restart that is immediate
	longestWait  = 2 * time.Second
	healthyAfter = 10 * time.Second // a role that ran so long starts from nothing again
)

// backoff is the wait before the next restart, at most longest (0: longestWait).
// The zero value restarts at once.
type backoff struct{ next, longest time.Duration }

// wait returns how long to wait after a run of the given length.
func (b *backoff) wait(ran time.Duration) time.Duration {
	if ran >= healthyAfter {
		b.next = 0
	}
	d := b.next
	b.next = min(max(2*d, firstWait), cmp.Or(b.longest, longestWait))
	return d
}

// errStopping ends a role that is being stopped before it was started.
var errStopping = errors.New("the role is being stopped")

// child keeps one role running.
type child struct {
	role    Role
	exe     *os.File
	alive   *os.File
	log     *slog.Logger
	now     func() time.Time
	longest time.Duration
	told    func(name string)
	first   chan error    // nil when the role is first ready, else why it cannot be
	ended   chan struct{} // closed when the role will not run again

	mu       sync.Mutex
	cmd      *exec.Cmd // the process that runs, or the last one
	stopping bool
}

// keep runs the role again and again until ctx ends.
func (c *child) keep(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(c.ended)
	b := backoff{longest: c.longest}
	for ctx.Err() == nil {
		begin := c.now()
		err := c.once()
		if ctx.Err() != nil || errors.Is(err, errStopping) {
			return
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == ExitConfig {
			cancel(configError(c.role.Name))
			return
		}
		if err == nil && c.role.Once {
			c.announce(nil)
			return
		}
		if c.told != nil {
			c.told(c.role.Name)
		}
		ran := c.now().Sub(begin)
		wait := b.wait(ran)
		how := "ended by itself"
		if err != nil {
			how = err.Error()
		}
		c.log.Warn("role ended, starting it again", "ended", how, "ran", ran.Round(time.Millisecond).String(), "after", wait.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// announce reports the first success or failure; later ones are nobody's.
func (c *child) announce(err error) {
	select {
	case c.first <- err:
	default:
	}
}

// once runs the role until it ends.
func (c *child) once() error {
	ready, tell, err := os.Pipe()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "pipe")
	}
	defer ready.Close()
	cmd, err := c.launch(tell)
	tell.Close()
	if err != nil {
		if !errors.Is(err, errStopping) {
			c.announce(fault.Wrap(fault.Unavailable, err, "role "+c.role.Name+" cannot be started"))
		}
		return err
	}
	var heard sync.WaitGroup
	heard.Go(func() {
		line, err := bufio.NewReader(io.LimitReader(ready, 16)).ReadString('\n')
		if err == nil && line == readyLine {
			c.log.Debug("role is ready", "process", cmd.Process.Pid)
			c.announce(nil)
		}
	})
	err = cmd.Wait()
	late := time.AfterFunc(time.Second, func() { ready.Close() }) // a process of the role's own may still hold the pipe
	defer late.Stop()
	heard.Wait()
	return err
}

// launch starts the process, unless the role is being stopped.
func (c *child) launch(tell *os.File) (*exec.Cmd, error) {
	if len(c.role.Files) > maxFiles {
		return nil, fault.Newf(fault.Internal, "supervise", "more than %d descriptors", maxFiles)
	}
	n := 3 + len(c.role.Files)
	// The program is run from its descriptor: the role's user may be unable to
	// reach its path, and all roles of one supervisor are the same program even
	// while the file is being replaced.
	cmd := exec.Command("/proc/self/fd/"+strconv.Itoa(n+2), c.role.Args...) //nolint:noctx // a role is stopped in order, not with a context
	cmd.Args[0] = "tikakosh"
	cmd.ExtraFiles = append(append([]*os.File{}, c.role.Files...), tell, c.alive, c.exe)
	cmd.Env = append(append([]string{}, c.role.Env...), ReadyVariable+"="+strconv.Itoa(n),
		ParentVariable+"="+strconv.Itoa(n+1), programVariable+"="+strconv.Itoa(n+2))
	cmd.Dir = c.role.Dir
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if c.role.Stderr != nil {
		cmd.Stderr = c.role.Stderr
	}
	// A group of its own: a terminal's ^C goes to the supervisor only, which
	// stops the roles in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.role.Separate {
		cmd.SysProcAttr.Credential = credential(c.role)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, errStopping
	}
	if err := startUnprivileged(cmd); err != nil {
		return nil, err
	}
	c.cmd = cmd
	return cmd, nil
}

func credential(r Role) *syscall.Credential {
	out := &syscall.Credential{Uid: uint32(r.UID), Gid: uint32(r.GID), Groups: []uint32{}}
	for _, g := range r.Groups {
		out.Groups = append(out.Groups, uint32(g))
	}
	return out
}

// startUnprivileged starts a process that can never gain privileges by running
// a program (PR_SET_NO_NEW_PRIVS, prctl(2)). The attribute belongs to a thread
// and is inherited: it is set on a thread made for this start, which ends with
// the goroutine because that never unlocks it. So the child has it in all its
// threads from the first instruction on.
func startUnprivileged(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			started <- fault.Wrap(fault.Internal, err, "no new privileges")
			return
		}
		started <- cmd.Start()
	}()
	return <-started
}

// StartUnprivileged starts a command that is no role in the same way.
func StartUnprivileged(cmd *exec.Cmd) error { return startUnprivileged(cmd) }

// stop ends the role for good: SIGTERM, and SIGKILL after the grace or when
// there is a hurry.
func (c *child) stop(grace time.Duration, hurry <-chan struct{}) {
	c.mu.Lock()
	c.stopping = true
	cmd := c.cmd
	c.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an ended process is no error
	}
	over := time.NewTimer(grace)
	defer over.Stop()
	select {
	case <-c.ended:
		return
	case <-over.C:
		c.log.Warn("role did not stop in time and is killed", "grace", grace.String())
	case <-hurry:
	}
	if cmd != nil {
		_ = cmd.Process.Kill()
	}
	<-c.ended
}
