package edge

import (
	"hash/maphash"
	"sync"
	"time"

	"tikakosh/internal/ablate"
)

// limiter is GCRA (the generic cell rate algorithm, ITU-T I.371) over a table
// of fixed size: a collision only makes limits stricter, and memory does not
// grow with the number of callers.
type limiter struct {
	every time.Duration // one request per
	burst time.Duration // how far ahead of the rate a caller may be
	seed  maphash.Seed
	mu    sync.Mutex
	tat   []int64 // theoretical arrival times, Unix nanoseconds
}

const limiterSlots = 1 << 16

// newLimits makes the limits per origin network. An origin is a whole /24, so
// they are above CoWIN's 100 calls in 5 minutes per address; twelve calls at
// once are no burst to refuse (contract.md 1.11).
func newLimits(off bool) map[Rate]*limiter {
	make1 := func(perMinute, burst int) *limiter {
		if off {
			return nil
		}
		every := time.Minute / time.Duration(perMinute)
		return &limiter{every: every, burst: every * time.Duration(burst), seed: maphash.MakeSeed(), tat: make([]int64, limiterSlots)}
	}
	out := map[Rate]*limiter{RateCode: make1(6000, 3000), RateSearch: make1(60_000, 20_000), RateSelf: make1(30_000, 10_000)}
	if ablate.Off(ablate.SearchLimit) {
		out[RateSearch] = nil
	}
	return out
}

// take counts one request and returns how long to wait, 0 when admitted.
func (l *limiter) take(key string, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	return l.takeAt(maphash.String(l.seed, key), now)
}

// takeAt is take for the hash of a key.
func (l *limiter) takeAt(hash uint64, now time.Time) time.Duration {
	slot := hash % limiterSlots
	l.mu.Lock()
	defer l.mu.Unlock()
	t := now.UnixNano()
	tat := max(l.tat[slot], t)
	if ahead := tat - t; ahead > int64(l.burst) {
		return time.Duration(ahead) - l.burst
	}
	l.tat[slot] = tat + int64(l.every)
	return 0
}
