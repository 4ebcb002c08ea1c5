package scheduling

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// MoveInput asks to move people who have a live appointment under a number to
// another session or slot: those of References or, where there are none, everybody.
// Key and Fresh as in BookInput.
type MoveInput struct {
	Old        id.Hold
	References []id.Reference
	Session    id.Session
	Slot       string
	Key        string
	Fresh      bool
}

// digest names the request's content; the order of the people is not part of it.
func (in MoveInput) digest() string {
	parts := []string{"move", string(in.Old), string(in.Session), in.Slot}
	if len(in.References) > 0 {
		refs := slices.Sorted(slices.Values(in.References))
		for _, r := range refs {
			parts = append(parts, string(r))
		}
	}
	return hash(parts...)
}

// Reschedule moves people of an appointment of the holder's household to
// another place, all or none, and returns the new appointment's number; who is
// not moved keeps the old one. The old
// place is given back only when the new one is held, granted and bound; whatever
// breaks off in between, everybody has either the old appointment or the new
// one. fault.NotFound: no such live appointment of this household;
// fault.Invalid: it is the same session and slot, another programme, or the day
// of the appointment has come; else as Book.
//
// Steps: hold the new place; vault.Book with Old, which ends the old booking and
// makes the new one; then for each person, in the order of their ids, old and new
// appointment in one transaction of the person's bucket, with a note that gives
// the old place back; then confirm. The first person's row decides for all: once
// it is moved the others follow, whoever carries it on; once it is fenced
// nobody moves and the vault makes the old booking live again.
func (s *Service) Reschedule(ctx context.Context, h vault.Holder, in MoveInput) (id.Hold, error) {
	b, m, err := s.moving(ctx, h, in)
	if err != nil {
		return "", err
	}
	earlier, err := s.earlier(ctx, b)
	if err != nil {
		return "", err
	}
	if err := s.offered(ctx, b); err != nil {
		return "", err
	}
	if earlier != "" { // repeated: perhaps it has been done
		got, err := s.store.FindHold(ctx, b.session.Centre, earlier)
		if err != nil || got.State == Confirmed {
			return got.ID, err
		}
		if got.State == Holding {
			b.people, b.in.Dose = got.Persons, got.Dose
			return s.carry(ctx, b, got)
		}
	}
	if err := s.toMove(ctx, b, m); err != nil {
		return "", err
	}
	hold, err := s.hold(ctx, b, earlier)
	if err != nil {
		return "", err
	}
	if hold.State == Confirmed {
		return hold.ID, nil
	}
	if err := s.step("book:after-hold"); err != nil {
		return "", err
	}
	return s.carry(ctx, b, hold)
}

// moving begins to move an appointment of the holder's household.
func (s *Service) moving(ctx context.Context, h vault.Holder, in MoveInput) (*booking, vault.Membership, error) {
	switch {
	case in.Key == "" || len(in.Key) > maxKey:
		return nil, vault.Membership{}, invalid("key", "an idempotency key of 1 to 200 bytes is wanted")
	case len(in.Session) == 0 || len(in.Session) > 64:
		return nil, vault.Membership{}, invalid(CodeSlot, "Invalid Slot Id")
	case len(in.References) > 0:
		if err := checkParty(in.References); err != nil {
			return nil, vault.Membership{}, err
		}
	}
	m, err := s.vault.Membership(ctx, h)
	return &booking{holder: h, household: m.Household, old: in.Old, body: in.digest(),
		in: BookInput{Session: in.Session, Slot: in.Slot, References: in.References, Key: in.Key, Fresh: in.Fresh}}, m, err
}

