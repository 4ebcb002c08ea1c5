// Package tracing makes spans of requests on their way from the web role to the
// vault, in the OpenTelemetry form. A span has the name of a route or of a
// vault's method, times, a status and nothing of the request. Roles send nothing
// out: who has their private socket takes the finished spans from there.
package tracing

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tikakosh/internal/fault"
)

// spansMax bounds the spans that wait to be taken; further ones are dropped.
const spansMax = 4096

// Tracer makes spans. A nil one makes none and costs nothing. It is safe for
// concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	waiting  *waiting
}

// New makes the tracer of a role for a share of requests from 0 to 1; nil for 0.
func New(role, version string, share float64) (*Tracer, error) {
	if share <= 0 {
		return nil, nil
	}
	w := &waiting{}
	exporter, err := otlptrace.New(context.Background(), w)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "traces")
	}
	// Nothing of the machine: no detectors.
	about := resource.NewSchemaless(attribute.String("service.name", "tikakosh-"+role), attribute.String("service.version", version))
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(spansMax), sdktrace.WithBatchTimeout(time.Second)))
	return &Tracer{provider: p, tracer: p.Tracer("tikakosh"), waiting: w}, nil
}

// Drain returns the finished spans as an OTLP ExportTraceServiceRequest, and
// forgets them.
func (t *Tracer) Drain() []byte {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = t.provider.ForceFlush(ctx) // what is not flushed now comes the next time
	return t.waiting.take()
}

// waiting keeps finished spans. It is the exporter's client.
type waiting struct {
	mu    sync.Mutex
	spans []*tracepb.ResourceSpans
	n     int
}

// Start implements otlptrace.Client.
func (*waiting) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (*waiting) Stop(context.Context) error { return nil }

// UploadTraces implements otlptrace.Client.
func (w *waiting) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range spans {
		n := 0
		for _, s := range r.ScopeSpans {
			n += len(s.Spans)
		}
		if w.n+n <= spansMax {
			w.spans, w.n = append(w.spans, r), w.n+n
		}
	}
	return nil
}

// take encodes what waits. TracesData is on the wire what a collector takes.
func (w *waiting) take() []byte {
	w.mu.Lock()
	spans := w.spans
	w.spans, w.n = nil, 0
	w.mu.Unlock()
	if len(spans) == 0 {
		return nil
	}
	raw, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return nil
	}
	return raw
}

// Request begins the span of a request of the public; name is its route. What a
// client says of traces is not believed: each request is the root of its own.
// end takes the answer's status.
func (t *Tracer) Request(r *http.Request, name string) (inner *http.Request, end func(status int)) {
	method, path, ok := strings.Cut(name, " ")
	if !ok {
		path = name
	}
	ctx, span := t.tracer.Start(r.Context(), name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", path)))
	return r.WithContext(ctx), func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Calls makes a span of each call to the vault that belongs to a traced request,
// and tells the vault of it. Without a tracer it is next.
func (t *Tracer) Calls(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return &caller{t, next}
}

type caller struct {
	t    *Tracer
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c *caller) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanFromContext(r.Context()).IsRecording() {
		return c.next.RoundTrip(r)
	}
	ctx, span := c.t.tracer.Start(r.Context(), "call "+methodOf(r), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	res, err := c.next.RoundTrip(r)
	if err != nil || res.StatusCode >= 500 {
		span.SetStatus(codes.Error, "")
	}
	return res, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (c *caller) CloseIdleConnections() {
	if n, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}

// Serve makes a span of each call that belongs to a traced request. Without a
// tracer it is next.
func (t *Tracer) Serve(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") == "" {
			next.ServeHTTP(w, r)
			return
		}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, "vault "+methodOf(r), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// methodOf is the vault's method, a word of its table. The path is a program's,
// not a person's; anything unusual is not kept all the same.
func methodOf(r *http.Request) string {
	word := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if len(word) > 40 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz.-") != "" {
		return "unknown"
	}
	return word
}
