package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// RecordDose records a dose on a vaccinator's signed request. The vault
// verifies the request, the person's booking code and the facts; this service
// brings the person's record and stores what the vault seals. Repeating the
// request answers the same. fault.NotFound is the same for an unknown
// reference number and whatever else the vault will not tell apart.
//
// Steps: vault.RecordDose, then in the person's bucket the sealed dose, the end
// of the appointment and a note, then vault.Committed.
func (s *Service) RecordDose(ctx context.Context, signed vault.Signed, ref id.Reference) error {
	p, err := s.byReference(ctx, ref)
	if err != nil {
		return err
	}
	stale := false
	for range tries {
		var rec vault.Record
		if p != "" {
			if rec, err = s.store.Record(ctx, p); err != nil {
				return err
			}
		}
		// An unknown number goes to the vault as well, as nobody: a request that
		// is not a staff member's must not learn which numbers exist.
		d, err := s.vault.RecordDose(ctx, vault.DoseRequest{Signed: signed, Person: p, Record: rec})
		if fault.Is(err, fault.Integrity) && !stale {
			stale = true // the record may have been read just before a commit
			continue
		}
		if err != nil {
			return err
		}
		if p == "" || d.Seal.Person != p {
			return fault.New(fault.Internal, "person", "the vault sealed a dose for another person than asked")
		}
		err = s.storeDose(ctx, d)
		if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == CodeSeq {
			continue // another writer was first: show the vault the newer record
		}
		return err
	}
	return fault.New(fault.Conflict, CodeSeq, "the record is being changed by others; try again")
}

func (s *Service) storeDose(ctx context.Context, d vault.DoseSealed) error {
	if err := s.step("dose:after-vault"); err != nil {
		return err
	}
	if len(d.Seal.Parts) == 0 { // sealed, stored and committed before
		return nil
	}
	at := s.now().UnixMilli()
	n := s.note(NoteSealed, d.Seal.Person, at)
	n.Seal = d.Seal.ID
	w := Write{Person: d.Seal.Person, Parts: d.Seal.Parts, Hold: d.Hold, At: at, Note: n}
	if err := settle(func() error { return s.store.Store(ctx, w) }); err != nil {
		return err
	}
	if err := s.step("dose:after-store"); err != nil {
		return err
	}
	return s.carryInline(ctx, n)
}

// byReference returns the person under a reference number, or "". A number
// drawn twice names the one of them who is booked; when that does not decide,
// fault.Conflict: staff then need another proof of who it is.
func (s *Service) byReference(ctx context.Context, ref id.Reference) (id.Person, error) {
	people, err := s.store.ByReference(ctx, ref)
	if err != nil || len(people) == 0 {
		return "", err
	}
	if len(people) == 1 {
		return people[0], nil
	}
	var one id.Person
	for _, p := range people {
		booked, err := s.store.Booked(ctx, p)
		if err != nil {
			return "", err
		}
		if booked && one != "" {
			return "", fault.New(fault.Conflict, "reference", "this reference number names two booked people")
		}
		if booked {
			one = p
		}
	}
	return one, nil
}
