package vault

import "tikakosh/internal/id"

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
