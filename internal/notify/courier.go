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

	"tikakosh/internal/ablate"
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
	sent   map[string]error // and fault.Unknown for what may have been
	oldest []string         // a ring of the ids in sent
	next   int
}

// sending is one message on its way; done closes when err is known.
type sending struct {
	done chan struct{}
	once bool
	err  error
}

// NewCourier makes a courier over a sender.
func NewCourier(s Sender, now func() time.Time) *Courier {
	return &Courier{sender: s, now: now, onWay: map[string]*sending{}, sent: map[string]error{}}
}

// Handler serves POST /send (204 sent, 400 not a message, 413 too long, 415 not
// JSON, 422 no route takes it, 503 not sent, 504 perhaps sent) and, when the sender is an
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
	case fault.Is(err, fault.Unknown):
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable
}

// Send sends a message once, however often and from wherever it is called with
// the same ID, as long as the ID is among the last 100,000 sent. A failed send
// may be repeated, except a message that goes once and may have been sent: that
// one answers fault.Unknown for ever. A message past its deadline is dropped: without
// an error, or with fault.Unavailable when it goes once, as somebody waits for it. The
// error is the sender's, or fault.Unavailable when ctx ended while another call
// was sending the same message.
func (c *Courier) Send(ctx context.Context, m Message) error {
	if m.Deadline > 0 && c.now().UnixMilli() > m.Deadline {
		if m.Once {
			return fault.New(fault.Unavailable, "courier", "the message came too late")
		}
		return nil
	}
	c.mu.Lock()
	if err, done := c.sent[m.ID]; done && !ablate.Off(ablate.SendOnce) {
		c.mu.Unlock()
		return err
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
	s := &sending{done: make(chan struct{}), err: fault.New(fault.Unknown, "courier", "sending broke off")}
	c.onWay[m.ID] = s
	c.mu.Unlock()
	defer c.settle(m.ID, s)                        // also when the sender panics
	if s.once = m.Once; m.Once && m.Deadline > 0 { // so that who waits gets a plain answer
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.UnixMilli(m.Deadline).Sub(c.now()))
		defer cancel()
	}
	s.err = c.sender.Send(ctx, m)
	return s.err
}

// settle ends the sending of one message.
func (c *Courier) settle(id string, s *sending) {
	c.mu.Lock()
	delete(c.onWay, id)
	if s.err == nil || s.once && fault.Is(s.err, fault.Unknown) {
		c.remember(id, s.err)
	}
	c.mu.Unlock()
	close(s.done)
}

// remember keeps an id in place of the oldest. Callers hold mu.
func (c *Courier) remember(id string, err error) {
	c.sent[id] = err
	if len(c.oldest) < remembered {
		c.oldest = append(c.oldest, id)
		return
	}
	delete(c.sent, c.oldest[c.next])
	c.oldest[c.next] = id
	c.next = (c.next + 1) % remembered
}
