package registry

import (
	"context"
	"errors"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// CardVault is what the vault does for people with a card and for staff on
// evidence; *vault.Client satisfies it.
type CardVault interface {
	WalkIn(context.Context, vault.WalkInRequest) (vault.WalkedIn, error)
	NewCard(context.Context, vault.NewCardRequest) (vault.NewCard, error)
	Link(context.Context, vault.LinkRequest) (vault.Linked, error)
	Merge(context.Context, vault.MergeRequest) (vault.MergeSealed, error)
	StaffVault
}

// StaffVault is what the vault opens for staff on a person's evidence.
type StaffVault interface {
	StaffView(context.Context, vault.StaffViewRequest) (vault.StaffView, error)
	StaffCertificate(context.Context, vault.StaffViewRequest) (vault.Certificate, error)
	StaffCode(context.Context, vault.StaffCodeRequest) (vault.StaffCode, error)
}

// Cards serves people without a mobile, joins registrations, and brings staff
// the people who showed them that it is them. It is safe for concurrent use;
// its errors are the Service's.
type Cards struct {
	s     *Service
	vault CardVault
}

// NewCards makes the service over the registry of people and the vault.
func NewCards(s *Service, v CardVault) *Cards { return &Cards{s: s, vault: v} }

// WalkIn registers somebody without a mobile on a vaccinator's signed request
// and answers with their card. The same registration signed again within the
// hour answers the same person and a new card, while nobody used the last one.
//
// Steps: vault.WalkIn, then as an enrolment.
func (c *Cards) WalkIn(ctx context.Context, signed vault.Signed) (vault.WalkedIn, error) {
	w, err := c.vault.WalkIn(ctx, vault.WalkInRequest{Signed: signed})
	if err != nil {
		return vault.WalkedIn{}, err
	}
	if err := c.s.step("walkin:after-vault"); err != nil {
		return vault.WalkedIn{}, err
	}
	if len(w.Enrolled.Seal.Parts) == 0 { // stored before
		return w, nil
	}
	return w, c.s.StoreEnrolled(ctx, w.Enrolled)
}

// NewCard replaces the card of a person of the holder's household.
// fault.NotFound, always the same, when the number is unknown or not theirs.
func (c *Cards) NewCard(ctx context.Context, h vault.Holder, ref id.Reference, key string) (vault.NewCard, error) {
	rows, err := c.s.resolve(ctx, h, []id.Reference{ref})
	if err != nil {
		return vault.NewCard{}, err
	}
	return c.vault.NewCard(ctx, vault.NewCardRequest{Holder: h, Person: rows[0].Person, Key: key})
}

// Link moves the person of a card into the household of the holder's mobile
// and returns their reference number. It may be repeated.
//
// Steps: vault.Link, then the new place, then the end of the old one, then
// vault.Settled; the relay finishes them.
func (c *Cards) Link(ctx context.Context, r vault.LinkRequest) (id.Reference, error) {
	l, err := c.vault.Link(ctx, r)
	if err != nil {
		return "", err
	}
	if err := c.s.step("link:after-vault"); err != nil {
		return "", err
	}
	err = c.s.linked(ctx, l.Person, l.Place)
	if errors.Is(err, errStop) {
		return "", err
	}
	if err != nil {
		c.s.log.WarnContext(ctx, "a link is left to the relay", "err", err)
	}
	c.s.known.forget(r.Holder)
	return l.Reference, nil
}

// linked carries a link out that the vault has granted. Idempotent. The row of
// the person keeps the household of the enrolment; who has a place where is in
// the rows of the households alone.
func (s *Service) linked(ctx context.Context, p id.Person, place vault.Place) error {
	row, err := s.store.Person(ctx, p)
	if err != nil {
		return err
	}
	m := MemberRow{Household: place.Household, Slot: place.Slot, Person: p, Since: place.Since}
	if err := settle(func() error { return s.store.SetMember(ctx, m) }); err != nil {
		return err
	}
	if err := s.step("link:after-member"); err != nil {
		return err
	}
	if row.Household != place.Household {
		old := MemberRow{Household: row.Household, Slot: row.Slot, Person: p, Removed: true, Since: row.Since}
		if err := settle(func() error { return s.store.SetMember(ctx, old) }); err != nil {
			return err
		}
	}
	return s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkLink, Persons: one(p)})
}

