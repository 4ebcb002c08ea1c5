package keeper

import (
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault/state"
)

// bound is how often a household may do something in a window of time, so that
// nobody holds places by booking and cancelling in a loop (R21). A household of
// six that books everybody alone, changes its mind and moves all of them once
// stays below.
type bound struct {
	kind   string
	window time.Duration
	most   int64
	text   string
}

const boundDay = 24 * time.Hour

var (
	boundAttempts   = bound{"book-try", boundDay, 60, "too many attempts to book from this number today; please try again tomorrow"}
	boundBookings   = bound{"book", boundDay, 20, "too many bookings from this number today; please try again tomorrow"}
	boundCancels    = bound{"cancel", boundDay, 10, "too many cancellations from this number today; please try again tomorrow"}
	boundEnrolments = bound{"enrol", boundDay, 12, "too many registrations from this number today; please try again tomorrow"}
	// boundAgain counts cancellations of one session; above it the household waits
	// before it books that session again.
	boundAgain = bound{"cool", 30 * time.Minute, 2, "this session was booked and cancelled several times; please wait before booking it again"}
)

// within counts one act of a household and refuses it above the bound.
func (t *txn) within(b bound, house id.Household) error { return t.countWithin(b, string(house), 1) }

func (t *txn) countWithin(b bound, key string, n int64) error {
	if t.k.cfg.NoBounds || ablate.Off(ablate.BookingBounds) {
		return nil
	}
	had, err := t.countIn(b.window, b.kind, key, n)
	if err == nil && had > b.most {
		now := t.k.now()
		err = &fault.Error{Kind: fault.RateLimited, Code: "bound", Text: b.text, RetryAfter: now.Truncate(b.window).Add(b.window).Sub(now)}
	}
	return err
}

// withinBookings counts a booking and refuses one of a session that the
// household has just cancelled again and again.
func (t *txn) withinBookings(house id.Household, session id.Session) error {
	if err := t.countWithin(boundAgain, string(house)+"/"+string(session), 0); err != nil {
		return err
	}
	return t.within(boundBookings, house)
}

// withinCancels counts a cancellation, of the day and of its session.
func (t *txn) withinCancels(house id.Household, session id.Session) error {
	if err := t.within(boundCancels, house); err != nil {
		return err
	}
	again := boundAgain
	again.most = 1 << 30 // it ends nothing here; the next booking of it waits
	return t.countWithin(again, string(house)+"/"+string(session), 1)
}

// over says whether a booking's day is over where its centre is: what is live
// then was missed, and stands in nobody's way.
func (t *txn) over(b state.Booking) bool {
	loc, err := time.LoadLocation(b.Offer.Zone)
	if err != nil {
		return false
	}
	return !t.k.now().Before(time.Date(b.Offer.Day.Year, b.Offer.Day.Month, b.Offer.Day.Day+1, 0, 0, 0, 0, loc))
}

// missed ends live bookings whose day is over. The row is written only with the
// booking that takes their place.
func (t *txn) missed(p state.Person) state.Person {
	p.Bookings = slices.Clone(p.Bookings)
	for i, b := range p.Bookings {
		if pendingDraw(b) && t.over(b) {
			p.Bookings[i].State = state.Missed
		}
	}
	return p
}
