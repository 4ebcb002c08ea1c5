package scheduling

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// pageSize is how many centres or sessions one scatter read brings.
const pageSize = 1000

// Availability is the searchable picture of centres and free places: a
// snapshot in memory, replaced whole by Load and corrected in place by
// bookings of this process. It may lag behind; the conditional update at the
// centre decides. It keeps answering when the database is down. Safe for
// concurrent use.
type Availability struct {
	list    Listing
	horizon int
	now     func() time.Time
	log     *slog.Logger
	cur     atomic.Pointer[snapshot]
}

type snapshot struct {
	at         time.Time
	byPIN      map[string][]*centreEntry
	byDistrict map[int][]*centreEntry
	byCentre   map[id.Centre]*centreEntry
	sessions   map[id.Session]*sessionEntry
}

type centreEntry struct {
	c        Centre
	sessions []*sessionEntry // by day, product, lowest age, id
}

type sessionEntry struct {
	s      Session
	closes time.Time
	taken  [2]atomic.Int64
}

// NewAvailability makes an empty picture that will hold sessions up to horizon
// days ahead.
func NewAvailability(list Listing, horizon int, now func() time.Time, log *slog.Logger) *Availability {
	a := &Availability{list: list, horizon: horizon, now: now, log: log}
	a.cur.Store(build(nil, nil, time.Time{}))
	return a
}

// Load reads everything anew. On an error the former picture stays.
func (a *Availability) Load(ctx context.Context) error {
	at := a.now()
	var centres []Centre
	var after id.Centre
	for {
		page, err := a.list.Centres(ctx, after, pageSize)
		if err != nil {
			return err
		}
		centres = append(centres, page...)
		if len(page) < pageSize {
			break
		}
		after = page[len(page)-1].ID
	}
	// A day earlier than here may still be today at a centre further west.
	today := civil.Of(at.UTC())
	var sessions []Session
	var cursor Session
	for {
		page, err := a.list.Sessions(ctx, today.AddDays(-1), today.AddDays(a.horizon), cursor, pageSize)
		if err != nil {
			return err
		}
		sessions = append(sessions, page...)
		if len(page) < pageSize {
			break
		}
		cursor = page[len(page)-1]
	}
	a.cur.Store(build(centres, sessions, at))
	return nil
}

