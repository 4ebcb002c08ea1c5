package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

// remembered is how many ids of sent messages the courier remembers, so that a
// repeated call does not send twice. The vault repeats a call within its
// message's deadline, minutes to a day.
const remembered = 100_000

// Courier sends each message once. It holds messages only while they are on
// their way, afterwards their ids. It is safe for concurrent use.
type Courier struct {
	sender Sender
	now    func() time.Time

	mu     sync.Mutex
	onWay  map[string]*sending
	sent   map[string]struct{}
	oldest []string // a ring of the ids in sent
	next   int
}

// sending is one message on its way; done closes when err is known.
type sending struct {
	done chan struct{}
	err  error
}

// NewCourier makes a courier over a sender.
func NewCourier(s Sender, now func() time.Time) *Courier {
	return &Courier{sender: s, now: now, onWay: map[string]*sending{}, sent: map[string]struct{}{}}
}

// Handler serves POST /send (204 sent, 400 not a message, 413 too long, 415 not
// JSON, 422 no route takes it, 503 try again) and, when the sender is an
// Outbox, GET /messages. Answers hold no text.
func (c *Courier) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(c.post(w, r)) })
	if box, ok := c.sender.(*Outbox); ok {
		mux.HandleFunc("GET /messages", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(box.Messages()) // a caller that is gone needs no answer
		})
	}
	return mux
}

// post sends the message of a request and returns the status to answer.
func (c *Courier) post(w http.ResponseWriter, r *http.Request) int {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return http.StatusBadRequest
	}
	m, err := parseMessage(raw)
	if err != nil {
		return http.StatusBadRequest
	}
	switch err := c.Send(r.Context(), m); {
	case err == nil:
		return http.StatusNoContent
	case fault.Is(err, fault.Invalid):
		return http.StatusUnprocessableEntity
	}
	return http.StatusServiceUnavailable
}

// Send sends a message once, however often and from wherever it is called with
// the same ID, as long as the ID is among the last 100,000 sent. A failed send
// may be repeated. A message past its deadline is dropped without an error. The
// error is the sender's, or fault.Unavailable when ctx ended while another call
// was sending the same message.
func (c *Courier) Send(ctx context.Context, m Message) error {
	if m.Deadline > 0 && c.now().UnixMilli() > m.Deadline {
		return nil
	}
	c.mu.Lock()
	if _, done := c.sent[m.ID]; done {
		c.mu.Unlock()
		return nil
	}
	if other := c.onWay[m.ID]; other != nil {
		c.mu.Unlock()
		select {
		case <-other.done:
			return other.err
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "courier", "the message is still on its way")
		}
	}
	s := &sending{done: make(chan struct{}), err: fault.New(fault.Unavailable, "courier", "sending broke off")}
	c.onWay[m.ID] = s
	c.mu.Unlock()
	defer c.settle(m.ID, s) // also when the sender panics
	s.err = c.sender.Send(ctx, m)
	return s.err
}

// settle ends the sending of one message.
func (c *Courier) settle(id string, s *sending) {
	c.mu.Lock()
	delete(c.onWay, id)
	if s.err == nil {
		c.remember(id)
	}
	c.mu.Unlock()
	close(s.done)
}

// remember keeps an id in place of the oldest. Callers hold mu.
func (c *Courier) remember(id string) {
	c.sent[id] = struct{}{}
	if len(c.oldest) < remembered {
		c.oldest = append(c.oldest, id)
		return
	}
	delete(c.sent, c.oldest[c.next])
	c.oldest[c.next] = id
	c.next = (c.next + 1) % remembered
}
