package metrics

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Ready is what a role needs to do its work. It is safe for concurrent use.
type Ready struct {
	mu     sync.Mutex
	checks map[string]func(context.Context) error
}

// checkTime bounds all checks of one answer.
const checkTime = 3 * time.Second

// Need adds something the role needs. What a failing check says is shown to the
// operator: a word, no data.
func (r *Ready) Need(name string, check func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checks == nil {
		r.checks = map[string]func(context.Context) error{}
	}
	r.checks[name] = check
}

// Missing names what is missing, in order.
func (r *Ready) Missing(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r.mu.Lock()
	checks := make(map[string]func(context.Context) error, len(r.checks))
	for k, v := range r.checks {
		checks[k] = v
	}
	r.mu.Unlock()
	missing := []string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, check := range checks {
		wg.Go(func() {
			if check(ctx) != nil {
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, name)
			}
		})
	}
	wg.Wait()
	slices.Sort(missing)
	return missing
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready   bool                 `json:"ready"`
	Missing []string             `json:"missing"`
	Roles   map[string]Readiness `json:"roles,omitempty"`
}

// WriteReadiness answers with 200 or 503.
func WriteReadiness(w http.ResponseWriter, v Readiness) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !v.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(v) // a caller that is gone needs no answer
}

// Role serves one role's set, readiness and finished spans over its private socket.
func Role(s *Set, ready *Ready, drain func() []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		missing := ready.Missing(r.Context())
		WriteReadiness(w, Readiness{Ready: len(missing) == 0, Missing: missing})
	})
	mux.HandleFunc("POST /spans", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(drain())
	})
	return mux
}
