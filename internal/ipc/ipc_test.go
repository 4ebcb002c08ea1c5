package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

func TestConnection(t *testing.T) {
	d, l := rig(t)
	before := openFiles(t)
	client, err := d.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if server.RemoteAddr().String() != "web" || server.RemoteAddr().Network() != "ipc" || l.Addr().String() != "web" {
		t.Errorf("remote address %v", server.RemoteAddr())
	}
	buf := make([]byte, 16)
	if n, err := server.Read(buf); err != nil || string(buf[:n]) != "hello" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	for _, c := range []net.Conn{client, server} {
		cred, err := PeerCredentials(c)
		if err != nil || cred != (Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}) {
			t.Errorf("credentials %+v %v", cred, err)
		}
	}
	// More than the socket's buffer, both ways.
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.Copy(server, bytes.NewReader(big)); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of %d, %v", len(got), len(big), err)
	}
	wg.Wait()
	client.Close()
	settles(t, before)
	if _, err := server.Write([]byte("x")); err == nil {
		t.Error("a closed connection takes writes")
	}
}

func TestDeadlines(t *testing.T) {
	d, l := rig(t)
	client, err := d.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	past := time.Unix(1, 0)
	_ = server.SetDeadline(past)
	var timeout net.Error
	if _, err := server.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read: %v", err)
	}
	if _, err := server.Write(make([]byte, 8<<20)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("write: %v", err)
	}
	_ = server.SetDeadline(time.Time{})
	client.Close()
	if _, err := server.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("write to a closed client: %v", err)
	}
}

// TestHostileClient sends all that is no connection, then one that is.
func TestHostileClient(t *testing.T) {
	send := func(t *testing.T, s *os.File, body []byte, fds ...int) {
		t.Helper()
		var oob []byte
		if len(fds) > 0 {
			oob = unix.UnixRights(fds...)
		}
		if err := unix.Sendmsg(int(s.Fd()), body, oob, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	socket := func(t *testing.T, domain, typ int) int {
		t.Helper()
		fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	couple := func(t *testing.T, typ int) [2]int {
		t.Helper()
		fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
		return fds
	}
	for name, attack := range map[string]func(t *testing.T, s *os.File){
		"no descriptor": func(t *testing.T, s *os.File) { send(t, s, []byte("x")) },
		"empty message": func(t *testing.T, s *os.File) { send(t, s, nil) },
		"long message":  func(t *testing.T, s *os.File) { send(t, s, make([]byte, 60_000)) },
		"regular file": func(t *testing.T, s *os.File) {
			f, _ := os.Open("/proc/self/exe")
			defer f.Close()
			send(t, s, []byte{1}, int(f.Fd()))
		},
		"device": func(t *testing.T, s *os.File) {
			f, _ := os.Open("/dev/null")
			defer f.Close()
			send(t, s, []byte{1}, int(f.Fd()))
		},
		"folder": func(t *testing.T, s *os.File) {
			f, _ := os.Open("/")
			defer f.Close()
			send(t, s, []byte{1}, int(f.Fd()))
		},
		"TCP socket":     func(t *testing.T, s *os.File) { send(t, s, []byte{1}, socket(t, unix.AF_INET, unix.SOCK_STREAM)) },
		"UDP socket":     func(t *testing.T, s *os.File) { send(t, s, []byte{1}, socket(t, unix.AF_INET, unix.SOCK_DGRAM)) },
		"not connected":  func(t *testing.T, s *os.File) { send(t, s, []byte{1}, socket(t, unix.AF_UNIX, unix.SOCK_STREAM)) },
		"datagram pair":  func(t *testing.T, s *os.File) { send(t, s, []byte{1}, couple(t, unix.SOCK_DGRAM)[1]) },
		"packet pair":    func(t *testing.T, s *os.File) { send(t, s, []byte{1}, couple(t, unix.SOCK_SEQPACKET)[1]) },
		"the rendezvous": func(t *testing.T, s *os.File) { send(t, s, []byte{1}, int(s.Fd())) },
		"two connections": func(t *testing.T, s *os.File) {
			a, b := couple(t, unix.SOCK_STREAM), couple(t, unix.SOCK_STREAM)
			send(t, s, []byte{1}, a[1], b[1])
		},
		"250 descriptors": func(t *testing.T, s *os.File) {
			a, fds := couple(t, unix.SOCK_STREAM), []int{}
			for range 250 {
				fds = append(fds, a[1])
			}
			send(t, s, []byte{1}, fds...)
		},
		"connected TCP": func(t *testing.T, s *os.File) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			f, err := c.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			send(t, s, []byte{1}, int(f.Fd()))
		},
		"listening socket": func(t *testing.T, s *os.File) {
			l, err := net.Listen("unix", t.TempDir()+"/s")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			f, err := l.(*net.UnixListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			send(t, s, []byte{1}, int(f.Fd()))
		},
		"client gave up": func(t *testing.T, s *os.File) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			send(t, s, []byte{1}, fds[1])
			unix.Close(fds[0])
			unix.Close(fds[1])
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			l, err := Listen(server, "web")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			before := openFiles(t)
			attack(t, client)
			attacked := openFiles(t)
			d := NewDialer(client)
			defer d.Close()
			good, err := d.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer good.Close()
			got, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if _, err := good.Write([]byte("it is me")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 16)
			if n, err := got.Read(buf); err != nil || string(buf[:n]) != "it is me" {
				t.Fatalf("another connection was accepted: %q %v", buf[:n], err)
			}
			// The dialer and the two ends are three; nothing of the attack stayed.
			if n := openFiles(t); n > attacked+3 {
				t.Errorf("%d descriptors, %d before, %d while attacked", n, before, attacked)
			}
		})
	}
}

// TestBlockingSocket: a client that keeps the server's end and clears its
// non-blocking mode must not hold a thread of the server.
func TestBlockingSocket(t *testing.T) {
	client, server := pair(t)
	l, err := Listen(server, "web")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if err := unix.Sendmsg(int(client.Fd()), []byte{1}, unix.UnixRights(fds[1]), nil, 0); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
	time.Sleep(5 * time.Millisecond)
	_ = c.SetReadDeadline(time.Unix(1, 0))
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(2 * time.Second):
		t.Fatal("the deadline did not end the read")
	}
	c.Close()
}

