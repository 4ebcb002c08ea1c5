package harness

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Line is a network line to a server on this machine that a test can hold up: no
// byte passes then, in either direction, and nobody is told, as when a cable is
// pulled. What was on its way arrives when the line is let go.
type Line struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	moved *sync.Cond
	held  bool
	conns []net.Conn
}

// NewLine opens a line to an address until the end of the test.
func NewLine(tb TB, to string) *Line {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Line{listener: ln, to: to}
	l.moved = sync.NewCond(&l.mu)
	go l.accept()
	tb.Cleanup(l.close)
	return l
}

// Addr is the line's near end.
func (l *Line) Addr() string { return l.listener.Addr().String() }

// Hold holds the line up, or lets it go.
func (l *Line) Hold(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = on
	l.moved.Broadcast()
}

func (l *Line) close() {
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.moved.Broadcast()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

func (l *Line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, far)
		l.mu.Unlock()
		go l.pass(near, far)
		go l.pass(far, near)
	}
}

func (l *Line) pass(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		l.wait()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		if err != nil && !errors.Is(err, io.ErrShortBuffer) {
			_, _ = from.Close(), to.Close()
			return
		}
	}
}

func (l *Line) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held {
		l.moved.Wait()
	}
}
