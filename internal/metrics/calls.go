package metrics

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// methodOf is the last part of a call's path, which the vault's table names.
func methodOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// outcome says how a call over the vault's socket ended: 422 carries a fault.
func outcome(status int) int {
	switch {
	case status < 300:
		return callOK
	case status == http.StatusUnprocessableEntity:
		return callRefused
	default:
		return callFailed
	}
}

// outcomes are what outcome returns, as indexes.
const (
	callOK = iota
	callRefused
	callFailed
)

var outcomeNames = [3]string{"ok", "refused", "failed"}

// called are the figures of one method.
type called struct {
	took prometheus.Observer
	ends [3]prometheus.Counter
}

// table finds the figures of a method without a lock: it is read for every call
// and written once for each method.
type table struct {
	by    atomic.Pointer[map[string]*called]
	mu    sync.Mutex
	words *words
	make  func(method string) *called
}

func (t *table) of(method string) *called {
	if have := t.by.Load(); have != nil {
		if c := (*have)[method]; c != nil {
			return c
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[string]*called{}
	if have := t.by.Load(); have != nil {
		maps.Copy(next, *have)
	}
	word := t.words.of(method)
	if next[word] == nil {
		next[word] = t.make(word)
		t.by.Store(&next)
	}
	return next[word]
}

// Calls counts the calls a role makes to the vault, over next.
func (s *Set) Calls(next http.RoundTripper) http.RoundTripper {
	total := vec(s, "tikakosh_vault_client_calls_total", "Calls to the vault as the caller saw them, by method and outcome.", "method", "outcome")
	took := times(s, "tikakosh_vault_client_seconds", "Time of a call to the vault as the caller saw it, by method.", callTimes, "method")
	return &caller{next: next, now: s.now, table: table{words: &words{}, make: func(method string) *called {
		c := &called{took: took.WithLabelValues(method)}
		for i, name := range outcomeNames {
			c.ends[i] = total.WithLabelValues(method, name)
		}
		return c
	}}}
}

type caller struct {
	next  http.RoundTripper
	now   func() time.Time
	table table
}

// RoundTrip implements http.RoundTripper.
func (c *caller) RoundTrip(r *http.Request) (*http.Response, error) {
	begin := c.now()
	res, err := c.next.RoundTrip(r)
	how := callFailed
	if err == nil {
		how = outcome(res.StatusCode)
	}
	f := c.table.of(methodOf(r.URL.Path))
	f.ends[how].Inc()
	f.took.Observe(c.now().Sub(begin).Seconds())
	return res, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (c *caller) CloseIdleConnections() {
	if n, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}

// Served counts the calls a role answers. Use its Wrap for each caller's handler.
type Served struct {
	now   func() time.Time
	words *words
	total *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

// NewServed adds the counters of the vault's sockets.
func NewServed(s *Set) *Served {
	return &Served{now: s.now, words: &words{},
		total: vec(s, "tikakosh_vault_calls_total", "Calls the vault answered, by caller, method and outcome.", "caller", "method", "outcome"),
		took:  times(s, "tikakosh_vault_call_seconds", "Time the vault took to answer, by method.", callTimes, "method")}
}

// Wrap counts the calls of one caller.
func (v *Served) Wrap(caller string, next http.Handler) http.Handler {
	t := &table{words: v.words, make: func(method string) *called {
		c := &called{took: v.took.WithLabelValues(method)}
		for i, name := range outcomeNames {
			c.ends[i] = v.total.WithLabelValues(caller, method, name)
		}
		return c
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := v.now()
		rec := &statusOf{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		method := methodOf(r.URL.Path)
		if rec.status == http.StatusNotFound || rec.status == http.StatusMethodNotAllowed {
			method = "unknown"
		}
		f := t.of(method)
		f.ends[outcome(rec.status)].Inc()
		f.took.Observe(v.now().Sub(begin).Seconds())
	})
}

type statusOf struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusOf) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s *statusOf) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Sent counts the messages a courier is asked to send, by the status it answers.
func (s *Set) Sent(next http.Handler) http.Handler {
	total := vec(s, "tikakosh_courier_messages_total", "Messages the courier was asked to send, by outcome.", "outcome")
	took := times(s, "tikakosh_courier_send_seconds", "Time until a gateway had taken a message or not.", requestTimes).WithLabelValues()
	names := map[int]string{204: "sent", 422: "no_route", 503: "not_sent", 504: "unsure", 400: "invalid", 413: "invalid", 415: "invalid"}
	for _, n := range names {
		total.WithLabelValues(n)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		begin := s.now()
		rec := &statusOf{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		name := names[rec.status]
		if name == "" {
			name = strconv.Itoa(rec.status)
		}
		total.WithLabelValues(name).Inc()
		took.Observe(s.now().Sub(begin).Seconds())
	})
}
