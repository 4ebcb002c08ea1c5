package supervise

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"
)

// Notify tells the service manager a state, as in sd_notify(3): "READY=1",
// "STOPPING=1". Without one it does nothing.
func Notify(ctx context.Context, state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unixgram", path) // a name that begins with @ is an abstract one, as in Go
	if err != nil {
		return // who does not listen is told nothing
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}

// Watchdog tells the service manager that this process lives, twice within the
// time it asked for (sd_watchdog_enabled(3)), until ctx ends. Without a time it
// does nothing.
func Watchdog(ctx context.Context) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec < 2 {
		return
	}
	tick := time.NewTicker(time.Duration(usec) * time.Microsecond / 2)
	defer tick.Stop()
	for {
		Notify(ctx, "WATCHDOG=1")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
