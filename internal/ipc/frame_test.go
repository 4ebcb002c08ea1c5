package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// started serves a handler on a listener until the test ends.
func started(t testing.TB, l net.Listener, h http.HandlerFunc) *Server {
	t.Helper()
	srv := &Server{Handler: h}
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
	return srv
}

func TestAnswers(t *testing.T) {
	d, l := rig(t)
	started(t, l, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/panic":
			panic("as wanted")
		case "/huge":
			_, _ = w.Write(make([]byte, MaxBody))
			if _, err := w.Write([]byte("x")); err == nil {
				t.Error("a body over the bound was taken")
			}
		case "/large":
			_, _ = w.Write(make([]byte, MaxBody))
		default:
			w.Header().Set("Content-Type", "text/x-"+r.Method)
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(r.Header.Get("Content-Type") + r.Header.Get("Accept") + r.Header.Get("Traceparent") + r.Header.Get("X-Other") + " " + r.URL.Path + " " + r.RemoteAddr + " " + string(body)))
		}
	})
	c := HTTPClient(d, 10*time.Second)
	for _, want := range []struct {
		verb, path, body string
		status, length   int
	}{{"POST", "/a/b", "body", http.StatusTeapot, 0}, {"GET", "/a/b", "", http.StatusTeapot, 0}, {"POST", "/panic", "x", http.StatusInternalServerError, 0},
		{"POST", "/huge", "x", http.StatusOK, MaxBody}, {"POST", "/large", strings.Repeat("y", MaxBody), http.StatusOK, MaxBody}} {
		req, err := http.NewRequestWithContext(t.Context(), want.verb, BaseURL+want.path, strings.NewReader(want.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "text/plain")
		req.Header.Set("Traceparent", "00-01-02-03")
		req.Header.Set("X-Other", "stays here")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(want.verb, want.path, err)
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case err != nil || res.StatusCode != want.status:
			t.Errorf("%s %s: %d %v", want.verb, want.path, res.StatusCode, err)
		case want.length > 0 && len(got) != want.length:
			t.Errorf("%s: %d bytes", want.path, len(got))
		case want.status == http.StatusTeapot && (string(got) != "application/jsontext/plain00-01-02-03 /a/b web "+want.body || res.Header.Get("Content-Type") != "text/x-"+want.verb):
			t.Errorf("%q %v", got, res.Header)
		}
	}
	long := strings.NewReader(strings.Repeat("x", MaxBody+1))
	if _, err := post(t.Context(), c, io.MultiReader(long)); err == nil {
		t.Error("a body over the bound was sent")
	}
}

// TestGivenUp: who gives up ends the work, and nobody else's.
func TestGivenUp(t *testing.T) {
	d, l := rig(t)
	var ended atomic.Int64
	began := make(chan struct{}, 8)
	go1 := make(chan struct{})
	started(t, l, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		began <- struct{}{}
		if string(body) == "stays" {
			<-go1
			_, _ = w.Write([]byte("answered"))
			return
		}
		<-r.Context().Done()
		ended.Add(1)
	})
	c := HTTPClient(d, 10*time.Second)
	stays := make(chan string, 1)
	go func() { got, _ := post(t.Context(), c, strings.NewReader("stays")); stays <- got }()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := post(ctx, c, strings.NewReader("goes")); gone <- err }()
	<-began
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range 1000 {
		if ended.Load() == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if ended.Load() != 1 {
		t.Error("the handler's context did not end")
	}
	c.CloseIdleConnections() // one call is under way: the connection stays
	close(go1)
	if got := <-stays; got != "answered" {
		t.Errorf("the other call: %q", got)
	}
}

// TestShutdownAnswers: calls under way are answered, the next one finds nobody.
func TestShutdownAnswers(t *testing.T) {
	d, l := rig(t)
	began, goes := make(chan struct{}, 100), make(chan struct{})
	srv := started(t, l, func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-goes
		_, _ = w.Write([]byte("answered"))
	})
	c := HTTPClient(d, 10*time.Second)
	var wg sync.WaitGroup
	var answered atomic.Int64
	for range 100 {
		wg.Go(func() {
			if got, err := post(t.Context(), c, strings.NewReader("x")); err == nil && got == "answered" {
				answered.Add(1)
			}
		})
	}
	for range 100 {
		<-began
	}
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	select {
	case <-down:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(goes)
	if err := <-down; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if n := answered.Load(); n != 100 {
		t.Errorf("%d answered", n)
	}
}

