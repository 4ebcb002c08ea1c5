package notify

import (
	"context"
	"sync"
	"time"
)

// OutboxSize is how many messages an outbox keeps.
const OutboxSize = 2000

// Delivered is a message as the outbox page shows it; At is Unix milliseconds.
type Delivered struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
	At   int64  `json:"at"`
}

// Outbox is the route of demos and trials: it keeps the last messages in memory
// for the outbox page and sends none. It is safe for concurrent use.
type Outbox struct {
	now func() time.Time

	mu   sync.Mutex
	ring []Delivered
	next int // the oldest, once the ring is full
}

// NewOutbox makes an empty outbox.
func NewOutbox(now func() time.Time) *Outbox { return &Outbox{now: now} }

// Send implements Sender: it keeps the message, in place of the oldest when full.
func (o *Outbox) Send(_ context.Context, m Message) error {
	d := Delivered{ID: m.ID, To: m.To, Text: m.Text, At: o.now().UnixMilli()}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.ring) < OutboxSize {
		o.ring = append(o.ring, d)
		return nil
	}
	o.ring[o.next] = d
	o.next = (o.next + 1) % OutboxSize
	return nil
}

// Messages returns the kept messages, newest first.
func (o *Outbox) Messages() []Delivered {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Delivered, 0, len(o.ring))
	for i := range o.ring {
		out = append(out, o.ring[(o.next+len(o.ring)-1-i)%len(o.ring)])
	}
	return out
}
