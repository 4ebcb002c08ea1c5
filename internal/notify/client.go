package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"tikakosh/internal/fault"
)

// maxMessages bounds the outbox as a client reads it, in bytes.
const maxMessages = 8 << 20

// base is the address of the courier; the transport leads there whatever it says.
const base = "http://courier"

// Client is the vault's side of the courier's socket. It is safe for concurrent use.
type Client struct{ http *http.Client }

// NewClient makes a client over an HTTP client whose transport leads to the
// courier (ipc.HTTPClient).
func NewClient(h *http.Client) *Client { return &Client{h} }

// Send hands a message to the courier. fault.Unavailable when it was not sent and
// may be repeated with the same ID, fault.Unknown when it may have been sent,
// fault.Invalid when no route takes it, fault.Internal when it is no message. The error never holds number or text.
func (c *Client) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fault.New(fault.Internal, "courier", "message")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/send", bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Internal, "courier", "message")
	}
	req.Header.Set("Content-Type", "application/json")
	// From the first byte that went out on, the courier may have acted on it. A
	// socket pair takes bytes that nobody reads any more; so a connection that
	// breaks is no proof that nothing was sent.
	var sent atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}))
	res, err := c.http.Do(req)
	if err != nil {
		if sent.Load() {
			return fault.New(fault.Unknown, "courier", "the courier gave no answer")
		}
		return fault.New(fault.Unavailable, "courier", "the courier cannot be reached")
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1024)) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusUnprocessableEntity:
		return fault.New(fault.Invalid, "courier", "no route takes this message")
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return fault.New(fault.Internal, "courier", "the courier does not take this message")
	}
	if res.StatusCode == http.StatusGatewayTimeout {
		return fault.New(fault.Unknown, "courier", "the message may have been sent")
	}
	return fault.New(fault.Unavailable, "courier", "the message could not be sent")
}

// Messages returns the outbox, newest first; fault.Unavailable when the courier
// keeps none or cannot be reached.
func (c *Client) Messages(ctx context.Context) ([]Delivered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/messages", nil)
	if err != nil {
		return nil, fault.New(fault.Internal, "courier", "outbox")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "courier", "the courier cannot be reached")
	}
	defer res.Body.Close()
	var out []Delivered
	if res.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(res.Body, maxMessages)).Decode(&out) != nil {
		return nil, fault.New(fault.Unavailable, "courier", "the courier keeps no outbox")
	}
	return out, nil
}
