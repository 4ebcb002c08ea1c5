package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Freeze stops a process (SIGSTOP) and returns when every thread of it stands
// still: the signal is on its way for a moment, in which a request is answered
// (proc(5), stat: state T). SIGCONT lets it go on.
func Freeze(tb testing.TB, pid int) {
	tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	for begin := time.Now(); !still(pid); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			tb.Fatalf("process %d does not stand still", pid)
		}
	}
}

func still(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, name := range threads {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		if _, rest, ok := strings.Cut(string(raw), ") "); !ok || !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return len(threads) > 0
}
