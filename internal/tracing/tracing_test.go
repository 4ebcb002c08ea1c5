package tracing

import (
	"net/http"
	"net/http/httptest"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestOff: without a share there is no tracer, and what it wraps is untouched.
func TestOff(t *testing.T) {
	tr, err := New("web", "1", 0)
	if err != nil || tr != nil {
		t.Fatalf("%v %v", tr, err)
	}
	next := http.DefaultTransport
	if tr.Calls(next) != next || tr.Drain() != nil {
		t.Error("a tracer that is off does something")
	}
	h := http.NotFoundHandler()
	rec := httptest.NewRecorder()
	tr.Serve(h).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 404 {
		t.Error(rec.Code)
	}
}

// TestBound: spans that nobody takes do not pile up.
func TestBound(t *testing.T) {
	tr, err := New("web", "1", 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * spansMax {
		_, end := tr.Request(httptest.NewRequest("GET", "/secret?mobile=1", nil), "GET /route")
		end(503)
	}
	var data tracepb.TracesData
	n := 0
	for raw := tr.Drain(); raw != nil; raw = tr.Drain() {
		if err := proto.Unmarshal(raw, &data); err != nil {
			t.Fatal(err)
		}
		for _, r := range data.ResourceSpans {
			for _, s := range r.ScopeSpans {
				n += len(s.Spans)
				for _, span := range s.Spans {
					if span.Name != "GET /route" || span.Status.Code != tracepb.Status_STATUS_CODE_ERROR {
						t.Fatalf("%v", span)
					}
				}
			}
		}
	}
	if n == 0 || n > 2*spansMax+512 {
		t.Errorf("%d spans", n)
	}
}

func TestMethodNames(t *testing.T) {
	for path, want := range map[string]string{"/v1/person.open": "person.open", "/v1/9876543210": "unknown", "/v1/a b": "unknown", "/v1/": "",
		"/v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "unknown"} {
		r := httptest.NewRequest("POST", "/x", nil)
		r.URL.Path = path
		if got := methodOf(r); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
