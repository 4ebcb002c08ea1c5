package registry

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Enrol adds a person to the holder's household and returns their reference
// number. Key is the mutation's idempotency key: the same key answers the same
// number. fault.Full at six members; fault.Conflict when the id number is
// already in this household; fault.Invalid as the vault says.
//
// Steps: vault.Enrol, then the person's rows with a note, then the household's
// place with the claim on the key, then the reference number, then
// vault.Committed. Once the person's rows are stored the answer is success:
// what then fails is left to the relay.
func (s *Service) Enrol(ctx context.Context, h vault.Holder, key string, who vault.Identity, consent vault.Consent) (id.Reference, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	m, err := s.vault.Membership(ctx, h)
	if err != nil {
		return "", err
	}
	claim := claimKey("enrol", m.Household, key)
	if ref, err := s.store.Claimed(ctx, m.Household, claim); err != nil || ref != "" {
		return id.Reference(ref), err
	}
	e, err := s.vault.Enrol(ctx, vault.EnrolRequest{Holder: h, Key: key, Identity: who, Consent: consent})
	if fault.Is(err, fault.Conflict) {
		// The same key may have been finished by the relay since we looked.
		if ref, cerr := s.store.Claimed(ctx, m.Household, claim); cerr == nil && ref != "" {
			return id.Reference(ref), nil
		}
	}
	if err != nil {
		return "", err
	}
	if e.Household != m.Household {
		return "", fault.New(fault.Internal, "household", "the vault enrolled into another household than it named")
	}
	if err := s.step("enrol:after-vault"); err != nil {
		return "", err
	}
	if len(e.Seal.Parts) == 0 { // sealed, stored and committed before
		return e.Reference, nil
	}
	return e.Reference, s.storeEnrolled(ctx, e, claim)
}

// StoreEnrolled stores a person that the vault has sealed without a holder's
// request: the synthetic people of a demo. It may be repeated.
func (s *Service) StoreEnrolled(ctx context.Context, e vault.Enrolled) error {
	return s.storeEnrolled(ctx, e, "")
}

func (s *Service) storeEnrolled(ctx context.Context, e vault.Enrolled, claim string) error {
	at := s.now().UnixMilli()
	row := PersonRow{Person: e.Seal.Person, Reference: e.Reference, Household: e.Household, Slot: e.Slot, Since: at}
	n := s.note(NoteEnrolled, e.Seal.Person, at)
	n.Seal, n.Ref = e.Seal.ID, e.Reference
	n.Member = MemberRow{Household: e.Household, Slot: e.Slot, Person: e.Seal.Person, Since: at}
	if claim != "" {
		n.Claim = Claim{Key: claim, Result: string(e.Reference), At: at}
	}
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
