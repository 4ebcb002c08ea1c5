package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ipc"
)

func now() time.Time { return time.Unix(1_800_000_000, 0) }

const number = "0000000001"

func message(id string) Message {
	return Message{ID: id, To: number, Channel: "sms", Text: "text of " + id, Deadline: now().UnixMilli()}
}

// flaky fails its first sends.
type flaky struct {
	fails atomic.Int32
	taken atomic.Int32
	err   error
}

func (f *flaky) Send(context.Context, Message) error {
	if f.fails.Add(-1) >= 0 {
		return f.err
	}
	f.taken.Add(1)
	return nil
}

// client reaches the courier as the vault does, over a rendezvous.
func client(t testing.TB, c *Courier) *Client {
	t.Helper()
	ce, se, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	l, err := ipc.Listen(se, "vault")
	if err != nil {
		t.Fatal(err)
	}
	srv := &ipc.Server{Handler: c.Handler()}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	d := ipc.NewDialer(ce)
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = srv.Shutdown(now)
		<-done
		d.Close()
		ce.Close()
		se.Close()
	})
	return NewClient(ipc.HTTPClient(d, 5*time.Second))
}

func TestSentOnce(t *testing.T) {
	f := &flaky{err: errors.New("route down for " + number)}
	f.fails.Store(2)
	c := client(t, NewCourier(f, now))
	m := message("a")
	for i := range 2 {
		err := c.Send(t.Context(), m)
		if !fault.Is(err, fault.Unavailable) {
			t.Fatalf("send %d: %v", i, err)
		}
		if strings.Contains(err.Error(), number) || strings.Contains(err.Error(), m.Text) {
			t.Fatal("number or text in an error")
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := c.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.taken.Load() != 1 {
		t.Fatalf("sent %d times", f.taken.Load())
	}
	late := message("b")
	late.Deadline--
	if err := c.Send(t.Context(), late); err != nil || f.taken.Load() != 1 {
		t.Fatal("a message past its deadline was sent")
	}
	if _, err := c.Messages(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Fatal("an outbox without outbox mode")
	}
}

// gate lets a test look while a message is on its way.
type gate struct {
	entered chan struct{}
	open    chan error
}

func (g *gate) Send(context.Context, Message) error {
	g.entered <- struct{}{}
	err := <-g.open
	if err != nil && err.Error() == "panic" {
		panic("sender")
	}
	return err
}

func TestConcurrentCalls(t *testing.T) {
	for name, outcome := range map[string]error{"sent": nil, "failed": errors.New("no"), "panic": errors.New("panic")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { concurrent(t, outcome) })
		})
	}
}

// concurrent sends one message from two callers: the second waits for the
// first, which ends with outcome.
func concurrent(t *testing.T, outcome error) {
	g := &gate{make(chan struct{}, 10), make(chan error, 10)}
	c := NewCourier(g, now)
	first, second := make(chan error, 1), make(chan error, 1)
	send := func(out chan error) {
		defer func() {
			if recover() != nil {
				out <- errors.New("panicked")
			}
		}()
		out <- c.Send(t.Context(), message("a"))
	}
	go send(first)
	<-g.entered
	go send(second)
	synctest.Wait() // both wait now: one for the gate, one for the other
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Send(gone, message("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a caller that gave up: %v", err)
	}
	g.open <- outcome
	a, b := <-first, <-second
	if (a == nil) != (outcome == nil) || (b == nil) != (outcome == nil) {
		t.Errorf("%v, %v", a, b)
	}
	if len(g.entered) != 0 {
		t.Error("the second caller sent the message too")
	}
	if len(c.onWay) != 0 || len(c.sent) != map[bool]int{true: 1}[outcome == nil] {
		t.Errorf("on their way %d, remembered %d", len(c.onWay), len(c.sent))
	}
	if outcome != nil {
		g.open <- nil
		if err := c.Send(t.Context(), message("a")); err != nil {
			t.Errorf("repeated: %v", err)
		}
	}
}

