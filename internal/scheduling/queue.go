package scheduling

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// The bounds of a session's queue.
const (
	// batchMax is how many asks share one transaction (scale.md 6.1).
	batchMax = 128
	// queueMax is how many asks may wait for one session; one more is told at
	// once to come again. At some thousand asks a second it is about a second.
	queueMax = 10_000
	// soldFor is how long a sold-out session answers from memory before the
	// database is asked again: places another process gave back show by then.
	soldFor = 2 * time.Second
	// termsFor is how long a session's published terms are believed.
	termsFor = 2 * time.Second
	// laneIdle is how long the memory of a session's queue is kept unused.
	laneIdle = 10 * time.Minute
	// batchTime bounds one transaction of a batch.
	batchTime = 15 * time.Second
	// lanesSweep is after how many new lanes the idle ones are dropped.
	lanesSweep = 1024
)

// ask is one request for places in a session's queue. Its stamp is its place in
// the order of arrival, counted from 1.
type ask struct {
	HoldAsk
	ctx   context.Context
	stamp uint64
	got   Hold
	err   error
	done  chan struct{}
}

// lane is the queue of one session in this process: asks are decided in the
// order they came, many in one transaction. It only orders and groups; the
// conditional update in the database decides, whatever other processes do.
// Beside the queue it remembers the session's terms and that it is sold out.
type lane struct {
	mu      sync.Mutex
	waiting []*ask
	stamps  uint64
	busy    bool // a goroutine works the queue off
	used    time.Time

	terms   Session
	termsAt time.Time
	loc     *time.Location // of locName
	locName string

	sold  [2]time.Time // by pool: sold out, believed until
	frees uint64       // how often places came back
}

// lanes are the queues of all sessions. The zero value is not usable.
type lanes struct {
	mu   sync.RWMutex
	by   map[id.Session]*lane
	made int
}

func newLanes() *lanes { return &lanes{by: map[id.Session]*lane{}} }

// find returns the session's lane, or nil when nobody asked for it lately.
func (l *lanes) find(s id.Session) *lane {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.by[s]
}

// of returns the lane of a session that exists, with its terms.
func (l *lanes) of(v Session, now time.Time) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.by[v.ID]
	if q == nil {
		if l.made++; l.made%lanesSweep == 0 {
			l.sweep(now)
		}
		q = &lane{}
		l.by[v.ID] = q
	}
	q.mu.Lock()
	q.terms, q.termsAt, q.used = v, now, now
	q.mu.Unlock()
	return q
}

// sweep drops lanes that nobody used for long. An ask on its way into one that
// was dropped is decided all the same.
func (l *lanes) sweep(now time.Time) {
	for s, q := range l.by {
		q.mu.Lock()
		if !q.busy && len(q.waiting) == 0 && now.Sub(q.used) > laneIdle {
			delete(l.by, s)
		}
		q.mu.Unlock()
	}
}

// known returns the session's terms when they are fresh.
func (q *lane) known(now time.Time) (Session, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	age := now.Sub(q.termsAt)
	q.used = now
	return q.terms, age >= 0 && age < termsFor
}

// location is the session's zone, which is read from its file once.
func (q *lane) location(zone string) (*time.Location, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.loc == nil || q.locName != zone {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "session zone")
		}
		q.loc, q.locName = loc, zone
	}
	return q.loc, nil
}

// soldOut tells whether a dose's pool is known to be empty.
func (q *lane) soldOut(dose int, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return now.Before(q.sold[pool(dose)-1])
}

