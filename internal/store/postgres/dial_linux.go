package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), in milliseconds: how long what was
// sent may stay unconfirmed. Keep-alive does not count while something is on its
// way, and the kernel alone goes on sending for a quarter of an hour.
const tcpUserTimeout = 18

// vanished is how long a server that has vanished without a word is waited for.
const vanished = 10 * time.Second

func noticeVanished(_, _ string, raw syscall.RawConn) error {
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(vanished.Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}
