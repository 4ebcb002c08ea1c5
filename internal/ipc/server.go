package ipc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"
)

// The bounds of what one Server works on at a time; a connection that would exceed
// them is not read meanwhile. Who is behind a rendezvous uses up only its own share.
const (
	maxCalls = 2048
	maxBytes = 64 << 20
)

// Server answers the calls of HTTPClient with an http.Handler. The handler sees
// method, path, Content-Type, Accept, Traceparent and body, as the remote address the
// name of the role that calls, and a context that ends when the caller gives up or
// its connection ends. Of an answer status, Content-Type and body travel back. A
// panic is logged and answered with 500.
type Server struct {
	Handler http.Handler
	Logger  *slog.Logger // nil: none

	once    sync.Once
	room    *room
	working sync.WaitGroup // connections being served

	mu      sync.Mutex
	closing bool
	ln      net.Listener
	conns   map[net.Conn]bool
}

func (s *Server) begin() {
	s.once.Do(func() { s.room, s.conns = newRoom(), map[net.Conn]bool{} })
}

// Serve accepts connections until Shutdown, and then returns http.ErrServerClosed.
func (s *Server) Serve(ln net.Listener) error {
	s.begin()
	s.mu.Lock()
	s.ln = ln
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return errors.Join(http.ErrServerClosed, ln.Close())
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.closing {
				return http.ErrServerClosed
			}
			return err
		}
		s.mu.Lock()
		if s.closing {
			_ = c.Close()
		} else {
			s.conns[c] = true
			s.working.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

// Shutdown stops accepting and reading, and waits until the calls under way are
// answered, or for the end of ctx, whose error it then returns; their connections are
// closed then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.begin()
	s.mu.Lock()
	s.closing = true
	if s.ln != nil {
		_ = s.ln.Close()
	}
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // long past
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.working.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
	return ctx.Err()
}

// peer is one connection of a client.
type peer struct {
	s    *Server
	name string
	out  outbound

	mu   sync.Mutex
	ends map[uint64]context.CancelFunc // calls under way
}

// serve answers one connection until it ends, and its calls are answered.
func (s *Server) serve(c net.Conn) {
	ctx, end := context.WithCancel(context.Background())
	p := &peer{s: s, name: c.RemoteAddr().String(), out: outbound{conn: c}, ends: map[uint64]context.CancelFunc{}}
	var calls sync.WaitGroup
	in := bufio.NewReaderSize(c, readBuffer)
	for {
		held := 0
		f, err := readFrame(in, maxFrame, func(n int) { held = n; s.room.take(n) })
		if err == nil && f.kind == kindCall && p.begins(ctx, f, &calls, held) {
			continue
		}
		if held > 0 {
			s.room.give(held)
		}
		if err != nil || f.kind != kindCancel {
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() { // else Shutdown ended the reading
				end() // nobody waits for the answers any more
			}
			break
		}
		p.mu.Lock()
		if cancel := p.ends[f.id]; cancel != nil {
			cancel()
		}
		p.mu.Unlock()
	}
	calls.Wait()
	p.out.flushed()
	end()
	_ = c.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// begins starts a call; false when its number is in use.
func (p *peer) begins(ctx context.Context, f frame, calls *sync.WaitGroup, held int) bool {
	ctx, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends[f.id] != nil {
		cancel()
		return false
	}
	p.ends[f.id] = cancel
	calls.Go(func() {
		defer p.s.room.give(held)
		p.answer(ctx, f)
		p.mu.Lock()
		delete(p.ends, f.id)
		p.mu.Unlock()
		cancel()
	})
	return true
}

// answer lets the handler answer a call and sends that.
func (p *peer) answer(ctx context.Context, f frame) {
	w := &answer{header: http.Header{}}
	p.handle(ctx, w, f)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	send := func(b []byte) ([]byte, error) {
		return appendAnswer(b, f.id, w.status, w.header.Get("Content-Type"), w.body)
	}
	err := p.out.add(send)
	if errors.Is(err, errFrame) { // too long
		w.status, w.body = http.StatusInternalServerError, nil
		err = p.out.add(send)
	}
	if err != nil {
		_ = p.out.conn.Close()
	}
}

func (p *peer) handle(ctx context.Context, w *answer, f frame) {
	defer func() {
		if r := recover(); r != nil {
			if p.s.Logger != nil {
				p.s.Logger.Error("panic in a handler", "stack", string(debug.Stack()))
			}
			w.status, w.body = http.StatusInternalServerError, nil
		}
	}()
	r := &http.Request{Method: f.verb, URL: &url.URL{Path: f.path}, RequestURI: f.path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(f.body)), ContentLength: int64(len(f.body)), RemoteAddr: p.name}
	for _, h := range [...][2]string{{"Content-Type", f.content}, {"Accept", f.accept}, {"Traceparent", f.trace}} {
		if h[1] != "" {
			r.Header[h[0]] = []string{h[1]}
		}
	}
	p.s.Handler.ServeHTTP(w, r.WithContext(ctx))
}

// answer implements http.ResponseWriter in memory.
type answer struct {
	header http.Header
	status int
	body   []byte
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if len(a.body)+len(b) > MaxBody {
		return 0, errFrame
	}
	a.body = append(a.body, b...)
	return len(b), nil
}

// room bounds calls and bytes.
type room struct {
	mu    sync.Mutex
	freed *sync.Cond
	calls int
	bytes int
}

func newRoom() *room {
	r := &room{}
	r.freed = sync.NewCond(&r.mu)
	return r
}

// take waits for room for one call of n bytes.
func (r *room) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.calls >= maxCalls || r.calls > 0 && r.bytes+n > maxBytes {
		r.freed.Wait()
	}
	r.calls++
	r.bytes += n
}

func (r *room) give(n int) {
	r.mu.Lock()
	r.calls--
	r.bytes -= n
	r.mu.Unlock()
	r.freed.Broadcast()
}
