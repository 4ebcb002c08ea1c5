// Package supervise starts the roles as child processes of the same binary,
// restarts those that end, and stops them in order.
package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ReadyVariable names the descriptor a role writes to when it is ready;
// ParentVariable the one that closes when the supervisor is gone.
const (
	ReadyVariable  = "TIKAKOSH_READY_FD"
	ParentVariable = "TIKAKOSH_PARENT_FD"
)

// ExitConfig is the exit code of a role that starting again will not help.
const ExitConfig = 78

// Role is one child process.
type Role struct {
	Name     string
	Args     []string
	Env      []string
	Files    []*os.File // descriptors 3, 4, …
	UID      int        // with GID and Groups used when Separate
	GID      int
	Groups   []int
	Separate bool
	Once     bool // not restarted when it ends well
}

// Supervisor runs roles.
type Supervisor struct {
	Roles  []Role
	Logger *slog.Logger
	Grace  time.Duration
	Ready  func(name string) // called when a role is ready, may be nil
	Now    func() time.Time

	exe *os.File
}

type child struct {
	role Role
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Run starts every role in order, waiting for each to be ready, and keeps them
// running until ctx ends; then it stops them in reverse order.
func (s *Supervisor) Run(ctx context.Context) error {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("own executable: %w", err)
	}
	defer exe.Close()
	s.exe = exe
	alive, keep, err := os.Pipe()
	if err != nil {
		return err
	}
	defer keep.Close()
	defer alive.Close()
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var children []*child
	var started sync.WaitGroup
	for _, r := range s.Roles {
		c := &child{role: r, done: make(chan struct{})}
		children = append(children, c)
		first := make(chan error, 1)
		started.Go(func() { s.keep(run, cancel, c, alive, first) })
		select {
		case err := <-first:
			if err != nil {
				cancel(err)
			} else if s.Ready != nil {
				s.Ready(r.Name)
			}
		case <-run.Done():
		}
		if run.Err() != nil {
			break
		}
	}
	<-run.Done()
	for i := len(children) - 1; i >= 0; i-- {
		s.stop(children[i])
	}
	if err := context.Cause(run); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// keep runs one role again and again.
func (s *Supervisor) keep(ctx context.Context, cancel context.CancelCauseFunc, c *child, alive *os.File, first chan<- error) {
	defer close(c.done)
	wait := time.Duration(0)
	for ctx.Err() == nil {
		begin := s.Now()
		err := s.once(c, alive, first)
		if ctx.Err() != nil {
			return
		}
		var ee *exec.ExitError
		if errors.As(err, &ee) && ee.ExitCode() == ExitConfig {
			cancel(fmt.Errorf("role %s refuses to run with this configuration; its last words are above", c.role.Name))
			return
		}
		if err == nil && c.role.Once {
			return
		}
		if s.Now().Sub(begin) > 10*time.Second {
			wait = 0
		}
		s.Logger.Warn("role ended, starting it again", "child", c.role.Name, "after", wait.String(), "ended", fmt.Sprint(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second)
	}
}

func (s *Supervisor) once(c *child, alive *os.File, first chan<- error) error {
	rd, wr, err := os.Pipe()
	if err != nil {
		return err
	}
	defer rd.Close()
	files := append(append([]*os.File{}, c.role.Files...), wr, alive, s.exe)
	n := 3 + len(c.role.Files)
	cmd := exec.Command("/proc/self/fd/"+strconv.Itoa(n+2), c.role.Args...)
	cmd.Args[0] = "tikakosh"
	cmd.ExtraFiles = files
	cmd.Env = append(append([]string{}, c.role.Env...), ReadyVariable+"="+strconv.Itoa(n), ParentVariable+"="+strconv.Itoa(n+1))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.role.Separate {
		var groups []uint32
		for _, g := range c.role.Groups {
			groups = append(groups, uint32(g))
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.role.UID), Gid: uint32(c.role.GID), Groups: groups}
	}
	err = cmd.Start()
	wr.Close()
	if err != nil {
		select {
		case first <- err:
		default:
		}
		return err
	}
	c.mu.Lock()
	c.cmd = cmd
	c.mu.Unlock()
	go func() {
		line, err := bufio.NewReader(rd).ReadString('\n')
		if err == nil && line != "" {
			select {
			case first <- nil:
			default:
			}
		}
	}()
	return cmd.Wait()
}

// stop ends one role: SIGTERM, and SIGKILL after the grace.
func (s *Supervisor) stop(c *child) {
	c.mu.Lock()
	cmd := c.cmd
	c.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	grace := s.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	select {
	case <-c.done:
	case <-time.After(grace):
		if cmd != nil {
			_ = cmd.Process.Kill()
		}
		<-c.done
	}
}

// Ready tells the supervisor that this role is ready; outside a supervisor it
// does nothing.
func Ready() {
	if f := fdFrom(ReadyVariable); f != nil {
		_, _ = io.WriteString(f, "ready\n")
		f.Close()
	}
}

// WatchParent calls gone when the supervisor has died.
func WatchParent(gone func()) {
	f := fdFrom(ParentVariable)
	if f == nil {
		return
	}
	go func() {
		_, _ = f.Read(make([]byte, 1))
		gone()
	}()
}

func fdFrom(name string) *os.File {
	fd, err := strconv.Atoi(os.Getenv(name))
	if err != nil || fd < 3 {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}