// toMove finds the people of the old appointment and checks that it may move.
func (s *Service) toMove(ctx context.Context, b *booking, m vault.Membership) error {
	var old Appointment
	var chosen []id.Person
	if len(b.in.References) > 0 {
		var err error
		if _, chosen, err = s.records.Members(ctx, b.holder, b.in.References); err != nil {
			return err
		}
	}
	for _, mb := range m.Members {
		if chosen != nil && !slices.Contains(chosen, mb.Person) {
			continue
		}
		a, err := s.store.Appointment(ctx, mb.Person, b.old)
		if err != nil {
			return err
		}
		if a.State == Live {
			b.people, old = append(b.people, mb.Person), a
		}
	}
	if len(b.people) == 0 || len(b.people) < len(chosen) {
		return notFound()
	}
	slices.Sort(b.people)
	b.in.Dose = old.Dose
	if old.Session == b.in.Session && old.Slot == b.in.Slot {
		return invalid("USRRES0002", "the appointment is for this session and slot already")
	}
	c, err := s.centre(ctx, old.Centre)
	if err != nil {
		return err
	}
	loc, err := time.LoadLocation(c.Zone)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "centre zone")
	}
	if today := civil.Of(s.now().In(loc)); !today.Before(old.Day) {
		return invalid("USRRES0002", "an appointment can be moved until the day before it")
	}
	return nil
}

// bindOrMove binds a person's appointment; where it replaces one, that one ends
// in the same transaction and its place goes back.
func (s *Service) bindOrMove(ctx context.Context, h Hold, a Appointment) error {
	if h.Old == "" {
		return s.bind(ctx, a)
	}
	at := s.now().UnixMilli()
	n := Note{ID: id.NewOrdered(), Created: at, Due: at + noteGrace.Milliseconds()}
	var st State
	var left Note
	err := settle(func() (err error) { st, left, err = s.store.Move(ctx, a, h.Old, n); return err })
	if err = boundAs(st, err); err != nil {
		return err
	}
	if err := s.step("move:after-person"); err != nil {
		return err
	}
	if left.ID != "" {
		if err := s.giveBack(ctx, left); err != nil {
			s.log.WarnContext(ctx, "the old place of a moved appointment is left to the sweep", "err", err)
		}
	}
	return nil
}

// forward ends a hold that moves an appointment as moved, when its first person
// has moved; otherwise it leaves a fence there, after which nobody can.
func (s *Service) forward(ctx context.Context, h Hold) (bool, error) {
	if len(h.Persons) == 0 {
		return false, nil
	}
	fence := Appointment{Person: h.Persons[0], Hold: h.ID, Centre: h.Centre, Session: h.Session, Dose: h.Dose, State: Fenced, Created: h.Created}
	var st State
	if err := settle(func() (err error) { st, err = s.store.Fence(ctx, fence); return err }); err != nil || st == Fenced {
		return false, err
	}
	facts, err := s.store.Appointment(ctx, h.Persons[0], h.ID)
	if err != nil {
		return false, err
	}
	moved, left := []id.Person{h.Persons[0]}, []id.Person(nil)
	for _, p := range h.Persons[1:] {
		a := facts
		a.Person = p
		err := s.bindOrMove(ctx, h, a)
		switch {
		case err == nil:
			moved = append(moved, p)
			continue
		case !fault.Is(err, fault.Conflict):
			return false, err
		}
		// The old appointment is not there to be replaced, or the new one has
		// ended since: the person's own rows say which.
		fence.Person = p
		if err := settle(func() (err error) { st, err = s.store.Fence(ctx, fence); return err }); err != nil {
			return false, err
		}
		if st == Fenced {
			left = append(left, p)
		} else {
			moved = append(moved, p)
		}
	}
	if len(left) == 0 {
		return true, s.close(ctx, []Hold{h})
	}
	return true, s.divide(ctx, h, moved, left)
}

// divide ends a hold for some of its people as confirmed and for the others as
// released.
func (s *Service) divide(ctx context.Context, h Hold, kept, left []id.Person) error {
	var n int
	if err := settle(func() (err error) { n, err = s.store.Release(ctx, h.Centre, h.ID, kept); return err }); err != nil {
		return err
	}
	s.gaveBack(h.Session, h.Dose, n)
	if err := s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkBook, Hold: h.ID, Persons: kept}); err != nil {
		return err
	}
	_, err := s.vault.Release(ctx, vault.ReleaseRequest{Hold: h.ID, Persons: left})
	return err
}

// missed says whether an appointment is live and its day over at its centre.
func (s *Service) missed(a Appointment) bool {
	now := s.now()
	if a.State != Live || civil.Of(now.UTC()).AddDays(1).Before(a.Day) {
		return false // the usual case needs no zone
	}
	loc, err := time.LoadLocation(a.Place.Zone)
	return err == nil && a.Day.Before(civil.Of(now.In(loc)))
}
