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
)

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
		from := cpuOf(tb, unix.CLOCK_THREAD_CPUTIME_ID)
		h.ServeHTTP(w, r)
		took = append(took, cpuOf(tb, unix.CLOCK_THREAD_CPUTIME_ID)-from)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), "html") {
			tb.Fatalf("%s: %d", path, w.Code)
		}
	}
	slices.Sort(took)
	return took[n/2]
}

// measured are the pages with a bound, and what has to stand on them.
func measured() map[string][2]string {
	return map[string][2]string{"account": {"/account", "Arjun Test"}, "search": {"/find?pin=999001", "Sample Primary Health Centre"}}
}

// BenchmarkPages is the processor time of the pages that are asked for most: the account of a
// household of four and the search of a PIN code with 50 centres, each by its handler over the
// real vault, registry and scheduling, rendering apart from reading; then the first page and the
// check of a certificate, which read nothing.
func BenchmarkPages(b *testing.B) {
	pages, m, header := realPages(b)
	for name, x := range measured() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				render, reading := costs(b, pages, m, x[0], x[1], 200, header...)
				b.ReportMetric(float64(render)/1000, "render-cpu-µs/page")
				b.ReportMetric(float64(reading)/1000, "reading-cpu-µs/page")
			}
		})
	}
	for name, path := range map[string]string{"landing": "/", "verify": "/verify"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(median(b, pages, path, 200, "Accept-Encoding", "gzip"))/1000, "cpu-µs/page")
			}
		})
	}
}

// most is twice what rendering the search and the account may cost (half a millisecond at the
// middle, docs/PERFORMANCE.md): a busy machine's caches are not a page's.
const most = time.Millisecond

// TestRenderCost: neither costs more, in one of five goes.
func TestRenderCost(t *testing.T) {
	pages, m, header := realPages(t)
	if testing.Short() { // the race detector's time is not a page's
		return
	}
	for name, x := range measured() {
		var render, reading time.Duration
		for range 5 {
			if render, reading = costs(t, pages, m, x[0], x[1], 60, header...); render <= most {
				break
			}
		}
		if render > most {
			t.Errorf("%s costs %v to render", name, render)
		}
		if reading == 0 {
			t.Errorf("%s read nothing", name)
		}
		t.Logf("%s: rendering %v, reading %v", name, render, reading)
	}
}
