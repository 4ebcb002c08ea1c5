package scheduling

import (
	"context"
	"time"

	"tikakosh/internal/id"
)

// Mark is the numbers of the newest changes of centres and sessions seen.
type Mark struct{ Centre, Session int64 }

// ChangedCentre is a centre with the number of its last change.
type ChangedCentre struct {
	Centre
	Seq int64
}

// ChangedSession is a session with the number of its last change.
type ChangedSession struct {
	Session
	Seq int64
}

// Feed reads what any process changed, across all buckets. The transaction
// that changes a row gives it a number above all others, so numbers grow in
// the order of commits; a row that changed twice appears once, as it is now.
type Feed interface {
	// Newest returns the highest numbers.
	Newest(ctx context.Context) (Mark, error)
	// CentresChanged returns centres with numbers above after, lowest first.
	CentresChanged(ctx context.Context, after int64, limit int) ([]ChangedCentre, error)
	// SessionsChanged returns sessions with numbers above after, lowest first.
	SessionsChanged(ctx context.Context, after int64, limit int) ([]ChangedSession, error)
}

// The feed is asked again at most this soon for an own act's sake, so that a
// rush of bookings costs no more than that many looks.
const ownPause = 25 * time.Millisecond

// Follow loads, unless that was done, and then keeps the picture up: it looks at the feed at
// every interval, and soon after an act of this process. Each look costs what
// has changed, not what there is. Everything is loaded again after reload, for
// the days that come into sight and as a net below the feed. It runs until ctx
// ends; while the database cannot be read the picture stays as it was.
func (a *Availability) Follow(ctx context.Context, feed Feed, every, reload time.Duration) {
	loaded := a.LoadedAt()
	whole := loaded.IsZero()
	for ctx.Err() == nil {
		begin := a.now()
		var err error
		if whole {
			if err = a.LoadFrom(ctx, feed); err == nil {
				loaded = begin
			}
		} else {
			err = a.CatchUp(ctx, feed)
		}
		if err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "slot search keeps its former picture", "err", err)
		}
		a.rest(ctx, every)
		past := a.now().Sub(loaded) // a test's clock may go back
		whole = loaded.IsZero() || past >= reload || past < 0
	}
}

// rest waits for the next look.
func (a *Availability) rest(ctx context.Context, every time.Duration) {
	pause := time.NewTimer(min(every, ownPause))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return
	case <-pause.C:
	}
	if every <= ownPause {
		return
	}
	rest := time.NewTimer(every - ownPause)
	defer rest.Stop()
	select {
	case <-ctx.Done():
	case <-a.wake:
	case <-rest.C:
	}
}

// LoadFrom is Load before following a feed: what changes while it reads is
// caught up with afterwards.
func (a *Availability) LoadFrom(ctx context.Context, feed Feed) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	mark, err := feed.Newest(ctx)
	if err != nil {
		return err
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	a.mark = mark
	return nil
}

// CatchUp takes in what has changed since the last look.
func (a *Availability) CatchUp(ctx context.Context, feed Feed) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	for {
		page, err := feed.CentresChanged(ctx, a.mark.Centre, pageSize)
		if err != nil {
			return err
		}
		a.mu.Lock()
		for _, c := range page {
			a.putCentre(c.Centre)
			a.mark.Centre = c.Seq
		}
		a.mu.Unlock()
		if len(page) < pageSize {
			break
		}
	}
	// Acts of this process whose transaction came before the look are in what
	// it reads, now or earlier. They stop being additions of our own.
	a.mu.Lock()
	own := a.own
	a.own = map[*sessionEntry]struct{}{}
	a.mu.Unlock()
	seen := map[id.Session]bool{}
	for {
		page, err := feed.SessionsChanged(ctx, a.mark.Session, pageSize)
		if err != nil {
			a.keep(own)
			return err
		}
		a.take(page, seen)
		if len(page) < pageSize {
			break
		}
	}
	a.settleOwn(own, seen)
	return nil
}

// take puts a page of changed sessions into the picture.
func (a *Availability) take(page []ChangedSession, seen map[id.Session]bool) {
	from, until := a.days(a.now())
	touched := map[*centreEntry]bool{}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range page {
		seen[s.ID] = true
		a.mark.Session = s.Seq
		if a.onFree != nil {
			a.onFree(s.ID, [2]bool{s.Taken1 < s.Cap1, s.Taken2 < s.Cap2})
		}
		if s.Day.Before(from) || s.Day.After(until) {
			if e := a.session[s.ID]; e != nil {
				a.dropSession(e)
			}
			continue
		}
		a.putSession(a.compact([]Session{s.Session})[0], touched)
	}
	arrange(touched)
}

// settleOwn ends the additions of own acts that the picture has had by now.
func (a *Availability) settleOwn(own map[*sessionEntry]struct{}, seen map[id.Session]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for e := range own {
		if _, again := a.own[e]; !again && !seen[e.s.ID] && e.added != [2]int{} {
			e.added = [2]int{}
			e.centre.touch()
		}
	}
}

// keep puts own acts back for the next look.
func (a *Availability) keep(own map[*sessionEntry]struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for e := range own {
		a.own[e] = struct{}{}
	}
}
