package scheduling

import (
	"context"
	"slices"

	"tikakosh/internal/id"
)

// formerMost bounds how far back a chain of moves is followed: a person has at most
// twenty bookings that anything remembers.
const formerMost = 20

// Former is an appointment that a person had before it was moved. Whole: the one that took
// its place is for the same people, so it is the same visit at another time. Over: nobody
// has it any more.
type Former struct {
	Appointment
	Whole, Over bool
}

// Former returns the appointments that a person's appointment took the place of, newest
// first, each with its Place; none where it was never moved. A former one whose hold is
// forgotten, KeepHoldDays after its day, counts as whole and over and is the last.
func (s *Service) Former(ctx context.Context, a Appointment) (out []Former, err error) {
	h, err := s.store.FindHold(ctx, a.Centre, a.Hold)
	for range formerMost {
		if err != nil || h.Old == "" {
			return out, err
		}
		old, err := s.store.Appointment(ctx, a.Person, h.Old)
		if err != nil || old.State == None || old.State == Fenced {
			return out, err
		}
		if old.Place, err = s.centre(ctx, old.Centre); err != nil {
			return out, err
		}
		was, err := s.store.FindHold(ctx, old.Centre, old.Hold)
		if err != nil {
			return out, err
		}
		f := Former{Appointment: old, Whole: true, Over: true}
		if was.State != NoHold {
			f.Whole = sameParty(was.Persons, h.Persons)
			if f.Over, err = s.left(ctx, was); err != nil {
				return out, err
			}
		}
		out, h = append(out, f), was
	}
	return out, nil
}

// sameParty says whether two holds are for the same people.
func sameParty(a, b []id.Person) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// left says whether nobody has the appointment of a hold any more.
func (s *Service) left(ctx context.Context, h Hold) (bool, error) {
	for _, p := range h.Persons {
		a, err := s.store.Appointment(ctx, p, h.ID)
		if err != nil {
			return false, err
		}
		if a.State == Live || a.State == Given {
			return false, nil
		}
	}
	return true, nil
}