func TestCloseEndsAccept(t *testing.T) {
	for _, shut := range []bool{false, true} {
		client, server := pair(t)
		l, err := Listen(server, "web")
		if err != nil {
			t.Fatal(err)
		}
		if shut { // a client cannot stop the server
			if err := unix.Shutdown(int(client.Fd()), unix.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan error, 1)
		go func() { _, err := l.Accept(); ended <- err }()
		select {
		case err := <-ended:
			t.Fatalf("Accept returned by itself: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		case <-time.After(2 * time.Second):
			t.Fatal("Close did not end Accept")
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
	}
}

func TestFullQueue(t *testing.T) {
	d, l := rig(t)
	var waiting []net.Conn
	defer func() {
		for _, c := range waiting {
			c.Close()
		}
	}()
	var err error
	for full := 0; len(waiting) < 5000 && full < 3; { // one late dial is no full queue
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var c net.Conn
		c, err = d.DialContext(ctx)
		cancel()
		if err != nil {
			full++
			continue
		}
		full = 0
		waiting = append(waiting, c)
	}
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) || len(waiting) < 50 {
		t.Fatalf("after %d: %v", len(waiting), err)
	}
	t.Logf("%d connections fit into the queue", len(waiting))
	// A second dialer waits behind a first one and still minds its context.
	blocked, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := d.DialContext(blocked); first <- err }()
	time.Sleep(5 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.DialContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second dialer: %v", err)
	}
	stop()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("first dialer: %v", err)
	}
	// Room again: dialling goes on without repair.
	late := make(chan error, 1)
	go func() {
		c, err := d.DialContext(t.Context())
		if err == nil {
			c.Close()
		}
		late <- err
	}()
	for range len(waiting) {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := <-late; err != nil {
		t.Error(err)
	}
}

func TestBoundedConnections(t *testing.T) {
	d, l := rig(t)
	l.slots = make(chan struct{}, 2)
	var open []net.Conn
	for range 3 {
		c, err := d.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	third := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		third <- err
	}()
	select {
	case <-third:
		t.Fatal("a third connection beyond the bound of two")
	case <-time.After(10 * time.Millisecond):
	}
	open[0].Close()
	open[0].Close() // gives its place back once only
	if err := <-third; err != nil {
		t.Error(err)
	}
	if n := len(l.slots); n != 1 {
		t.Errorf("%d places taken, want 1", n)
	}
	open[1].Close()
}

func TestWrongDescriptors(t *testing.T) {
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stream := os.NewFile(uintptr(fds[0]), "stream")
	defer stream.Close()
	defer unix.Close(fds[1])
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	tcpFile, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer tcpFile.Close()
	for name, f := range map[string]*os.File{"nil": nil, "file": file, "stream": stream, "tcp": tcpFile} {
		if _, err := Listen(f, "web"); !fault.Is(err, fault.Internal) {
			t.Errorf("listen on %s: %v", name, err)
		}
		d := NewDialer(f)
		if _, err := d.DialContext(t.Context()); !fault.Is(err, fault.Internal) {
			t.Errorf("dial over %s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("close of %s: %v", name, err)
		}
	}
	c, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := PeerCredentials(c); !fault.Is(err, fault.Invalid) {
		t.Errorf("credentials of TCP: %v", err)
	}
}

func TestDialGone(t *testing.T) {
	client, server := pair(t)
	d := NewDialer(client)
	defer d.Close()
	server.Close()
	if _, err := d.DialContext(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.DialContext(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestHTTP(t *testing.T) {
	d, l := rig(t)
	serve(t, l)
	c := HTTPClient(d, 5*time.Second)
	before := openFiles(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			want := fmt.Sprintf("%d web %d %s", os.Getpid(), i, strings.Repeat("x", i*10))
			got, err := post(t.Context(), c, strings.NewReader(fmt.Sprintf("%d %s", i, strings.Repeat("x", i*10))))
			if err != nil || got != want {
				t.Errorf("%d: %.40q %v", i, got, err)
			}
		})
	}
	wg.Wait()
	c.CloseIdleConnections()
	settles(t, before)
}

// TestKilledServer kills the server 30 times under load. Every request answers
// or fails; each new server answers, and nothing is repaired in between.
func TestKilledServer(t *testing.T) {
	client, server := pair(t)
	d := NewDialer(client)
	defer d.Close()
	before := openFiles(t)
	c := HTTPClient(d, 3*time.Second)
	var answered, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf("%d/%d", i, n)
				got, err := post(ctx, c, strings.NewReader(body))
				switch {
				case err != nil:
					failed.Add(1)
				case !strings.HasSuffix(got, " web "+body):
					t.Errorf("asked %q, answer %q", body, got)
				default:
					answered.Add(1)
				}
			}
		})
	}
	for kill := range 30 {
		cmd := startServer(t, server)
		// This one asks while the server is still starting, and waits for it.
		got, err := post(t.Context(), c, bytes.NewReader([]byte("first")))
		for range 64 { // idle connections of the killed server may fail one request each
			if err == nil {
				break
			}
			got, err = post(t.Context(), c, bytes.NewReader([]byte("first")))
		}
		if err != nil || got != fmt.Sprintf("%d web first", cmd.Process.Pid) {
			t.Fatalf("server %d: %q %v", kill, got, err)
		}
		time.Sleep(3 * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	last := startServer(t, server)
	for range 8 {
		_, _ = post(t.Context(), c, strings.NewReader("x"))
	}
	stop()
	wg.Wait()
	_ = last.Process.Kill()
	_ = last.Wait()
	c.CloseIdleConnections()
	settles(t, before)
	if answered.Load() < 30 {
		t.Errorf("only %d answers", answered.Load())
	}
	t.Logf("%d answered, %d failed", answered.Load(), failed.Load())
}

// TestQueuedWhileAway: what is asked before a server exists is answered by it.
func TestQueuedWhileAway(t *testing.T) {
	client, server := pair(t)
	d := NewDialer(client)
	defer d.Close()
	c := HTTPClient(d, 5*time.Second)
	answers := make(chan string, 20)
	for i := range 20 {
		go func() {
			got, err := post(t.Context(), c, strings.NewReader(fmt.Sprint(i)))
			if err != nil {
				got = err.Error()
			}
			answers <- got
		}()
	}
	time.Sleep(20 * time.Millisecond)
	cmd := startServer(t, server)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for range 20 {
		if got := <-answers; !strings.HasPrefix(got, fmt.Sprintf("%d web ", cmd.Process.Pid)) {
			t.Errorf("answer %q", got)
		}
	}
}

func FuzzPassed(f *testing.F) {
	f.Add(unix.UnixRights(3))
	f.Add(unix.UnixRights(3, 4, 5))
	f.Add([]byte{16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, oob []byte) {
		if n := len(passed(oob)); n > len(oob)/4 {
			t.Errorf("%d descriptors in %d bytes", n, len(oob))
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	client, server := pair(b)
	cmd := startServer(b, server)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	d := NewDialer(client)
	defer d.Close()
	c := HTTPClient(d, 5*time.Second)
	for b.Loop() {
		if _, err := post(b.Context(), c, strings.NewReader("hello")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDial(b *testing.B) {
	d, l := rig(b)
	for b.Loop() {
		c, err := d.DialContext(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
		s.Close()
	}
}
