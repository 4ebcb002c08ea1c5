package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// Router sends over the first route that takes a message. It never sends one
// again that a gateway may have, but a notice whose receipt says that it did not
// arrive. It is safe for concurrent use.
type Router struct {
	routes []*SMPP
	emails []*SMTP
	log    *slog.Logger
	now    func() time.Time
	failed chan failedNotice
	last   string
}

// failedNotice is a notice that did not arrive over the route before next.
type failedNotice struct {
	m    Message
	next int
}

// carrier is one route.
type carrier interface {
	submit(ctx context.Context, m Message) outcome
	named() (string, *counts)
	Check(ctx context.Context) error
}

// The failed notices that wait for another route at once, and the time one of
// them may take there.
const (
	failedAtOnce = 2000
	failedWait   = 30 * time.Second
	receiptTurn  = 5 * time.Minute
)

// NewRouter makes the routes of a configuration.
func NewRouter(c Routes, now func() time.Time, log *slog.Logger) (*Router, error) {
	r := &Router{log: log, now: now, failed: make(chan failedNotice, failedAtOnce)}
	for i, one := range c.Routes {
		s, err := NewSMPP(one, log)
		if err != nil {
			return nil, err
		}
		if i+1 < len(c.Routes) {
			s.watch = newReceipts(func(m Message) { r.didNotArrive(m, i+1) })
		}
		r.routes = append(r.routes, s)
	}
	for _, one := range c.Email {
		s, err := NewSMTP(one, now, log)
		if err != nil {
			return nil, err
		}
		r.emails = append(r.emails, s)
	}
	return r, nil
}

// Run keeps the routes' links up until ctx ends, and logs their counts.
func (r *Router) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.routes {
		wg.Go(func() { s.Run(ctx) })
	}
	wg.Go(func() { r.runFailed(ctx) })
	tick, turn := time.NewTicker(time.Minute), time.NewTicker(receiptTurn)
	defer tick.Stop()
	defer turn.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-turn.C:
			for _, s := range r.routes {
				s.watch.turn()
			}
		case <-tick.C:
			r.logCounts()
		}
	}
	wg.Wait()
	r.logCounts()
}

// didNotArrive queues a notice for the routes from next on; it never waits, as
// the reader of a link calls it.
func (r *Router) didNotArrive(m Message, next int) {
	if m.Once || m.Deadline > 0 && r.now().UnixMilli() > m.Deadline {
		return
	}
	select {
	case r.failed <- failedNotice{m, next}:
	default:
		r.log.Warn("a notice that did not arrive is given up: too many at once", "template", m.Template)
	}
}

// runFailed sends notices over their next route.
func (r *Router) runFailed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-r.failed:
			r.resend(ctx, f)
		}
	}
}

func (r *Router) resend(ctx context.Context, f failedNotice) {
	ctx, cancel := context.WithTimeout(ctx, failedWait)
	defer cancel()
	for _, s := range r.routes[f.next:] {
		switch r.over(ctx, s, f.m) {
		case accepted, unsure:
			s.counts.again.Add(1)
			return
		}
	}
	r.log.Warn("a notice that did not arrive is given up: no other route takes it", "template", f.m.Template)
}

func (r *Router) carriers() (out []carrier) {
	for _, s := range r.routes {
		out = append(out, s)
	}
	for _, s := range r.emails {
		out = append(out, s)
	}
	return out
}

func (r *Router) logCounts() {
	now := fmt.Sprint(r.Counts())
	if now == r.last {
		return
	}
	r.last = now
	for name, c := range r.Counts() {
		r.log.Info("messages", "route", name, "accepted", c.Accepted, "refused", c.Refused, "unsure", c.Unsure,
			"delivered", c.Delivered, "failed", c.Failed, "again", c.Again)
	}
}

// Counts are what became of messages of one route since the start. Delivered and
// Failed are receipts, which a gateway sends for each part of a message; Again
// are messages that came to this route because they did not arrive over another.
type Counts struct{ Accepted, Refused, Unsure, Delivered, Failed, Again int64 }

// Counts returns each route's counts by its name.
func (r *Router) Counts() map[string]Counts {
	out := map[string]Counts{}
	for _, s := range r.carriers() {
		name, c := s.named()
		out[name] = Counts{c.accepted.Load(), c.refused.Load(), c.unsure.Load(), c.delivered.Load(), c.failed.Load(), c.again.Load()}
	}
	return out
}

// Check binds or signs in to every route once and returns what is wrong, by route.
func (r *Router) Check(ctx context.Context) map[string]error {
	out := map[string]error{}
	for _, s := range r.carriers() {
		name, _ := s.named()
		out[name] = s.Check(ctx)
	}
	return out
}

// Patience with a gateway that is throttling before the next one is tried.
const (
	patience     = 3
	patienceWait = 50 * time.Millisecond
	roundWait    = 200 * time.Millisecond
)

// Send implements Sender: it goes through the routes of the message's channel,
// again and again until ctx ends, as long as it is known that no gateway has the
// message.
func (r *Router) Send(ctx context.Context, m Message) error {
	routes := r.carriers()[:len(r.routes)]
	if m.Channel == ChannelEmail {
		routes = r.carriers()[len(r.routes):]
	}
	for {
		refusals := 0
		for _, s := range routes {
			switch r.over(ctx, s, m) {
			case accepted:
				return nil
			case unsure:
				if ablate.Off(ablate.SendOnce) {
					continue
				}
				return fault.New(fault.Unknown, "route", "the gateway did not answer")
			case badNumber:
				return fault.New(fault.Invalid, "route", "the gateway does not know the number")
			case refused:
				refusals++
			}
		}
		if refusals == len(routes) {
			return fault.New(fault.Invalid, "route", "no gateway takes the message")
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "route", "no gateway took the message in time")
		case <-time.After(roundWait):
		}
	}
}

// over tries one route, with some patience when it is throttling.
func (r *Router) over(ctx context.Context, s carrier, m Message) (got outcome) {
	wait := patienceWait
	for try := range patience {
		if try > 0 {
			select {
			case <-ctx.Done():
				return got
			case <-time.After(wait):
			}
			wait *= 2
		}
		if got = s.submit(ctx, m); got != throttled {
			return got
		}
	}
	return got
}
