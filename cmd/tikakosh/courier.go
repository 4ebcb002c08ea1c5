package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/ipc"
	"tikakosh/internal/metrics"
	"tikakosh/internal/notify"
	"tikakosh/internal/supervise"

	"encoding/json"
)

type courierCmd struct {
	Serve     courierServeCmd     `cmd:"" default:"withargs" help:"Run the courier role alone (started by run)."`
	Check     courierCheckCmd     `cmd:"" help:"Reach each gateway and mail server of a routes file and say what is wrong, also with its template ids."`
	Templates courierTemplatesCmd `cmd:"" help:"Print the texts to register (DLT), one a line: template, language, text."`
}

type courierServeCmd struct {
	Outbox    bool   `help:"Keep messages for the outbox page instead of sending them."`
	ClockFile string `hidden:""`
}

// Run is the courier role.
func (c *courierServeCmd) Run() error {
	end, err := inherited("courier")
	if err != nil {
		return badConfig("the courier is started by tikakosh run, which hands it its messages and, from --routes, its gateways; to try a routes file: tikakosh courier check --routes FILE")
	}
	o, err := observe("courier", 0)
	if err != nil {
		return err
	}
	log := o.log
	ctx, stop := roleContext()
	defer stop()
	if err := o.answer(ctx); err != nil {
		return err
	}
	now := clock(c.ClockFile)
	var sender notify.Sender = notify.NewOutbox(now)
	if !c.Outbox {
		routes, err := inheritedRoutes()
		if err != nil {
			return badConfig("no message route: %s", message(err))
		}
		router, err := notify.NewRouter(routes, now, log)
		if err != nil {
			return badConfig("%s", message(err))
		}
		o.set.Values("tikakosh_courier_route_total", "What became of messages at a gateway, by route and outcome; delivered and failed are receipts.", true, []string{"route", "outcome"},
			func() []metrics.Labelled { return routeCounts(router) })
		ended := make(chan struct{})
		go func() { defer close(ended); router.Run(ctx) }()
		defer func() { stop(); <-ended }()
		sender = router
	}
	ln, err := ipc.Listen(end, "vault")
	if err != nil {
		return err
	}
	srv := &ipc.Server{Handler: o.set.Sent(notify.NewCourier(sender, now).Handler()), Logger: log}
	return serveUntil(ctx, func() error { supervise.Ready(); return srv.Serve(ln) }, srv)
}

// serveUntil serves until ctx ends, then lets requests finish.
func serveUntil(ctx context.Context, serve func() error, srv server) error {
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// outboxVariable hands the vault the secret part of the outbox page's address:
// only its own user and root can read its environment. Every process of the
// machine can reach a loopback address, and whoever reads codes can sign in.
const outboxVariable = "TIKAKOSH_OUTBOX_PATH"

// outboxPage shows the kept messages below /SECRET/: HTML for people, JSON for
// scripts. It is served by the vault on a loopback address, in demos and trials
// only. Without the secret it answers 404 to everything.
func outboxPage(c *notify.Client, secret string) http.Handler {
	page := template.Must(template.New("outbox").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="3"><title>Outbox</title></head><body><h1>Outbox</h1>
<p>Messages that would have been sent to phones. This page exists in demos and trials only.</p>
<table><thead><tr><th scope="col">To</th><th scope="col">Message</th></tr></thead><tbody>
{{range .}}<tr><td>{{.To}}</td><td>{{.Text}}</td></tr>{{else}}<tr><td colspan="2">No messages yet.</td></tr>{{end}}
</tbody></table></body></html>`))
	mux := http.NewServeMux()
	messages := func(w http.ResponseWriter, r *http.Request) ([]notify.Delivered, bool) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		all, err := c.Messages(r.Context())
		if err != nil {
			http.Error(w, "the courier cannot be reached", http.StatusServiceUnavailable)
		}
		return all, err == nil
	}
	mux.HandleFunc("GET /messages.json", func(w http.ResponseWriter, r *http.Request) {
		if all, ok := messages(w, r); ok {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(all)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if all, ok := messages(w, r); ok {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = page.Execute(w, all[:min(len(all), 100)])
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if len(secret) < 26 || subtle.ConstantTimeCompare([]byte(first), []byte(secret)) != 1 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Referrer-Policy", "no-referrer")
		r.URL.Path = "/" + rest
		mux.ServeHTTP(w, r)
	})
}
