package scheduling

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// tries bounds how often a step is repeated while a commit's outcome is unknown.
const tries = 4

// noteGrace is how long the request that stored a note has to carry it out
// itself before the sweep takes it.
const noteGrace = 5 * time.Second

// Service searches, books and cancels. It is safe for concurrent use. Methods
// return the vault's fault kinds unchanged and fault.Unavailable when the
// registry database is down; searches need neither.
type Service struct {
	store   Store
	vault   Vault
	records Records
	avail   *Availability
	now     func() time.Time
	log     *slog.Logger
	step    func(point string) error

	lanes    *lanes
	queueMax int
	stamped  func(stamp uint64, err error) // tests: what became of each place in a queue
	leaves   *leaves                       // set by Run
	closer   *closer                       // set by Run
	draws    drawsSeen
}

// New makes the service over its storage, the vault, the registry of people
// and the picture of free places.
func New(store Store, v Vault, r Records, a *Availability, now func() time.Time, log *slog.Logger) *Service {
	s := &Service{store: store, vault: v, records: r, avail: a, now: now, log: log, step: crash, lanes: newLanes(), queueMax: queueMax}
	a.onFree = s.freed
	return s
}

// crash is a named point between two steps; a test build can end the process
// there.
func crash(point string) error { ablate.Crash(point); return nil }

// errStop marks a step at which a test ends the saga as a crash would.
var errStop = errors.New("stopped between steps")

func notFound() error {
	return fault.New(fault.NotFound, "appointment", "no such appointment in this household")
}

// FindByPIN lists one day's sessions with a free place in a postal area, of
// one product or, with "", of all; in order of centre number.
func (s *Service) FindByPIN(pin string, day civil.Date, product string) []CentreDay {
	return s.avail.FindByPIN(pin, day, product)
}

// FindByDistrict is FindByPIN for a district.
func (s *Service) FindByDistrict(district int, day civil.Date, product string) []CentreDay {
	return s.avail.FindByDistrict(district, day, product)
}

// CalendarByPIN lists all sessions of CalendarDays days from day, full ones too.
func (s *Service) CalendarByPIN(pin string, day civil.Date, product string) []CentreDay {
	return s.avail.CalendarByPIN(pin, day, product)
}

// CalendarByDistrict is CalendarByPIN for a district.
func (s *Service) CalendarByDistrict(district int, day civil.Date, product string) []CentreDay {
	return s.avail.CalendarByDistrict(district, day, product)
}

// CalendarByCentre is CalendarByPIN for one centre: at most one element.
func (s *Service) CalendarByCentre(c id.Centre, day civil.Date, product string) []CentreDay {
	return s.avail.CalendarByCentre(c, day, product)
}

// Nearest returns up to limit centres by distance from a point in degrees.
func (s *Service) Nearest(lat, long float64, limit int) []Centre {
	return s.avail.Nearest(lat, long, limit)
}

// Centre returns a centre, or fault.NotFound.
func (s *Service) Centre(ctx context.Context, c id.Centre) (Centre, error) {
	return s.centre(ctx, c)
}

// centre prefers the picture in memory: a centre's name and place hardly change.
func (s *Service) centre(ctx context.Context, c id.Centre) (Centre, error) {
	if have, ok := s.avail.centreOf(c); ok {
		return have, nil
	}
	return s.store.Centre(ctx, c)
}

// Appointments returns the live and given appointments of people, each with
// its centre, oldest first; people without any are not in the map. One that was
// missed is none any more.
func (s *Service) Appointments(ctx context.Context, people []id.Person) (map[id.Person][]Appointment, error) {
	out := make(map[id.Person][]Appointment, len(people))
	for _, p := range people {
		list, err := s.store.Appointments(ctx, p)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if list[i].Place, err = s.centre(ctx, list[i].Centre); err != nil {
				return nil, err
			}
		}
		list = slices.DeleteFunc(list, s.missed)
		if len(list) > 0 {
			out[p] = list
		}
	}
	return out, nil
}

// Slip returns the appointment slip of a booking of the holder's household.
// fault.NotFound, always the same, when it is unknown, over or not theirs.
func (s *Service) Slip(ctx context.Context, h vault.Holder, hold id.Hold) (SlipView, error) {
	m, err := s.vault.Membership(ctx, h)
	if err != nil {
		return SlipView{}, err
	}
	var people []id.Person
	var at id.Centre
	for _, mb := range m.Members {
		list, err := s.store.Appointments(ctx, mb.Person)
		if err != nil {
			return SlipView{}, err
		}
		for _, a := range list {
			if a.Hold == hold && a.State == Live {
				people, at = append(people, mb.Person), a.Centre
			}
		}
	}
	if len(people) == 0 {
		return SlipView{}, notFound()
	}
	var slip vault.Slip
	err = s.fresh(func() error {
		recs, err := s.records.Records(ctx, people)
		if err != nil {
			return err
		}
		slip, err = s.vault.Slip(ctx, vault.SlipRequest{Holder: h, Hold: hold, Records: recs})
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return SlipView{}, notFound()
	}
	if err != nil {
		return SlipView{}, err
	}
	c, err := s.centre(ctx, at)
	if err != nil {
		return SlipView{}, err
	}
	return SlipView{Slip: slip, Centre: c}, nil
}

// AddCentres adds or replaces centres, after checking all of them.
// fault.Invalid when one is not whole. It may be repeated.
func (s *Service) AddCentres(ctx context.Context, centres []Centre) error {
	for _, c := range centres {
		if err := c.check(); err != nil {
			return err
		}
	}
	for _, c := range centres {
		if err := settle(func() error { return s.store.PutCentre(ctx, c) }); err != nil {
			return err
		}
	}
	return nil
}

// AddSessions adds sessions or replaces their terms, after checking all of
// them; places already taken stay taken. A session without a zone has its
// centre's. fault.NotFound when a centre does not exist. It may be repeated.
// The search shows them after the picture is loaded again.
func (s *Service) AddSessions(ctx context.Context, sessions []Session) error {
	sessions = slices.Clone(sessions)
	for i := range sessions {
		c, err := s.store.Centre(ctx, sessions[i].Centre)
		if err != nil {
			return err
		}
		if err := sessions[i].complete(c); err != nil {
			return err
		}
	}
	for _, v := range sessions {
		// The session before the row that leads to it: no id leads nowhere.
		if err := settle(func() error { return s.store.PutSession(ctx, v) }); err != nil {
			return err
		}
		if err := settle(func() error { return s.store.PutSessionPlace(ctx, v.ID, v.Centre) }); err != nil {
			return err
		}
		s.forget(v.ID)
	}
	return nil
}

// fresh runs f, and once more after fault.Integrity: a change committed
// between reading a record and showing it to the vault looks like a record
// behind its head, and is gone on the second reading. Tampering stays.
func (s *Service) fresh(f func() error) error {
	err := f()
	if fault.Is(err, fault.Integrity) {
		err = f()
	}
	return err
}

// settle repeats an idempotent step while its commit's outcome is unknown: the
// repetition looks the earlier attempt up and decides. One that cannot be carried
// out decides nothing: what was unknown stays so.
func settle(f func() error) error {
	var unknown error
	for range tries {
		err := f()
		if unknown != nil && fault.Is(err, fault.Unavailable) {
			return unknown
		}
		if !fault.Is(err, fault.Unknown) {
			return err
		}
		unknown = err
	}
	return unknown
}
