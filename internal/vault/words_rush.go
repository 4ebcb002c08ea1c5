package vault

import (
	"time"

	"tikakosh/internal/fault"
)

// MaxBookings is how many bookings one BookManyRequest may carry.
const MaxBookings = 64

// BookManyRequest asks for many bookings at once. Each is granted or refused
// by itself, as if it had come alone; their rows share commits.
type BookManyRequest struct {
	Items    []BookRequest
	Receipts bool `json:",omitempty"` // the caller hands receipts on; else none is signed
}

// BookedOne is the outcome of one booking: its receipts, or why it was refused.
type BookedOne struct {
	Receipts []string
	Failed   *Failure `json:",omitempty"`
}

// Err returns the refusal as a fault, or nil.
func (b BookedOne) Err() error {
	if b.Failed == nil {
		return nil
	}
	return &fault.Error{Kind: b.Failed.Kind, Code: b.Failed.Code, Text: b.Failed.Text,
		RetryAfter: time.Duration(b.Failed.RetryAfterMS) * time.Millisecond}
}

// BookedMany answers a BookManyRequest, in its order.
type BookedMany struct{ Items []BookedOne }

// SettledManyRequest reports the ends of many acts, at most MaxSettled.
type SettledManyRequest struct{ Items []SettledRequest }

// MaxSettled is how many ends one SettledManyRequest may report.
const MaxSettled = 500
