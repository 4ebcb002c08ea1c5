package scheduling

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// How long and how often a household may hold places that it has not booked yet (ADR 45).
const (
	// ReserveTime is how long somebody who confirms is told that the places are held.
	ReserveTime = 5 * time.Minute
	// reserveGrace is how much longer they are: who confirms in the last second is in time.
	reserveGrace = time.Minute
	// reservesADay is how many holds of a household may come to nothing within reserveDay,
	// and reservesOfOne those of one session within reserveCool.
	reservesADay  = 40
	reserveDay    = 24 * time.Hour
	reservesOfOne = 3
	reserveCool   = 30 * time.Minute
)

// Reserve is the row of what a household holds while somebody of it confirms: at most one
// hold, "" for none, and the holds of the last day that came to nothing. Version counts the
// changes; 0: there is no row yet. Times are Unix milliseconds.
type Reserve struct {
	Household id.Household
	Version   int64
	Hold      id.Hold
	Centre    id.Centre
	Session   id.Session
	Since     int64
	Past      []PastReserve
}

// PastReserve is a hold that came to nothing, or may yet.
type PastReserve struct {
	Hold    id.Hold
	Session id.Session
	Since   int64
}

// ReserveStore is storage of that row in the household's bucket.
type ReserveStore interface {
	// ReserveOf returns the row; its Version is 0 when there is none.
	ReserveOf(ctx context.Context, h id.Household) (Reserve, error)
	// SwapReserve stores a row in the place of the one with its Version, which it raises
	// by one; false, and nothing is stored, when that is not the row there any more.
	SwapReserve(ctx context.Context, r Reserve) (bool, error)
}

// Reserved is a place held for each of some people until they confirm. Booked: they have
// done so before. DrawAt above 0: the places are drawn at that time, and none is held.
// Until and DrawAt are Unix milliseconds.
type Reserved struct {
	Hold   id.Hold
	Until  int64
	Booked bool
	DrawAt int64
	Offer  vault.Offer
	Place  Centre
}

// Reserve holds a place for each of some people for ReserveTime, so that somebody can look
// at what they are about to book, and asks the vault whether they may book it; what it
// refuses is given back at once. Confirm with the same input books it. A household has one such
// hold: the next one ends it, LetGo ends it, and so does the sweep. Repeated with the same
// key it answers the same hold. fault.RateLimited: too many holds of this household came
// to nothing; fault.Full with CodeFull: no place left; else as Book.
func (s *Service) Reserve(ctx context.Context, h vault.Holder, in BookInput) (Reserved, error) {
	in.Fresh = false
	if err := in.check(); err != nil {
		return Reserved{}, err
	}
	m, err := s.vault.Membership(ctx, h) // who is signed out holds nothing
	if err != nil {
		return Reserved{}, err
	}
	b := &booking{holder: h, in: in, body: in.digest()}
	if b.household, b.people, err = s.records.Members(ctx, h, in.References); err != nil {
		return Reserved{}, err
	}
	if b.household != m.Household {
		return Reserved{}, notFound()
	}
	old, err := s.earlier(ctx, b)
	if err == nil {
		err = s.offered(ctx, b)
	}
	if err != nil {
		return Reserved{}, err
	}
	if b.session.DrawAt > s.now().UnixMilli() {
		return s.reserved(ctx, b, Hold{ID: "", Dose: in.Dose, Persons: b.people})
	}
	return s.reserve(ctx, b, old)
}

// ReserveMove is Reserve for moving an appointment; ConfirmMove with the same input moves
// it. The old places stay until then.
func (s *Service) ReserveMove(ctx context.Context, h vault.Holder, in MoveInput) (Reserved, error) {
	in.Fresh = false
	b, m, err := s.moving(ctx, h, in)
	if err != nil {
		return Reserved{}, err
	}
	old, err := s.earlier(ctx, b)
	if err == nil {
		err = s.offered(ctx, b)
	}
	if err != nil {
		return Reserved{}, err
	}
	if old != "" {
		got, err := s.store.FindHold(ctx, b.session.Centre, old)
		if err != nil {
			return Reserved{}, err
		}
		if got.State == Confirmed {
			return Reserved{Hold: got.ID, Booked: true}, nil
		}
	}
	if err := s.toMove(ctx, b, m); err != nil {
		return Reserved{}, err
	}
	return s.reserve(ctx, b, old)
}

