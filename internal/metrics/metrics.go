// Package metrics is what a role shows of itself to its operator: counters,
// gauges and times in the Prometheus form, whether it is ready, and its spans.
// Labels are words of the program, never of a request: no ids, no numbers, no
// names, and no more than a bounded number of each.
package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Set is what one process shows. It is safe for concurrent use.
type Set struct {
	reg *prometheus.Registry
	now func() time.Time
}

// New makes the set of a process, with the Go runtime's and the process's own
// figures in it.
func New(version string, now func() time.Time) *Set {
	s := &Set{reg: prometheus.NewRegistry(), now: now}
	s.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tikakosh_build_info", Help: "1, with the version of the program.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	s.reg.MustRegister(info)
	return s
}

// Register adds a collector of somebody else's. It panics when a name is taken:
// a mistake of the program.
func (s *Set) Register(c prometheus.Collector) { s.reg.MustRegister(c) }

// Gather implements prometheus.Gatherer's half for tests.
func (s *Set) Gather() prometheus.Gatherer { return s.reg }

// Handler serves the set in the form that is asked for.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
}

// Gauge shows what f returns whenever somebody looks. f must be quick and safe
// for concurrent use.
func (s *Set) Gauge(name, help string, f func() float64) {
	s.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// Counter shows a count that somebody else keeps.
func (s *Set) Counter(name, help string, f func() float64) {
	s.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
}

// Labelled is one value of a Values, with the values of its labels.
type Labelled struct {
	Labels []string
	Value  float64
}

// Values shows a list of values with labels whenever somebody looks. counter says
// that they only grow.
func (s *Set) Values(name, help string, counter bool, labels []string, f func() []Labelled) {
	kind := prometheus.GaugeValue
	if counter {
		kind = prometheus.CounterValue
	}
	s.reg.MustRegister(values{prometheus.NewDesc(name, help, labels, nil), kind, f})
}

type values struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	f    func() []Labelled
}

// Describe implements prometheus.Collector.
func (v values) Describe(out chan<- *prometheus.Desc) { out <- v.desc }

// Collect implements prometheus.Collector.
func (v values) Collect(out chan<- prometheus.Metric) {
	for _, x := range v.f() {
		out <- prometheus.MustNewConstMetric(v.desc, v.kind, x.Value, x.Labels...)
	}
}

// labelsMax bounds the values of one label; what comes after is "other".
const labelsMax = 200

// words lets a bounded number of words through.
type words struct {
	mu   sync.RWMutex
	seen map[string]bool
}

func (w *words) of(word string) string {
	w.mu.RLock()
	ok := w.seen[word]
	w.mu.RUnlock()
	if ok {
		return word
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if len(w.seen) >= labelsMax || word == "" || len(word) > 100 {
		return "other"
	}
	w.seen[word] = true
	return word
}

func vec(s *Set, name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	s.reg.MustRegister(v)
	return v
}

func times(s *Set, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	s.reg.MustRegister(v)
	return v
}

// The bounds of histograms, in seconds.
var (
	requestTimes = []float64{.001, .005, .025, .1, .5, 2, 10}
	callTimes    = []float64{.0005, .002, .01, .05, .25, 1, 5}
	syncTimes    = []float64{.0002, .001, .005, .025, .1, .5, 2}
	groupSizes   = []float64{1, 2, 4, 8, 16, 32, 64, 128}
)
