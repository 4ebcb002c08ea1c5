package state

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// Relinks are what a re-link needs only while it waits, by the request's id.
const Relinks Table = "relink"

// Relink is the new number and, until two have signed, the document as it was typed. The
// row expires with the request.
type Relink struct {
	Mobile []byte   // sealed
	Tags   []string `json:",omitempty"` // keyed, hex; of the document
}

// Presences are requests about one person that two members of staff stand behind where the
// person cannot show anything, by ordered id; anchored (ADR 38).
const Presences Table = "presence"

// The kinds of such a row: a request, or the list of a centre's latest ones.
const (
	PresenceGlass  = "break-glass"
	PresenceRelink = "re-link"
	PresenceIndex  = "index"
)

// The states of a request.
const (
	PresenceWaiting  = "waiting"  // for the second member of staff
	PresenceApproved = "approved" // and not carried out
	PresenceDone     = "done"
	PresenceRefused  = "refused" // when it was to be carried out
	PresencePending  = "pending" // a re-link that two signed, until the new number takes the person over
	PresenceStopped  = "stopped"
	PresenceLapsed   = "lapsed"
)

// Presence is one request. Times in Unix milliseconds. Person is "" where the number is
// nobody's: that shows only when it is carried out.
type Presence struct {
	Kind    string
	State   string
	Centre  id.Centre
	Place   string     // the centre's name, as its manager signed it
	Day     civil.Date // of the session, at the centre
	Zone    string
	By      id.Staff
	Session string    // whose session may see it through
	Second  id.Staff  `json:",omitempty"`
	Person  id.Person `json:",omitempty"`
	About   []byte    // sealed: what was named, as the second person reads it
	Reason  []byte    // sealed
	At      int64
	Expires int64 // of the state it is in
	Agreed  int64 `json:",omitempty"` // when the second one agreed
	Done    int64 `json:",omitempty"`
	// Of a re-link that two signed: whose number was told of it, and from when on the new
	// one may take the person over.
	House id.Household `json:",omitempty"`
	Due   int64        `json:",omitempty"`

	Latest []PresenceAt `json:",omitempty"` // of a centre's list: its requests of the last minutes
}

// PresenceAt is a request of a centre's, and when it was made.
type PresenceAt struct {
	ID string
	At int64
}
