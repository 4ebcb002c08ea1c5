package registry

import (
	"context"
	"sync"

	"tikakosh/internal/vault"
)

// seedReport is how many seals one report to the vault names; the vault takes
// 500 at most.
const seedReport = 400

// StoreSeeded stores synthetic people that the vault has sealed, several at once,
// and reports them. It does what StoreEnrolled does for each, without a note in
// the outbox: who seeds repeats what broke off, and the vault then hands out the
// same seals. Each person is stored in three transactions, one for each bucket;
// those of different people share syncs.
func (s *Service) StoreSeeded(ctx context.Context, people []vault.Enrolled) error {
	if err := eachOf(people, func(e vault.Enrolled) error { return s.storeSeeded(ctx, e) }); err != nil {
		return err
	}
	for len(people) > 0 {
		some := people[:min(len(people), seedReport)]
		people = people[len(some):]
		var r vault.CommittedRequest
		for _, e := range some {
			r.Seals = append(r.Seals, e.Seal.ID)
		}
		if _, err := s.vault.Committed(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) storeSeeded(ctx context.Context, e vault.Enrolled) error {
	at := s.now().UnixMilli()
	row := PersonRow{Person: e.Seal.Person, Reference: e.Reference, Household: e.Household, Slot: e.Slot, Since: at}
	w := Write{Person: e.Seal.Person, New: &row, Parts: e.Seal.Parts, At: at}
	if err := settle(func() error { return s.store.Store(ctx, w) }); err != nil {
		return err
	}
	m := MemberRow{Household: e.Household, Slot: e.Slot, Person: e.Seal.Person, Since: at}
	if err := settle(func() error { return s.store.SetMember(ctx, m) }); err != nil {
		return err
	}
	return settle(func() error { return s.store.SetReference(ctx, e.Reference, e.Seal.Person) })
}

// eachOf runs f for every item, all at the same time, and returns the first
// error.
func eachOf[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, v := range items {
		wg.Go(func() { errs[i] = f(v) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
