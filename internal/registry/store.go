package registry

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// CodeSeq is the code of the fault.Conflict that PersonStore.Store returns
// when another writer stored a part under the same sequence number first.
const CodeSeq = "seq"

// PersonRow is the clear row of one person. Since is the time of enrolment in
// Unix milliseconds.
type PersonRow struct {
	Person    id.Person
	Reference id.Reference
	Household id.Household
	Slot      int
	Removed   bool
	Since     int64
}

// MemberRow says who has a place in a household. Of two people for one place
// the later Since wins, and a removed member does not come back, so that a step
// repeated late cannot undo a newer one.
type MemberRow struct {
	Household id.Household
	Slot      int
	Person    id.Person
	Removed   bool
	Since     int64
}

// NoteKind says what remains to be done after a transaction.
type NoteKind string

// The kinds of note.
const (
	NoteEnrolled  NoteKind = "enrolled" // member and reference rows, then vault.Committed
	NoteSealed    NoteKind = "sealed"   // vault.Committed
	NoteRemoved   NoteKind = "removed"  // member row, then vault.Settled
	NoteMalformed NoteKind = ""         // never stored: the stored content cannot be read
)

// Note is one row of the outbox: what remains after the transaction that
// stored it. ID is a UUIDv7; times are Unix milliseconds; Due is when the
// relay may take it.
type Note struct {
	ID       string
	Kind     NoteKind
	Person   id.Person
	Seal     string
	Member   MemberRow
	Ref      id.Reference
	Created  int64
	Due      int64
	Attempts int
}

// Write is one sealed change of a person. New is set for an enrolment. Hold,
// when set, is the booking that this change uses up. A Note without ID is not
// stored.
type Write struct {
	Person id.Person
	New    *PersonRow
	Parts  []vault.Sealed
	Hold   id.Hold
	At     int64
	Note   Note
}

// PersonStore is storage in one person's bucket. Every method runs in one
// transaction there, is durable when it returns nil, may be repeated, and
// returns fault.Unavailable when the database is down or fault.Unknown when
// the commit's outcome is not known. Safe for concurrent use.
type PersonStore interface {
	// Person returns the row of a person, or fault.NotFound.
	Person(ctx context.Context, p id.Person) (PersonRow, error)
	// Record returns every sealed part in order of Seq, superseded bodies left
	// out. A person without parts has an empty record.
	Record(ctx context.Context, p id.Person) (vault.Record, error)
	// Store writes the parts, the person of an enrolment, the end of a booking
	// and the note. Repeating a stored write changes nothing and stores no
	// second note. fault.Conflict with CodeSeq: another writer was first.
	Store(ctx context.Context, w Write) error
	// Retire marks a person removed and stores the note; once.
	Retire(ctx context.Context, p id.Person, n Note) error
	// Booked reports whether the person has a live appointment.
	Booked(ctx context.Context, p id.Person) (bool, error)
}

// DirectoryStore is storage in the buckets of households and reference
// numbers, with the same durability, retry and faults as PersonStore.
type DirectoryStore interface {
	// SetMember stores a place of a household, unless a later row is there.
	SetMember(ctx context.Context, m MemberRow) error
	// SetReference adds a person under a reference number.
	SetReference(ctx context.Context, r id.Reference, p id.Person) error
	// ByReference returns the people under a reference number: none, one, or in
	// the rare case of a number drawn twice, more.
	ByReference(ctx context.Context, r id.Reference) ([]id.Person, error)
}

// NoteStore ends or defers notes, in the bucket of the note's person.
type NoteStore interface {
	// Done removes a note. Removing it twice is no error.
	Done(ctx context.Context, n Note) error
	// Defer counts an attempt and sets when the note is due again.
	Defer(ctx context.Context, n Note, due int64) error
}

// Store is all the storage the service needs.
type Store interface {
	PersonStore
	InboxStore
	Elsewhere
	DirectoryStore
	NoteStore
}

// Outbox reads the outbox across all buckets. Only the worker has it.
type Outbox interface {
	// Notes returns notes due at now (Unix milliseconds), oldest due first.
	Notes(ctx context.Context, now int64, limit int) ([]Note, error)
}

// StoredPart is one sealed part with its owner and the time it was stored, in
// Unix milliseconds.
type StoredPart struct {
	Person id.Person
	vault.Sealed
	StoredAt int64
}

// Audit reads every sealed part across all buckets, in order of person and
// sequence. Only the ledger's audit has it.
type Audit interface {
	ScatterSealed(ctx context.Context, fn func(StoredPart) error) error
}

// Views is what the vault shows to the holder of a household; *vault.Client
// satisfies it.
type Views interface {
	Membership(context.Context, vault.Holder) (vault.Membership, error)
	Open(context.Context, vault.OpenRequest) (vault.Opened, error)
	Openings(context.Context, vault.OpeningsRequest) (vault.Openings, error)
	Certificate(context.Context, vault.CertificateRequest) (vault.Certificate, error)
}

// Acts is what the vault seals or ends.
type Acts interface {
	Enrol(context.Context, vault.EnrolRequest) (vault.Enrolled, error)
	Remove(context.Context, vault.RemoveRequest) (vault.Done, error)
	RecordDose(context.Context, vault.DoseRequest) (vault.DoseSealed, error)
}

// Reports is how the vault learns what the registry has done.
type Reports interface {
	Committed(context.Context, vault.CommittedRequest) (vault.CommittedAnswer, error)
	Settled(context.Context, vault.SettledRequest) error
	Unfinished(context.Context, vault.UnfinishedRequest) (vault.Unfinished, error)
}

// Vault is all of the vault that the service calls.
type Vault interface {
	DoseWords
	Corrections
	Views
	Consents
	Acts
	Reports
}
