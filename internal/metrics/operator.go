package metrics

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
)

// Operator serves what the operator asks of all roles: GET /metrics, /healthz,
// /readyz, and the last two with a role's name behind.
func Operator(sources []Source) http.Handler {
	by := map[string]Source{}
	for _, s := range sources {
		by[s.Role] = s
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = Merge(r.Context(), sources, w) // a scraper that is gone needs no answer
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { WriteReadiness(w, all(r.Context(), sources)) })
	mux.HandleFunc("GET /healthz/{role}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := by[r.PathValue("role")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if s.Own == nil {
			if _, err := s.Ask(r.Context(), http.MethodGet, "/healthz", ""); err != nil {
				http.Error(w, "the role does not answer", http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz/{role}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := by[r.PathValue("role")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		WriteReadiness(w, s.readiness(r.Context()))
	})
	return mux
}

func (s Source) readiness(ctx context.Context) Readiness {
	if s.Own != nil {
		return Readiness{Ready: true, Missing: []string{}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime+checkTime/2)
	defer cancel()
	var v Readiness
	raw, err := s.Ask(ctx, http.MethodGet, "/readyz", "")
	if err != nil || json.Unmarshal(raw, &v) != nil {
		return Readiness{Missing: []string{"the role does not answer"}}
	}
	return v
}

// all is ready when every role is; missing names the roles that are not.
func all(ctx context.Context, sources []Source) Readiness {
	out := Readiness{Ready: true, Missing: []string{}, Roles: map[string]Readiness{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, s := range sources {
		wg.Go(func() {
			v := s.readiness(ctx)
			mu.Lock()
			defer mu.Unlock()
			out.Roles[s.Role] = v
		})
	}
	wg.Wait()
	for _, s := range sources {
		if !out.Roles[s.Role].Ready {
			out.Ready, out.Missing = false, append(out.Missing, s.Role)
		}
	}
	return out
}