// Run loads at once and then at every interval, until ctx ends.
func (a *Availability) Run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if err := a.Load(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "slot search keeps its former picture", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// LoadedAt tells when the picture was read; zero when it never was.
func (a *Availability) LoadedAt() time.Time { return a.cur.Load().at }

func build(centres []Centre, sessions []Session, at time.Time) *snapshot {
	s := &snapshot{at: at, byPIN: map[string][]*centreEntry{}, byDistrict: map[int][]*centreEntry{},
		byCentre: make(map[id.Centre]*centreEntry, len(centres)), sessions: make(map[id.Session]*sessionEntry, len(sessions))}
	slices.SortFunc(centres, func(x, y Centre) int { return cmp.Compare(x.ID, y.ID) })
	for _, c := range centres {
		e := &centreEntry{c: c}
		s.byCentre[c.ID] = e
		s.byPIN[c.PIN] = append(s.byPIN[c.PIN], e)
		s.byDistrict[c.DistrictID] = append(s.byDistrict[c.DistrictID], e)
	}
	zones := map[string]*time.Location{}
	for _, v := range sessions {
		loc, ok := zones[v.Zone]
		if !ok {
			var err error
			if loc, err = time.LoadLocation(v.Zone); err != nil {
				continue // refused when sessions are added; a zone gone since cannot be judged
			}
			zones[v.Zone] = loc
		}
		c := s.byCentre[v.Centre]
		if c == nil {
			continue
		}
		e := &sessionEntry{s: v, closes: v.closes(loc)}
		e.taken[0].Store(int64(v.Taken1))
		e.taken[1].Store(int64(v.Taken2))
		s.sessions[v.ID] = e
		c.sessions = append(c.sessions, e)
	}
	for _, c := range s.byCentre {
		slices.SortFunc(c.sessions, func(x, y *sessionEntry) int {
			return cmp.Or(x.s.Day.Compare(y.s.Day), cmp.Compare(x.s.Product, y.s.Product),
				cmp.Compare(x.s.MinAge, y.s.MinAge), cmp.Compare(x.s.ID, y.s.ID))
		})
	}
	return s
}

// add corrects the taken places of a session after an act of this process.
func (a *Availability) add(sess id.Session, dose, n int) {
	if e := a.cur.Load().sessions[sess]; e != nil {
		e.taken[pool(dose)-1].Add(int64(n))
	}
}

func (e *sessionEntry) listed(now time.Time) Listed {
	l := Listed{Session: e.s}
	l.Slots = slices.Clone(e.s.Slots)
	l.Taken1, l.Taken2 = int(e.taken[0].Load()), int(e.taken[1].Load())
	if now.Before(e.closes) {
		l.Available1, l.Available2 = max(0, l.Cap1-l.Taken1), max(0, l.Cap2-l.Taken2)
	}
	return l
}

// pick lists the sessions of some centres for days from day, with free places
// only when free is set, of one product unless that is "".
func (a *Availability) pick(centres []*centreEntry, day civil.Date, days int, product string, free bool) []CentreDay {
	now := a.now()
	until := day.AddDays(days)
	out := []CentreDay{}
	for _, c := range centres {
		var found []Listed
		for _, e := range c.sessions {
			if e.s.Day.Before(day) || !e.s.Day.Before(until) || (product != "" && e.s.Product != product) {
				continue
			}
			if l := e.listed(now); !free || l.Available() >= 1 {
				found = append(found, l)
			}
		}
		if len(found) > 0 {
			out = append(out, CentreDay{Centre: c.c, Sessions: found})
		}
	}
	return out
}

// FindByPIN lists one day's sessions with a free place in a postal area, of
// one product or, with "", of all. Centres come in order of their number.
func (a *Availability) FindByPIN(pin string, day civil.Date, product string) []CentreDay {
	return a.pick(a.cur.Load().byPIN[pin], day, 1, product, true)
}

// FindByDistrict is FindByPIN for a district.
func (a *Availability) FindByDistrict(district int, day civil.Date, product string) []CentreDay {
	return a.pick(a.cur.Load().byDistrict[district], day, 1, product, true)
}

// CalendarByPIN lists all sessions of CalendarDays days from day, full ones too.
func (a *Availability) CalendarByPIN(pin string, day civil.Date, product string) []CentreDay {
	return a.pick(a.cur.Load().byPIN[pin], day, CalendarDays, product, false)
}

// CalendarByDistrict is CalendarByPIN for a district.
func (a *Availability) CalendarByDistrict(district int, day civil.Date, product string) []CentreDay {
	return a.pick(a.cur.Load().byDistrict[district], day, CalendarDays, product, false)
}

// CalendarByCentre is CalendarByPIN for one centre: at most one element.
func (a *Availability) CalendarByCentre(c id.Centre, day civil.Date, product string) []CentreDay {
	e := a.cur.Load().byCentre[c]
	if e == nil {
		return []CentreDay{}
	}
	return a.pick([]*centreEntry{e}, day, CalendarDays, product, false)
}

// Nearest returns up to limit centres by distance from a point in degrees, on
// the sphere (haversine formula).
func (a *Availability) Nearest(lat, long float64, limit int) []Centre {
	type near struct {
		c Centre
		d float64
	}
	var all []near
	for _, e := range a.cur.Load().byCentre {
		all = append(all, near{e.c, haversine(lat, long, e.c.Lat, e.c.Long)})
	}
	slices.SortFunc(all, func(x, y near) int { return cmp.Or(cmp.Compare(x.d, y.d), cmp.Compare(x.c.ID, y.c.ID)) })
	out := []Centre{}
	for _, n := range all[:max(0, min(limit, len(all)))] {
		out = append(out, n.c)
	}
	return out
}

// haversine returns the central angle between two points, in radians.
func haversine(lat1, long1, lat2, long2 float64) float64 {
	const rad = math.Pi / 180
	sLat, sLong := math.Sin((lat2-lat1)*rad/2), math.Sin((long2-long1)*rad/2)
	h := sLat*sLat + math.Cos(lat1*rad)*math.Cos(lat2*rad)*sLong*sLong
	return 2 * math.Asin(math.Sqrt(min(1, h)))
}
