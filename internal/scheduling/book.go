package scheduling

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// finishTime bounds giving a refused hold back.
const finishTime = 5 * time.Second

// booking is one Book under way.
type booking struct {
	holder    vault.Holder
	in        BookInput
	household id.Household
	people    []id.Person
	records   []vault.Record
	session   Session
	lane      *lane
	claim     Claim
	old       id.Hold // the appointment to be replaced
	walkIn    *walkIn // booked by staff for somebody who is there
	body      string  // digest of the request

	life   time.Duration         // how long the places are held; 0: HoldTime
	before func(h id.Hold) error // asked before places are held
	made   int64                 // when it made the household's row; 0: not
	was    Reserve               // that row before
}

// Book takes one place for each of some people of the holder's household under
// one appointment number, all or none. The same Key with the same request
// answers the same number; with another request fault.Conflict. fault.Full
// with CodeFull: no place left, or booking has closed; fault.RateLimited: too
// many wait for this session, come again; fault.Invalid with
// CodeSlot: no such session or slot; fault.NotFound: somebody is not a member;
// fault.Invalid or fault.Conflict as the vault refuses. After
// fault.Unavailable or fault.Unknown repeat it with the same Key: the place
// stays held for HoldTime.
//
// The order is by when the request entered the session's queue. Before that
// nothing is asked of the vault for a person whose household this process has
// seen; what the vault must say comes after the place is held, and a place held
// for whom it refuses comes back at once.
func (s *Service) Book(ctx context.Context, h vault.Holder, in BookInput) (id.Hold, error) {
	if err := in.check(); err != nil {
		return "", err
	}
	if s.knownFull(in) {
		return "", fullNow()
	}
	b := &booking{holder: h, in: in, body: in.digest()}
	var err error
	if b.household, b.people, err = s.records.Members(ctx, h, in.References); err != nil {
		return "", err
	}
	old, err := s.earlier(ctx, b)
	if err != nil {
		return "", err
	}
	if err := s.offered(ctx, b); err != nil {
		return "", err
	}
	hold, err := s.hold(ctx, b, old)
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

// knownFull says whether memory is enough to refuse a request.
func (s *Service) knownFull(in BookInput) bool {
	q := s.lanes.find(in.Session)
	return in.Fresh && q != nil && q.soldOut(in.Dose, s.now()) && !ablate.Off(ablate.Capacity)
}

// earlier returns the hold number that the request's key already stands for, or "".
func (s *Service) earlier(ctx context.Context, b *booking) (id.Hold, error) {
	if b.in.Fresh {
		return "", nil
	}
	b.claim = Claim{Key: claimKey(b.household, b.in.Key), Body: b.body}
	old, err := s.store.Claimed(ctx, b.household, b.claim.Key)
	if err == nil && old.Hold != "" && old.Body != b.claim.Body {
		err = fault.New(fault.Conflict, "key", "this idempotency key came with another request")
	}
	return old.Hold, err
}

// offered finds the session and its slot. Terms in memory that lack the slot
// are read again.
func (s *Service) offered(ctx context.Context, b *booking) (err error) {
	b.lane, b.session, err = s.session(ctx, b.in.Session)
	if err == nil && !slices.Contains(b.session.Slots, b.in.Slot) {
		b.lane, b.session, err = s.reread(ctx, b.in.Session)
	}
	if fault.Is(err, fault.NotFound) || (err == nil && !slices.Contains(b.session.Slots, b.in.Slot)) {
		return invalid(CodeSlot, "Invalid Slot Id")
	}
	return err
}

// hold finds the hold an earlier attempt under this key made, or makes one. A
// released hold is replaced, so that a repetition can succeed; one that was
// never made keeps its number, so that two attempts at once make only one.
func (s *Service) hold(ctx context.Context, b *booking, old id.Hold) (Hold, error) {
	c := b.session.Centre
	if old != "" {
		h, err := s.store.FindHold(ctx, c, old)
		if err != nil || h.State == Holding || h.State == Confirmed {
			return h, err
		}
		if h.State == NoHold {
			old = ""
		}
	}
	now := s.now()
	loc, err := b.lane.location(b.session.Zone)
	if err != nil {
		return Hold{}, err
	}
	if err := b.session.openAt(b.in.Slot, loc, now); err != nil && b.walkIn == nil {
		return Hold{}, err
	}
	if b.lane.soldOut(b.in.Dose, now) && !ablate.Off(ablate.Capacity) {
		return s.soldOut(ctx, b)
	}
	b.claim.Hold = id.Hold(id.New())
	if !b.in.Fresh {
		if err := s.claim(ctx, b, old, now); err != nil {
			return Hold{}, err
		}
	}
	if b.before != nil {
		if err := b.before(b.claim.Hold); err != nil {
			return Hold{}, err
		}
	}
	h := Hold{ID: b.claim.Hold, Old: b.old, Centre: c, Session: b.session.ID, Dose: b.in.Dose, State: Holding,
		Created: now.UnixMilli(), Expires: now.Add(cmp.Or(b.life, HoldTime)).UnixMilli(), Persons: b.people}
	got, err := s.place(ctx, b, h)
	if fault.Is(err, fault.Full) {
		return s.soldOut(ctx, b)
	}
	if err != nil {
		return Hold{}, err
	}
	if got.State == Released { // another attempt under this key ended it just now
		return got, fault.New(fault.Conflict, "hold", "another attempt at this booking was given up; try again")
	}
	if got.State == Holding && got.Created == h.Created {
		s.avail.add(b.session.ID, b.in.Dose, len(h.Persons))
	}
	return got, nil
}

// place takes the places of a hold in the session's queue. With its control off
// a request does not wait its turn.
func (s *Service) place(ctx context.Context, b *booking, h Hold) (got Hold, err error) {
	if ablate.Off(ablate.Capacity) {
		err = settle(func() (err error) { got, err = s.store.Hold(ctx, h); return err })
		return got, err
	}
	return s.take(ctx, b.lane, h, !b.in.Fresh)
}

// openAt refuses a session whose booking has closed or whose slot is over.
func (v Session) openAt(slot string, loc *time.Location, now time.Time) error {
	if !now.Before(v.closes(loc)) {
		return fault.New(fault.Full, CodeFull, "online booking for this session has closed")
	}
	if slotOver(slot, v.Day, loc, now) {
		return invalid(CodeSlot, "this time of the day is over; choose a later slot")
	}
	return nil
}

// soldOut answers for a session without room. The last places may have gone to
// another attempt under the same key.
func (s *Service) soldOut(ctx context.Context, b *booking) (Hold, error) {
	if b.in.Fresh {
		return Hold{}, fullNow()
	}
	c, err := s.store.Claimed(ctx, b.household, b.claim.Key)
	if err != nil {
		return Hold{}, err
	}
	if c.Hold != "" && c.Body == b.claim.Body {
		h, err := s.store.FindHold(ctx, b.session.Centre, c.Hold)
		if err != nil || h.State == Holding || h.State == Confirmed {
			return h, err
		}
	}
	return Hold{}, fullNow()
}

// claim binds the key to a hold number: a new one, unless the key has one that
// was not released.
func (s *Service) claim(ctx context.Context, b *booking, released id.Hold, now time.Time) error {
	want := b.claim
	want.At = now.UnixMilli()
	err := settle(func() (err error) { b.claim, err = s.store.Claim(ctx, b.household, want, released); return err })
	if err == nil && b.claim.Body != want.Body {
		return fault.New(fault.Conflict, "key", "this idempotency key came with another request")
	}
	return err
}

// carry takes a held hold to its end: the vault's leave, the appointments, the
// confirmation. A refusal gives the places back at once; when the vault or the
// database cannot be reached, a repetition or the sweep goes on.
func (s *Service) carry(ctx context.Context, b *booking, h Hold) (id.Hold, error) {
	err := s.leave(ctx, b, h)
	// Staff whom the vault did not believe are told nothing of what others booked.
	refused := err != nil && b.walkIn != nil
	if err == nil {
		err = s.step("book:after-vault")
	}
	for i := 0; err == nil && i < len(h.Persons); i++ {
		err = s.bindOrMove(ctx, h, b.appointment(h, h.Persons[i]))
		if err == nil {
			err = s.step("book:after-bind")
		}
	}
	if errors.Is(err, errStop) || fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Unknown) {
		return "", err
	}
	if err != nil {
		// The caller may have gone; the places go back all the same.
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
		defer cancel()
		whole, ferr := s.finish(fctx, h)
		if ferr != nil {
			s.log.WarnContext(ctx, "a refused hold is left to the sweep", "err", ferr)
		}
		if whole && !refused { // another attempt under this key bound everybody
			return h.ID, nil
		}
		return "", err
	}
	// Everybody is bound, which is the booking; what follows may be late.
	if s.closer != nil && s.closer.add(h) {
		return h.ID, nil
	}
	if err = s.close(ctx, []Hold{h}); errors.Is(err, errStop) {
		return "", err
	}
	if err != nil {
		s.log.WarnContext(ctx, "a bound booking is left to the sweep", "err", err)
	}
	return h.ID, nil
}

