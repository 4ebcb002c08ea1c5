package registry

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

const (
	// reportMax is how many seals one report carries.
	reportMax = 100
	// reportTime bounds one report.
	reportTime = 30 * time.Second
)

// report is one stored seal whose head is to move.
type report struct {
	seal string
	err  error
	done chan struct{}
}

// reporter tells the vault of stored seals. While one report is under way the
// next ones gather and go together, in one call and one commit of the vault; one
// alone is sent at once. What it holds the outbox holds too: a process that dies
// with it loses nothing.
type reporter struct {
	vault Reports

	mu      sync.Mutex
	waiting []*report
	busy    bool
}

// tell reports one seal and returns when the vault has moved the head.
func (r *reporter) tell(ctx context.Context, seal string) error {
	mine := &report{seal: seal, done: make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, mine)
	lead := !r.busy
	r.busy = true
	r.mu.Unlock()
	if lead {
		go r.run()
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return &fault.Error{Kind: fault.Unavailable, Code: "vault", Text: "the caller has gone", RetryAfter: time.Second, Err: ctx.Err()}
	}
}

// run sends what waits until nothing does.
func (r *reporter) run() {
	for {
		r.mu.Lock()
		some := r.waiting[:min(len(r.waiting), reportMax)]
		r.waiting = r.waiting[len(some):]
		r.busy = len(some) > 0
		r.mu.Unlock()
		if len(some) == 0 {
			return
		}
		r.send(some)
	}
}

// send reports seals together, and each alone when that fails, so that none
// fails for another's sake.
func (r *reporter) send(some []*report) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	seals := make([]string, len(some))
	for i, s := range some {
		seals[i] = s.seal
	}
	_, err := r.vault.Committed(ctx, vault.CommittedRequest{Seals: seals})
	for i, s := range some {
		if s.err = err; err != nil && len(some) > 1 && !fault.Is(err, fault.Unavailable) {
			_, s.err = r.vault.Committed(ctx, vault.CommittedRequest{Seals: seals[i : i+1]})
		}
		close(s.done)
	}
}
