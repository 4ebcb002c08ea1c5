package edge

import (
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func tiny(burst int) *limiter {
	return &limiter{every: time.Second, burst: time.Duration(burst) * time.Second, seed: maphash.MakeSeed(), tat: make([]int64, limiterSlots)}
}

func TestLimiter(t *testing.T) {
	l, now := tiny(3), fixedNow
	for i := range 4 {
		if wait := l.take("a", now); wait != 0 {
			t.Fatalf("request %d of a burst waits %v", i, wait)
		}
	}
	if wait := l.take("a", now); wait != time.Second {
		t.Errorf("beyond the burst: wait %v", wait)
	}
	if wait := l.take("b", now); wait != 0 {
		t.Errorf("another caller waits %v", wait)
	}
	now = now.Add(time.Second) // one request's worth
	if first, second := l.take("a", now), l.take("a", now); first != 0 || second != time.Second {
		t.Errorf("after a second: %v, %v", first, second)
	}
	now = now.Add(time.Hour) // a pause is no credit beyond the burst
	for range 4 {
		l.take("a", now)
	}
	if l.take("a", now) == 0 {
		t.Error("an hour's pause gave more than the burst")
	}
	if l.take("a", now.Add(-time.Minute)) == 0 {
		t.Error("a clock set back gives credit")
	}
	if len(l.tat) != limiterSlots {
		t.Error("the table grows")
	}
	if (*limiter)(nil).take("a", now) != 0 {
		t.Error("limits that are off refuse")
	}
}

func TestLimiterTogether(t *testing.T) {
	l := tiny(9)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if l.take("a", fixedNow) == 0 {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != 10 {
		t.Errorf("%d of 800 requests passed, want 10", passed.Load())
	}
}

// TestLimits: every class of the table has a limit, and none that twelve calls
// at once reach (contract.md 1.11 item 11).
func TestLimits(t *testing.T) {
	limits := newLimits(false)
	for _, r := range newRig(t).routes() {
		l := limits[r.Rate]
		if l == nil {
			t.Fatalf("%s has no limit", r.Path)
		}
		for i := range 12 {
			if l.take(r.Path, fixedNow) != 0 {
				t.Errorf("%s: call %d of 12 was refused", r.Path, i)
			}
		}
	}
	for rate, l := range limits {
		n := 0
		for n < 100_000 && l.take("one caller", fixedNow) == 0 {
			n++
		}
		if n == 100_000 {
			t.Errorf("%s never refuses", rate)
		}
	}
	for rate, l := range newLimits(true) {
		if l != nil {
			t.Errorf("%s is limited though limits are off", rate)
		}
	}
}

// TestLimited: a route over its limit answers 429 and when to come back, before
// it looks at anything else.
func TestLimited(t *testing.T) {
	r := newRig(t)
	for _, route := range r.routes() {
		r.limits[route.Rate] = tiny(0)
		r.limits[route.Rate].take("192.0.2.0/24", fixedNow)
		calls := r.back.calls
		w := r.send(route.Method, target(route), fmt.Sprintf("{%s", "never read"))
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || r.back.calls != calls {
			t.Errorf("%s: %d %v", route.Path, w.Code, w.Header())
		}
		errorOf(t, w)
	}
}
