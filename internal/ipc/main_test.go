package ipc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// roleVariable makes the test binary a server on descriptor 3.
const roleVariable = "TIKAKOSH_IPC_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "server" {
		if err := serveChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// echo answers with the process id and the body.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%d %s %s", os.Getpid(), r.RemoteAddr, body)
}

func serveChild() error {
	l, err := Listen(os.NewFile(3, "inherited"), "web")
	if err != nil {
		return err
	}
	srv := Server{Handler: http.HandlerFunc(echo)}
	return srv.Serve(l)
}

func startServer(t testing.TB, server *os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleVariable + "=server"}
	cmd.ExtraFiles = []*os.File{server}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func pair(t testing.TB) (client, server *os.File) {
	t.Helper()
	client, server, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// rig is a listener and a dialer of one rendezvous in this process.
func rig(t testing.TB) (*Dialer, *listener) {
	t.Helper()
	client, server := pair(t)
	l, err := Listen(server, "web")
	if err != nil {
		t.Fatal(err)
	}
	d := NewDialer(client)
	t.Cleanup(func() { l.Close(); d.Close() })
	return d, l.(*listener)
}

func serve(t testing.TB, l *listener) {
	t.Helper()
	srv := &Server{Handler: http.HandlerFunc(echo)}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// openFiles counts this process's descriptors.
func openFiles(t testing.TB) int {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(dir)
}

// settles waits for a count of descriptors to come back to want.
func settles(t testing.TB, want int) {
	t.Helper()
	got := 0
	for range 200 {
		if got = openFiles(t); got <= want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d descriptors open, %d before", got, want)
}

func post(ctx context.Context, c *http.Client, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, BaseURL+"/", body)
	if err != nil {
		return "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
