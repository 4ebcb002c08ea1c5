package requests

import (
	"context"
	"strings"
	"time"

	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/state"
)

// lookBack is how far back overdue requests are looked for when this process begins.
const lookBack = 60 * 24 * time.Hour

// Overdue is why a request stands on the list of those who watch.
const Overdue = "overdue request"

// Look raises an alarm for each request whose stated time is over: in the log, on the
// list that the privacy officer sees, and in the person's own history. It is called often
// and reads the lists of the hours since it was called last.
func (d *Desk) Look(ctx context.Context) error {
	now := d.cfg.Now()
	from := max(d.looked.Load(), hourOf(now.Add(-lookBack).UnixMilli()))
	var late []string
	err := d.eng.View(ctx, func(et *engine.Txn) (err error) {
		late, err = d.in(et).late(from, now.UnixMilli())
		return err
	})
	for _, tracking := range late {
		if err == nil {
			_, err = d.update(ctx, func(t *txn) error { return t.overdue(tracking) })
		}
	}
	if err == nil {
		d.looked.Store(hourOf(now.UnixMilli())) // the hour that runs is read again
		return nil
	}
	if ctx.Err() == nil {
		d.cfg.Log.Warn("overdue requests could not be looked for", "error", err.Error())
	}
	return err
}

// late are the requests due from an hour on until now that wait.
func (t *txn) late(hour, now int64) (late []string, err error) {
	prefix, last := "due/", hourKey(hourOf(now))
	for after := hourKey(hour - 1); ; {
		rows, err := t.Tx.Scan(t.Ctx, state.Requests, after, listPage)
		if err != nil {
			return nil, err
		}
		for _, s := range rows {
			if after = s.Key; !strings.HasPrefix(s.Key, prefix) || s.Key > last {
				return late, nil
			}
			list, _, err := t.get(s.Key)
			if err != nil {
				return nil, err
			}
			for _, tracking := range list.Open {
				r, err := t.request(tracking)
				if err != nil {
					return nil, err
				}
				if open(r) && r.Due <= now && r.Alarmed == 0 {
					late = append(late, tracking)
				}
			}
		}
		if len(rows) < listPage {
			return late, nil
		}
	}
}

// overdue is the alarm for one request.
func (t *txn) overdue(tracking string) error {
	r, err := t.request(tracking)
	if err != nil || !open(r) || r.Alarmed != 0 {
		return err
	}
	now := t.d.cfg.Now().UnixMilli()
	r.Alarmed = now
	e, err := t.about(engine.Entry{Kind: "request", View: Overdue, Role: permits.System, Reason: r.Kind, Evidence: tracking}, r.Person)
	if err != nil {
		return err
	}
	t.Append(e)
	t.After(func() {
		t.d.cfg.Log.Warn("alarm: a person's request was not answered by the time that was stated", "alarm", "overdue", "kind", r.Kind, "centre", int64(r.Centre))
	})
	return firstErr(budgets.Note(watched{t}, budgets.Place{Centre: r.Centre, Now: now}, Overdue), t.put(tracking, r))
}

// watched are the rows of those who watch, in one transaction.
type watched struct{ t *txn }

// Get implements budgets.Rows.
func (w watched) Get(key string) (state.Budget, bool, error) {
	return engine.Get[state.Budget](w.t, state.Budgets, key)
}

// Put implements budgets.Rows.
func (w watched) Put(key string, row state.Budget) error {
	return engine.Put(w.t, state.Budgets, key, row, 0)
}