func TestForgetsTheOldest(t *testing.T) {
	f := &flaky{}
	c := NewCourier(f, now)
	const extra = 10
	for i := range remembered + extra {
		if err := c.Send(t.Context(), message(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.sent) != remembered || len(c.oldest) != remembered {
		t.Fatalf("%d ids remembered", len(c.sent))
	}
	for id, again := range map[int]bool{0: true, extra + 2: false, remembered + extra - 1: false} {
		before := f.taken.Load()
		_ = c.Send(t.Context(), message(fmt.Sprint(id)))
		if (f.taken.Load() > before) != again {
			t.Errorf("id %d sent again: %v", id, !again)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := &flaky{err: fault.New(fault.Invalid, "gateway", "blocked")}
	f.fails.Store(1)
	c := client(t, NewCourier(f, now))
	if err := c.Send(t.Context(), message("a")); !fault.Is(err, fault.Invalid) {
		t.Errorf("a message that no route takes: %v", err)
	}
	for name, change := range map[string]func(*Message){
		"no id":          func(m *Message) { m.ID = "" },
		"long id":        func(m *Message) { m.ID = strings.Repeat("x", maxID+1) },
		"id with space":  func(m *Message) { m.ID = "a b" },
		"no number":      func(m *Message) { m.To = "" },
		"letters":        func(m *Message) { m.To = "00000A0001" },
		"other digits":   func(m *Message) { m.To = "०००००००००१" },
		"two numbers":    func(m *Message) { m.To = number + "," + number },
		"long number":    func(m *Message) { m.To = strings.Repeat("0", 16) },
		"plus inside":    func(m *Message) { m.To = "0000+00001" },
		"channel":        func(m *Message) { m.Channel = "fax" },
		"no text":        func(m *Message) { m.Text = "" },
		"long text":      func(m *Message) { m.Text = strings.Repeat("x", maxText+1) },
		"control":        func(m *Message) { m.Text = "a\x1b[2J" },
		"return":         func(m *Message) { m.Text = "a\rb" },
		"deadline":       func(m *Message) { m.Deadline = -1 },
		"over the bound": func(m *Message) { m.Text = strings.Repeat("x", maxMessage) },
	} {
		m := message("r")
		change(&m)
		err := c.Send(t.Context(), m)
		if !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), number) {
			t.Errorf("%s: the number is in the error", name)
		}
	}
	if f.taken.Load() != 0 {
		t.Error("one of them was sent")
	}
}

func TestHandler(t *testing.T) {
	h := NewCourier(NewOutbox(now), now).Handler()
	good := `{"ID":"a","To":"0000000001","Channel":"sms","Text":"x","Deadline":0}`
	for _, c := range []struct {
		method, path, kind, body string
		want                     int
	}{
		{"POST", "/send", "application/json", good, 204},
		{"POST", "/send", "application/json; charset=utf-8", good, 204},
		{"POST", "/send", "text/plain", good, 415},
		{"POST", "/send", "", good, 415},
		{"POST", "/send", "application/json", good + good, 400},
		{"POST", "/send", "application/json", good + "x", 400},
		{"POST", "/send", "application/json", strings.Replace(good, "{", `{"From":"x",`, 1), 400},
		{"POST", "/send", "application/json", "", 400},
		{"POST", "/send", "application/json", "null", 400},
		{"POST", "/send", "application/json", "[]", 400},
		{"POST", "/send", "application/json", strings.Repeat(" ", maxMessage+1), 413},
		{"GET", "/send", "", "", 405},
		{"POST", "/messages", "application/json", good, 405},
		{"GET", "/messages", "", "", 200},
		{"GET", "/", "", "", 404},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s %q: %d, want %d", c.method, c.path, c.body[:min(len(c.body), 60)], w.Code, c.want)
		}
		if w.Code == 400 && w.Body.Len() > 0 {
			t.Errorf("a refusal says %q", w.Body)
		}
	}
}

func TestOutbox(t *testing.T) {
	box := NewOutbox(now)
	c := client(t, NewCourier(box, now))
	if got, err := c.Messages(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	for _, id := range []string{"a", "b"} {
		if err := c.Send(t.Context(), message(id)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Messages(t.Context())
	want := Delivered{ID: "b", To: number, Text: "text of b", At: now().UnixMilli()}
	if err != nil || len(got) != 2 || got[0] != want || got[1].ID != "a" {
		t.Fatalf("%+v %v", got, err)
	}
	for i := range OutboxSize + 7 {
		if err := box.Send(t.Context(), message(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got, err = c.Messages(t.Context())
	if err != nil || len(got) != OutboxSize || got[0].ID != fmt.Sprint(OutboxSize+6) || got[OutboxSize-1].ID != "7" {
		t.Fatalf("%d kept, newest %v, %v", len(got), got[0].ID, err)
	}
	for i := 1; i < len(got); i++ {
		if got[i].ID != fmt.Sprint(OutboxSize+6-i) {
			t.Fatalf("place %d is %s", i, got[i].ID)
		}
	}
}

func TestUnreachable(t *testing.T) {
	ce, se, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ce.Close()
	se.Close()
	d := ipc.NewDialer(ce)
	defer d.Close()
	c := NewClient(ipc.HTTPClient(d, time.Second))
	if err := c.Send(t.Context(), message("a")); !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), number) {
		t.Error(err)
	}
	if _, err := c.Messages(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"ID":"a","To":"0000000001","Channel":"sms","Text":"x","Deadline":5}`))
	f.Add([]byte(`{"ID":"a","To":"+910000000001","Channel":"sms","Text":"\n\u0000"}`))
	f.Add([]byte(`{"ID":"a"}{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMessage(raw)
		if err == nil && (m.check() != nil || m.ID == "" || strings.ContainsAny(m.Text, "\r\x00\x1b")) {
			t.Errorf("%q was taken", raw)
		}
		if err != nil && (!fault.Is(err, fault.Invalid) || m != Message{}) {
			t.Errorf("%q: %v", raw, err)
		}
	})
}

func BenchmarkSend(b *testing.B) {
	c := client(b, NewCourier(NewOutbox(now), now))
	i := 0
	for b.Loop() {
		i++
		if err := c.Send(b.Context(), message(fmt.Sprint(i))); err != nil {
			b.Fatal(err)
		}
	}
}
