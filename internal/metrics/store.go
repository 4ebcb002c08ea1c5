package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Store watches one database's writer. It is what the stores' option Watch takes.
type Store struct {
	now    func() time.Time
	sizes  prometheus.Observer
	took   prometheus.Observer
	failed prometheus.Counter
}

// NewStore adds the figures of one database; name is "registry" or "vault".
func NewStore(s *Set, name string) *Store {
	l := prometheus.Labels{"db": name}
	make1 := func(metric, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: metric, Help: help, Buckets: buckets, ConstLabels: l})
		s.reg.MustRegister(h)
		return h
	}
	failed := prometheus.NewCounter(prometheus.CounterOpts{Name: "tikakosh_db_commit_failures_total", Help: "Commits that failed.", ConstLabels: l})
	s.reg.MustRegister(failed)
	return &Store{now: s.now, failed: failed,
		sizes: make1("tikakosh_db_commit_calls", "Calls that shared a commit.", groupSizes),
		took:  make1("tikakosh_db_commit_seconds", "Time of a commit, the sync to disk included.", syncTimes)}
}

// Committing is called before a commit; the function it returns, after it.
func (w *Store) Committing(calls int) (done func(error)) {
	begin := w.now()
	return func(err error) {
		w.sizes.Observe(float64(calls))
		w.took.Observe(w.now().Sub(begin).Seconds())
		if err != nil {
			w.failed.Inc()
		}
	}
}

// Load shows how many calls wait for the writer and how many reads run.
func (s *Set) Load(name string, f func() (waiting, reading int)) {
	l := prometheus.Labels{"db": name}
	s.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tikakosh_db_waiting", Help: "Calls that wait for the writer.", ConstLabels: l},
		func() float64 { n, _ := f(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tikakosh_db_readers", Help: "Connections that read at this moment.", ConstLabels: l},
			func() float64 { _, n := f(); return float64(n) }))
}

// Jobs counts the runs of a worker's jobs.
type Jobs struct {
	now  func() time.Time
	runs *prometheus.CounterVec
	last *prometheus.GaugeVec
}

// NewJobs adds the worker's counters.
func NewJobs(s *Set, jobs ...string) *Jobs {
	j := &Jobs{now: s.now, runs: vec(s, "tikakosh_job_runs_total", "Runs of a job, by outcome.", "job", "outcome"),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tikakosh_job_last_success_timestamp_seconds", Help: "When a job last ended well."}, []string{"job"})}
	s.reg.MustRegister(j.last)
	for _, name := range jobs {
		j.runs.WithLabelValues(name, "failed")
	}
	return j
}

// Ran counts one run.
func (j *Jobs) Ran(job string, err error) {
	if err != nil {
		j.runs.WithLabelValues(job, "failed").Inc()
		return
	}
	j.runs.WithLabelValues(job, "ok").Inc()
	j.last.WithLabelValues(job).Set(float64(j.now().UnixMilli()) / 1000)
}
