package registry

import (
	"context"
	"errors"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Remove deletes the registration of a member of the holder's household.
// fault.Conflict after the first dose or while a booking is live;
// fault.NotFound, always the same, when the number is unknown or not theirs.
// The sealed rows stay until their key is destroyed by the vault.
func (s *Service) Remove(ctx context.Context, h vault.Holder, ref id.Reference) error {
	var row PersonRow
	err := s.fresh(func() error {
		rows, err := s.resolve(ctx, h, []id.Reference{ref})
		if err != nil {
			return err
		}
		row = rows[0]
		rec, err := s.store.Record(ctx, row.Person)
		if err != nil {
			return err
		}
		_, err = s.vault.Remove(ctx, vault.RemoveRequest{Holder: h, Record: rec})
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	if err := s.step("remove:after-vault"); err != nil {
		return err
	}
	err = s.retire(ctx, row)
	if errors.Is(err, errStop) {
		return err
	}
	if err != nil {
		// The vault has ended the registration; the relay finds it unfinished.
		s.log.WarnContext(ctx, "removal left to the relay", "err", err)
	}
	return nil
}

// retire carries a removal out that the vault has granted. Idempotent.
func (s *Service) retire(ctx context.Context, row PersonRow) error {
	n := s.note(NoteRemoved, row.Person, s.now().UnixMilli())
	n.Member = MemberRow{Household: row.Household, Slot: row.Slot, Person: row.Person, Removed: true, Since: row.Since}
	if err := settle(func() error { return s.store.Retire(ctx, row.Person, n) }); err != nil {
		return err
	}
	if err := s.step("remove:after-person"); err != nil {
		return err
	}
	return s.carryInline(ctx, n)
}