// leave asks the vault for everybody at once.
func (s *Service) leave(ctx context.Context, b *booking, h Hold) error {
	return s.fresh(func() (err error) {
		if b.records, err = s.records.Records(ctx, h.Persons); err != nil {
			return err
		}
		if b.walkIn != nil {
			return b.walkIn.leave(ctx, b, h)
		}
		return s.grant(ctx, vault.BookRequest{Holder: b.holder, Hold: h.ID, Old: h.Old, Dose: h.Dose,
			Offer: b.session.offer(b.in.Slot), Records: b.records})
	})
}

func (s *Service) bind(ctx context.Context, a Appointment) error {
	var st State
	err := settle(func() (err error) { st, err = s.store.Bind(ctx, a); return err })
	return boundAs(st, err)
}

// codeBooked is the code of a bind that another live appointment is in the way of.
const codeBooked = "booked"

// boundAs is what a bind's outcome means to the booking.
func boundAs(st State, err error) error {
	switch {
	case err != nil:
		return err
	case st == Fenced || st == Cancelled:
		return fault.New(fault.Conflict, "hold", "the place was given up before the booking was complete")
	case st == None:
		return fault.New(fault.Conflict, codeBooked, "somebody has a live appointment, or one still being cancelled")
	}
	return nil
}

func (b *booking) appointment(h Hold, p id.Person) Appointment {
	return Appointment{Person: p, Hold: h.ID, Centre: h.Centre, Session: h.Session, Day: b.session.Day, Slot: b.in.Slot,
		Product: b.session.Product, Programme: b.session.Programme, Dose: h.Dose, State: Live, Created: h.Created}
}

