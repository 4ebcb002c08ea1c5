package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The roles as `run` and `demo` start them.
const (
	RoleWeb     = "serve"
	RoleVault   = "vault"
	RoleCourier = "courier"
	RoleWorker  = "worker"
)

// Role returns the process id of a role, or 0. Roles are the children of the
// server whose first argument is the role's subcommand.
func (s *Server) Role(role string) int {
	for _, pid := range s.children() {
		if named := arguments(pid); len(named) > 0 && named[0] == role {
			return pid
		}
	}
	return 0
}

// children are the living child processes of the server's supervisor.
func (s *Server) children() []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var out []int
	for _, stat := range stats {
		raw, err := os.ReadFile(stat)
		if err != nil {
			continue // ended meanwhile
		}
		// After the command in parentheses: state, parent, process group.
		f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(f) < 3 || f[0] == "Z" || f[1] != strconv.Itoa(s.cmd.Process.Pid) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// arguments are the first two of a process. The first names the role; the second
// may be a word that is another role's name, as in "courier serve".
func arguments(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	args := strings.Split(string(raw), "\x00")
	return args[1:min(len(args), 3)]
}

// KillRole kills one role at once and returns its process id.
func (s *Server) KillRole(role string) int {
	s.tb.Helper()
	pid := s.Role(role)
	if pid == 0 {
		s.tb.Fatalf("no process of role %s", role)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.tb.Fatalf("kill %s: %v", role, err)
	}
	return pid
}

// AwaitRole waits until a role runs under another process id than old.
func (s *Server) AwaitRole(role string, old int) int {
	s.tb.Helper()
	for range 600 {
		if pid := s.Role(role); pid != 0 && pid != old {
			return pid
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.tb.Fatalf("role %s did not come back in 30 s\n%s", role, lastLines(s.Log(), 20))
	return 0
}

// RoleProcess is one living role.
type RoleProcess struct {
	Name string // as Role takes it: the first argument
	PID  int
}

// Roles lists the living roles.
func (s *Server) Roles() []RoleProcess {
	var out []RoleProcess
	for _, pid := range s.children() {
		if named := arguments(pid); len(named) > 0 {
			out = append(out, RoleProcess{named[0], pid})
		}
	}
	return out
}