// TestHostileFrames sends what no client sends: the connection ends, the server goes
// on, and nobody else notices.
func TestHostileFrames(t *testing.T) {
	d, l := rig(t)
	started(t, l, echo)
	before := openFiles(t)
	call, err := appendCall(nil, frame{id: 7, verb: "POST", path: "/", content: "text/plain", body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	size := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, raw := range map[string][]byte{
		"HTTP": []byte("POST /v1/x HTTP/1.1\r\nHost: vault\r\nContent-Length: 0\r\n\r\n"), "short": size(8), "zero": size(0), "too long": size(maxFrame + 1),
		"longest": size(1<<32 - 1), "unknown kind": append(size(9), 9, 0, 0, 0, 0, 0, 0, 0, 1), "an answer": append(size(12), kindAnswer, 0, 0, 0, 0, 0, 0, 0, 1, 0, 200, 0),
		"text beyond": append(size(10), kindCall, 0, 0, 0, 0, 0, 0, 0, 1, 200), "cancel with more": append(size(10), kindCancel, 0, 0, 0, 0, 0, 0, 0, 1, 0),
	} {
		c, err := d.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(raw)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(make([]byte, 64)); n > 0 || !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		_ = c.Close()
	}
	// A call cut short, and one that is told twice: the first is answered or not, no more.
	c, err := d.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(call[:len(call)-1])
	_ = c.Close()
	h := HTTPClient(d, 5*time.Second)
	if got, err := post(t.Context(), h, strings.NewReader("still")); err != nil || !strings.HasSuffix(got, " web still") {
		t.Errorf("%q %v", got, err)
	}
	h.CloseIdleConnections()
	settles(t, before)
}

// TestRoom: one call more than the bound waits, in calls and in bytes, and a single
// large one always goes.
func TestRoom(t *testing.T) {
	r := newRoom()
	r.take(2 * maxBytes)
	took := make(chan struct{})
	go func() { r.take(1); close(took) }()
	select {
	case <-took:
		t.Fatal("beyond the bound of bytes")
	case <-time.After(10 * time.Millisecond):
	}
	r.give(2 * maxBytes)
	<-took
	for range maxCalls - 1 {
		r.take(0)
	}
	took = make(chan struct{})
	go func() { r.take(0); close(took) }()
	select {
	case <-took:
		t.Fatal("beyond the bound of calls")
	case <-time.After(10 * time.Millisecond):
	}
	r.give(0)
	<-took
}

// TestNoReader: a role that does not read makes its callers fail in time, not wait,
// and what waits for it stays bounded.
func TestNoReader(t *testing.T) {
	d, l := rig(t)
	c := HTTPClient(d, 200*time.Millisecond)
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
		}
	}()
	var busy int
	body := make([]byte, 8<<20)
	for range 8 {
		begin := time.Now()
		_, err := post(t.Context(), c, bytes.NewReader(body))
		if err == nil || time.Since(begin) > 5*time.Second {
			t.Fatal(err, time.Since(begin))
		}
		if errors.Is(err, errBusy) {
			busy++
		}
	}
	if busy == 0 {
		t.Error("what waits is not bounded")
	}
	_ = (<-accepted).Close()
}

func FuzzFrame(f *testing.F) {
	call, _ := appendCall(nil, frame{id: 1, verb: "POST", path: "/v1/x", content: "application/json", accept: "text/plain", trace: "00-a-b-01", body: []byte("{}")})
	answer, _ := appendAnswer(nil, 1, 200, "application/json", []byte("{}"))
	for _, b := range [][]byte{call, answer, appendHead(nil, kindCancel, 2, 0), {0, 0, 0, 9}, {}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := readFrame(bytes.NewReader(raw), 1<<16, nil)
		if err != nil {
			if (got.body != nil || got.path != "") && errors.Is(err, errFrame) {
				t.Error("a malformed frame says something")
			}
			return
		}
		var again []byte
		switch got.kind {
		case kindCall:
			again, err = appendCall(nil, got)
		case kindAnswer:
			again, err = appendAnswer(nil, got.id, got.status, got.content, got.body)
		case kindCancel:
			again = appendHead(nil, kindCancel, got.id, 0)
		}
		if err != nil || !bytes.Equal(again, raw[:len(again)]) {
			t.Errorf("%x became %x, %v", raw, again, err)
		}
	})
}
