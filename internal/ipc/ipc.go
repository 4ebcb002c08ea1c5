// Package ipc carries connections between roles over an inherited socket pair.
package ipc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pair makes a rendezvous: two ends of a SOCK_SEQPACKET socket pair.
func Pair() (client, server *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "rendezvous-client"), os.NewFile(uintptr(fds[1]), "rendezvous-server"), nil
}

type listener struct {
	c    *net.UnixConn
	name string
	once sync.Once
}

// Listen accepts the connections that clients pass over the rendezvous.
func Listen(server *os.File, name string) (net.Listener, error) {
	c, err := net.FileConn(server)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.New("ipc: not a unix socket")
	}
	return &listener{c: u, name: name}, nil
}

func (l *listener) Accept() (net.Conn, error) {
	buf, oob := make([]byte, 16), make([]byte, unix.CmsgSpace(16*4))
	for {
		_, n, _, _, err := l.c.ReadMsgUnix(buf, oob)
		if err != nil {
			return nil, err
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil || len(msgs) == 0 {
			continue
		}
		var fds []int
		for _, m := range msgs {
			got, err := unix.ParseUnixRights(&m)
			if err == nil {
				fds = append(fds, got...)
			}
		}
		if len(fds) == 0 {
			continue
		}
		for _, fd := range fds[1:] {
			unix.Close(fd)
		}
		f := os.NewFile(uintptr(fds[0]), "conn")
		typ, err := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_TYPE)
		dom, err2 := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil || err2 != nil || typ != unix.SOCK_STREAM || dom != unix.AF_UNIX {
			f.Close()
			continue
		}
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			continue
		}
		return c, nil
	}
}
func (l *listener) Close() error   { var err error; l.once.Do(func() { err = l.c.Close() }); return err }
func (l *listener) Addr() net.Addr { return l.c.LocalAddr() }

// Dialer makes connections over a rendezvous.
type Dialer struct{ c *net.UnixConn }

// NewDialer wraps the client end.
func NewDialer(client *os.File) *Dialer {
	c, err := net.FileConn(client)
	if err != nil {
		return &Dialer{}
	}
	u, _ := c.(*net.UnixConn)
	return &Dialer{u}
}

// DialContext makes one connection.
func (d *Dialer) DialContext(ctx context.Context) (net.Conn, error) {
	if d.c == nil {
		return nil, errors.New("ipc: no rendezvous")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "conn")
	defer f.Close()
	_, _, err = d.c.WriteMsgUnix([]byte{1}, unix.UnixRights(fds[1]), nil)
	if err != nil {
		return nil, err
	}
	return net.FileConn(f)
}

// HTTPClient is an HTTP client over the rendezvous.
func HTTPClient(d *Dialer, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx) }}}
}
