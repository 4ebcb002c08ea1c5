package sqldb

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff says how to wait between tries: the first wait is up to First, each
// further one up to twice the one before but at most Max, and all of them
// together at most Total. Each wait is drawn evenly from its upper half, so
// that competing processes do not stay in step.
type Backoff struct {
	First, Max, Total time.Duration
}

// Do calls fn until it returns something else than a busy error (see IsBusy),
// the waits are used up or ctx ends, and returns fn's last error as it is.
func (b Backoff) Do(ctx context.Context, fn func() error) error {
	wait, left := max(b.First, time.Microsecond), b.Total
	for {
		err := fn()
		if err == nil || !IsBusy(err) || left <= 0 {
			return err
		}
		d := min(wait/2+rand.N(wait/2+1), left)
		left -= d
		wait = min(2*wait, max(b.Max, b.First))
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}
