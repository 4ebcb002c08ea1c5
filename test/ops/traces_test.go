package ops

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tikakosh/test/harness"
)

// collector is a stand-in for an OpenTelemetry collector.
type collector struct {
	mu    sync.Mutex
	raw   []byte
	spans map[string][]*tracepb.Span // by service
	bad   []string
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	var data tracepb.TracesData
	if err != nil || r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
		c.bad = append(c.bad, r.Method+" "+r.URL.Path)
		return
	}
	c.raw = append(c.raw, body...)
	for _, res := range data.ResourceSpans {
		service := ""
		for _, a := range res.Resource.Attributes {
			switch a.Key {
			case "service.name":
				service = a.Value.GetStringValue()
			case "service.version":
			default:
				c.bad = append(c.bad, "resource attribute "+a.Key)
			}
		}
		for _, scope := range res.ScopeSpans {
			c.spans[service] = append(c.spans[service], scope.Spans...)
		}
	}
}

// find returns a service's spans of a name.
func (c *collector) find(service, name string) (out []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans[service] {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

// TestTraces: with a collector, a request can be followed from the web role into
// the vault, and no span holds anything of the people or of what a client says.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := &collector{spans: map[string][]*tracepb.Span{}}
	at := httptest.NewServer(c)
	defer at.Close()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Args: []string{"--otlp", at.URL, "--otlp-share", "1"}})
	const foreign = "0af7651916cd43dd8448eb211c80319c"
	s.Client().Must("GET", "/v3/keys", nil, "Traceparent", "00-"+foreign+"-b7ad6b7169203331-01")
	sec := journey(t, s)
	const route, method = "POST /api/v2/registration/beneficiary/new", "person.enrol"
	waitFor(t, "spans of a registration in both roles", func() bool {
		return len(c.find("tikakosh-web", route)) > 0 && len(c.find("tikakosh-vault", "vault "+method)) > 0
	})
	followed := false
	for _, in := range c.find("tikakosh-vault", "vault "+method) {
		for _, call := range c.find("tikakosh-web", "call "+method) {
			for _, req := range c.find("tikakosh-web", route) {
				followed = followed || (bytes.Equal(in.ParentSpanId, call.SpanId) && bytes.Equal(call.ParentSpanId, req.SpanId) && bytes.Equal(in.TraceId, req.TraceId))
			}
		}
	}
	if !followed {
		t.Error("a registration cannot be followed from the web role into the vault")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		t.Errorf("the collector got %q", c.bad)
	}
	if hits := sec.within(t, c.raw); len(hits) > 0 {
		t.Errorf("the spans hold %q", hits)
	}
	for service, spans := range c.spans {
		for _, span := range spans {
			if hex.EncodeToString(span.TraceId) == foreign {
				t.Error("a client's trace id was taken over")
			}
			if len(span.Events) > 0 || len(span.Links) > 0 || span.TraceState != "" || strings.ContainsAny(span.Name, "?=%") {
				t.Errorf("%s %s holds more than it should", service, span.Name)
			}
			for _, a := range span.Attributes {
				if !slices.Contains([]string{"http.request.method", "http.route", "http.response.status_code"}, a.Key) {
					t.Errorf("%s %s has the attribute %s", service, span.Name, a.Key)
				}
			}
		}
	}
}
