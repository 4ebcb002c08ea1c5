package ipc

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// MaxConns is how many accepted connections of one rendezvous may be open at
// once. At the bound Accept waits, and what a client passes waits in the queue:
// a client can use up its own share, nobody else's.
const MaxConns = 512

// Addr names one end of a connection: the caller's role, as the server was told
// when it was started. It is what http.Request.RemoteAddr shows.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string { return "ipc" }

// String implements net.Addr.
func (a Addr) String() string { return string(a) }

// listener accepts the connections that arrive over a rendezvous.
type listener struct {
	c     *net.UnixConn
	raw   syscall.RawConn
	name  Addr
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

// Listen makes a listener of the server's end of a rendezvous. name is shown as
// the remote address of every connection. The file stays the caller's and may
// be closed. fault.Internal when it is no rendezvous.
//
// Accept returns net.ErrClosed after Close and no error before it. Several
// goroutines may accept. A client that shuts its end down ends its own
// rendezvous: Accept then waits for Close, so that it cannot stop the server.
func Listen(server *os.File, name string) (net.Listener, error) {
	c, raw, err := rendezvous(server)
	if err != nil {
		return nil, err
	}
	return &listener{c: c, raw: raw, name: Addr(name), slots: make(chan struct{}, MaxConns), done: make(chan struct{})}, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	case l.slots <- struct{}{}:
	}
	for {
		fds, err := l.receive()
		if err != nil {
			<-l.slots
			return nil, err
		}
		if c := l.admit(fds); c != nil {
			return c, nil
		}
	}
}

// receive waits for one message and returns the descriptors in it, which may be
// none. The only error is net.ErrClosed.
func (l *listener) receive() ([]int, error) {
	var (
		body [1]byte
		oob  = make([]byte, unix.CmsgSpace(4))
		n, m int
		ends bool
		rerr error
	)
	err := l.raw.Read(func(fd uintptr) bool {
		for {
			n, m, _, _, rerr = unix.Recvmsg(int(fd), body[:], oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(rerr, unix.EINTR) {
				break
			}
		}
		ends = rerr == nil && n == 0 && m == 0 && hungUp(int(fd), unix.POLLRDHUP)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	if err != nil {
		return nil, net.ErrClosed
	}
	switch {
	case ends:
		<-l.done // nothing more can come over this pair
		return nil, net.ErrClosed
	case rerr != nil:
		// The kernel is short of memory, or reports once that the client has gone.
		select {
		case <-l.done:
			return nil, net.ErrClosed
		case <-time.After(5 * time.Millisecond):
			return nil, nil
		}
	}
	// What did not fit was never installed: the kernel drops it.
	return passed(oob[:m]), nil
}

// passed lists the descriptors in a control message as the kernel wrote it.
func passed(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range msgs {
		if len(msgs[i].Data)%4 != 0 { // ParseUnixRights reads beyond the end of such; the kernel writes none
			continue
		}
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// admit makes a connection of exactly one descriptor; of anything else it
// closes all of them and returns nil.
func (l *listener) admit(fds []int) net.Conn {
	if len(fds) != 1 || !acceptable(fds[0]) {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return nil
	}
	f := os.NewFile(uintptr(fds[0]), "ipc")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		_ = u.Close()
		return nil
	}
	return &conn{UnixConn: u, raw: raw, name: l.name, free: func() { <-l.slots }}
}

// acceptable reports whether fd is a connected unix stream socket whose other
// end is still open: a request whose client has given up is not carried out.
func acceptable(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || typ != unix.SOCK_STREAM {
		return false
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return false
	}
	return !hungUp(fd, unix.POLLHUP)
}

func hungUp(fd int, event int16) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: event}}
	_, err := unix.Poll(p, 0)
	return err == nil && p[0].Revents&event != 0
}

// Close implements net.Listener. Connections that wait in the queue stay there
// for the next listener of this rendezvous.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.done)
		err = nil
		if cerr := l.c.Close(); cerr != nil {
			err = fault.Wrap(fault.Internal, cerr, "ipc: close")
		}
	})
	return err
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.name }
