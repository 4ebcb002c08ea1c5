package scheduling

import (
	"context"
	"time"
)

// How long what no request can need any more is kept.
const (
	// KeepKeys is how long a mutation's key answers the same.
	KeepKeys = 45 * 24 * time.Hour
	// KeepHoldDays is how many days after its session's day an ended hold is kept.
	KeepHoldDays = 7
	// KeepFences is how long a fence is kept: longer than a session can be
	// booked ahead and its hold be kept.
	KeepFences = 45 * 24 * time.Hour
	// KeepReserves is how long it is known that a household held places.
	KeepReserves = 2 * reserveDay
)

// Purger deletes what no request can need any more, a page of each kind at a
// call, and returns how many rows. It deletes nothing live: no held hold, no
// appointment. Only the worker has it.
type Purger interface {
	Purge(ctx context.Context, now time.Time) (int, error)
}
