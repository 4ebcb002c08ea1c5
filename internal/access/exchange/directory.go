package exchange

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tikakosh/internal/fault"
)

const (
	// fresh is how old a list of providers may be: it shows buttons and says where codes
	// are exchanged; who is let in the vault says.
	fresh   = 500 * time.Millisecond
	again   = 50 * time.Millisecond // for one that is not on it: it may have come into force just now
	askWait = 2 * time.Second
)

// Directory is the web role's list of the providers in force. It is safe for concurrent
// use.
type Directory struct {
	ask  func(context.Context) ([]Provider, error)
	swap *Exchanger
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	asked time.Time
	list  []Provider
}

// NewDirectory asks by ask.
func NewDirectory(ask func(context.Context) ([]Provider, error), swap *Exchanger, now func() time.Time, log *slog.Logger) *Directory {
	return &Directory{ask: ask, swap: swap, now: now, log: log}
}

// Known are the providers; what they were while nobody can be asked.
func (d *Directory) Known(ctx context.Context) []Provider { return d.known(ctx, fresh) }

func (d *Directory) known(ctx context.Context, most time.Duration) []Provider {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); now.Sub(d.asked).Abs() >= most {
		d.asked = now
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWait)
		defer cancel()
		if got, err := d.ask(ctx); err == nil {
			d.list = got
		}
	}
	return d.list
}

// IDToken exchanges a code at a department; fault.NotFound: there is none of that id.
func (d *Directory) IDToken(ctx context.Context, name, code, verifier string) (string, error) {
	list := d.Known(ctx)
	if !slices.ContainsFunc(list, func(p Provider) bool { return p.ID == name }) {
		list = d.known(ctx, again)
	}
	for _, p := range list {
		if p.ID != name {
			continue
		}
		token, err := d.swap.IDToken(ctx, p, code, verifier)
		if err != nil { // without what the provider said
			d.log.Warn("a code was not exchanged at a department", "department", p.ID, "why", fault.CodeOf(err))
		}
		return token, err
	}
	return "", fault.New(fault.NotFound, "department", "no such department")
}