// reserve holds the places of a booking that is not confirmed yet.
func (s *Service) reserve(ctx context.Context, b *booking, old id.Hold) (Reserved, error) {
	b.life = ReserveTime + reserveGrace
	b.before = func(hold id.Hold) error { return s.turn(ctx, b, hold) }
	hold, err := s.hold(ctx, b, old)
	if err != nil {
		if b.made > 0 {
			s.back(ctx, b)
		}
		return Reserved{}, err
	}
	if before := b.was.Hold; b.made > 0 && before != "" && before != hold.ID && !ablate.Off(ablate.HoldBounds) {
		if err := s.endHold(ctx, b.was.Centre, before); err != nil {
			s.log.WarnContext(ctx, "the hold before this one is left to the sweep", "err", err)
		}
	}
	if hold.State == Confirmed {
		return Reserved{Hold: hold.ID, Booked: true}, nil
	}
	if err := s.step("reserve:after-hold"); err != nil {
		return Reserved{}, err
	}
	r, err := s.store.ReserveOf(ctx, b.household)
	if err == nil && r.Hold != hold.ID && hold.Created == b.made {
		// Another of this household's requests came between: its hold counts.
		s.drop(ctx, hold)
		err = fault.New(fault.Conflict, "hold", "another booking of this household was begun meanwhile")
	}
	if err != nil {
		return Reserved{}, err
	}
	return s.reserved(ctx, b, hold)
}

// reserved asks the vault about everybody for whom a place is held, and gives the places
// back when it refuses.
func (s *Service) reserved(ctx context.Context, b *booking, hold Hold) (Reserved, error) {
	out := Reserved{Hold: hold.ID, Offer: b.session.offer(b.in.Slot), DrawAt: 0}
	if hold.ID == "" {
		out.DrawAt = b.session.DrawAt
	} else {
		out.Until = hold.Expires - reserveGrace.Milliseconds()
	}
	err := s.fresh(func() error {
		recs, err := s.records.Records(ctx, hold.Persons)
		if err != nil {
			return err
		}
		got, err := s.vault.Chances(ctx, vault.ChancesRequest{Holder: b.holder, Old: b.old, Hold: hold.ID, Dose: hold.Dose, Offer: out.Offer, Records: recs})
		if err != nil {
			return err
		}
		for _, c := range got.People {
			if !c.OK {
				return &Refusal{Chance: c}
			}
		}
		return nil
	})
	if err == nil {
		out.Place, err = s.centre(ctx, b.session.Centre)
	}
	if err != nil && hold.ID != "" && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Unknown) {
		s.drop(ctx, hold)
		s.settleReserve(ctx, b.household, hold.ID, true)
	}
	return out, err
}

// Refusal is a fault.Invalid that says of whom and why the vault would refuse a booking.
type Refusal struct{ Chance vault.Chance }

// Error implements error, without anybody's name.
func (r *Refusal) Error() string { return "refused: " + r.Chance.Code }

// Unwrap makes it a fault of its kind.
func (r *Refusal) Unwrap() error {
	return fault.New(fault.Invalid, r.Chance.Code, "this person cannot be booked here")
}

