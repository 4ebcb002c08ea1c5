package scheduling

import (
	"context"
	"errors"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Cancel gives up the places of some people of the holder's household under an
// appointment number. fault.NotFound, always the same, when somebody has no
// such booking or is not theirs; fault.Invalid for no or repeated numbers.
//
// Steps: vault.Cancel for all, then each person's appointment with a note,
// then the place at the centre, once, then vault.Settled. Once the vault has
// ended the bookings the answer is success: what then fails is left to the sweep.
func (s *Service) Cancel(ctx context.Context, h vault.Holder, hold id.Hold, refs []id.Reference) error {
	if err := checkParty(refs); err != nil {
		return err
	}
	recs, err := s.records.Persons(ctx, h, refs)
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	people := make([]id.Person, len(recs))
	for i, r := range recs {
		people[i] = r.Person
	}
	_, err = s.vault.Cancel(ctx, vault.CancelRequest{Holder: h, Hold: hold, Persons: people})
	if fault.Is(err, fault.NotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	if err := s.step("cancel:after-vault"); err != nil {
		return err
	}
	for _, p := range people {
		err := s.cancelled(ctx, p, hold)
		if errors.Is(err, errStop) {
			return err
		}
		if err != nil {
			s.log.WarnContext(ctx, "a cancellation is left to the sweep", "err", err)
		}
	}
	return nil
}

// cancelled carries out a cancellation that the vault has granted. Idempotent.
func (s *Service) cancelled(ctx context.Context, p id.Person, hold id.Hold) error {
	at := s.now().UnixMilli()
	n := Note{ID: id.NewOrdered(), Person: p, Hold: hold, Created: at, Due: at + noteGrace.Milliseconds()}
	var a Appointment
	err := settle(func() (err error) { a, err = s.store.Cancel(ctx, n); return err })
	if err != nil {
		return err
	}
	if err := s.step("cancel:after-person"); err != nil {
		return err
	}
	if a.State != Cancelled {
		// Never bound: the fence now there makes whoever ends the hold release
		// all its places. Or given meanwhile: the dose used the place up.
		return s.carried(ctx, hold, p)
	}
	n.Centre, n.Session, n.Dose = a.Centre, a.Session, a.Dose
	return s.giveBack(ctx, n)
}

// giveBack returns the place of a cancelled appointment, tells the vault and
// removes the note. Idempotent.
func (s *Service) giveBack(ctx context.Context, n Note) error {
	if n.Hold == "" {
		return fault.New(fault.Integrity, "note", "a stored note is malformed")
	}
	var back bool
	err := settle(func() error {
		ok, err := s.store.Return(ctx, n.Centre, n.Hold, n.Person)
		back = back || ok
		return err
	})
	if err != nil {
		return err
	}
	if back {
		s.gaveBack(n.Session, n.Dose, 1)
	}
	if err := s.carried(ctx, n.Hold, n.Person); err != nil {
		return err
	}
	return settle(func() error { return s.store.DoneNote(ctx, n) })
}

func (s *Service) carried(ctx context.Context, hold id.Hold, p id.Person) error {
	return s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkCancel, Hold: hold, Persons: []id.Person{p}})
}
