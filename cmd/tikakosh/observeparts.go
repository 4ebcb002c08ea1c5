package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
	"tikakosh/internal/metrics"
	"tikakosh/internal/notify"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
)

// tracer is the edge's: nil, and not a nil of another type, without traces.
func (o *observed) tracer() edge.Tracer {
	if o.trace == nil {
		return nil
	}
	return o.trace
}

// vaultReady asks the vault whether it opens records.
func vaultReady(ctx context.Context, v *vault.Client) error {
	s, err := v.Status(ctx)
	if err == nil && !s.Ready {
		err = errors.New("the vault compares its rows with the ledger")
	}
	return err
}

// overdue shows how long the outbox's oldest note is due.
func (r *registryRole) overdue(ctx context.Context, set *metrics.Set) {
	set.Gauge("tikakosh_outbox_overdue_seconds", "How long the oldest note of the outbox is due; 0 when none is.", func() float64 {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		now := r.now().UnixMilli()
		due := now
		notes, err1 := r.scatter.Notes(ctx, now, 1)
		cancels, err2 := r.scatter.CancelNotes(ctx, now, 1)
		if errors.Join(err1, err2) != nil {
			return -1
		}
		for _, n := range notes {
			due = min(due, n.Due)
		}
		for _, n := range cancels {
			due = min(due, n.Due)
		}
		return float64(now-due) / 1000
	})
}

// keyProvider shows whether the keys' custodian answers; p is empty until it has
// answered for the first time.
func (o *observed) keyProvider(p *atomic.Pointer[custody.Provider]) {
	check := func() error {
		provider := p.Load()
		if provider == nil {
			return fault.New(fault.Unavailable, "key-custody", "the vault waits for its keys")
		}
		_, err := (*provider).Wrap("operator-check", make([]byte, 32))
		return err
	}
	o.ready.Need("key provider", func(context.Context) error { return check() })
	o.set.Gauge("tikakosh_key_provider_up", "1 when the keys' custodian answers.", func() float64 {
		if check() != nil {
			return 0
		}
		return 1
	})
}

// ledger shows how far the ledger's files follow the database.
func (o *observed) ledger(l layout, k *keeper.Keeper, files *ledger.Log) {
	size := func() int64 {
		s, err := k.Status(context.Background(), vault.Empty{})
		if err != nil {
			return 0
		}
		return s.LedgerSize
	}
	o.ready.Need("vault", func(ctx context.Context) error {
		s, err := k.Status(ctx, vault.Empty{})
		if err == nil && !s.Ready {
			err = fault.New(fault.Unavailable, "verify", "the rows are being compared with the ledger")
		}
		return err
	})
	o.set.Gauge("tikakosh_ledger_entries", "Entries of the ledger in the vault's database.", func() float64 { return float64(size()) })
	o.set.Gauge("tikakosh_ledger_lag_entries", "Entries that are not in the ledger's files yet.", func() float64 { return float64(max(0, size()-int64(files.Size()))) })
	o.set.Gauge("tikakosh_ledger_unpublished_entries", "Entries that the published checkpoint does not cover yet.", func() float64 {
		_, published, err := ledger.PublishedCheckpoint(l.ledger())
		if err != nil {
			return float64(size())
		}
		return float64(max(0, size()-published))
	})
	o.set.Gauge("tikakosh_checkpoint_age_seconds", "Time since a checkpoint was published; while nothing new is written it may grow.", func() float64 {
		info, err := os.Stat(filepath.Join(l.ledger(), "checkpoint"))
		if err != nil {
			return -1
		}
		return time.Since(info.ModTime()).Seconds()
	})
	o.set.Gauge("tikakosh_erasure_waits_seconds", "How long the oldest erasure has waited for the epoch key to change; 0 when none waits.", func() float64 { return k.EraseWaits().Seconds() })
	o.set.Gauge("tikakosh_challenge_mode", "1 while a proof of work is asked before a code, because of many wrong codes.", func() float64 {
		s, err := k.Status(context.Background(), vault.Empty{})
		if err != nil || !s.Challenge {
			return 0
		}
		return 1
	})
}

// routeCounts are what became of messages at each gateway.
func routeCounts(r *notify.Router) (out []metrics.Labelled) {
	for route, c := range r.Counts() {
		for name, n := range map[string]int64{"accepted": c.Accepted, "refused": c.Refused, "unsure": c.Unsure, "delivered": c.Delivered, "failed": c.Failed} {
			out = append(out, metrics.Labelled{Labels: []string{route, name}, Value: float64(n)})
		}
	}
	return out
}

// newWebFigures are the web role's, with every kind of refusal and class of limits.
func newWebFigures(set *metrics.Set) *metrics.Web {
	kinds := []string{}
	for _, k := range []fault.Kind{fault.Internal, fault.Invalid, fault.Unauthorized, fault.Forbidden, fault.NotFound, fault.Conflict, fault.Full,
		fault.RateLimited, fault.Unavailable, fault.Unknown, fault.Integrity} {
		kinds = append(kinds, string(k))
	}
	return metrics.NewWeb(set, kinds, []string{string(edge.RateCode), string(edge.RateSearch), string(edge.RateSelf)})
}

// alarmsOf are the words of the alarms that a role may write.
func alarmsOf(role string) []string {
	switch role {
	case "vault":
		return []string{"caller", "failed-guesses", "inbox", "key-change", "key-custody", "key-shares", "logs", "new-devices", "notice", "policies", "policy"}
	case "supervisor":
		return []string{"clock", "logs"}
	}
	return nil
}