// turn makes a hold the household's one, unless its bounds forbid that. The one before is
// ended when the new one has its places.
func (s *Service) turn(ctx context.Context, b *booking, hold id.Hold) error {
	now := s.now()
	for range tries {
		r, err := s.store.ReserveOf(ctx, b.household)
		if err != nil {
			return err
		}
		before := r
		mine := PastReserve{Hold: hold, Session: b.session.ID, Since: now.UnixMilli()}
		r.Past = slices.DeleteFunc(slices.Clone(r.Past), func(p PastReserve) bool {
			// Another time of the same session, looked at within one hold's time, is the same hold still.
			if p.Hold == r.Hold && p.Session == b.session.ID && p.Since > now.Add(-ReserveTime).UnixMilli() {
				mine.Since = p.Since
				return true
			}
			return p.Since <= now.Add(-reserveDay).UnixMilli() || p.Hold == hold
		})
		if err := r.bounded(b.session.ID, now); err != nil {
			return err
		}
		r.Past = append(r.Past, mine)
		r.Hold, r.Centre, r.Session, r.Since = hold, b.session.Centre, b.session.ID, now.UnixMilli()
		ok, err := s.store.SwapReserve(ctx, r)
		if err != nil && !fault.Is(err, fault.Unknown) {
			return err
		}
		if ok && err == nil {
			b.made, b.was = now.UnixMilli(), before
			return nil
		}
		// Another was first, or it is not known: looked at again.
	}
	return &fault.Error{Kind: fault.RateLimited, Code: "busy", Text: busyText, RetryAfter: 2 * time.Second}
}

// back makes the hold before this one the household's again: this one got no places.
func (s *Service) back(ctx context.Context, b *booking) {
	s.changeReserve(ctx, b.household, func(r *Reserve) bool {
		r.Past = slices.DeleteFunc(r.Past, func(p PastReserve) bool { return p.Hold == b.claim.Hold })
		if r.Hold == b.claim.Hold {
			r.Hold, r.Centre, r.Session, r.Since = b.was.Hold, b.was.Centre, b.was.Session, b.was.Since
		}
		if i := slices.IndexFunc(b.was.Past, func(p PastReserve) bool { return p.Hold == b.was.Hold }); i >= 0 && !slices.Contains(r.Past, b.was.Past[i]) {
			r.Past = append(r.Past, b.was.Past[i])
		}
		return true
	})
}

// bounded refuses one more hold when too many came to nothing.
func (r Reserve) bounded(session id.Session, now time.Time) error {
	if ablate.Off(ablate.HoldBounds) {
		return nil
	}
	refuse := func(since int64, window time.Duration) error {
		return &fault.Error{Kind: fault.RateLimited, Code: "holds", RetryAfter: time.UnixMilli(since).Add(window).Sub(now),
			Text: "places were held and not booked too often; please wait before holding more"}
	}
	if len(r.Past) >= reservesADay {
		return refuse(r.Past[len(r.Past)-reservesADay].Since, reserveDay)
	}
	var of []PastReserve
	for _, p := range r.Past {
		if p.Session == session && p.Since > now.Add(-reserveCool).UnixMilli() {
			of = append(of, p)
		}
	}
	if len(of) >= reservesOfOne {
		return refuse(of[len(of)-reservesOfOne].Since, reserveCool)
	}
	return nil
}

// endHold gives back what a hold that is not confirmed holds.
func (s *Service) endHold(ctx context.Context, c id.Centre, hold id.Hold) error {
	h, err := s.store.FindHold(ctx, c, hold)
	if err != nil || h.State != Holding {
		return err
	}
	s.drop(ctx, h)
	return nil
}

// drop ends a hold, whoever waits for it; what cannot be ended is left to the sweep.
func (s *Service) drop(ctx context.Context, h Hold) {
	fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	if _, err := s.finish(fctx, h); err != nil {
		s.log.WarnContext(ctx, "a hold that was given up is left to the sweep", "err", err)
	}
}

// settleReserve notes that a hold is over. With forget it does not count as one that came
// to nothing: it was booked, or refused.
func (s *Service) settleReserve(ctx context.Context, h id.Household, hold id.Hold, forget bool) {
	s.changeReserve(ctx, h, func(r *Reserve) bool {
		i := slices.IndexFunc(r.Past, func(p PastReserve) bool { return p.Hold == hold })
		if i >= 0 && forget {
			r.Past = slices.Delete(r.Past, i, i+1)
		}
		if r.Hold == hold {
			r.Hold, r.Centre, r.Session = "", 0, ""
			return true
		}
		return i >= 0 && forget
	})
}

// changeReserve changes a household's row when change says that there is something to store.
// What it notes is not worth an error.
func (s *Service) changeReserve(ctx context.Context, h id.Household, change func(r *Reserve) bool) {
	fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	for range tries {
		r, err := s.store.ReserveOf(fctx, h)
		if err != nil {
			s.log.WarnContext(ctx, "the end of a hold was not noted", "err", err)
			return
		}
		r.Past = slices.Clone(r.Past)
		if !change(&r) {
			return
		}
		if ok, err := s.store.SwapReserve(fctx, r); ok && err == nil {
			return
		}
	}
}

