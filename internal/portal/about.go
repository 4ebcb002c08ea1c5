package portal

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// State is what the page of the service's state asks. Its methods are quick: they answer from
// memory, or within two seconds.
type State interface {
	// VaultServes is the vault's word that it does; an error when it does not.
	VaultServes(ctx context.Context) error
	// NewestActs are the newest of what waits in public, or waited, oldest first.
	NewestActs(ctx context.Context) (vault.SecondPersonActs, error)
	// Rules are the policies and budgets in force.
	Rules(ctx context.Context) (vault.Rules, error)
}

func aboutRoutes() []Route {
	return []Route{page("/promises", "promises", promises), page("/status", "status", status), page("/accessibility", "accessibility", accessibility)}
}

func promises(c *Ctx) error {
	x := view.PromisesPage{}
	if text, size, err := c.s.cfg.Checkpoint(); err == nil {
		x.Checkpoint, x.Entries = text, catalogue.Number(size)
	}
	return c.render(http.StatusOK, view.Promises(c.page("promises.title"), x))
}

func accessibility(c *Ctx) error {
	return c.render(http.StatusOK, view.Accessibility(c.page("access.title")))
}

// askedFor is how long the vault's word is believed: so many people may look at once that it
// cannot be asked by each.
const askedFor = 3 * time.Second

// pulse keeps the vault's last word.
type pulse struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

func (p *pulse) ask(ctx context.Context, now time.Time, state State) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() || now.Sub(p.at).Abs() >= askedFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		p.at, p.err = now, state.VaultServes(ctx)
		cancel()
	}
	return p.err
}

// status says what works: each part is asked, and nothing is said that was not seen.
func status(c *Ctx) error {
	ctx := c.r.Context()
	away := c.s.pulse.ask(ctx, c.begin, c.s.cfg.State) != nil
	_, _, ferr := c.s.published(c)
	_, size, lerr := c.s.cfg.Checkpoint()
	x := view.StatusPage{Heading: "status.all", Version: c.s.cfg.Version, At: c.say.Clock(c.begin), Parts: []view.Part{
		{Name: "status.search", Text: "status.search_text", Works: true},
		{Name: "status.records", Text: "status.records_text", Works: !away},
		{Name: "status.figures", Text: "status.figures_text", Works: ferr == nil},
		{Name: "status.ledger", Text: "status.ledger_text", Works: lerr == nil},
	}}
	if away || ferr != nil || lerr != nil {
		x.Heading = "status.some"
	}
	if lerr == nil {
		x.Entries = catalogue.Number(size)
	}
	acts, err := c.s.cfg.State.NewestActs(ctx)
	x.Unknown = err != nil
	x.Waiting = c.publicActs(acts)
	x.More = acts.More
	if rules, err := c.s.cfg.State.Rules(ctx); err == nil {
		x.Rules = c.rules(rules)
	}
	return c.render(http.StatusOK, view.Status(c.page("foot.status"), x))
}

// rules says what is in force.
func (c *Ctx) rules(r vault.Rules) *view.Rules {
	from := func(own bool, since int64) string {
		if !own {
			return c.say.T("status.rules_default")
		}
		return c.say.T("status.rules_own", "At", c.say.Clock(time.UnixMilli(since)))
	}
	x := &view.Rules{Policies: r.Policies, Budgets: r.BudgetsDigest, PoliciesFrom: from(r.Own, r.Since), BudgetsFrom: from(r.BudgetsOwn, r.BudgetsSince), Other: r.Other}
	for _, kind := range r.Older {
		switch kind {
		case "policies":
			x.Older = append(x.Older, "status.rules_older_policies")
		case "budgets":
			x.Older = append(x.Older, "status.rules_older_budgets")
		}
	}
	for _, f := range [][2]string{{"base", "status.fig_base"}, {"centre", "status.fig_centre"}, {"pending", "status.fig_pending"}, {"no_dose", "status.fig_no_dose"}, {"break_glass", "status.fig_break_glass"}} {
		if n, ok := r.Budgets[f[0]]; ok {
			x.Figures = append(x.Figures, view.RuleFigure{Label: f[1], Value: catalogue.Number(int64(n))})
		}
	}
	return x
}

// waitsFor is the text of what a public act is about.
func waitsFor(kind string) string {
	switch {
	case kind == "roster-mode":
		return "status.kind_roster"
	case kind == "budgets":
		return "status.kind_budgets"
	case kind == "policies":
		return "status.kind_policies"
	case strings.HasPrefix(kind, "staff-"):
		return "status.kind_staff"
	}
	return "status.kind_other"
}

func (c *Ctx) centreName(n id.Centre) string {
	if list := c.s.cfg.Search.Centres(scheduling.ByCentre, int64(n)); len(list) > 0 {
		return list[0].Name
	}
	return c.say.T("status.centre", "N", strconv.FormatInt(int64(n), 10))
}
