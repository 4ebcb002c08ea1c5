//go:build ablation

package ablate

import (
	"os"
	"strconv"
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

// Crash kills this process at once when the file named by TIKAKOSH_CRASH_ARM
// exists and the point is the one wanted: the environment TIKAKOSH_CRASH names
// it, or else the file does, as "point n" for the n-th passage from now on.
// The file is removed in the same step, so a crash happens once per arming.
func Crash(point string) {
	arm := os.Getenv("TIKAKOSH_CRASH_ARM")
	if want := os.Getenv("TIKAKOSH_CRASH"); want != "" {
		if want == point && (arm == "" || os.Remove(arm) == nil) {
			die()
		}
		return
	}
	if arm == "" {
		return
	}
	raw, err := os.ReadFile(arm)
	f := strings.Fields(string(raw))
	if err != nil || len(f) != 2 || f[0] != point {
		return
	}
	if n, err := strconv.Atoi(f[1]); err == nil && n > 1 {
		// A new file in its place: the old one belongs to another user.
		if os.WriteFile(arm+".next", []byte(point+" "+strconv.Itoa(n-1)), 0o644) == nil {
			_ = os.Rename(arm+".next", arm)
		}
		return
	}
	if os.Remove(arm) == nil {
		die()
	}
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