// freed says that a session has places again in some of its pools, so that the
// next request asks the database. Every way of learning it leads here: places
// that this process gave back, and what the change feed brings from others.
func (s *Service) freed(v id.Session, pools [2]bool) {
	q := s.lanes.find(v)
	if q == nil || pools == [2]bool{} {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frees++
	for p, free := range pools {
		if free {
			q.sold[p] = time.Time{}
		}
	}
}

// gaveBack tells memory that this process gave places of a dose's pool back.
func (s *Service) gaveBack(v id.Session, dose, n int) {
	if n == 0 {
		return
	}
	s.avail.add(v, dose, -n)
	var pools [2]bool
	pools[pool(dose)-1] = true
	s.freed(v, pools)
}

// busyText is told when a session's queue is full.
const busyText = "very many people are booking this session; please try again"

func busyNow() error {
	return &fault.Error{Kind: fault.RateLimited, Code: "busy", Text: busyText, RetryAfter: 2 * time.Second}
}

func fullNow() error {
	return fault.New(fault.Full, CodeFull, "the session is completely booked")
}

// enqueue gives an ask its stamp, or refuses it because too many wait.
func (s *Service) enqueue(q *lane, a *ask) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= s.queueMax {
		return busyNow()
	}
	q.stamps++
	a.stamp = q.stamps
	q.waiting = append(q.waiting, a)
	if !q.busy {
		q.busy = true
		go s.work(q, a.Centre, a.Session)
	}
	return nil
}

// work decides batches until nobody waits.
func (s *Service) work(q *lane, c id.Centre, v id.Session) {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.waiting, q.busy = nil, false
			q.mu.Unlock()
			return
		}
		n := min(batchMax, len(q.waiting))
		batch := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		frees, sold := q.frees, q.sold
		q.mu.Unlock()
		s.decide(q, c, v, batch, frees, sold)
	}
}

// decide answers a batch. What memory knows to be sold out is refused without
// the database, but for asks whose hold may exist.
func (s *Service) decide(q *lane, c id.Centre, v id.Session, batch []*ask, frees uint64, sold [2]time.Time) {
	now := s.now()
	live := batch[:0:0]
	var asks []HoldAsk
	for _, a := range batch {
		switch {
		case a.ctx.Err() != nil:
			a.err = &fault.Error{Kind: fault.Unavailable, Code: "caller", Text: "the caller has gone", RetryAfter: time.Second}
			close(a.done)
		case !a.Again && now.Before(sold[pool(a.Dose)-1]):
			a.err = fullNow()
			close(a.done)
		default:
			live, asks = append(live, a), append(asks, a.HoldAsk)
		}
	}
	if len(live) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTime)
	defer cancel()
	var got HeldMany
	err := settle(func() (err error) {
		got, err = s.store.HoldMany(ctx, c, v, asks)
		if fault.Is(err, fault.Unknown) { // look all of them up
			for i := range asks {
				asks[i].Again = true
			}
		}
		return err
	})
	if err == nil {
		q.mu.Lock()
		for p, left := range got.Free {
			if left <= 0 && q.frees == frees {
				q.sold[p] = now.Add(soldFor)
			}
		}
		q.mu.Unlock()
	}
	for i, a := range live {
		switch {
		case err != nil:
			a.err = err
		case got.Held[i].State == NoHold:
			a.err = fullNow()
		default:
			a.got = got.Held[i]
		}
		close(a.done)
	}
}

// take holds places for a booking through the session's queue. The answer's
// state may be another than Holding when an earlier attempt got further.
func (s *Service) take(ctx context.Context, q *lane, h Hold, again bool) (Hold, error) {
	a := &ask{HoldAsk: HoldAsk{Hold: h, Again: again}, ctx: ctx, done: make(chan struct{})}
	if err := s.enqueue(q, a); err != nil {
		return Hold{}, err
	}
	<-a.done
	if s.stamped != nil {
		s.stamped(a.stamp, a.err)
	}
	return a.got, a.err
}

// session returns a session's lane and its terms, from memory when they are
// fresh.
func (s *Service) session(ctx context.Context, v id.Session) (*lane, Session, error) {
	now := s.now()
	if q := s.lanes.find(v); q != nil {
		if terms, ok := q.known(now); ok {
			return q, terms, nil
		}
	}
	return s.reread(ctx, v)
}

// reread reads a session's terms from the database.
func (s *Service) reread(ctx context.Context, v id.Session) (*lane, Session, error) {
	terms, err := s.store.Session(ctx, v)
	if err != nil {
		return nil, Session{}, err
	}
	return s.lanes.of(terms, s.now()), terms, nil
}

// forget drops what memory knows of a session whose terms were changed.
func (s *Service) forget(v id.Session) {
	if q := s.lanes.find(v); q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.termsAt, q.sold = time.Time{}, [2]time.Time{}
		q.frees++
	}
}
