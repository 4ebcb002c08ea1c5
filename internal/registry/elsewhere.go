package registry

import (
	"cmp"
	"context"
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Pointer leads from a centre that works on a dose to where the dose was stored:
// under the centre that the vaccinator typed. Received is in Unix milliseconds.
type Pointer struct {
	Event    id.Event
	Centre   id.Centre
	Typed    id.Centre
	Received int64
}

// Elsewhere keeps pointers, in the bucket of the centre that works on the dose. They
// are never deleted. Writes are durable when they return nil and may be repeated.
type Elsewhere interface {
	// PutElsewhere keeps a pointer. The same event twice is once.
	PutElsewhere(ctx context.Context, p Pointer) error
	// EndElsewhere takes one off the list: its dose is in a person's record.
	EndElsewhere(ctx context.Context, c id.Centre, event id.Event) error
	// Elsewhere returns one of a centre; fault.NotFound.
	Elsewhere(ctx context.Context, c id.Centre, event id.Event) (Pointer, error)
	// ListElsewhere lists those of a centre that wait, oldest first.
	ListElsewhere(ctx context.Context, c id.Centre, limit int) ([]Pointer, error)
}

// nobodys is every dose without a person that a centre works on, oldest first: its
// own, and those its vaccinators recorded under another number.
func (s *Service) nobodys(ctx context.Context, c id.Centre) ([]Written, error) {
	list, err := s.store.Unmatched(ctx, c, unmatchedPage)
	if err != nil {
		return nil, err
	}
	away, err := s.store.ListElsewhere(ctx, c, unmatchedPage)
	if err != nil {
		return nil, err
	}
	for _, p := range away {
		w, err := s.store.Written(ctx, p.Typed, p.Event)
		if err != nil {
			return nil, err
		}
		if w.State != WrittenSealed {
			list = append(list, w)
		}
	}
	slices.SortStableFunc(list, func(a, b Written) int { return cmp.Compare(a.Received, b.Received) })
	return list[:min(len(list), unmatchedPage)], nil
}

// item is a dose without a person that a centre works on, wherever it was stored. It
// is empty when there is none: the vault refuses that.
func (s *Service) item(ctx context.Context, c id.Centre, event id.Event) (Written, error) {
	w, err := s.store.Written(ctx, c, event)
	if !fault.Is(err, fault.NotFound) {
		return w, err
	}
	p, err := s.store.Elsewhere(ctx, c, event)
	if err == nil {
		w, err = s.store.Written(ctx, p.Typed, event)
	}
	if fault.Is(err, fault.NotFound) {
		return Written{Centre: c}, nil
	}
	return w, err
}

// settled ends an item whose dose is in a record now.
func (s *Service) settledItem(ctx context.Context, c id.Centre, w Written) error {
	if w.Event == "" {
		return nil
	}
	if w.Centre != c {
		if err := settle(func() error { return s.store.EndElsewhere(ctx, c, w.Event) }); err != nil {
			return err
		}
	}
	return settle(func() error { return s.store.EndWritten(ctx, w.Centre, w.Event, WrittenSealed) })
}

// took ends an item as the vault judged it. One that is another centre's to work on
// is on that centre's list before it stops waiting.
func (s *Service) took(ctx context.Context, w Written, got vault.Accepted) error {
	state := map[string]WrittenState{vault.InboxSealed: WrittenSealed, vault.InboxNobody: WrittenNobody}[got.Verdict]
	if state == 0 {
		state = WrittenRefused
	}
	if got.Centre > 0 && got.Centre != w.Centre {
		state = WrittenRefused // the centre typed can do nothing about it: whoever types it could fill its list
		p := Pointer{Event: w.Event, Centre: got.Centre, Typed: w.Centre, Received: w.Received}
		if err := settle(func() error { return s.store.PutElsewhere(ctx, p) }); err != nil {
			return err
		}
	}
	return settle(func() error { return s.store.EndWritten(ctx, w.Centre, w.Event, state) })
}
