package scheduling

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// pageSize is how many centres or sessions one scatter read brings.
const pageSize = 1000

// Availability is the searchable picture of centres and free places, in
// memory. Load reads it whole, Follow keeps it up with what every process
// changes in the database, and bookings of this process are added at once. It
// may lag behind; the conditional update at the centre decides. It keeps
// answering when the database is down. Safe for concurrent use.
type Availability struct {
	list    Listing
	horizon int
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{} // own acts ask for an early look at the feed

	reading sync.Mutex // one Load or catching up at a time
	mark    Mark       // of the newest change taken in; guarded by reading

	mu      sync.RWMutex // guards what follows; never held while the database is asked
	at      time.Time
	areas   map[areaKey]*Area
	centres map[id.Centre]*centreEntry
	session map[id.Session]*sessionEntry
	own     map[*sessionEntry]struct{} // with additions of this process since the last look
	texts   map[string]string          // one copy of each repeated text
	slots   map[string][]string
	zones   map[string]*time.Location

	onFree func(s id.Session, pools [2]bool) // told when the feed shows free places; nil: nobody
}

type centreEntry struct {
	c        Centre
	in       [4]*Area        // its own area, those of its PIN, district and state
	sessions []*sessionEntry // by day, product, lowest age, id
}

type sessionEntry struct {
	s      Session // Taken as the database said last
	day    int     // dayKey of its day
	closes time.Time
	added  [2]int // places taken by this process and not yet in s
	centre *centreEntry
}

// NewAvailability makes an empty picture that will hold sessions up to horizon
// days ahead.
func NewAvailability(list Listing, horizon int, now func() time.Time, log *slog.Logger) *Availability {
	return &Availability{list: list, horizon: horizon, now: now, log: log, wake: make(chan struct{}, 1),
		areas: map[areaKey]*Area{}, centres: map[id.Centre]*centreEntry{}, session: map[id.Session]*sessionEntry{},
		own: map[*sessionEntry]struct{}{}, texts: map[string]string{}, slots: map[string][]string{}, zones: map[string]*time.Location{}}
}

// Load reads everything anew. On an error the former picture stays. What did
// not change keeps its version.
func (a *Availability) Load(ctx context.Context) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	return a.load(ctx)
}

func (a *Availability) load(ctx context.Context) error {
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
	from, until := a.days(at)
	var sessions []Session
	var cursor Session
	for {
		page, err := a.list.Sessions(ctx, from, until, cursor, pageSize)
		if err != nil {
			return err
		}
		sessions = append(sessions, a.compact(page)...)
		if len(page) < pageSize {
			break
		}
		cursor = page[len(page)-1]
	}
	a.replace(centres, sessions, at)
	return nil
}

// days are the first and last day of the picture. A day earlier than in UTC
// may still be today at a centre further west.
func (a *Availability) days(at time.Time) (from, until civil.Date) {
	today := civil.Of(at.UTC())
	return today.AddDays(-1), today.AddDays(a.horizon)
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

// LoadedAt tells when the picture was read whole; zero when it never was.
func (a *Availability) LoadedAt() time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.at
}

// replace makes the picture what centres and sessions say, step by step, so
// that searches need not wait.
func (a *Availability) replace(centres []Centre, sessions []Session, at time.Time) {
	haveC := make(map[id.Centre]bool, len(centres))
	for part := range slices.Chunk(centres, pageSize) {
		a.mu.Lock()
		for _, c := range part {
			haveC[c.ID] = true
			a.putCentre(c)
		}
		a.mu.Unlock()
	}
	haveS := make(map[id.Session]bool, len(sessions))
	var touched map[*centreEntry]bool
	for part := range slices.Chunk(sessions, pageSize) {
		a.mu.Lock()
		touched = map[*centreEntry]bool{}
		for _, s := range part {
			haveS[s.ID] = true
			a.putSession(s, touched)
		}
		arrange(touched)
		a.mu.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, e := range a.session {
		if !haveS[k] {
			a.dropSession(e)
		}
	}
	for k, e := range a.centres {
		if !haveC[k] {
			a.dropCentre(e)
		}
	}
	a.at = at
}

// add notes places taken or given back by an act of this process. The feed
// will tell the same; until then searches here know it already.
func (a *Availability) add(sess id.Session, dose, n int) {
	a.mu.Lock()
	if e := a.session[sess]; e != nil && n != 0 {
		e.added[pool(dose)-1] += n
		a.own[e] = struct{}{}
		e.centre.touch()
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// centreOf returns a centre of the picture.
func (a *Availability) centreOf(c id.Centre) (Centre, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	e := a.centres[c]
	if e == nil {
		return Centre{}, false
	}
	return e.c, true
}

func (e *sessionEntry) listed(now time.Time) Listed {
	l := Listed{Session: e.s}
	l.Slots = slices.Clone(e.s.Slots)
	l.Taken1, l.Taken2 = l.Taken1+e.added[0], l.Taken2+e.added[1]
	if now.Before(e.closes) {
		l.Available1, l.Available2 = max(0, l.Cap1-l.Taken1), max(0, l.Cap2-l.Taken2)
	}
	return l
}

// FindByPIN lists one day's sessions with a free place in a postal area, of
// one product or, with "", of all. Centres come in order of their number.
func (a *Availability) FindByPIN(pin string, day civil.Date, product string) []CentreDay {
	return a.Ask(Question{By: ByPIN, Key: pinKey(pin), Day: day, Days: 1, Product: product, Free: true}).List
}

// FindByDistrict is FindByPIN for a district.
func (a *Availability) FindByDistrict(district int, day civil.Date, product string) []CentreDay {
	return a.Ask(Question{By: ByDistrict, Key: int64(district), Day: day, Days: 1, Product: product, Free: true}).List
}

// CalendarByPIN lists all sessions of CalendarDays days from day, full ones too.
func (a *Availability) CalendarByPIN(pin string, day civil.Date, product string) []CentreDay {
	return a.Ask(Question{By: ByPIN, Key: pinKey(pin), Day: day, Days: CalendarDays, Product: product}).List
}

// CalendarByDistrict is CalendarByPIN for a district.
func (a *Availability) CalendarByDistrict(district int, day civil.Date, product string) []CentreDay {
	return a.Ask(Question{By: ByDistrict, Key: int64(district), Day: day, Days: CalendarDays, Product: product}).List
}

// CalendarByCentre is CalendarByPIN for one centre: at most one element.
func (a *Availability) CalendarByCentre(c id.Centre, day civil.Date, product string) []CentreDay {
	return a.Ask(Question{By: ByCentre, Key: int64(c), Day: day, Days: CalendarDays, Product: product}).List
}

// Nearest returns up to limit centres by distance from a point in degrees, on
// the sphere (haversine formula).
func (a *Availability) Nearest(lat, long float64, limit int) []Centre {
	type near struct {
		c Centre
		d float64
	}
	var best []near // the nearest so far, in order, at most limit
	order := func(x, y near) int { return cmp.Or(cmp.Compare(x.d, y.d), cmp.Compare(x.c.ID, y.c.ID)) }
	a.mu.RLock()
	for _, e := range a.centres {
		n := near{e.c, haversine(lat, long, e.c.Lat, e.c.Long)}
		if i, _ := slices.BinarySearchFunc(best, n, order); i < limit {
			best = slices.Insert(best, i, n)
			best = best[:min(limit, len(best))]
		}
	}
	a.mu.RUnlock()
	out := []Centre{}
	for _, n := range best {
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
