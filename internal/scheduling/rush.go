package scheduling

import (
	"context"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// How bookings of many people share round trips and commits.
const (
	// leaveMax is how many bookings one call to the vault carries.
	leaveMax = 64
	// leaveBytes bounds the sealed records of one call; the vault's socket takes
	// vault.MaxMessage, and a record grows by a third on its way.
	leaveBytes = vault.MaxMessage / 3
	// leaveWorkers is how many such calls are under way: one is decided while
	// the next is read.
	leaveWorkers = 2
	// leaveTime bounds one call.
	leaveTime = 30 * time.Second
	// closeMax is how many bound bookings are confirmed and reported together,
	// closeQueue how many may wait for that; more are closed by their own request.
	closeMax, closeQueue = 256, 8192
	// closePause lets bound bookings gather.
	closePause = 20 * time.Millisecond
)

// leaveAsk is one booking that waits for the vault's leave.
type leaveAsk struct {
	req  vault.BookRequest
	err  error
	done chan struct{}
}

// leaves gathers bookings for the vault.
type leaves struct{ in chan *leaveAsk }

// closer gathers bookings that are bound and only have to be confirmed at the
// centre and reported to the vault. It holds nothing that the sweep could not
// find: a process that dies with it loses nothing.
type closer struct{ in chan Hold }

func (c *closer) add(h Hold) bool {
	select {
	case c.in <- h:
		return true
	default:
		return false
	}
}

// Run lets bookings of different people share calls and commits, until ctx
// ends; what then waits is closed first. Call it before the first booking. A
// service that is not run books each person alone, with the same outcome.
func (s *Service) Run(ctx context.Context) (wait func()) {
	s.leaves = &leaves{in: make(chan *leaveAsk, leaveMax*leaveWorkers)}
	s.closer = &closer{in: make(chan Hold, closeQueue)}
	var wg sync.WaitGroup
	for range leaveWorkers {
		wg.Go(func() { s.leaves.run(ctx, s.vault) })
	}
	wg.Go(func() { s.runCloser(ctx) })
	return wg.Wait
}

// grant asks the vault's leave for one booking.
func (s *Service) grant(ctx context.Context, r vault.BookRequest) error {
	if s.leaves == nil {
		_, err := s.vault.Book(ctx, r)
		return err
	}
	a := &leaveAsk{req: r, done: make(chan struct{})}
	gone := &fault.Error{Kind: fault.Unavailable, Code: "vault", Text: "the vault cannot be asked now", RetryAfter: time.Second}
	select {
	case s.leaves.in <- a:
	case <-ctx.Done():
		return gone
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return gone // it may be granted all the same: the hold is then ended by the sweep
	}
}

func weight(r vault.BookRequest) (n int) {
	for _, rec := range r.Records {
		for _, p := range rec.Parts {
			n += len(p.Body)*4/3 + 200
		}
	}
	return n
}

// run carries what waits to the vault, as much at once as there is.
func (l *leaves) run(ctx context.Context, v Leave) {
	var first *leaveAsk
	for {
		if first == nil {
			select {
			case <-ctx.Done():
				return
			case first = <-l.in:
			}
		}
		batch, size := []*leaveAsk{first}, weight(first.req)
		first = nil
	gather:
		for len(batch) < leaveMax {
			select {
			case a := <-l.in:
				if size += weight(a.req); size > leaveBytes {
					first = a
					break gather
				}
				batch = append(batch, a)
			default:
				break gather
			}
		}
		l.ask(v, batch)
	}
}

func (l *leaves) ask(v Leave, batch []*leaveAsk) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if len(batch) == 1 {
		_, batch[0].err = v.Book(ctx, batch[0].req)
		close(batch[0].done)
		return
	}
	r := vault.BookManyRequest{Items: make([]vault.BookRequest, len(batch))}
	for i, a := range batch {
		r.Items[i] = a.req
	}
	got, err := v.BookMany(ctx, r)
	if err == nil && len(got.Items) != len(batch) {
		err = fault.New(fault.Unknown, "vault", "the vault gave no usable answer")
	}
	for i, a := range batch {
		if a.err = err; err == nil {
			a.err = got.Items[i].Err()
		}
		close(a.done)
	}
}

// runCloser closes bound bookings in groups.
func (s *Service) runCloser(ctx context.Context) {
	for {
		var group []Hold
		select {
		case <-ctx.Done():
		case h := <-s.closer.in:
			group = append(group, h)
			select { // let more come
			case <-ctx.Done():
			case <-time.After(closePause):
			}
		}
	gather:
		for len(group) < closeMax {
			select {
			case h := <-s.closer.in:
				group = append(group, h)
			default:
				break gather
			}
		}
		if len(group) == 0 {
			return // ctx has ended
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
		if err := s.close(end, group); err != nil {
			s.log.WarnContext(ctx, "bound bookings are left to the sweep", "count", len(group), "err", err)
		}
		cancel()
	}
}

// close confirms bound holds and reports them to the vault. Idempotent.
func (s *Service) close(ctx context.Context, holds []Hold) error {
	byCentre := map[id.Centre][]id.Hold{}
	var report vault.SettledManyRequest
	for _, h := range holds {
		byCentre[h.Centre] = append(byCentre[h.Centre], h.ID)
		report.Items = append(report.Items, vault.SettledRequest{Kind: vault.WorkBook, Hold: h.ID, Persons: h.Persons})
	}
	for c, list := range byCentre {
		if err := settle(func() error { return s.store.ConfirmMany(ctx, c, list) }); err != nil {
			return err
		}
	}
	if err := s.step("book:after-confirm"); err != nil {
		return err
	}
	if len(report.Items) == 1 {
		return s.vault.Settled(ctx, report.Items[0])
	}
	return s.vault.SettledMany(ctx, report)
}
