//go:build !linux

package postgres

import "syscall"

// noticeVanished does nothing here: a transaction's own limit ends the waiting
// for a server that has vanished.
func noticeVanished(_, _ string, _ syscall.RawConn) error { return nil }
