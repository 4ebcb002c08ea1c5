package ipc

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is an accepted connection. The client may have kept a descriptor of the
// same socket and can clear its non-blocking mode; every call therefore says
// MSG_DONTWAIT itself, so that deadlines hold and no thread of the server gets
// stuck.
type conn struct {
	*net.UnixConn
	raw  syscall.RawConn
	name Addr
	free func()
	once sync.Once
}

// Read implements net.Conn. Descriptors sent along are dropped by the kernel.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	var n int
	var rerr error
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			n, _, rerr = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			if !errors.Is(rerr, unix.EINTR) {
				return !errors.Is(rerr, unix.EAGAIN)
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case rerr != nil:
		return 0, c.failed("read", rerr)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		var n int
		var werr error
		err := c.raw.Write(func(fd uintptr) bool {
			for {
				n, werr = unix.SendmsgN(int(fd), b[done:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
				if !errors.Is(werr, unix.EINTR) {
					return !errors.Is(werr, unix.EAGAIN)
				}
			}
		})
		if err != nil {
			return done, err
		}
		if werr != nil {
			return done, c.failed("write", werr)
		}
		done += n
	}
	return done, nil
}

// ReadFrom hides the embedded connection's, which would not say MSG_DONTWAIT.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(writerOnly{c}, r)
}

// WriteTo hides the embedded connection's likewise.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, readerOnly{c})
}

type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "ipc", Addr: c.name, Err: os.NewSyscallError(op, err)}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.UnixConn.Close()
	c.once.Do(c.free)
	return err
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.name }

// RemoteAddr implements net.Conn: the name of the role at the other end.
func (c *conn) RemoteAddr() net.Addr { return c.name }
