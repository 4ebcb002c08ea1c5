//go:build ablation

package ablate

import (
	"os"
	"strings"
	"syscall"
)

// Built reports whether this binary can switch controls off.
const Built = true

// Off reports whether the environment TIKAKOSH_ABLATE (comma-separated) names c.
func Off(c Control) bool {
	for _, n := range strings.Split(os.Getenv("TIKAKOSH_ABLATE"), ",") {
		if n == string(c) {
			return true
		}
	}
	return false
}

// Crash kills this process at once when the environment TIKAKOSH_CRASH names
// the point and the file named by TIKAKOSH_CRASH_ARM exists. Removing the file
// in the same step makes a crash happen once per arming.
func Crash(point string) {
	if os.Getenv("TIKAKOSH_CRASH") != point {
		return
	}
	if arm := os.Getenv("TIKAKOSH_CRASH_ARM"); arm == "" || os.Remove(arm) == nil {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
