package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Enrol adds a person to the holder's household and returns their reference
// number. Key is the mutation's idempotency key: for a day, the same key with
// the same request answers the same number. The vault alone keeps it, because
// the vault alone can tell the same request without keeping what it says: after
// that day the id number refuses a second enrolment. fault.Full at six members;
// fault.Conflict when the id number is already in this household, or the key
// came with another request or belongs to a registration since deleted;
// fault.Invalid as the vault says.
//
// Steps: vault.Enrol, then the person's rows with a note, then the household's
// place, then the reference number, then vault.Committed. Once the person's rows are stored the answer is success:
// what then fails is left to the relay.
func (s *Service) Enrol(ctx context.Context, h vault.Holder, key string, who vault.Identity, consent vault.Consent) (id.Reference, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	e, err := s.vault.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: key, Identity: who, Consent: consent})
	if fault.Is(err, fault.NotFound) {
		return "", fault.New(fault.Conflict, "key", "what this idempotency key registered has been deleted; use a new key")
	}
	if err != nil {
		return "", err
	}
	if err := s.step("enrol:after-vault"); err != nil {
		return "", err
	}
	if len(e.Seal.Parts) == 0 { // sealed, stored and committed before
		return e.Reference, nil
	}
	if err := s.StoreEnrolled(ctx, e); err != nil {
		return e.Reference, err
	}
	s.known.enrolled(h, e, s.now().UnixMilli())
	return e.Reference, nil
}

// StoreEnrolled stores a person that the vault has sealed, also without a holder's
// request: the synthetic people of a demo. It may be repeated.
func (s *Service) StoreEnrolled(ctx context.Context, e vault.Enrolled) error {
	at := s.now().UnixMilli()
	row := PersonRow{Person: e.Seal.Person, Reference: e.Reference, Household: e.Household, Slot: e.Slot, Since: at}
	n := s.note(NoteEnrolled, e.Seal.Person, at)
	n.Seal, n.Ref = e.Seal.ID, e.Reference
	n.Member = MemberRow{Household: e.Household, Slot: e.Slot, Person: e.Seal.Person, Since: at}
	w := Write{Person: e.Seal.Person, New: &row, Parts: e.Seal.Parts, At: at, Note: n}
	if err := settle(func() error { return s.store.Store(ctx, w) }); err != nil {
		return err
	}
	if err := s.step("enrol:after-person"); err != nil {
		return err
	}
	return s.carryInline(ctx, n)
}

func (s *Service) note(k NoteKind, p id.Person, at int64) Note {
	return Note{ID: id.NewOrdered(), Kind: k, Person: p, Created: at, Due: at + noteGrace.Milliseconds()}
}
