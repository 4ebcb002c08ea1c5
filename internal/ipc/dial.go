package ipc

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// Dialer makes connections over the client's end of a rendezvous. It is safe
// for concurrent use.
type Dialer struct {
	c    *net.UnixConn
	raw  syscall.RawConn
	turn chan struct{} // one sender at a time, because the write deadline is the descriptor's
	err  error
}

// NewDialer makes a dialer of the client's end. The file stays the caller's and
// may be closed. When it is no rendezvous every dial fails with fault.Internal.
func NewDialer(client *os.File) *Dialer {
	c, raw, err := rendezvous(client)
	return &Dialer{c: c, raw: raw, turn: make(chan struct{}, 1), err: err}
}

// Close ends the use of the rendezvous; open connections are not touched.
func (d *Dialer) Close() error {
	if d.c == nil {
		return nil
	}
	return d.c.Close()
}

// DialContext makes one connection. It does not wait for the server, only for
// room in the rendezvous' queue, and no longer than ctx. fault.Unavailable,
// around ctx's error where that is the cause, may be tried again; nothing has
// been sent then.
func (d *Dialer) DialContext(ctx context.Context) (net.Conn, error) {
	if d.err != nil {
		return nil, d.err
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ipc: dial")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ipc: socket pair")
	}
	own := os.NewFile(uintptr(fds[0]), "ipc")
	defer own.Close()
	defer unix.Close(fds[1])
	c, err := net.FileConn(own)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ipc: connection")
	}
	if err := d.pass(ctx, fds[1]); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// pass sends one descriptor, waiting for room.
func (d *Dialer) pass(ctx context.Context, fd int) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "ipc: the server's queue is full")
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = d.c.SetWriteDeadline(time.Unix(1, 0)) // long past: ends the wait below
	})
	defer func() {
		if !stop() {
			<-fired
			_ = d.c.SetWriteDeadline(time.Time{})
		}
	}()
	rights := unix.UnixRights(fd)
	for {
		var serr error
		err := d.raw.Write(func(s uintptr) bool {
			for {
				serr = unix.Sendmsg(int(s), []byte{1}, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
				if !errors.Is(serr, unix.EINTR) {
					return !errors.Is(serr, unix.EAGAIN)
				}
			}
		})
		if err == nil {
			err = serr
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fault.Wrap(fault.Unavailable, ctx.Err(), "ipc: the server's queue is full")
		case !errors.Is(err, unix.ETOOMANYREFS) && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.ENOMEM):
			return fault.Wrap(fault.Unavailable, err, "ipc: the server's end is closed")
		}
		// The kernel's own bound on descriptors in flight; it goes as the queue drains.
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}
