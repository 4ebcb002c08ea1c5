package keeper

import (
	"slices"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// bookingOf is where a person's booking under a hold is, or -1.
func bookingOf(p state.Person, hold id.Hold) int {
	if hold == "" {
		return -1
	}
	return slices.IndexFunc(p.Bookings, func(b state.Booking) bool { return b.Hold == hold })
}

// replaced says whether a live booking may still fall back to a moved one.
func replaced(all []state.Booking, hold id.Hold) bool {
	return slices.ContainsFunc(all, func(b state.Booking) bool { return b.From == hold && b.State == state.Live })
}

// movable says whether the appointment that a booking replaces is there to be
// replaced, or was replaced by it before.
func movable(p state.Person, r vault.BookRequest, programme string) error {
	i := bookingOf(p, r.Old)
	if i < 0 {
		return fault.New(fault.NotFound, "booking", "no such appointment")
	}
	old := p.Bookings[i]
	again := bookingOf(p, r.Hold)
	switch {
	case again >= 0 && p.Bookings[again].From == r.Old:
		return nil
	case old.State == state.Spent:
		return fault.New(fault.Conflict, "booking", "the dose of this appointment has been recorded")
	case old.State != state.Live:
		return fault.New(fault.NotFound, "booking", "no such appointment")
	case old.Programme != programme || old.Dose != r.Dose:
		return fault.New(fault.Invalid, "USRRES0002", "an appointment is moved to a session of the same programme and for the same dose")
	}
	return nil
}
