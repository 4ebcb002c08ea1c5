package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
)

func shown(t *testing.T, s *Set) string {
	t.Helper()
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	return rec.Body.String()
}

// TestLabelsAreBounded: whatever names arrive, a label has a bounded number of
// values.
func TestLabelsAreBounded(t *testing.T) {
	s := New("test", time.Now)
	w := NewWeb(s, []string{"integrity"}, []string{"code"})
	for i := range 1000 {
		w.Answered(fmt.Sprint("GET /route/", i), 200+i%400, time.Millisecond)
		w.Refused(fmt.Sprint("kind", i))
	}
	w.Answered("x", -1, 0)
	w.Answered("x", 999, 0)
	text := shown(t, s)
	if n := strings.Count(text, "tikakosh_http_request_seconds_count{"); n != labelsMax+1 {
		t.Errorf("%d routes", n)
	}
	if n := strings.Count(text, "tikakosh_refusals_total{"); n != labelsMax+1 {
		t.Errorf("%d kinds", n)
	}
	for _, want := range []string{`tikakosh_refusals_total{kind="integrity"} 0`, `tikakosh_limited_total{limit="code"} 0`, `route="other"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestMerge: families of several roles come together under one name, a role that
// does not answer is down, and one that answers nonsense spoils nothing.
func TestMerge(t *testing.T) {
	serve := func(h http.Handler) *http.Client {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return &http.Client{Transport: to(srv.URL)}
	}
	one, two := New("1", time.Now), New("2", time.Now)
	one.Gauge("tikakosh_test", "A test.", func() float64 { return 1 })
	two.Gauge("tikakosh_test", "A test.", func() float64 { return 2 })
	two.Gauge("tikakosh_other", "Another.", func() float64 { return 3 })
	three := New("3", time.Now)
	three.Counter("tikakosh_other", "Of another type.", func() float64 { return 4 })
	ready := &Ready{}
	ready.Need("disk", func(context.Context) error { return errors.New("full") })
	sources := []Source{{Role: "own", Own: one}, {Role: "two", Client: serve(Role(two, ready, func() []byte { return nil }))},
		{Role: "junk", Client: serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("junk")) }))},
		{Role: "down", Client: &http.Client{Transport: to("http://127.0.0.1:1")}}, {Role: "zz", Own: three}}
	var out bytes.Buffer
	if err := Merge(t.Context(), sources, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tikakosh_test{role="own"} 1`, `tikakosh_test{role="two"} 2`, `tikakosh_up{role="own"} 1`, `tikakosh_up{role="two"} 1`,
		`tikakosh_up{role="junk"} 0`, `tikakosh_up{role="down"} 0`, `tikakosh_build_info{role="two",version="2"} 1`} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(out.String(), "# TYPE tikakosh_test ") != 1 || strings.Count(out.String(), "# TYPE tikakosh_other ") != 1 {
		t.Error("a family is there twice")
	}
	rec := httptest.NewRecorder()
	Operator(sources).ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), `"missing":["two","junk","down"]`) || !strings.Contains(rec.Body.String(), `["disk"]`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// TestMergeCaptured: a role that says what it likes can spoil neither the figures of
// the others nor the process that gathers them.
func TestMergeCaptured(t *testing.T) {
	honest := New("1", time.Now)
	honest.Gauge("tikakosh_age_seconds", "A test.", func() float64 { return 7 })
	honest.Gauge("tikakosh_zz_seconds", "A test.", func() float64 { return 8 })
	name := func(s string) *string { return &s }
	gauge, counter, value := dto.MetricType_GAUGE, dto.MetricType_COUNTER, 1.0
	says := func(fs ...*dto.MetricFamily) []byte {
		var b bytes.Buffer
		for _, f := range fs {
			if _, err := protodelim.MarshalTo(&b, f); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	family := func(n string, kind dto.MetricType, labels ...*dto.LabelPair) *dto.MetricFamily {
		return &dto.MetricFamily{Name: name(n), Type: &kind, Metric: []*dto.Metric{{Label: labels, Gauge: &dto.Gauge{Value: &value}}}}
	}
	for what, raw := range map[string][]byte{
		"an endless length":      {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f},
		"a value of no type":     says(family("tikakosh_broken", counter)),
		"the role's own label":   says(family("tikakosh_mine", gauge, &dto.LabelPair{Name: name("role"), Value: name("vault")})),
		"a label twice":          says(family("tikakosh_mine", gauge, &dto.LabelPair{Name: name("a"), Value: name("1")}, &dto.LabelPair{Name: name("a"), Value: name("2")})),
		"a line in a name":       says(family("x 1\ntikakosh_up{role=\"vault\"} 0", gauge)),
		"another's type":         says(&dto.MetricFamily{Name: name("tikakosh_age_seconds"), Type: &counter, Metric: []*dto.Metric{{Counter: &dto.Counter{Value: &value}}}}),
		"a family of no figures": says(&dto.MetricFamily{Name: name("tikakosh_none"), Type: &gauge}),
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) }))
		var out bytes.Buffer
		err := Merge(t.Context(), []Source{{Role: "ops", Own: honest}, {Role: "web", Client: &http.Client{Transport: to(srv.URL)}}}, &out)
		srv.Close()
		if err != nil || !strings.Contains(out.String(), "tikakosh_age_seconds{role=\"ops\"} 7\n") || !strings.Contains(out.String(), "tikakosh_zz_seconds{role=\"ops\"} 8\n") {
			t.Errorf("%s: %v", what, err)
		}
		for _, bad := range []string{"vault", "tikakosh_mine", "tikakosh_broken", "tikakosh_age_seconds{role=\"web\""} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%s: the figures have %s", what, bad)
			}
		}
	}
}

// to sends every request to one server.
type to string

// RoundTrip implements http.RoundTripper.
func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := r.URL.Parse(string(t) + r.URL.Path)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL = u
	return http.DefaultTransport.RoundTrip(r)
}

func TestLogsAreCounted(t *testing.T) {
	s := New("test", time.Now)
	var out bytes.Buffer
	log := slog.New(s.Logs(slog.NewJSONHandler(&out, nil), "clock")).With("role", "x").WithGroup("g")
	log.Info("fine")
	log.Warn("alarm: somebody", "alarm", "caller")
	log.Error("bad")
	text := shown(t, s)
	for _, want := range []string{`tikakosh_alarms_total{alarm="caller"} 1`, `tikakosh_alarms_total{alarm="clock"} 0`, `tikakosh_log_lines_total{level="warn"} 1`, `tikakosh_log_lines_total{level="error"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(out.String(), `"role":"x"`) != 3 {
		t.Errorf("passed on: %s", out.String())
	}
}

// BenchmarkAnswered is what each request costs.
func BenchmarkAnswered(b *testing.B) {
	w := NewWeb(New("test", time.Now), nil, nil)
	for b.Loop() {
		w.Answered("GET /api/v2/appointment/sessions/public/findByPin", 200, 300*time.Microsecond)
	}
}

// BenchmarkCall is what each call to the vault costs on both sides.
func BenchmarkCall(b *testing.B) {
	s := New("test", time.Now)
	served := NewServed(s).Wrap("web", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	calls := s.Calls(nowhere{})
	r := httptest.NewRequest("POST", "/v1/person.open", nil)
	for b.Loop() {
		served.ServeHTTP(nil, r)
		if res, err := calls.RoundTrip(r); err == nil && res.Body != nil {
			_ = res.Body.Close()
		}
	}
}

type nowhere struct{}

// RoundTrip implements http.RoundTripper.
func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200}, nil
}
