package scheduling_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
)

// shared lets the bookings of a world share calls and commits.
func (w *world) shared() {
	ctx, cancel := context.WithCancel(context.Background())
	wait := w.svc.Run(ctx)
	w.t.Cleanup(func() { cancel(); wait() })
}

type seeker struct {
	h   vault.Holder
	ref id.Reference
}

// crowd registers people in households of six.
func (w *world) crowd(n int) (out []seeker) {
	w.t.Helper()
	for len(out) < n {
		h, refs := w.household(min(6, n-len(out)))
		for _, r := range refs {
			out = append(out, seeker{h, r})
		}
	}
	return out
}

func fresh(s scheduling.Session, key string, refs ...id.Reference) scheduling.BookInput {
	in := input(s, key, refs...)
	in.Fresh = true
	return in
}

// TestR20FiveThousand lets 5,000 people ask for 100 places at once: exactly 100
// get one, all of them among the first 110 who entered the queue.
func TestR20FiveThousand(t *testing.T) {
	const people, places = 5000, 100
	w := newWorld(t)
	s := w.open(places, 0)
	all := w.crowd(people)
	w.shared()
	var mu sync.Mutex
	won := map[uint64]bool{}
	w.svc.SetStamped(func(stamp uint64, err error) {
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			won[stamp] = true
		}
	})
	var ok, full atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	gate := make(chan struct{})
	for _, p := range all {
		wg.Go(func() {
			<-gate
			_, err := w.svc.Book(t.Context(), p.h, fresh(s, id.New(), p.ref))
			switch {
			case err == nil:
				ok.Add(1)
			case fault.Is(err, fault.Full) && fault.CodeOf(err) == scheduling.CodeFull:
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	took := time.Since(begin)
	last := uint64(0)
	for stamp := range won {
		last = max(last, stamp)
	}
	t.Logf("%d people decided in %v: %d booked, %d full; the last winner's stamp is %d", people, took, ok.Load(), full.Load(), last)
	if ok.Load() != places || full.Load() != people-places || len(won) != places || last > 110 {
		t.Errorf("%d booked, %d full, %d winners, last stamp %d", ok.Load(), full.Load(), len(won), last)
	}
	w.sweep()
	w.consistent()
	if w.taken(s) != places {
		t.Errorf("%d taken", w.taken(s))
	}
}

// TestR20LastPlace lets 500 people ask for the last place, in parties of
// several too.
func TestR20LastPlace(t *testing.T) {
	for _, shared := range []bool{false, true} {
		w := newWorld(t)
		s := w.open(1, 0)
		all := w.crowd(500)
		if shared {
			w.shared()
		}
		var ok atomic.Int64
		var wg sync.WaitGroup
		for i, p := range all {
			wg.Go(func() {
				in := fresh(s, id.New(), p.ref)
				if i%3 == 0 { // repeated with the same key at the same time
					in = input(s, "k"+string(p.ref), p.ref)
					again := in
					wg.Go(func() { _, _ = w.svc.Book(t.Context(), p.h, again) })
				}
				if i%7 == 0 && i+1 < len(all) && all[i+1].h == p.h {
					in = fresh(s, id.New(), p.ref, all[i+1].ref) // two: never
				}
				if _, err := w.svc.Book(t.Context(), p.h, in); err == nil {
					ok.Add(1)
				} else if !fault.Is(err, fault.Full) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.sweep()
		w.consistent()
		if ok.Load() > 1 || w.taken(s) != 1 {
			t.Errorf("shared %v: %d booked, %d taken", shared, ok.Load(), w.taken(s))
		}
	}
}

// TestSoldOutFromMemory refuses without vault and database, and finds a place
// again that came back.
func TestSoldOutFromMemory(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(1, 1)
	all := w.crowd(3)
	first, err := w.svc.Book(ctx, all[0].h, fresh(s, "a", all[0].ref))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(p seeker) error { _, err := w.svc.Book(ctx, p.h, fresh(s, id.New(), p.ref)); return err }
	if err := refuse(all[1]); !fault.Is(err, fault.Full) {
		t.Fatal(err)
	}
	db := w.db.DB
	w.db.DB = nil // whoever uses it panics
	w.vault.Before = func(method string) error { t.Errorf("the vault was asked: %s", method); return nil }
	for range 10 {
		if err := refuse(all[1]); !fault.Is(err, fault.Full) {
			t.Fatal(err)
		}
		// A stranger's bearer and numbers learn no more.
		if _, err := w.svc.Book(ctx, vault.Holder{Bearer: "x"}, fresh(s, "k", id.NewReference())); !fault.Is(err, fault.Full) {
			t.Fatal(err)
		}
	}
	w.db.DB, w.vault.Before = db, nil
	// A repeated key is looked up: its booking may be the one that took the place.
	if _, err := w.svc.Book(ctx, all[1].h, input(s, "k", all[1].ref)); !fault.Is(err, fault.Full) {
		t.Error(err)
	}
	if err := w.svc.Cancel(ctx, all[0].h, first, []id.Reference{all[0].ref}); err != nil {
		t.Fatal(err)
	}
	if err := refuse(all[1]); err != nil {
		t.Errorf("after a cancellation: %v", err)
	}
	if err := refuse(all[2]); !fault.Is(err, fault.Full) {
		t.Errorf("sold out again: %v", err)
	}
	// A place that another process gave back is found after a while.
	err = w.db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE session SET cap1 = cap1 + 1 WHERE session = $1 AND bucket = $2`, string(s.ID), s.Centre.Bucket())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(3 * time.Second)
	if err := refuse(all[2]); err != nil {
		t.Errorf("after another process raised the capacity: %v", err)
	}
}

// stalled is a database whose updates wait.
type stalled struct {
	sqldb.DB
	gate chan struct{}
}

func (s stalled) Update(ctx context.Context, fn func(sqldb.Tx) error) error {
	<-s.gate
	return s.DB.Update(ctx, fn)
}

// TestBusy fills a session's queue: one more is told at once to come again.
func TestBusy(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	s := w.open(100, 0)
	all := w.crowd(60)
	for _, p := range all { // known from now on
		if _, _, err := w.people.Members(ctx, p.h, []id.Reference{p.ref}); err != nil {
			t.Fatal(err)
		}
	}
	w.svc.SetQueueMax(20)
	// The first batch, which stalls, is 20 at most, and 20 wait behind it: these
	// are refused however the goroutines run.
	const refused = 60 - 20 - 20
	db := w.db.DB
	gate := make(chan struct{})
	w.db.DB = stalled{db, gate}
	var ok, busy atomic.Int64
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() {
			_, err := w.svc.Book(ctx, p.h, fresh(s, id.New(), p.ref))
			switch {
			case err == nil:
				ok.Add(1)
			case fault.Is(err, fault.RateLimited) && fault.RetryAfter(err) > 0:
				if busy.Add(1) == refused {
					close(gate)
				}
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if busy.Load() < refused || ok.Load() == 0 || ok.Load()+busy.Load() != int64(len(all)) {
		t.Errorf("%d booked, %d told to come again", ok.Load(), busy.Load())
	}
	w.db.DB = db
	w.sweep()
	w.consistent()
}

// TestParties books several people at once through the queue, all or none.
func TestParties(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.shared()
	s := w.open(10, 0)
	var wg sync.WaitGroup
	var got atomic.Int64
	for i := range 12 {
		h, refs := w.household(1 + i%6)
		wg.Go(func() {
			if _, err := w.svc.Book(ctx, h, fresh(s, id.New(), refs...)); err == nil {
				got.Add(int64(len(refs)))
			} else if !fault.Is(err, fault.Full) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.sweep()
	w.consistent()
	if int(got.Load()) != w.taken(s) || w.taken(s) > 10 {
		t.Errorf("%d people booked, %d places taken", got.Load(), w.taken(s))
	}
}

// TestRefusedBesideGranted lets the vault refuse some of the bookings it is
// asked for together.
func TestRefusedBesideGranted(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.shared()
	s := w.open(0, 100)
	all := w.crowd(40)
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			in := fresh(s, fmt.Sprint(i), p.ref)
			in.Dose = 2 // nobody has had the first
			if _, err := w.svc.Book(ctx, p.h, in); kind(err) != "invalid" {
				t.Errorf("the second dose before the first: %v", err)
			}
		})
	}
	wg.Wait()
	w.sweep()
	w.consistent()
	if w.taken(s) != 0 {
		t.Errorf("%d taken", w.taken(s))
	}
}