// finish ends a hold whose booking will not go on by itself, and tells whether
// it ended as a booking. It first writes a fence for everybody: where one
// could be written, or was there, no late bind can complete the booking, so
// the appointments bound so far are undone and the places given back. Where
// none could be written everybody is bound, and the hold is confirmed.
// Several may finish one hold at the same time; the fences decide.
func (s *Service) finish(ctx context.Context, h Hold) (whole bool, err error) {
	if h.Old != "" {
		if forward, err := s.forward(ctx, h); err != nil || forward {
			return forward, err
		}
	}
	whole = true
	for _, p := range h.Persons {
		fence := Appointment{Person: p, Hold: h.ID, Centre: h.Centre, Session: h.Session, Dose: h.Dose, State: Fenced, Created: h.Created}
		var st State
		if err := settle(func() (err error) { st, err = s.store.Fence(ctx, fence); return err }); err != nil {
			return false, err
		}
		whole = whole && st != Fenced
	}
	if whole {
		if err := settle(func() error { return s.store.Confirm(ctx, h.Centre, h.ID) }); err != nil {
			return true, err
		}
		return true, s.vault.Settled(ctx, vault.SettledRequest{Kind: vault.WorkBook, Hold: h.ID, Persons: h.Persons})
	}
	if err := s.step("end:after-fences"); err != nil {
		return false, err
	}
	var keep []id.Person // their dose was given meanwhile: it used the place up
	for _, p := range h.Persons {
		var st State
		if err := settle(func() (err error) { st, err = s.store.Undo(ctx, p, h.ID); return err }); err != nil {
			return false, err
		}
		if st == Given {
			keep = append(keep, p)
		}
	}
	if err := s.step("end:after-undo"); err != nil {
		return false, err
	}
	var n int
	if err := settle(func() (err error) { n, err = s.store.Release(ctx, h.Centre, h.ID, keep); return err }); err != nil {
		return false, err
	}
	s.gaveBack(h.Session, h.Dose, n)
	if err := s.step("end:after-release"); err != nil {
		return false, err
	}
	_, err = s.vault.Release(ctx, vault.ReleaseRequest{Hold: h.ID, Persons: h.Persons})
	return false, err
}

// digest names the request's content; the order of the people is not part of it.
func (in BookInput) digest() string {
	refs := make([]string, len(in.References))
	for i, r := range in.References {
		refs[i] = string(r)
	}
	slices.Sort(refs)
	return hash("book", strconv.Itoa(in.Dose), string(in.Session), in.Slot, strings.Join(refs, ","))
}

// claimKey is the stored form of an idempotency key: bound to its household,
// of fixed length, and not the caller's text.
func claimKey(h id.Household, key string) string { return hash("book-key", string(h), key) }

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
