package vault

import (
	"tikakosh/internal/id"
)

// The ends of the addresses where staff answer requests (ADR 42).
const (
	RouteRequests      = "/staff/requests"
	RouteRequestRead   = RouteRequests + "/read"
	RouteRequestDecide = RouteRequests + "/decide"
)

// The kinds of request.
const (
	RequestOpening = "opening" // an opening of my record looks wrong
	RequestMember  = "member"  // I do not know somebody under my mobile
	RequestMove    = "move"    // somebody moves to another mobile
	RequestDetails = "details" // my name, birth or gender is written down wrongly
	RequestDose    = "dose"    // a dose of mine is written down wrongly
	RequestRevoke  = "revoke"  // a dose that was written down was not given
)

// The states of a request.
const (
	RequestReceived  = "received"
	RequestInHand    = "in hand" // somebody who answers it has read it
	RequestDecided   = "decided"
	RequestWithdrawn = "withdrawn"
)

// The outcomes of a decided request.
const (
	RequestGranted = "granted"
	RequestRefused = "refused"
)

// RequestDetail is what a request says, in the person's own words and figures. Text is
// always there; of the rest what is right instead of what is written down.
type RequestDetail struct {
	Text      string
	Name      string `json:",omitempty"`
	BirthYear int    `json:",omitempty"`
	BirthDate string `json:",omitempty"` // dd-mm-yyyy
	GenderID  int    `json:",omitempty"`
	Vaccine   string `json:",omitempty"`
	Batch     string `json:",omitempty"`
	Dose      int    `json:",omitempty"`
	Date      string `json:",omitempty"` // of the dose, dd-mm-yyyy
}

// RequestMake asks for something about a member of the holder's household. Key is the
// request's idempotency key: the same key and words are the same request. Record is the
// person's; its parts are needed for a dose only. Entry is the index of the ledger entry
// that looks wrong, Event the dose. Centre is where somebody brings their papers, when
// name, birth or gender are wrong and no dose is recorded.
type RequestMake struct {
	Holder Holder
	Key    string
	Kind   string
	Record Record
	Entry  int64
	Event  id.Event
	Centre id.Centre
	Detail RequestDetail
}

// Request is one, as the person sees it. Times in Unix milliseconds, 0 for never. Due is
// the time by which it is answered. Undo is until when it takes back what it did at once.
// Tracking is random and opens nothing; it tells whoever has it the state (Tracked).
type Request struct {
	Tracking  string
	Kind      string
	State     string
	Outcome   string
	Answer    string
	Reference id.Reference
	Detail    RequestDetail
	At        int64
	Due       int64
	Taken     int64
	Done      int64
	Undo      int64
	Receipt   string
}

// RequestAct is a holder's about requests they made: the list of them, or one by its
// tracking number.
type RequestAct struct {
	Holder   Holder
	Tracking string
}

// TrackRequest asks what became of a request or of a leave, by its number alone. Origin is the
// network that asks: its misses are counted.
type TrackRequest struct{ Number, Origin string }

// The states that a number tells besides those of a request and of a leave: that a request was
// answered, not how.
const TrackAnswered = "answered"

// Tracked is the answer: a state, of a request (received, in hand, answered, withdrawn) or of a
// leave, and its times in Unix milliseconds, 0 for none. Due is the time that was stated.
type Tracked struct {
	Leave bool
	State string
	At    int64
	Due   int64
	Done  int64
}

// RequestList is what a holder asked for, the newest first.
type RequestList struct {
	Requests []Request
	ViewRef  string
	Receipts []string
}

// StaffRequestAct is a signed request of staff about requests; what it wants is in its
// address and body.
type StaffRequestAct struct{ Signed Signed }

// StaffRequests are requests as staff see them: in a list without Detail and what
// follows it, and one that was read with what its answer takes. After leads to the next
// page.
type StaffRequests struct {
	Rows     []StaffRequest
	After    string
	ViewRef  string
	Receipts []string
}

// StaffRequest is one of them. Opened is the entry that looks wrong.
type StaffRequest struct {
	Tracking  string
	Kind      string
	State     string
	Outcome   string
	Centre    id.Centre
	At        int64
	Due       int64
	Taken     int64
	TakenBy   id.Staff
	Overdue   bool
	Detail    RequestDetail
	Reference id.Reference
	Event     id.Event
	Opened    *Opening
	Actor     id.Staff
}
