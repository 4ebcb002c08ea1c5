package vault

import (
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// CloseDrawRequest puts the digest of a draw's entries on the ledger, before
// the checkpoint that seeds the draw is signed. Digest is lower-case hex SHA-256.
type CloseDrawRequest struct {
	Session id.Session
	Entries int
	Digest  string
}

// DrawCommitted is the promise of that entry and its place on the ledger.
// Closing the same draw again answers the same place; with another digest
// fault.Conflict.
type DrawCommitted struct {
	Receipt string
	Index   int64
}

// DrawnRequest says how an entry of a draw has come out. The holder proved the
// right to book when the entry was made (BookRequest.DrawAt), and the vault has
// kept that; what it has not kept cannot be drawn. With Won the people's
// bookings become live if the rules still agree; otherwise they end, as they do
// when the rules refuse.
type DrawnRequest struct {
	Hold    id.Hold
	Won     bool
	Persons []id.Person
	Records []Record
}

// How a draw stands or ended for an entry.
const (
	DrawWaiting   = "waiting"
	DrawWon       = "won"
	DrawNoPlace   = "no_place"  // no place was left when its turn came
	DrawDenied    = "refused"   // the rules did not agree any more, or somebody of the party had left
	DrawWithdrawn = "withdrawn" // cancelled before the draw
)

// DrawEntry is a person's entry in a draw as the person sees it. DrawAt is in
// Unix milliseconds.
type DrawEntry struct {
	Hold   id.Hold
	Offer  Offer
	Dose   int
	DrawAt int64
	Result string
}

// CodeHoldEnded is the code of a Conflict that says that an entry or a hold has
// ended: withdrawn, given up or removed.
const CodeHoldEnded = "hold"

// DrawRefused reports whether an error of Drawn ends the entry for good, so that
// the next in the draw gets the place: the rules refuse (fault.Invalid), or the
// entry has ended or its person has left. Anything else, above all a record that
// changed between two steps, is to be asked again.
func DrawRefused(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound:
		return true
	case fault.Conflict:
		return fault.CodeOf(err) == CodeHoldEnded
	}
	return false
}
