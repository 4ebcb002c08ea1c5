//go:build !ablation

package ablate

// Built reports whether this binary can switch controls off.
const Built = false

// Off reports whether a control is switched off: never, in this build.
func Off(Control) bool { return false }

// Crash is a point where a test build can kill the process; nothing here.
func Crash(string) {}
