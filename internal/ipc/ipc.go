// Package ipc carries connections between roles over an inherited socket pair.
//
// The pair is a rendezvous: a SOCK_SEQPACKET pair whose two ends the supervisor
// keeps open. A client that wants a connection makes a fresh SOCK_STREAM pair
// and passes one end over the rendezvous (SCM_RIGHTS, unix(7)); the server
// accepts what arrives. Either side may be killed at any moment and started
// again: the rendezvous outlives it, and what was passed while the server was
// away waits in the rendezvous' queue (some 200 connections with Linux'
// default buffers; further dials wait for their context).
//
// Holding an end is the identity of a role. Nothing that arrives over it is
// trusted beyond that: the server takes connected AF_UNIX stream sockets, one
// per message, and drops everything else.
package ipc

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// Pair makes a rendezvous. Both ends are close-on-exec and in blocking mode, so
// that handing one to a child (exec.Cmd.ExtraFiles) never changes the mode of
// an end in use elsewhere. The caller keeps both open for as long as roles may
// be started again. fault.Unavailable when the system has no descriptors left.
func Pair() (client, server *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "ipc: socket pair")
	}
	return os.NewFile(uintptr(fds[0]), "rendezvous-client"), os.NewFile(uintptr(fds[1]), "rendezvous-server"), nil
}

// Credentials are those of the process that made the other end of a connection,
// as the kernel recorded them when it was made (SO_PEERCRED, unix(7)).
type Credentials struct {
	PID, UID, GID int
}

// PeerCredentials returns the credentials behind a connection of this package or
// of a unix socket; fault.Invalid for any other connection.
func PeerCredentials(c net.Conn) (Credentials, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return Credentials{}, fault.New(fault.Invalid, "ipc", "not a unix connection")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return Credentials{}, fault.Wrap(fault.Invalid, err, "ipc: credentials")
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		var domain int
		if domain, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); failed == nil && domain != unix.AF_UNIX {
			failed = unix.EAFNOSUPPORT
		}
		if failed == nil {
			cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return Credentials{}, fault.Wrap(fault.Invalid, err, "ipc: credentials")
	}
	return Credentials{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}, nil
}

// rendezvous opens one end for use by this process. The end itself stays the
// caller's; it is made close-on-exec because a role's children inherit nothing.
func rendezvous(end *os.File) (*net.UnixConn, syscall.RawConn, error) {
	if end == nil {
		return nil, nil, fault.New(fault.Internal, "ipc", "no socket")
	}
	c, err := net.FileConn(end)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "ipc: the inherited descriptor is no socket")
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, nil, fault.New(fault.Internal, "ipc", "the inherited descriptor is no unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		_ = u.Close()
		return nil, nil, fault.Wrap(fault.Internal, err, "ipc: socket")
	}
	typ := 0
	err = raw.Control(func(fd uintptr) { typ, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE) })
	if err != nil || typ != unix.SOCK_SEQPACKET {
		_ = u.Close()
		return nil, nil, fault.New(fault.Internal, "ipc", "the inherited descriptor is no rendezvous")
	}
	if own, err := end.SyscallConn(); err == nil {
		_ = own.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
	}
	return u, raw, nil
}
