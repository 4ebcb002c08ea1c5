package postgres

import (
	"net"
	"syscall"
	"testing"
)

// TestPostgresVanishedServer: a connection ends when what was sent to the server
// stays unconfirmed for ten seconds.
func TestPostgresVanishedServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg, err := config("postgres://tikakosh@"+ln.Addr().String()+"/registry", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := cfg.DialFunc(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	if e := raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	if got != 10_000 {
		t.Errorf("what is sent may stay unconfirmed for %d ms, want 10000", got)
	}
}
