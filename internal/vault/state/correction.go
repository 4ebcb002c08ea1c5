package state

import "tikakosh/internal/id"

// Correction is a proposal about a dose that waits for a second member of staff, by
// its random id. Body is the proposer's signed request body, sealed: it names a
// person and what was given. Sum is the keyed digest of what is proposed. NotBefore,
// of a centre with fewer than three members of staff, is from when on it may be
// approved.
//
// The same table keeps, under "event/…", whose record a dose that was recorded
// without evidence is in; under "centre/…" the proposals of a centre that wait and
// under "staff/…" its staff keys, both in Open; and under "public/…" what the public
// list shows of a proposal of a small centre: Kind, times, no person.
type Correction struct {
	Centre    id.Centre
	By        id.Staff
	Body      []byte
	Sum       string
	State     string
	Second    id.Staff  `json:",omitempty"`
	Person    id.Person `json:",omitempty"` // whose record the dose is in, or the proposal is about
	Kind      string    `json:",omitempty"`
	NotBefore int64     `json:",omitempty"`
	Done      int64     `json:",omitempty"` // when a proposal on the public list was carried out
	Open      []string  `json:",omitempty"`
	At        int64
}

// The states of a correction.
const (
	CorrectionOpen = "open"
	CorrectionDone = "done"
)
