package scheduling

import (
	"context"

	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// HoldState is the state of a hold.
type HoldState int

// The states of a hold. NoHold: the row does not exist.
const (
	NoHold    HoldState = 0
	Holding   HoldState = 1
	Confirmed HoldState = 2
	Released  HoldState = 3
)

// Hold is a number of places held at a centre for people by their opaque ids.
// Times are Unix milliseconds. Old is the appointment that this one is to
// replace, "" for a booking of its own.
type Hold struct {
	ID      id.Hold
	Old     id.Hold
	Centre  id.Centre
	Session id.Session
	Dose    int
	State   HoldState
	Created int64
	Expires int64
	Persons []id.Person
}

// HoldAsk asks for one hold. Again: its number may have been used before.
type HoldAsk struct {
	Hold
	Again bool
}

// HeldMany answers asks in their order. Free is what is left of the two pools.
type HeldMany struct {
	Held []Hold
	Free [2]int
}

// Claim is what an idempotency key stands for: the hold it made and a digest
// of the request it came with.
type Claim struct {
	Key  string
	Body string
	Hold id.Hold
	At   int64
}

// Note is one row of the outbox: a cancellation stored with the person whose
// place the centre must still get back.
type Note struct {
	ID       string
	Person   id.Person
	Hold     id.Hold
	Centre   id.Centre
	Session  id.Session
	Dose     int
	Created  int64
	Due      int64
	Attempts int
}

// CentreStore is storage of centres and sessions in the centre's bucket, and
// of the row that says which centre a session belongs to. As every store here:
// one transaction in one bucket per method, durable on nil, repeatable, safe
// for concurrent use, fault.Unavailable when the database is down and
// fault.Unknown when a commit's outcome is not known.
type CentreStore interface {
	// PutCentre adds or replaces a centre.
	PutCentre(ctx context.Context, c Centre) error
	// PutSession adds a session or replaces its terms; never its taken places,
	// and a capacity below them becomes as many as they are.
	PutSession(ctx context.Context, s Session) error
	// PutSessionPlace stores which centre a session belongs to.
	PutSessionPlace(ctx context.Context, s id.Session, c id.Centre) error
	// Centre returns a centre, or fault.NotFound.
	Centre(ctx context.Context, c id.Centre) (Centre, error)
	// Session returns a session, or fault.NotFound.
	Session(ctx context.Context, s id.Session) (Session, error)
}

// HoldStore is storage of holds and places in the centre's bucket.
type HoldStore interface {
	// Hold takes a place for each person and stores the hold, or returns the
	// hold that already has this id. fault.Full when too few places are left:
	// then nothing is stored.
	Hold(ctx context.Context, h Hold) (Hold, error)
	// HoldMany is Hold for many at once, all of one session, in one transaction:
	// the places go out in the order asked, each ask all or none. What was full
	// has State NoHold in the answer; nothing of it is stored. An ask with Again
	// finds the hold an earlier attempt stored.
	HoldMany(ctx context.Context, c id.Centre, s id.Session, asks []HoldAsk) (HeldMany, error)
	// ConfirmMany is Confirm for many holds of one centre in one transaction.
	ConfirmMany(ctx context.Context, c id.Centre, holds []id.Hold) error
	// FindHold returns a hold; State is NoHold when there is none.
	FindHold(ctx context.Context, c id.Centre, h id.Hold) (Hold, error)
	// Confirm turns a held hold into a confirmed one; otherwise it does nothing.
	Confirm(ctx context.Context, c id.Centre, h id.Hold) error
	// Release ends a held hold and gives the places not yet given back to the
	// session, but for those of the people in keep; otherwise it does nothing.
	// The hold is then released, or with somebody kept confirmed. It returns the
	// number of places given back.
	Release(ctx context.Context, c id.Centre, h id.Hold, keep []id.Person) (int, error)
	// Return gives one person's place back, once; not under a released hold.
	Return(ctx context.Context, c id.Centre, h id.Hold, p id.Person) (bool, error)
}

// AppointmentStore is storage of appointments in the person's bucket.
type AppointmentStore interface {
	// Bind stores a live appointment and returns the state of the row that is
	// there afterwards: Live when it is bound, now or before; another state
	// when it can no longer be; None when another live one is in the way. One
	// whose day was over when a was made is ended and not in the way.
	Bind(ctx context.Context, a Appointment) (State, error)
	// Move ends the person's live appointment old, with a note that gives its
	// place back (completed from it), and stores a as the live one, both or
	// neither. It returns the state of the row then under a's key: Live when
	// moved, now or before; another when it can no longer be; None when old is
	// not live or another live one is in the way. The note is the zero value
	// unless this call moved.
	Move(ctx context.Context, a Appointment, old id.Hold, n Note) (State, Note, error)
	// Appointment returns one row; State is None when there is none.
	Appointment(ctx context.Context, p id.Person, h id.Hold) (Appointment, error)
	// Fence stores a fence unless a row is there, and returns the state of the
	// row that is there afterwards.
	Fence(ctx context.Context, a Appointment) (State, error)
	// Undo turns a live appointment into a fence and returns the state of the
	// row as it is afterwards.
	Undo(ctx context.Context, p id.Person, h id.Hold) (State, error)
	// Cancel turns a live appointment into a cancelled one and stores the note,
	// completed from the appointment; where there is no row it stores a fence.
	// It returns the row as it is afterwards.
	Cancel(ctx context.Context, n Note) (Appointment, error)
	// Appointments returns live and given appointments, oldest first.
	Appointments(ctx context.Context, p id.Person) ([]Appointment, error)
}

// ClaimStore is storage of idempotency keys in the household's bucket.
type ClaimStore interface {
	// Claimed returns the claim under a key; its Hold is "" when there is none.
	Claimed(ctx context.Context, h id.Household, key string) (Claim, error)
	// Claim stores a claim unless the key has one, and returns the one there.
	// A claim on the hold old is replaced: that hold came to nothing.
	Claim(ctx context.Context, h id.Household, c Claim, old id.Hold) (Claim, error)
}

// NoteStore ends or defers notes, in the bucket of the note's person.
type NoteStore interface {
	// DoneNote removes a note. Removing it twice is no error.
	DoneNote(ctx context.Context, n Note) error
	// DeferNote counts an attempt and sets when the note is due again.
	DeferNote(ctx context.Context, n Note, due int64) error
}

// Store is all the storage the service needs.
type Store interface {
	CentreStore
	HoldStore
	AppointmentStore
	ClaimStore
	NoteStore
	DrawStore
	ReserveStore
}

// Listing reads centres and sessions across all buckets, in pages. Only the
// availability snapshot has it.
type Listing interface {
	// Centres returns centres with ids above after, in order of id.
	Centres(ctx context.Context, after id.Centre, limit int) ([]Centre, error)
	// Sessions returns sessions of the days from to until (inclusive) that come
	// after the cursor (its Day and ID), in order of day and id.
	Sessions(ctx context.Context, from, until civil.Date, cursor Session, limit int) ([]Session, error)
}

// Overdue reads work across all buckets. Only the worker has it.
type Overdue interface {
	// ExpiredHolds returns holds, still held, that expired before now and come
	// after a cursor (its Expires and ID), in order of both.
	ExpiredHolds(ctx context.Context, now int64, cursor Hold, limit int) ([]Hold, error)
	// CancelNotes returns notes due at now, oldest due first. One whose content
	// cannot be read names no hold.
	CancelNotes(ctx context.Context, now int64, limit int) ([]Note, error)
}

// Leave is what the vault grants and refuses; *vault.Client satisfies it.
type Leave interface {
	Membership(context.Context, vault.Holder) (vault.Membership, error)
	Book(context.Context, vault.BookRequest) (vault.Booked, error)
	BookMany(context.Context, vault.BookManyRequest) (vault.BookedMany, error)
	Cancel(context.Context, vault.CancelRequest) (vault.Done, error)
	Slip(context.Context, vault.SlipRequest) (vault.Slip, error)
}

// Reports is how the vault learns what the registry has done.
type Reports interface {
	Release(context.Context, vault.ReleaseRequest) (vault.Done, error)
	Settled(context.Context, vault.SettledRequest) error
	SettledMany(context.Context, vault.SettledManyRequest) error
	Unfinished(context.Context, vault.UnfinishedRequest) (vault.Unfinished, error)
}

// Asking is what the vault says without doing anything.
type Asking interface {
	Chances(context.Context, vault.ChancesRequest) (vault.Chances, error)
}

// Vault is all of the vault that the service calls.
type Vault interface {
	Leave
	Reports
	DrawVault
	Asking
}

// Records brings sealed records; *registry.Service satisfies it.
type Records interface {
	// Persons returns the records of members of the holder's household in the
	// order asked; one fault.NotFound for whoever is not.
	Persons(context.Context, vault.Holder, []id.Reference) ([]vault.Record, error)
	// Members returns the holder's household and the ids of members of it in
	// the order asked, as this process last saw them; one fault.NotFound for
	// whoever is not. It may be out of date: the vault decides when it books.
	Members(context.Context, vault.Holder, []id.Reference) (id.Household, []id.Person, error)
	// Records returns records by id, in the order asked.
	Records(context.Context, []id.Person) ([]vault.Record, error)
}
