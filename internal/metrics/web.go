package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Web counts requests. It is the edge's Watch.
type Web struct {
	requests *prometheus.CounterVec
	times    *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	limited  *prometheus.CounterVec
	words    words // routes
	kinds    words
	classes  words

	// by holds each route's counters, looked up without a lock: it is read for
	// every request and written once for each route.
	by atomic.Pointer[map[string]*route]
	mu sync.Mutex
}

type route struct {
	took    prometheus.Observer
	classes [6]prometheus.Counter // 0: no status
}

// NewWeb adds the web role's counters. kinds and limits are the words that are there from the start, with 0.
func NewWeb(s *Set, kinds, limits []string) *Web {
	w := &Web{
		requests: vec(s, "tikakosh_http_requests_total", "Requests answered, by route and class of status.", "route", "class"),
		times:    times(s, "tikakosh_http_request_seconds", "Time until a request was answered, by route.", requestTimes, "route"),
		refusals: vec(s, "tikakosh_refusals_total", "Requests refused, by kind of reason.", "kind"),
		limited:  vec(s, "tikakosh_limited_total", "Requests over the limit of their origin, by class of limits.", "limit"),
	}
	for _, k := range kinds {
		w.refusals.WithLabelValues(w.kinds.of(k))
	}
	for _, l := range limits {
		w.limited.WithLabelValues(w.classes.of(l))
	}
	w.by.Store(&map[string]*route{})
	return w
}

var classes = [6]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Answered counts a request.
func (w *Web) Answered(name string, status int, took time.Duration) {
	r := (*w.by.Load())[name]
	if r == nil {
		r = w.add(name)
	}
	class := status / 100
	if class < 0 || class >= len(classes) {
		class = 0
	}
	r.classes[class].Inc()
	r.took.Observe(took.Seconds())
}

func (w *Web) add(name string) *route {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := *w.by.Load()
	if r := old[name]; r != nil {
		return r
	}
	label := w.words.of(name)
	r := &route{took: w.times.WithLabelValues(label)}
	for i, c := range classes {
		r.classes[i] = w.requests.WithLabelValues(label, c)
	}
	if label != name { // no room: looked up each time
		return r
	}
	next := make(map[string]*route, len(old)+1)
	for k, v := range old {
		next[k] = v
	}
	next[name] = r
	w.by.Store(&next)
	return r
}

// Refused counts a refusal by its kind of fault.
func (w *Web) Refused(kind string) { w.refusals.WithLabelValues(w.kinds.of(kind)).Inc() }

// Limited counts a request over its origin's limit.
func (w *Web) Limited(class string) { w.limited.WithLabelValues(w.classes.of(class)).Inc() }
