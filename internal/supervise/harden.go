package supervise

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// HardenOpts says what not to harden; the zero value hardens all.
type HardenOpts struct {
	Dumpable      bool // leave memory readable for a debugger of the same user
	CoreDumps     bool // leave core dumps on
	NewPrivileges bool // leave set-user-id programs effective
}

// Harden closes this process: its memory and /proc entries cannot be read by
// other processes of its user (PR_SET_DUMPABLE, prctl(2)), it writes no core
// dumps, and none of its threads can gain privileges. It reads back what it
// set; fault.Internal when something does not hold, and the role must not run.
func Harden(o HardenOpts) error {
	if !o.Dumpable {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return fault.Wrap(fault.Internal, err, "not dumpable")
		}
		if v, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || v != 0 {
			return fault.New(fault.Internal, "harden", "the process is still dumpable")
		}
	}
	if !o.CoreDumps {
		var now unix.Rlimit
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
			return fault.Wrap(fault.Internal, err, "no core dumps")
		}
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &now); err != nil || now.Cur != 0 || now.Max != 0 {
			return fault.New(fault.Internal, "harden", "the process may still dump core")
		}
	}
	if !o.NewPrivileges {
		return noNewPrivileges()
	}
	return nil
}

// noNewPrivileges sets the attribute on every thread. A supervised role has it
// from birth; a binary with cgo cannot reach all its threads from here, so what
// counts is what the kernel says of each.
func noNewPrivileges() error {
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 && !errors.Is(errno, unix.ENOTSUP) {
		return fault.Wrap(fault.Internal, errno, "no new privileges")
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no new privileges")
	}
	for _, task := range tasks {
		status, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return fault.Wrap(fault.Internal, err, "no new privileges")
		}
		if !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
			return fault.New(fault.Internal, "harden", "a thread may still gain privileges; start this role with `tikakosh run`")
		}
	}
	return nil
}
