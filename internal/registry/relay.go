package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// relayBatch bounds how many notes and how much unfinished work one run takes.
const relayBatch = 200

// unfinishedAge is how old work must be before the relay asks about it: longer
// than any request that could still be doing it.
const unfinishedAge = time.Minute

// maxDefer bounds the wait between two attempts at one note.
const maxDefer = 10 * time.Minute

// carry does what a note says remains. Every step is idempotent and the note
// is removed last, so it may run any number of times, also at the same time.
func (s *Service) carry(ctx context.Context, n Note) error {
	if err := s.steps(ctx, n); err != nil {
		return err
	}
	return s.done(ctx, n)
}

// done removes a note whose steps are done.
func (s *Service) done(ctx context.Context, n Note) error {
	return settle(func() error { return s.store.Done(ctx, n) })
}

// steps does what a note says remains, but for removing it.
func (s *Service) steps(ctx context.Context, n Note) error {
	switch n.Kind {
	case NoteMalformed:
		return fault.New(fault.Integrity, "note", "a stored note is malformed")
	case NoteEnrolled:
		// Rows of two owners: each has a transaction, and the two may share a commit.
		named := make(chan error, 1)
		go func() {
			named <- settle(func() error { return s.store.SetReference(ctx, n.Ref, n.Person) })
		}()
		err := settle(func() error { return s.store.SetMember(ctx, n.Member) })
		if err = errors.Join(err, <-named); err != nil {
			return err
		}
		if err := s.step("enrol:after-member"); err != nil {
			return err
		}
	case NoteRemoved:
		if err := settle(func() error { return s.store.SetMember(ctx, n.Member) }); err != nil {
			return err
		}
		if err := s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkRemove, Persons: one(n.Person)}); err != nil {
			return err
		}
	}
	if n.Seal != "" {
		return s.reporter.tell(ctx, n.Seal)
	}
	return nil
}

// errStop marks a step at which a test ends the saga as a crash would.
var errStop = errors.New("stopped between steps")

// carryInline carries a note out within the request that stored it, so that
// the caller's next read sees all of it. The change is already durable: what
// fails here is left to the relay.
func (s *Service) carryInline(ctx context.Context, n Note) error {
	err := s.steps(ctx, n)
	if err == nil && !s.ended.add(n) {
		err = s.done(ctx, n)
	}
	if errors.Is(err, errStop) {
		return err
	}
	if err != nil {
		s.log.WarnContext(ctx, "left to the relay", "kind", string(n.Kind), "err", err)
	}
	return nil
}

// Relay carries out what requests have left behind. It belongs to the worker:
// it alone reads across buckets.
type Relay struct {
	s      *Service
	outbox Outbox

	mu   sync.Mutex
	mark vault.WorkMark // where the next page of removals begins

	marks map[string]vault.WorkMark // of links and merges, by kind
}

// NewRelay makes the relay of a service over the outbox of all buckets.
func NewRelay(s *Service, outbox Outbox) *Relay {
	return &Relay{s: s, outbox: outbox, marks: map[string]vault.WorkMark{}}
}

// Relay takes the notes that are due, then removals the vault lists as
// unfinished, and returns how many it finished. A failure defers its note and
// does not stop the others; the first one is returned. Any number of relays
// may run at the same time.
func (r *Relay) Relay(ctx context.Context) (n int, err error) {
	now := r.s.now().UnixMilli()
	notes, first := r.outbox.Notes(ctx, now, relayBatch)
	for _, note := range notes {
		if err := r.s.carry(ctx, note); err != nil {
			first = earlier(first, err)
			if err := r.s.store.Defer(ctx, note, now+backoff(note.Attempts).Milliseconds()); err != nil {
				first = earlier(first, err)
			}
			continue
		}
		n++
	}
	m, err := r.removals(ctx, now)
	first = earlier(first, err)
	for _, kind := range []string{vault.WorkLink, vault.WorkMerge} {
		k, err := r.people(ctx, kind, now)
		n, first = n+k, earlier(first, err)
	}
	return n + m, first
}

// people finishes a page of links or merges.
func (r *Relay) people(ctx context.Context, kind string, now int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, err := r.s.vault.Unfinished(ctx, vault.UnfinishedRequest{Kind: kind, Before: now - unfinishedAge.Milliseconds(), After: r.marks[kind], Limit: relayBatch})
	if err != nil {
		return 0, err
	}
	r.marks[kind] = u.Next
	for _, w := range u.Work {
		if ferr := r.s.finishPeople(ctx, w); ferr != nil {
			err = earlier(err, ferr)
			continue
		}
		n++
	}
	return n, err
}

// removals finishes removals that a crash cut off right after the vault's
// leave, before the registry had stored anything about them. It takes a page;
// the next run takes the page after it, so that a removal that cannot be
// finished does not keep the others waiting.
func (r *Relay) removals(ctx context.Context, now int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, err := r.s.vault.Unfinished(ctx, vault.UnfinishedRequest{Kind: vault.WorkRemove, Before: now - unfinishedAge.Milliseconds(), After: r.mark, Limit: relayBatch})
	if err != nil {
		return 0, err
	}
	r.mark = u.Next
	var first error
	for _, w := range u.Work {
		row, err := r.s.store.Person(ctx, w.Person)
		switch {
		case fault.Is(err, fault.NotFound): // never stored: nothing to carry out
			err = r.s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkRemove, Persons: one(w.Person)})
		case err == nil:
			if w.Place.Household != "" && w.Place.Household != row.Household { // linked since the enrolment
				row.Household, row.Slot, row.Since = w.Place.Household, w.Place.Slot, w.Place.Since
			}
			err = r.s.retire(ctx, row)
		}
		if err != nil {
			first = earlier(first, err)
			continue
		}
		n++
	}
	return n, first
}

// backoff doubles from two seconds to maxDefer.
func backoff(attempts int) time.Duration {
	return min(maxDefer, 2*time.Second<<min(attempts, 10))
}

func earlier(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func one[T any](v T) []T { return []T{v} }
