package harness

import "fmt"

// DemoPAN is the id number of the demo's person n, from 0, for nine in ten of them.
func DemoPAN(n int) string {
	digits, rest := n%10_000, n/10_000
	var l [4]byte
	for i := range l {
		l[i] = 'A' + byte(rest%26)
		rest /= 26
	}
	return fmt.Sprintf("%c%c%cX%c%04d%c", l[3], l[2], l[1], l[0], digits, 'A'+byte(rest%26))
}
