package registry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// endedQueue is how many notes may wait to be removed; a request that finds no
	// room removes its own.
	endedQueue = 128
	// endedTime bounds the removal of some of them.
	endedTime = 15 * time.Second
)

// ended gathers notes of which nothing remains to be done but to remove them, so
// that no request waits for that. It holds nothing that the outbox does not: a
// process that dies with it loses nothing, and the relay then removes the notes. The
// zero value takes none.
type ended struct{ in chan Note }

func (e *ended) add(n Note) bool {
	select {
	case e.in <- n: // never without Run
		return true
	default:
		return false
	}
}

// Run removes the notes of finished requests in groups until ctx ends; what then
// waits is removed first. Call it before the first request. A service that is not
// run removes each note within its request.
func (s *Service) Run(ctx context.Context) (wait func()) {
	s.ended.in = make(chan Note, endedQueue)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case n := <-s.ended.in:
				s.removeEnded(ctx, n)
			case <-ctx.Done():
				select {
				case n := <-s.ended.in:
					s.removeEnded(ctx, n)
				default:
					return
				}
			}
		}
	})
	return wg.Wait
}

// removeEnded removes a note, and what waits behind it, each in a transaction of its own
// bucket; they share a commit.
func (s *Service) removeEnded(ctx context.Context, first Note) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endedTime)
	defer cancel()
	var wg sync.WaitGroup
	for next, more := first, true; more; {
		n := next
		wg.Go(func() {
			if err := s.done(ctx, n); err != nil {
				s.log.WarnContext(ctx, "left to the relay", slog.String("kind", string(n.Kind)), slog.Any("err", err))
			}
		})
		select {
		case next = <-s.ended.in:
		default:
			more = false
		}
	}
	wg.Wait()
}