// Merge joins two registrations of one person of the holder's household: the
// first goes on with the doses of both, the second ends. fault.NotFound, always
// the same, when one is unknown, not theirs, or has ended; fault.Conflict when
// they are not the same person or one has something under way.
//
// Steps: vault.Merge, then the sealed parts with a note in the bucket of the
// person who goes on, then vault.Committed, which ends the other, then the
// other's rows; the relay finishes them.
func (c *Cards) Merge(ctx context.Context, h vault.Holder, keep, other id.Reference) error {
	s := c.s
	for range tries {
		var m vault.MergeSealed
		err := s.fresh(func() error {
			recs, err := s.Persons(ctx, h, []id.Reference{keep, other})
			if err != nil {
				return err
			}
			m, err = c.vault.Merge(ctx, vault.MergeRequest{Holder: h, Keep: recs[0], Merge: recs[1]})
			return err
		})
		if fault.Is(err, fault.NotFound) {
			return notFound()
		}
		if err != nil {
			return err
		}
		if err := s.step("merge:after-vault"); err != nil {
			return err
		}
		if len(m.Seal.Parts) > 0 { // else it was stored before
			err = s.merged(ctx, m.Seal)
		}
		if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == CodeSeq {
			continue // another writer was first
		}
		s.known.forget(h)
		return err
	}
	return fault.New(fault.Conflict, CodeSeq, "the record is being changed by others; try again")
}

// merged stores a merge that the vault has sealed. Idempotent.
func (s *Service) merged(ctx context.Context, seal vault.Seal) error {
	at := s.now().UnixMilli()
	n := s.note(NoteSealed, seal.Person, at)
	n.Seal = seal.ID
	if err := settle(func() error {
		return s.store.Store(ctx, Write{Person: seal.Person, Parts: seal.Parts, At: at, Note: n})
	}); err != nil {
		return err
	}
	if err := s.step("merge:after-store"); err != nil {
		return err
	}
	return s.carryInline(ctx, n)
}

// finishPeople ends a link or merge that a crash cut off after the vault's leave.
func (s *Service) finishPeople(ctx context.Context, w vault.Work) error {
	if w.Kind == vault.WorkLink {
		return s.linked(ctx, w.Person, w.Place)
	}
	var err error
	if len(w.Seal.Parts) > 0 {
		if err = s.merged(ctx, w.Seal); fault.Is(err, fault.Conflict) && fault.CodeOf(err) == CodeSeq {
			err = nil // another change of that person came first: the merge never happened
		}
	}
	if err != nil {
		return err
	}
	return s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkMerge, Hold: w.Hold, Persons: one(w.Person)})
}

// Named returns the record of the person under a reference number, or an empty
// one of nobody. It grants nothing: a record is sealed.
func (c *Cards) Named(ctx context.Context, ref id.Reference) (vault.Record, error) {
	p, err := c.s.byReference(ctx, ref)
	if err != nil || p == "" {
		return vault.Record{}, err
	}
	return c.s.store.Record(ctx, p)
}

// StaffView releases the verification view of a person who showed the staff
// member that it is them. fault.NotFound otherwise, always the same.
func (c *Cards) StaffView(ctx context.Context, r vault.StaffViewRequest) (v vault.StaffView, err error) {
	err = c.s.fresh(func() error {
		if r.Record, err = c.Named(ctx, r.Reference); err != nil {
			return err
		}
		r.Person = r.Record.Person
		v, err = c.vault.StaffView(ctx, r)
		return err
	})
	return v, err
}

// StaffCertificate is StaffView for the certificate.
func (c *Cards) StaffCertificate(ctx context.Context, r vault.StaffViewRequest) (v vault.Certificate, err error) {
	err = c.s.fresh(func() error {
		if r.Record, err = c.Named(ctx, r.Reference); err != nil {
			return err
		}
		r.Person = r.Record.Person
		v, err = c.vault.StaffCertificate(ctx, r)
		return err
	})
	return v, err
}

// StaffCode has a code sent to the household of the person under a reference
// number, if there is one; the answer does not tell.
func (c *Cards) StaffCode(ctx context.Context, r vault.StaffCodeRequest) (vault.StaffCode, error) {
	p, err := c.s.byReference(ctx, r.Reference)
	if err != nil {
		return vault.StaffCode{}, err
	}
	r.Person = p
	return c.vault.StaffCode(ctx, r)
}
