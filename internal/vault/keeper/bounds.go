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

// boundBookings counts what is asked of the vault, granted or refused: a request
// for a sold-out session does not come so far.
var (
	boundBookings = bound{"book", boundDay, 30, "too many attempts to book from this number today; please try again tomorrow"}
	boundCancels  = bound{"cancel", boundDay, 10, "too many cancellations from this number today; please try again tomorrow"}
	// Every certificate is on the list of revoked ones when it is taken back.
	boundCertificates = bound{"certificate", boundDay, 60, "too many certificates for this number today; please try again tomorrow"}

	// What an offer's refusal says is a bit of an age or of a dose, to a session that sees
	// initials; a booking that is refused says the same.
	boundOffers = bound{"offer", boundDay, 30, "too many attempts to book from a new device today; please try again tomorrow"}

	boundEnrolments = bound{"enrol", boundDay, 12, "too many registrations from this number today; please try again tomorrow"}
)

// A person who has booked one session and given it up coolAfter times within
// coolDown waits before booking it again. The person's own bookings tell.
const (
	coolAfter = 3
	coolDown  = 30 * time.Minute
)

// within counts one act of a household and refuses it above the bound.
func (t *txn) within(b bound, house id.Household) error {
	if t.k.cfg.NoBounds || ablate.Off(ablate.BookingBounds) {
		return nil
	}
	had, err := t.Count(b.window, b.kind, string(house), 1)
	if err == nil && had > b.most {
		now := t.k.now()
		err = &fault.Error{Kind: fault.RateLimited, Code: "bound", Text: b.text, RetryAfter: now.Truncate(b.window).Add(b.window).Sub(now)}
	}
	return err
}

// cooled refuses a session that the person has just booked and given up again
// and again.
func (t *txn) cooled(p state.Person, session id.Session) error {
	if t.k.cfg.NoBounds || ablate.Off(ablate.BookingBounds) {
		return nil
	}
	now, n, first := t.k.now(), 0, int64(0)
	for _, b := range p.Bookings { // oldest first
		if b.Offer.Session == session && b.State == state.Cancelled && b.At > now.Add(-coolDown).UnixMilli() {
			if n++; first == 0 {
				first = b.At
			}
		}
	}
	if n < coolAfter {
		return nil
	}
	return &fault.Error{Kind: fault.RateLimited, Code: "bound", RetryAfter: time.UnixMilli(first).Add(coolDown).Sub(now),
		Text: "this session was booked and cancelled several times; please wait before booking it again"}
}

// over says whether a booking's day is over where its centre is: what is live
// then was missed, and stands in nobody's way.
func (t *txn) over(b state.Booking) bool {
	loc := t.k.zone(b.Offer.Zone)
	if loc == time.UTC && b.Offer.Zone != "UTC" {
		return false // no such zone
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
