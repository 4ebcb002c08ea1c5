package main

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts writes, as a file sees them.
type writes struct {
	mu sync.Mutex
	n  int
	bytes.Buffer
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return w.Buffer.Write(p)
}

// TestGather: lines of many callers come out whole, in few writes, soon.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &writes{}
		log := slog.New(slog.NewJSONHandler(&gather{out: out}, nil))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for range 200 {
					log.Info("request", "status", 200)
				}
			})
		}
		wg.Wait()
		time.Sleep(accessWait)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2000 || out.n > 10 {
			t.Fatalf("%d lines in %d writes", len(lines), out.n)
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, `{"time":`) || !strings.HasSuffix(l, `"status":200}`) {
				t.Fatalf("line %q", l)
			}
		}
		log.Info("request", "status", 304)
		time.Sleep(accessWait)
		synctest.Wait()
		if !strings.Contains(out.String(), "304") {
			t.Error("a line alone was not written")
		}
	})
}
