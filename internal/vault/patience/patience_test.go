package patience

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// stub is a vault that answers while it is well, slowly when it is told to.
type stub struct {
	hangs atomic.Bool
	slow  atomic.Int64 // time.Duration of every call but pings
	pings atomic.Int64
	calls atomic.Int64
	again chan struct{} // closed: it goes on
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if s.hangs.Load() {
		select {
		case <-s.again:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if r.URL.Path == PingPath {
		s.pings.Add(1)
	} else {
		s.calls.Add(1)
		select {
		case <-time.After(time.Duration(s.slow.Load())):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func ask(w *Way, method string) (took time.Duration, err error) {
	begin := time.Now()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://vault/v1/"+method, strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	res, err := w.RoundTrip(r)
	if err == nil {
		_ = res.Body.Close()
	}
	return time.Since(begin), err
}

func refused(err error) bool {
	return fault.Is(err, fault.Unavailable) && fault.CodeOf(err) == vault.CodeAway
}

// TestSilence: a vault that hangs is noticed once, within two seconds; what reads
// ends then, an act later and without saying what became of it; what comes after is
// refused at once and not sent; and when the vault goes on, so does everything.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		s := &stub{again: make(chan struct{})}
		w := New(ctx, s, DefaultTimes(), slog.New(slog.DiscardHandler))
		if _, err := ask(w, vault.MethodKeys); err != nil {
			t.Fatal(err)
		}
		s.hangs.Store(true)
		type end2 struct {
			took time.Duration
			err  error
		}
		read, act := make(chan end2, 1), make(chan end2, 1)
		go func() { took, err := ask(w, vault.MethodOpen); read <- end2{took, err} }()
		go func() { took, err := ask(w, vault.MethodEnrol); act <- end2{took, err} }()
		if got := <-read; !refused(got.err) || got.took > 2*time.Second || got.took < time.Second {
			t.Errorf("a read ended after %v with %v", got.took, got.err)
		}
		for _, method := range []string{vault.MethodOpen, vault.MethodEnrol} {
			if took, err := ask(w, method); !refused(err) || took > 0 || fault.RetryAfter(err) == 0 {
				t.Errorf("%s meanwhile: %v after %v", method, err, took)
			}
		}
		if got := <-act; !errors.Is(got.err, context.Canceled) || got.took < 5*time.Second || got.took > 7*time.Second {
			t.Errorf("an act ended after %v with %v", got.took, got.err)
		}
		close(s.again)
		s.hangs.Store(false)
		time.Sleep(300 * time.Millisecond)
		if _, err := ask(w, vault.MethodEnrol); err != nil || w.Away() {
			t.Errorf("when it goes on: %v", err)
		}
		if n := s.calls.Load(); n != 2 { // the first and the last
			t.Errorf("%d calls reached it", n)
		}
	})
}

// TestBusy: a vault that is slow, not silent, is waited for; and a read no longer
// than its bound.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		s := &stub{}
		w := New(ctx, s, DefaultTimes(), slog.New(slog.DiscardHandler))
		s.slow.Store(int64(8 * time.Second))
		for _, method := range []string{vault.MethodOpen, vault.MethodBook} {
			if took, err := ask(w, method); err != nil || took != 8*time.Second {
				t.Errorf("%s: %v after %v", method, err, took)
			}
		}
		if s.pings.Load() == 0 {
			t.Error("it was never asked whether it lives")
		}
		s.slow.Store(int64(25 * time.Second))
		if took, err := ask(w, vault.MethodOpen); !refused(err) || took > 11*time.Second {
			t.Errorf("a read of 25 s: %v after %v", err, took)
		}
		if took, err := ask(w, vault.MethodBook); err != nil || took != 25*time.Second {
			t.Errorf("an act of 25 s: %v after %v", err, took)
		}
		s.pings.Store(0)
		time.Sleep(time.Minute)
		if s.pings.Load() > 0 {
			t.Error("asked although nobody waited")
		}
	})
}

// TestFaults: what the vault's client makes of it.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		s := &stub{again: make(chan struct{})}
		s.hangs.Store(true)
		c := vault.NewClient(&http.Client{Transport: New(ctx, s, DefaultTimes(), slog.New(slog.DiscardHandler))}, "http://vault")
		if _, err := c.Keys(ctx); !refused(err) {
			t.Errorf("the first: %v", err)
		}
		if _, err := c.Enrol(ctx, vault.EnrolRequest{}); !refused(err) {
			t.Errorf("the second: %v", err)
		}
	})
}

// TestSpends: what can be done only once is never said to have been left undone
// when it was sent: who is told so asks again, and is refused.
func TestSpends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		s := &stub{again: make(chan struct{})}
		w := New(ctx, s, DefaultTimes(), slog.New(slog.DiscardHandler))
		once := []string{vault.MethodConfirmCode, vault.MethodPartnerConfirm, vault.MethodStatusPull, vault.MethodBook, vault.MethodDose}
		s.slow.Store(int64(20 * time.Second))
		for _, method := range once {
			if took, err := ask(w, method); err != nil || took != 20*time.Second {
				t.Errorf("%s of a vault that is slow and lives: %v after %v", method, err, took)
			}
		}
		s.hangs.Store(true)
		errs := make(chan error, len(once))
		for _, method := range once {
			go func() { _, err := ask(w, method); errs <- err }()
		}
		for range once {
			if err := <-errs; err == nil || refused(err) {
				t.Errorf("sent to a vault that fell silent: %v", err)
			}
		}
	})
}
