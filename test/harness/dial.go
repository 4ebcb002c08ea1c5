package harness

import (
	"context"
	"syscall"
)

// onlyLoopback runs for each socket after the name was resolved and before it
// connects.
func onlyLoopback(_ context.Context, _, address string, _ syscall.RawConn) error {
	return CheckLoopback(address)
}
