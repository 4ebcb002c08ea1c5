// Package supervise starts the roles as child processes of the same binary,
// restarts those that end, and stops them in order.
//
// A role gets nothing from its parent but what its Role lists: a clean
// environment, its descriptors, a user of its own when roles are separated, and
// no way to gain privileges. It tells with Ready that it is up, and ends by
// itself when the supervisor is gone (WatchParent), however that came about.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"tikakosh/internal/fault"
)

// ExitConfig is the exit code of a role that starting again will not help
// (EX_CONFIG of sysexits.h).
const ExitConfig = 78

// ErrConfig is in the chain of Run's error when a role ended with ExitConfig.
// The role has said why on its standard error.
var ErrConfig = errors.New("a role refuses to run with this configuration; its last words are above")

// maxFiles bounds the descriptors of one role.
const maxFiles = 64

// slowStart is how long a role may take to be ready before the log says so.
const slowStart = 30 * time.Second

// Role is one child process. Every field is trusted.
type Role struct {
	Name     string
	Args     []string   // after the program's name
	Env      []string   // the whole environment, "name=value"
	Files    []*os.File // descriptors 3, 4, …; the caller keeps them open
	Dir      string     // working folder; "" is the supervisor's
	UID      int        // with GID and Groups used when Separate
	GID      int
	Groups   []int  // the only supplementary groups
	Separate bool   // run under UID and GID; needs root
	Once     bool   // not restarted when it ends well
	Program  string // path of another program than this one; "" this one

	Stderr *os.File // standard error; nil: the supervisor's
}

// Supervisor runs roles. The fields are not changed while it runs.
type Supervisor struct {
	Roles  []Role            // started in this order, stopped in reverse
	Logger *slog.Logger      // nil is silent
	Grace  time.Duration     // between SIGTERM and SIGKILL; 0 is 10 s
	Ready  func(name string) // called when a role is first ready, before the next starts; may be nil
	Now    func() time.Time  // measures how long a role ran
	Wait   time.Duration     // longest before a role is started again; 0 is 2 s
	Ended  func(name string) // called when a role ended that is started again; may be nil
}

// Run starts every role in order, waiting for each to be ready, and keeps them
// running until ctx ends or the process gets SIGTERM or SIGINT; then it stops
// them in reverse order and returns nil. A second signal kills all that is left
// at once. A role that ends is started again: at once, then after 50 ms … 2 s,
// counting anew once it ran for 10 s. When a role cannot be started at first,
// or ends with ExitConfig, everything is stopped and the error returned
// (ErrConfig in its chain for the latter). No child outlives Run. All descriptors
// of the process are made close-on-exec.
func (s *Supervisor) Run(ctx context.Context) error {
	if s.Now == nil {
		return fault.New(fault.Internal, "supervise", "a supervisor needs a clock")
	}
	if err := keepDescriptors(); err != nil {
		return err
	}
	exe, err := openExecutable(s.Roles)
	if err != nil {
		return err
	}
	defer exe.Close()
	alive, keep, err := os.Pipe()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "pipe")
	}
	defer keep.Close()
	defer alive.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hurry, done := watchSignals(cancel)
	defer done()

	var children []*child
	var running sync.WaitGroup
	for _, r := range s.Roles {
		if ctx.Err() != nil {
			break
		}
		program := exe
		if r.Program != "" {
			if program, err = os.Open(r.Program); err != nil {
				cancel(fault.Wrap(fault.Unavailable, err, "the program of role "+r.Name))
				break
			}
			defer program.Close()
		}
		c := &child{role: r, exe: program, alive: alive, log: s.logger().With("child", r.Name), now: s.Now, longest: s.Wait, told: s.Ended,
			first: make(chan error, 1), ended: make(chan struct{})}
		children = append(children, c)
		running.Go(func() { c.keep(ctx, cancel) })
		s.awaitFirst(ctx, cancel, c)
	}
	<-ctx.Done()
	for i := len(children) - 1; i >= 0; i-- {
		children[i].stop(s.grace(), hurry)
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// awaitFirst waits until the role is ready for the first time.
func (s *Supervisor) awaitFirst(ctx context.Context, cancel context.CancelCauseFunc, c *child) {
	slow := time.NewTicker(slowStart)
	defer slow.Stop()
	for {
		select {
		case err := <-c.first:
			if err != nil {
				cancel(err)
			} else if s.Ready != nil {
				s.Ready(c.role.Name)
			}
			return
		case <-ctx.Done():
			return
		case <-slow.C:
			c.log.Warn("role is not ready yet")
		}
	}
}

func (s *Supervisor) grace() time.Duration {
	if s.Grace > 0 {
		return s.Grace
	}
	return 10 * time.Second
}

func (s *Supervisor) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// watchSignals cancels at the first SIGTERM or SIGINT and closes hurry at the
// second. It hears them besides whoever else was notified of them.
func watchSignals(cancel context.CancelCauseFunc) (hurry <-chan struct{}, done func()) {
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT)
	rush, end := make(chan struct{}), make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case <-end:
				return
			case <-heard:
			}
			switch n {
			case 1:
				cancel(nil)
			case 2:
				close(rush)
			}
		}
	}()
	return rush, func() {
		signal.Stop(heard)
		close(end)
	}
}

// configError is the end of everything by one role's ExitConfig.
func configError(role string) error {
	return fmt.Errorf("role %s: %w", role, ErrConfig)
}
