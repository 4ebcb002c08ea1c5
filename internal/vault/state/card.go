package state

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// The states of a card.
const (
	CardLive    = "live"
	CardVoid    = "void"    // replaced, or its person's registration ended
	CardBlocked = "blocked" // too many wrong PINs in its life
)

// Card is a printed card. Its secret is nowhere: the row's key is a keyed MAC
// of it. PIN is a keyed MAC over Salt and the PIN.
type Card struct {
	Person  id.Person
	PIN     []byte
	Salt    []byte
	Run     int   // wrong PINs since the last right one
	Wrong   int   // wrong PINs in all
	Locked  int64 // no PIN is right before this time
	Used    bool  // somebody has shown it or given its PIN
	State   string
	Created int64
}

// OpenDay names the sessions that were opened at a centre for a day. It grants
// nothing: each of them is read and checked in its own row.
type OpenDay struct {
	Day      civil.Date
	Zone     string
	Sessions []id.Session
}
