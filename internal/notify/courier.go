// Package notify is the courier: it carries messages to people and keeps
// nothing. It never learns who somebody is; it gets one number and one text at
// a time from the vault.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

// Message is one text to one number. ID makes sending idempotent; after
// Deadline (Unix milliseconds) sending is pointless.
type Message struct {
	ID       string
	To       string
	Channel  string // "sms"
	Text     string
	Deadline int64
}

// Sender hands a message to a route. It returns nil when the route has taken
// it, fault.Unavailable when it may be tried again. It must not log To or Text.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// maxMessage bounds a call to the courier, in bytes.
const maxMessage = 16 << 10

// remembered is how many message ids the courier remembers, so that a repeated
// call does not send twice.
const remembered = 100_000

// Courier serves the vault's calls. It is safe for concurrent use.
type Courier struct {
	sender Sender
	now    func() time.Time
	mu     sync.Mutex
	sent   map[string]*sending
	order  []string
}

// sending is one message on its way; done closes when err is known.
type sending struct {
	done chan struct{}
	err  error
}

// NewCourier makes a courier over a sender.
func NewCourier(s Sender, now func() time.Time) *Courier {
	return &Courier{sender: s, now: now, sent: map[string]*sending{}}
}

// Handler serves POST /send, and GET /messages when the sender keeps an outbox.
func (c *Courier) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		var m Message
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&m); err != nil || m.ID == "" || m.To == "" || m.Text == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := c.Send(r.Context(), m); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if box, ok := c.sender.(*Outbox); ok {
		mux.HandleFunc("GET /messages", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(box.Messages())
		})
	}
	return mux
}

// Send sends a message once, however often it is called with the same ID. A
// failed send may be repeated.
func (c *Courier) Send(ctx context.Context, m Message) error {
	if m.Deadline > 0 && c.now().UnixMilli() > m.Deadline {
		return nil // too late to be of use
	}
	c.mu.Lock()
	if s := c.sent[m.ID]; s != nil {
		c.mu.Unlock()
		select {
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "courier", "the message is still on its way")
		}
	}
	s := &sending{done: make(chan struct{})}
	c.sent[m.ID] = s
	c.order = append(c.order, m.ID)
	if len(c.order) > remembered {
		delete(c.sent, c.order[0])
		c.order = c.order[1:]
	}
	c.mu.Unlock()
	s.err = c.sender.Send(ctx, m)
	if s.err != nil {
		c.mu.Lock()
		delete(c.sent, m.ID)
		c.mu.Unlock()
	}
	close(s.done)
	return s.err
}

// Client is the vault's side of the courier's socket.
type Client struct{ http *http.Client }

// NewClient makes a client over an HTTP client whose transport leads to the courier.
func NewClient(h *http.Client) *Client { return &Client{h} }

// Send hands a message to the courier; fault.Unavailable when it may be repeated
// with the same ID. The error never holds number or text.
func (c *Client) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fault.New(fault.Internal, "courier", "message")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://courier/send", bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Internal, "courier", "message")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fault.New(fault.Unavailable, "courier", "the courier cannot be reached")
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1024))
	switch {
	case res.StatusCode == http.StatusNoContent:
		return nil
	case res.StatusCode == http.StatusBadRequest:
		return fault.New(fault.Internal, "courier", "the courier does not take this message")
	}
	return fault.New(fault.Unavailable, "courier", "the message could not be sent")
}

// Delivered is a message as the outbox page shows it.
type Delivered struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
	At   int64  `json:"at"`
}

// Messages returns the outbox, newest first.
func (c *Client) Messages(ctx context.Context) ([]Delivered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://courier/messages", nil)
	if err != nil {
		return nil, fault.New(fault.Internal, "courier", "outbox")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "courier", "the courier cannot be reached")
	}
	defer res.Body.Close()
	var out []Delivered
	if res.StatusCode != http.StatusOK || json.NewDecoder(res.Body).Decode(&out) != nil {
		return nil, fault.New(fault.Unavailable, "courier", "the courier keeps no outbox")
	}
	return out, nil
}

// Outbox is the route of demos and trials: it keeps the last messages in memory
// for the outbox page. It is safe for concurrent use.
type Outbox struct {
	now  func() time.Time
	mu   sync.Mutex
	kept []Delivered
}

const outboxSize = 2000

// NewOutbox makes an empty outbox.
func NewOutbox(now func() time.Time) *Outbox { return &Outbox{now: now} }

// Send keeps the message.
func (o *Outbox) Send(_ context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, Delivered{ID: m.ID, To: m.To, Text: m.Text, At: o.now().UnixMilli()})
	if len(o.kept) > 2*outboxSize {
		o.kept = append([]Delivered(nil), o.kept[len(o.kept)-outboxSize:]...)
	}
	return nil
}

// Messages returns the kept messages, newest first.
func (o *Outbox) Messages() []Delivered {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := o.kept[max(0, len(o.kept)-outboxSize):]
	out := make([]Delivered, 0, len(kept))
	for i := len(kept) - 1; i >= 0; i-- {
		out = append(out, kept[i])
	}
	return out
}
