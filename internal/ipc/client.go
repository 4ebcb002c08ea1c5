package ipc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

// BaseURL is the base address for requests through HTTPClient. Its host is only
// a name: the rendezvous decides where a request goes.
const BaseURL = "http://vault"

// readBuffer is how much a connection reads at once, in bytes.
const readBuffer = 64 << 10

// HTTPClient makes an HTTP client over the rendezvous for a Server at its other end. What
// travels are frames: of a request its method, path, Content-Type, Accept,
// Traceparent and body, of an answer its status, Content-Type and body, each body of
// at most MaxBody. timeout bounds one whole call; 0 leaves it to the context. It
// follows no redirects and uses no proxy. A request that was sent when the server
// died fails and is not repeated: only its caller knows whether it may be. A client
// trace's GotConn is called right before a request is sent; without it nothing was.
func HTTPClient(d *Dialer, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &transport{dial: d.DialContext, turn: make(chan struct{}, 1)},
	}
}

// transport implements http.RoundTripper over one connection at a time, which all
// calls share. It is safe for concurrent use.
type transport struct {
	dial func(context.Context) (net.Conn, error)
	turn chan struct{} // held while link is looked at or made
	link *link
}

// errGone says that a connection ended.
var errGone = errors.New("ipc: the connection ended")

// link is one connection with the calls under way on it.
type link struct {
	out  outbound
	gone chan struct{} // closed at the end of the connection

	mu    sync.Mutex
	next  uint64
	calls map[uint64]chan frame
	dead  bool
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	for range 3 {
		l, err := t.connected(ctx)
		if err != nil {
			return nil, err
		}
		f, sent, err := l.call(ctx, r, body)
		switch {
		case err == nil:
			return answerOf(r, f), nil
		case sent || ctx.Err() != nil || errors.Is(err, errBusy):
			return nil, err
		}
	}
	return nil, fault.New(fault.Unavailable, "ipc", "the other role closes every connection")
}

func bodyOf(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	if r.ContentLength > 0 && r.ContentLength <= MaxBody {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if len(body) > MaxBody {
		return nil, fault.New(fault.Invalid, "ipc", "the request is too large")
	}
	return body, err
}

func answerOf(r *http.Request, f frame) *http.Response {
	res := &http.Response{Status: http.StatusText(f.status), StatusCode: f.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(f.body)), ContentLength: int64(len(f.body)), Request: r}
	if f.content != "" {
		res.Header["Content-Type"] = []string{f.content}
	}
	return res
}

// connected returns the connection, made anew when there is none.
func (t *transport) connected(ctx context.Context) (*link, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t.link != nil && !t.link.ended() {
		return t.link, nil
	}
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	t.link = &link{out: outbound{conn: c}, gone: make(chan struct{}), calls: map[uint64]chan frame{}}
	go t.link.read(c)
	return t.link, nil
}

// CloseIdleConnections ends the connection unless a call is under way, with the
// buffers that hold what went over it last.
func (t *transport) CloseIdleConnections() {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.link != nil && t.link.idle() {
		t.link = nil
	}
}

func (l *link) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// idle ends the connection when nothing is under way on it.
func (l *link) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) > 0 {
		return false
	}
	l.dead = true
	_ = l.out.conn.Close()
	return true
}

// call sends one request and waits for its answer. Without sent nothing of it went
// out.
func (l *link) call(ctx context.Context, r *http.Request, body []byte) (f frame, sent bool, err error) {
	answered := make(chan frame, 1)
	l.mu.Lock()
	if l.dead {
		l.mu.Unlock()
		return f, false, errGone
	}
	l.next++
	id := l.next
	l.calls[id] = answered
	l.mu.Unlock()
	defer l.forget(id)
	err = l.out.add(func(b []byte) ([]byte, error) {
		b, err := appendCall(b, frame{id: id, verb: r.Method, path: r.URL.Path, content: r.Header.Get("Content-Type"),
			accept: r.Header.Get("Accept"), trace: r.Header.Get("Traceparent"), body: body})
		if err == nil {
			sent = true
			if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
				trace.GotConn(httptrace.GotConnInfo{Conn: l.out.conn, Reused: id > 1})
			}
		}
		return b, err
	})
	if err != nil {
		return f, sent, err
	}
	select {
	case f = <-answered:
		return f, true, nil
	case <-ctx.Done():
		_ = l.out.add(func(b []byte) ([]byte, error) { return appendHead(b, kindCancel, id, 0), nil })
		return f, true, ctx.Err()
	case <-l.gone:
		select {
		case f = <-answered:
			return f, true, nil
		default:
			return f, true, errGone
		}
	}
}

func (l *link) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, id)
}

// read hands answers to their callers until the connection ends.
func (l *link) read(c net.Conn) {
	in := bufio.NewReaderSize(c, readBuffer)
	for {
		f, err := readFrame(in, maxFrame, nil)
		if err != nil || f.kind != kindAnswer {
			break
		}
		l.mu.Lock()
		answered := l.calls[f.id]
		delete(l.calls, f.id)
		l.mu.Unlock()
		if answered != nil { // else its caller has gone
			answered <- f
		}
	}
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	_ = c.Close()
	close(l.gone)
}