// Confirm books what Reserve held for the same input, or what is left when the hold is
// over; errors as Apply.
func (s *Service) Confirm(ctx context.Context, h vault.Holder, in BookInput) (Applied, error) {
	in.Fresh = false
	got, err := s.Apply(ctx, h, in)
	if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == "hold" { // swept just now
		got, err = s.Apply(ctx, h, in)
	}
	if err == nil && got.Hold != "" {
		if house, _, merr := s.records.Members(ctx, h, in.References); merr == nil {
			s.settleReserve(ctx, house, got.Hold, true)
		}
	}
	return got, err
}

// ConfirmMove is Confirm for ReserveMove; errors as Reschedule.
func (s *Service) ConfirmMove(ctx context.Context, h vault.Holder, in MoveInput) (id.Hold, error) {
	in.Fresh = false
	got, err := s.Reschedule(ctx, h, in)
	if fault.Is(err, fault.Conflict) && fault.CodeOf(err) == "hold" {
		got, err = s.Reschedule(ctx, h, in)
	}
	if err == nil {
		if m, merr := s.vault.Membership(ctx, h); merr == nil {
			s.settleReserve(ctx, m.Household, got, true)
		}
	}
	return got, err
}

// LetGo gives up what the holder's household holds and has not booked. Without such a hold
// it does nothing.
func (s *Service) LetGo(ctx context.Context, h vault.Holder) error {
	m, err := s.vault.Membership(ctx, h)
	if err != nil || m.Household == "" {
		return err
	}
	r, err := s.store.ReserveOf(ctx, m.Household)
	if err != nil || r.Hold == "" {
		return err
	}
	if err := s.endHold(ctx, r.Centre, r.Hold); err != nil {
		return err
	}
	s.settleReserve(ctx, m.Household, r.Hold, false)
	return nil
}

// Chances says what members of the holder's household may have next, by their reference
// numbers; with a session, whether they may be booked there for the dose that is due.
// fault.NotFound: no such session.
func (s *Service) Chances(ctx context.Context, h vault.Holder, session id.Session, old id.Hold, refs []id.Reference) (map[id.Person]vault.Chance, error) {
	out := map[id.Person]vault.Chance{}
	if len(refs) == 0 {
		return out, nil
	}
	r := vault.ChancesRequest{Holder: h, Old: old}
	if session != "" {
		_, terms, err := s.session(ctx, session)
		if err != nil {
			return nil, err
		}
		r.Offer = terms.offer("")
	}
	err := s.fresh(func() (err error) {
		if r.Records, err = s.records.Persons(ctx, h, refs); err != nil {
			return err
		}
		got, err := s.vault.Chances(ctx, r)
		for _, c := range got.People {
			out[c.Person] = c
		}
		return err
	})
	return out, err
}

// SlotsLeft are the slots of a session that can still be booked online at now; none once
// booking has closed.
func (v Session) SlotsLeft(now time.Time) []string {
	loc, err := time.LoadLocation(v.Zone)
	if err != nil {
		return nil
	}
	return v.SlotsLeftIn(loc, now)
}

// SlotsLeftIn is SlotsLeft where the session's zone has been loaded.
func (v Session) SlotsLeftIn(loc *time.Location, now time.Time) []string {
	if !now.Before(v.closes(loc)) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Slots), func(s string) bool { return slotOver(s, v.Day, loc, now) })
}

// Terms returns a session's terms and its centre; fault.NotFound when there is none.
func (s *Service) Terms(ctx context.Context, session id.Session) (Session, Centre, error) {
	if len(session) == 0 || len(session) > 64 {
		return Session{}, Centre{}, fault.New(fault.NotFound, "session", "no such session")
	}
	_, terms, err := s.session(ctx, session)
	if err != nil {
		return Session{}, Centre{}, err
	}
	c, err := s.centre(ctx, terms.Centre)
	return terms, c, err
}
