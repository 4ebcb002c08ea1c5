package scheduling

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// WalkInVault is what the vault says to walk-ins; *vault.Client satisfies it.
type WalkInVault interface {
	StaffCheck(context.Context, vault.StaffCheckRequest) (vault.StaffChecked, error)
	WalkInBook(context.Context, vault.WalkInBookRequest) (vault.Booked, error)
}

// NamedRecords finds a person's sealed record by reference number.
type NamedRecords interface {
	Named(context.Context, id.Reference) (vault.Record, error)
}

// WalkIns books people who are at a centre into its session of the day. It is
// safe for concurrent use; its errors are the Service's.
type WalkIns struct {
	s       *Service
	vault   WalkInVault
	records NamedRecords
}

// NewWalkIns makes the service over bookings, the vault and the registry.
func NewWalkIns(s *Service, v WalkInVault, r NamedRecords) *WalkIns { return &WalkIns{s, v, r} }

// walkIn is what sets a walk-in's booking apart: the staff member's request
// stands in for a holder's.
type walkIn struct {
	vault  WalkInVault
	signed vault.Signed
}

// leave asks the vault, which checks the signature, the session of the day and
// what the person showed.
func (w *walkIn) leave(ctx context.Context, b *booking, h Hold) error {
	_, err := w.vault.WalkInBook(ctx, vault.WalkInBookRequest{Signed: w.signed, Hold: h.ID, Offer: b.session.offer(b.in.Slot), Record: b.records[0]})
	return err
}

// Book takes a place for one person on a vaccinator's signed request whose body
// says the same as in. The capacity decides as for everybody; the end of online
// booking does not apply. fault.NotFound, always the same, for a person who is
// unknown or did not show that it is them; fault.Full without a place.
//
// The signature is looked at before a place is held, so that only staff can
// hold one; it is spent by the vault's leave. A request whose answer was lost is
// signed again and answers the same number: one person, session, slot and dose
// are one booking.
func (w *WalkIns) Book(ctx context.Context, signed vault.Signed, in BookInput) (id.Hold, error) {
	in.Key, in.Fresh = "walk-in", false
	if err := in.check(); err != nil {
		return "", err
	}
	if len(in.References) != 1 {
		return "", invalid("USRRES0001", "a walk-in is booked for one beneficiary")
	}
	staff, err := w.vault.StaffCheck(ctx, vault.StaffCheckRequest{Signed: signed})
	if err != nil {
		return "", err
	}
	b := &booking{in: in, body: in.digest(), walkIn: &walkIn{w.vault, signed}}
	if err := w.s.offered(ctx, b); err != nil {
		return "", err
	}
	if b.session.Centre != staff.Centre {
		return "", invalid("session", "a walk-in is booked in a session that is open at the centre today")
	}
	rec, err := w.records.Named(ctx, in.References[0])
	if err != nil {
		return "", err
	}
	if rec.Person == "" { // the vault refuses, and counts it
		b.records = []vault.Record{{}}
		err := b.walkIn.leave(ctx, b, Hold{ID: id.Hold(id.New())})
		if err == nil {
			err = fault.New(fault.Internal, "person", "the vault booked nobody")
		}
		return "", err
	}
	b.people = []id.Person{rec.Person}
	// What a booking is called by is not a household but the person.
	b.household, b.in.Key = id.Household(rec.Person), b.body
	old, err := w.s.earlier(ctx, b)
	if err != nil {
		return "", err
	}
	hold, err := w.s.hold(ctx, b, old)
	if err == nil && hold.State == Confirmed { // the vault decides here too
		if err = w.s.leave(ctx, b, hold); err == nil {
			return hold.ID, nil
		}
		if !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "hold" {
			return "", err
		}
		b.in.Fresh = true // that booking was given up
		hold, err = w.s.hold(ctx, b, "")
	}
	if err != nil {
		return "", err
	}
	if err := w.s.step("book:after-hold"); err != nil {
		return "", err
	}
	return w.s.carry(ctx, b, hold)
}
