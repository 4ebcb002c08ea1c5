package state

import "tikakosh/internal/id"

// Correction is, under "event/…", whose record a dose that was recorded without
// evidence is in; otherwise a proposal about a dose that waits for a second member of staff.
// Body is the proposer's signed request body, sealed: it names a person and what
// was given. Sum is the keyed digest of what is proposed.
type Correction struct {
	Centre id.Centre
	By     id.Staff
	Body   []byte
	Sum    string
	State  string
	Second id.Staff  `json:",omitempty"`
	Person id.Person `json:",omitempty"` // of an "event" row: whose record the dose without evidence is in
	At     int64
}

// The states of a correction.
const (
	CorrectionOpen = "open"
	CorrectionDone = "done"
)
