package portal

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/statistics"
)

// figuresFor is how long the published figures are shown before they are asked for again.
const figuresFor = time.Minute

// reportsWait bounds one question for them: others wait for it.
const reportsWait = 2 * time.Second

// figures keeps the newest published day, so that a page costs no database.
type figures struct {
	mu     sync.Mutex
	at     time.Time
	day    civil.Date
	last   statistics.Published
	before statistics.Published
	err    error
}

// published is the newest published day and the one before.
func (s *Server) published(c *Ctx) (last, before statistics.Published, err error) {
	f := &s.sums
	now := s.cfg.Now()
	day := civil.Of(now.In(statistics.India()))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.IsZero() || f.day != day || now.Sub(f.at).Abs() >= figuresFor {
		last, before, err := s.reports(c, day)
		if err != nil && !f.last.Day.IsZero() {
			return f.last, f.before, nil // the last ones are still true
		}
		f.at, f.day, f.last, f.before, f.err = now, day, last, before, err
	}
	return f.last, f.before, f.err
}

// reports asks for two days. The answer is for everybody who asks next, so that somebody who
// goes away does not end it.
func (s *Server) reports(c *Ctx, until civil.Date) (last, before statistics.Published, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), reportsWait)
	defer cancel()
	return s.cfg.Reports.Reports(ctx, until)
}

// landing is the first page. What it cannot find out it leaves out.
func landing(c *Ctx) error {
	l := view.LandingPage{SignIn: c.s.has("/sign-in")}
	if last, _, err := c.s.published(c); err == nil {
		if doses := last.Sum(statistics.Area{}).Doses; doses > 0 {
			l.Doses = catalogue.Number(doses)
		}
	}
	if _, size, err := c.s.cfg.Checkpoint(); err == nil && size > 0 {
		l.Entries = catalogue.Number(size)
	}
	p := c.page("")
	p.Flush = true
	return c.render(http.StatusOK, view.Landing(p, l))
}
