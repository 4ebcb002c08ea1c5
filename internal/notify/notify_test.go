package notify_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/notify"
)

func now() time.Time { return time.Unix(1_800_000_000, 0) }

func TestCompose(t *testing.T) {
	for _, lang := range []string{"en", "hi", "ta", ""} {
		for name, params := range map[string]map[string]string{"code": {"code": "012345", "host": "example.test"},
			"booking": {"date": "01-02-2026", "slot": "09:00AM-11:00AM", "code": "0042"}, "dose": {}} {
			text, err := notify.Compose(name, lang, params)
			if err != nil || strings.ContainsAny(text, "{}") {
				t.Fatalf("%s %s: %q %v", name, lang, text, err)
			}
			if name == "code" && (!strings.HasPrefix(text, "012345") || !strings.HasSuffix(text, "\n@example.test #012345")) {
				t.Errorf("%q", text)
			}
		}
	}
	for _, bad := range []map[string]string{nil, {"code": "12345"}, {"code": "123456\nhttp://x"}, {"code": "123456", "host": "a b"}} {
		if _, err := notify.Compose("code", "en", bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	if _, err := notify.Compose("nothing", "en", nil); err == nil {
		t.Error("an unknown template was accepted")
	}
}

// flaky fails its first sends.
type flaky struct {
	fails atomic.Int32
	taken atomic.Int32
}

func (f *flaky) Send(context.Context, notify.Message) error {
	if f.fails.Add(-1) >= 0 {
		return errors.New("route down")
	}
	f.taken.Add(1)
	return nil
}

func client(t *testing.T, c *notify.Courier) *notify.Client {
	srv := httptest.NewServer(c.Handler())
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}
	return notify.NewClient(&http.Client{Transport: &http.Transport{DialContext: dial}})
}

func TestSentOnce(t *testing.T) {
	f := &flaky{}
	f.fails.Store(2)
	c := client(t, notify.NewCourier(f, now))
	m := notify.Message{ID: "a", To: "0000000001", Channel: "sms", Text: "x", Deadline: now().UnixMilli()}
	for i := range 2 {
		if err := c.Send(t.Context(), m); err == nil {
			t.Fatalf("send %d: a failed send was called sent", i)
		} else if strings.Contains(err.Error(), "0000000001") {
			t.Fatal("the number is in an error")
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
	late := m
	late.ID, late.Deadline = "b", now().UnixMilli()-1
	if err := c.Send(t.Context(), late); err != nil || f.taken.Load() != 1 {
		t.Fatal("a message past its deadline was sent")
	}
	if _, err := c.Messages(t.Context()); err == nil {
		t.Fatal("an outbox without outbox mode")
	}
}

func TestOutbox(t *testing.T) {
	box := notify.NewOutbox(now)
	c := client(t, notify.NewCourier(box, now))
	for _, id := range []string{"a", "b"} {
		if err := c.Send(t.Context(), notify.Message{ID: id, To: "0000000001", Text: "text " + id}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Messages(t.Context())
	if err != nil || len(got) != 2 || got[0].ID != "b" || got[1].Text != "text a" {
		t.Fatalf("%+v %v", got, err)
	}
}
