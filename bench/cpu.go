package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// roleOf names the processes whose time is told apart, by their subcommand.
func roleOf() map[string]string {
	return map[string]string{"vault": "vault", "serve": "web", "courier": "courier", "worker": "worker"}
}

// columns is the order in which they are printed; the driver is this process.
func columns() []string {
	return []string{"vault", "web", "courier", "worker", "postgres", "driver"}
}

// tick is the unit of /proc/PID/stat: USER_HZ, 100 on every Linux of Go's.
const tick = 10 * time.Millisecond

// processorTime is what each role and the driver have used of the processor so far, in
// user and kernel mode. On a machine that others use too this stays meaningful,
// where a rate does not.
func (s *server) processorTime() (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for role, pid := range s.pids {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", role, err)
		}
		at := bytes.LastIndexByte(raw, ')') // the name before it may hold anything
		f := strings.Fields(string(raw[at+1:]))
		if len(f) < 13 {
			return nil, fmt.Errorf("role %s: no processor time", role)
		}
		user, err1 := strconv.ParseInt(f[11], 10, 64)
		system, err2 := strconv.ParseInt(f[12], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("role %s: no processor time", role)
		}
		out[role] = time.Duration(user+system) * tick
	}
	if s.engine != nil {
		t, err := s.engine.processorTime()
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL: %w", err)
		}
		out["postgres"] = t
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return nil, err
	}
	out["driver"] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return out, nil
}

// findRoles finds the processes of the roles among the children of the program.
func (s *server) findRoles() error {
	s.pids = map[string]int{}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 2 || f[1] != strconv.Itoa(s.cmd.Process.Pid) {
			continue
		}
		line, err := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if err != nil {
			continue
		}
		args := strings.Split(string(line), "\x00")
		if len(args) > 1 && roleOf()[args[1]] != "" {
			s.pids[roleOf()[args[1]]] = pid
		}
	}
	if len(s.pids) != len(roleOf()) {
		return fmt.Errorf("found only the roles %v among the program's processes", s.pids)
	}
	return nil
}
