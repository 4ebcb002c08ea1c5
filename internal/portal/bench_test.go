package portal

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/portal/storybook"
	"tikakosh/internal/scheduling"
)

// cpu is the processor time of this thread.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// median is the processor time of one request, at the middle of n.
func median(tb testing.TB, h http.Handler, path string, n int, header ...string) time.Duration {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := make([]time.Duration, 0, n)
	for range n {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		from := cpu(tb)
		h.ServeHTTP(w, r)
		took = append(took, cpu(tb)-from)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), "html") {
			tb.Fatalf("%s: %d", path, w.Code)
		}
	}
	slices.Sort(took)
	return took[n/2]
}

// full is a search that finds as many centres as a page shows.
type full struct{ programme }

func (f *full) Ask(q scheduling.Question) scheduling.Found {
	got := f.programme.Ask(q)
	for len(got.List) < 20 {
		got.List = append(got.List, got.List[0])
	}
	f.asked = nil
	return got
}

// BenchmarkPages is the processor time of the pages that are asked for most, handler, limits,
// components and compression together: the search (20 centres) whole, and the account's screen
// with its people as the storybook draws it.
func BenchmarkPages(b *testing.B) {
	s, _ := newServer(b, func(c *Config) { c.Search, c.Reports = &full{}, published{} })
	book, err := storybook.New()
	if err != nil {
		b.Fatal(err)
	}
	for _, x := range []struct {
		name, path string
		h          http.Handler
	}{{"search", "/find?pin=110001", s}, {"account", "/s/account", book}, {"landing", "/", s}, {"verify", "/verify", s}} {
		b.Run(x.name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(median(b, x.h, x.path, 200, "Accept-Encoding", "gzip"))/1000, "cpu-µs/page")
			}
		})
	}
}

// most is twice what the search and the account may cost (half a millisecond at the middle,
// docs/PERFORMANCE.md): a busy machine's caches are not a page's.
const most = time.Millisecond

// TestRenderCost: neither costs more, in one of five goes.
func TestRenderCost(t *testing.T) {
	s, _ := newServer(t, func(c *Config) { c.Search, c.Reports = &full{}, published{} })
	book, err := storybook.New()
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() { // the race detector's time is not a page's
		return
	}
	for path, h := range map[string]http.Handler{"/find?pin=110001": s, "/s/account": book} {
		var last time.Duration
		for range 5 {
			if last = median(t, h, path, 100, "Accept-Encoding", "gzip"); last <= most {
				break
			}
		}
		if last > most {
			t.Errorf("%s costs %v", path, last)
		}
		t.Logf("%s: %v", path, last)
	}
}
