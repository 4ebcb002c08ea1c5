package state

import (
	"tikakosh/internal/id"
)

// Requests are what people ask about their own records, by tracking number, and lists of
// them; anchored (ADR 42).
const Requests Table = "request"

// Request is one of them, or, with Open alone, a list of tracking numbers: those that
// wait at a place, are due in an hour, were made about a person, or by a household about
// somebody who is no longer in it. Times in Unix milliseconds.
type Request struct {
	Kind    string       `json:",omitempty"`
	State   string       `json:",omitempty"`
	Person  id.Person    `json:",omitempty"` // whom it is about; "" when they were erased
	House   id.Household `json:",omitempty"` // who asked
	Key     string       `json:",omitempty"` // keyed digest of the caller's idempotency key and of what was asked
	Details []byte       `json:",omitempty"` // sealed: what was asked, in their words
	Entry   int64        `json:",omitempty"` // index of the ledger entry that looks wrong, and one
	Actor   id.Staff     `json:",omitempty"` // of whom it is
	Event   id.Event     `json:",omitempty"` // the dose

	Centre                      id.Centre `json:",omitempty"` // who answers is there, or over it
	CentreState, CentreDistrict int       `json:",omitempty"`

	At      int64    `json:",omitempty"`
	Due     int64    `json:",omitempty"` // the time by which it is answered
	Taken   int64    `json:",omitempty"` // read first, by
	TakenBy id.Staff `json:",omitempty"`
	Done    int64    `json:",omitempty"`
	DoneBy  id.Staff `json:",omitempty"`
	Outcome string   `json:",omitempty"`
	Answer  []byte   `json:",omitempty"` // sealed: why, in words
	Change  string   `json:",omitempty"` // the correction that carried it out
	Alarmed int64    `json:",omitempty"` // when its time was over

	Apart id.Household `json:",omitempty"` // the household of their own that somebody was given
	Open  []string     `json:",omitempty"`
}
