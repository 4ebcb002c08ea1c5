package post

import (
	"context"
	"slices"
	"sync"
	"time"

	"tikakosh/internal/vault/state"
)

// postroom holds the notices on their way. A key is in it from the moment it is
// queued until its row is gone, so that no sweep brings it twice.
type postroom struct {
	queue chan string
	mu    sync.Mutex
	keys  map[string]time.Duration // and how long each waits after its next failure
	out   map[string]bool          // messages that went out whose notice has another on its way
	ended []string                 // whose rows can go
	idle  bool                     // nothing took them since the last tick
	mails chan struct{}
}

func newPostroom() *postroom {
	return &postroom{queue: make(chan string, window), keys: map[string]time.Duration{}, out: map[string]bool{}, mails: make(chan struct{}, emailSenders)}
}

// take makes room for a key; false when it is there or there is no room. What
// finds no room stays in its row, and a later sweep brings it.
func (p *postroom) take(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.keys[key]; there || len(p.keys) >= window {
		return false
	}
	p.keys[key] = 50 * time.Millisecond
	return true
}

// later returns how long a key waits now and makes its next wait longer.
func (p *postroom) later(key string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.keys[key]
	p.keys[key] = min(2*wait, longestPause)
	return wait
}

// end says that a notice is done.
func (p *postroom) end(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, key)
}

// went says that one message of a notice is done, gone asks whether it is.
func (p *postroom) went(messageID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out[messageID] = true
}

func (p *postroom) gone(messageID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out[messageID]
}

// forget drops what went and gone know of a notice's messages.
func (p *postroom) forget(all []Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range all {
		delete(p.out, n.ID)
	}
}

// done hands out up to n ended keys for deletion; had is what the caller has
// from an attempt before.
func (p *postroom) done(had []string, n int) []string {
	if len(had) > 0 {
		return had
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = false
	n = min(n, len(p.ended))
	out := slices.Clone(p.ended[:n])
	p.ended = p.ended[n:]
	return out
}

// overdue is done for the tick: nothing at the first one after a transaction
// took some.
func (p *postroom) overdue(had []string) []string {
	p.mu.Lock()
	idle := p.idle || len(p.ended) > 500
	p.idle = true
	p.mu.Unlock()
	if !idle {
		return nil
	}
	out := p.done(had, 500)
	p.mu.Lock()
	p.idle = true
	p.mu.Unlock()
	return out
}

// deleted forgets keys whose rows are gone, or takes them back.
func (p *postroom) deleted(keys []string, ok bool) {
	if len(keys) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok {
		p.ended = append(p.ended, keys...)
		return
	}
	for _, key := range keys {
		delete(p.keys, key)
	}
}

// along lets rows of what is sent go in the commit of another transaction.
func (p *postroom) along() (take func(context.Context, state.Tx) error, taken func(committed bool)) {
	var ended []string
	return func(ctx context.Context, tx state.Tx) error {
		ended = p.done(ended, endWithOthers)
		return deleteNotices(ctx, tx, ended)
	}, func(committed bool) { p.deleted(ended, committed) }
}
