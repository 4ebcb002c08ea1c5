package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"tikakosh/internal/ipc"
	"tikakosh/internal/metrics"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/tracing"
)

// observed is what a role shows to its operator, and its log.
type observed struct {
	set   *metrics.Set
	ready *metrics.Ready
	trace *tracing.Tracer // nil: no traces
	log   *slog.Logger
}

// observe makes the figures and the log of a role; share of the requests are
// traced.
func observe(role string, share float64) (*observed, error) {
	trace, err := tracing.New(role, version, share)
	if err != nil {
		return nil, err
	}
	o := &observed{set: metrics.New(version, time.Now), ready: &metrics.Ready{}, trace: trace}
	o.log = slog.New(o.set.Logs(slog.NewJSONHandler(os.Stderr, nil), alarmsOf(role)...)).With("role", role)
	return o, nil
}

// answer serves the operator's questions on the inherited socket, if there is
// one, until ctx ends. A role answers from its beginning, so that what it still
// waits for can be seen.
func (o *observed) answer(ctx context.Context) error {
	end, ok := inheritedIf(opsEnd)
	if !ok {
		return nil
	}
	return o.answerOn(ctx, end)
}

func (o *observed) answerOn(ctx context.Context, end *os.File) error {
	ln, err := ipc.Listen(end, opsEnd)
	if err != nil {
		return err
	}
	srv := &ipc.Server{Handler: metrics.Role(o.set, o.ready, o.trace.Drain), Logger: o.log}
	go func() { _ = srv.Serve(ln) }()                        // ends with the process, or below
	context.AfterFunc(ctx, func() { _ = srv.Shutdown(ctx) }) // at once: ctx has ended
	return nil
}

// toVault is a role's way to the vault, counted and traced.
func (o *observed) toVault(c *http.Client) *http.Client {
	c.Transport = o.trace.Calls(o.set.Calls(c.Transport))
	return c
}

// database shows a database's load and lets readiness ask it.
func (o *observed) database(name string, db sqldb.DB) {
	if busy, ok := sqldb.Unwrap(db).(sqldb.Busy); ok {
		o.set.Load(name, busy.Load)
	}
	o.ready.Need(name+" database", func(ctx context.Context) error {
		return db.View(ctx, func(tx sqldb.Tx) error {
			var one int
			return tx.QueryRow(ctx, `SELECT 1`).Scan(&one)
		})
	})
}
