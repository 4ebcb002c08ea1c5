package edge

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// rawLog is where builds with the log control switched off write raw lines.
var rawLog = os.Stderr

// idleAfter is how long nothing may happen before memory is cleared.
const idleAfter = 8 * time.Second

// activity notices when the server has nothing to do.
type activity struct{ n atomic.Int64 }

func (a *activity) touch() { a.n.Add(1) }

// watch collects garbage twice and returns memory once per idle phase, after
// idle has closed what holds buffers. Freed objects are overwritten by the
// runtime (GODEBUG=clobberfree=1, set by the supervisor).
func (a *activity) watch(ctx context.Context, idle func()) {
	tick := time.NewTicker(idleAfter / 2)
	defer tick.Stop()
	seen, cleaned := int64(-1), int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := a.n.Load()
		if n == seen && n != cleaned {
			idle()
			// Pools give up what they hold in the second collection; the third
			// frees what their finalizers kept.
			for range 3 {
				runtime.GC()
			}
			debug.FreeOSMemory()
			cleaned = n
		}
		seen = n
	}
}
