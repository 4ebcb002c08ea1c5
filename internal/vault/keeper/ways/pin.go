package ways

import (
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// The bounds of a household's PIN (defence.md R58).
const (
	PINTries = 10 // wrong ones in a row before it opens nothing any more
	PINLeast = 6
	PINMost  = 12
	// PINEnds is how long a PIN that is taken away without being given still stands.
	PINEnds = 24 * time.Hour
)

// ParsePIN checks the form of a new PIN: 6 to 12 digits that are not one digit over and
// over, not a row of digits up or down, and not one part repeated. fault.Invalid otherwise,
// without the value.
func ParsePIN(s string) error {
	if len(s) < PINLeast || len(s) > PINMost || strings.Trim(s, "0123456789") != "" {
		return fault.New(fault.Invalid, "pin", "a PIN has 6 to 12 digits")
	}
	weak := fault.New(fault.Invalid, "pin", "this PIN is too easy to guess; choose another one")
	for _, step := range []byte{1, 9} { // up or down, past 9 and 0 too
		run := true
		for i := 1; i < len(s); i++ {
			run = run && (s[i]-'0') == (s[i-1]-'0'+step)%10
		}
		if run {
			return weak
		}
	}
	for n := 1; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return weak
		}
	}
	return nil
}
