package supervise

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	heard := func() string {
		t.Helper()
		buf := make([]byte, 100)
		_ = ln.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := ln.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	t.Setenv("NOTIFY_SOCKET", path)
	Notify(t.Context(), "READY=1")
	if got := heard(); got != "READY=1" {
		t.Errorf("%q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Setenv("WATCHDOG_USEC", "40000")
	done := make(chan struct{})
	go func() { defer close(done); Watchdog(ctx) }()
	for range 3 {
		if got := heard(); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	cancel()
	<-done
	t.Setenv("WATCHDOG_USEC", "")
	Watchdog(t.Context()) // returns at once
	t.Setenv("NOTIFY_SOCKET", "")
	Notify(t.Context(), "READY=1")
}
