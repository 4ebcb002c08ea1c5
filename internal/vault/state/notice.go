package state

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// The tables of messages.
const (
	Notices Table = "notice" // by due time and message id
	Alerts  Table = "alert"  // by household id
	Places  Table = "place"  // by centre id
)

// NoticeAnswered is the template of the message that a request was answered.
const NoticeAnswered = "answered"

// NoticeTakenBack is that of the message that a request was taken back.
const NoticeTakenBack = "taken-back"

// Notice is a message to a household that is still to be sent, written in the
// transaction of the act it tells of. It holds neither number nor text: both are
// made from the vault's other rows when it is sent. Its row ends when the
// courier has taken the message; housekeeping drops it when its time is over.
type Notice struct {
	ID        string
	Household id.Household
	Kind      string      // the message's template
	Hold      id.Hold     `json:",omitempty"` // of a booking's message
	Persons   []id.Person `json:",omitempty"`
	Centre    id.Centre   `json:",omitempty"`
	Day       civil.Date  `json:",omitzero"`
	Zone      string      `json:",omitempty"`
	Place     string      `json:",omitempty"` // a centre's name as its manager signed it
	Old       []byte      `json:",omitempty"` // sealed: the e-mail address that a household had before
	Request   string      `json:",omitempty"` // the tracking number of what was answered
	At        int64
}

// Alert is a household's leave to be told of free places: which wishes stand
// and until when (Unix milliseconds). What is wished for is in the registry.
type Alert struct{ Wishes []Wish }

// Wish is one of them.
type Wish struct {
	ID    string
	Until int64
	Told  civil.Date `json:",omitzero"` // the last day it was told of
}

// Place is what a message calls a centre: the name that its manager signed when
// a session was opened there, never a caller's words.
type Place struct{ Name string }
