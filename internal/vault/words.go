package vault

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// Holder is the evidence of a person (or who holds the household's mobile):
// the bearer the vault minted. Origin is the caller's network as the web role
// saw it (IPv4 /24, IPv6 /48); it only ever makes limits stricter. Partner is
// the request of the partner that shows a bearer given to it.
type Holder struct {
	Bearer  string
	Origin  string
	Partner *PartnerCall `json:",omitempty"`
}

// CodeRequest asks for a one-time code to be sent to Mobile (raw text).
type CodeRequest struct {
	Mobile   string
	Origin   string
	Language string // "en" or "hi"
	Chosen   bool   // the language was asked for in so many words: later messages come in it too
	Work     string // solved proof of work, when the vault asked for one

	Device *Signed `json:",omitempty"` // the request, signed by the device's key: only it can use the code then
}

// CodeIssued names the transaction; its form is the same for known and unknown
// numbers. While the system is being guessed at, Challenge holds a proof of
// work (ALTCHA JSON) instead and no code was sent: solve it and ask again with
// CodeRequest.Work. Held is 0 when a gateway has taken the code; else none takes
// codes now, and the vault goes on trying until then (Unix milliseconds).
type CodeIssued struct {
	Txn       string
	Challenge string
	Held      int64 `json:",omitempty"`
}

// CodeAnswer is the answer to a code: lower-case hex SHA-256 of its digits.
type CodeAnswer struct {
	Txn    string
	Digest string
	Origin string
	Device *Signed `json:",omitempty"` // the request, signed by the key that asked for the code
}

// Session is a fresh holder session. Bearer is an ES256 JWT without personal
// data; ExpiresAt is in Unix milliseconds.
type Session struct {
	Bearer     string
	ExpiresAt  int64
	NewAccount bool
}

// Member is one person of a household. Pending members have been enrolled but
// their registry rows are not known to be stored.
type Member struct {
	Person  id.Person
	Slot    int
	Pending bool
}

// Membership is what the bearer stands for. Ids are opaque.
type Membership struct {
	Household id.Household
	Members   []Member
	ExpiresAt int64
}

// Identity is a person's identity in the clear, on its way to be sealed. IDNumber
// is dropped after its duplicate tag is made; only its last four stay.
type Identity struct {
	Name, NameLocal string
	BirthYear       int
	BirthDate       civil.Date // zero: only the year is known
	GenderID        int
	IDType          int
	IDNumber        string
	Comorbidity     bool
	Guardian        string // name of the guardian of a minor
}

// Consent is the consent a registration carries.
type Consent struct {
	Version  string
	Language string
	Purpose  string
}

// EnrolRequest adds a person to the holder's household. Key is the mutation's
// idempotency key; the same key answers the same seal until it is committed.
type EnrolRequest struct {
	Holder   Holder
	Key      string
	Identity Identity
	Consent  Consent
	Receipts bool `json:",omitempty"` // the caller hands receipts on; else none is signed
}

// Enrolled is the sealed new person. Members are all of the household now, and
// ExpiresAt is when the holder's bearer ends; both only for a holder's request.
type Enrolled struct {
	Seal      Seal
	Reference id.Reference
	Household id.Household
	Slot      int
	Members   []Member `json:",omitempty"`
	ExpiresAt int64    `json:",omitempty"`
}

// CommittedRequest reports seals whose parts are durably stored.
type CommittedRequest struct{ Seals []string }

// CommittedAnswer says how many of them advanced a head now.
type CommittedAnswer struct{ Advanced int }

// OpenRequest asks for the booking view of the holder's household. Records
// holds every member's record as the registry has it. Remembered says that the
// caller did not ask who the members are now: when there is one without a record
// here, nothing is opened (fault.Conflict "members").
type OpenRequest struct {
	Holder     Holder
	Records    []Record
	Remembered bool `json:",omitempty"`
}

// Person is the booking view of one person: B1 of the public contract without
// the appointments, which the registry holds in the clear.
type Person struct {
	Person       id.Person
	Reference    id.Reference
	Name         string
	BirthYear    int
	GenderID     int
	MobileLast4  string
	IDType       int
	IDLast4      string
	Comorbidity  bool
	Status       string // "Not Vaccinated", "Partially Vaccinated", "Vaccinated"
	Product      string // of the latest counted dose, or ""
	Dose1, Dose2 civil.Date
	Joined       []id.Person `json:",omitempty"` // registrations that ended in this one: their past appointments are this person's
	Draws        []DrawEntry `json:",omitempty"` // where places are drawn, the oldest first
}

// Opened is a released view with its evidence. ViewRef is printed wherever the
// view is shown; Receipts are the vault's signed promises of the entries. Masked
// views are a partner's: Name holds initials, Reference the last four digits.
type Opened struct {
	Masked   bool
	Waiting  bool `json:",omitempty"` // masked because the device is new to the household
	People   []Person
	ViewRef  string
	Receipts []string
}

// RemoveRequest deletes a registration before its first dose.
type RemoveRequest struct {
	Holder Holder
	Record Record
}

// Done is the evidence of an act that released nothing.
type Done struct{ Receipt string }

// CodeNoDose is the code of the fault.NotFound of a certificate for somebody of whom
// the caller may have one, and who has no dose that counts.
const CodeNoDose = "NODOSE"

// OpeningsRequest asks for the access history of the holder's household, or
// of one person of it. Before (an entry index, exclusive) pages backwards; 0
// starts at the newest. Limit is at most 200.
type OpeningsRequest struct {
	Holder Holder
	Person id.Person
	Before int64
	Limit  int
}

// Opening is one entry about a person as the person sees it.
type Opening struct {
	Index     int64
	At        int64 // Unix milliseconds
	Person    id.Person
	Reference id.Reference
	Kind      string // "opening", "refusal", "sealed", "committed", "booking", …
	View      string // which view or act
	Role      string // who: "holder", "vaccinator", "manager", "system"
	Place     string // centre name where there is one
	Reason    string
	ViewRef   string
	Lost      *LostEntries `json:",omitempty"` // of kind "gap"
}

// LostEntries are the ledger entries, both included, whose content was lost with an
// approved restore of an older copy; nobody can say whom they were about.
type LostEntries struct{ First, Last int64 }

// Openings is a page of the access history, newest first. Withheld names the
// people left out because their own card has to be shown first.
type Openings struct {
	Entries  []Opening
	Withheld []id.Reference
	ViewRef  string
	Receipts []string
}

// Offer is the session place a booking is for, as the registry has it.
type Offer struct {
	Centre         id.Centre
	Session        id.Session
	Day            civil.Date
	Zone           string // IANA zone of the centre
	Slot           string
	Product        string
	MinAge, MaxAge int // years; MaxAge 0 is none
}

// BookRequest asks the vault to let people take a held place. Hold is the
// mutation's idempotency key and becomes the appointment number. All or none.
// Old is the appointment that this one replaces, "" for none: in the same
// transaction the old one ends for everybody; it is live again when the new one
// is released because the registry could not bind it.
type BookRequest struct {
	Holder   Holder
	Hold     id.Hold
	Old      id.Hold `json:",omitempty"`
	DrawAt   int64   `json:",omitempty"` // above 0: no booking yet, an entry of a draw at that time
	Dose     int
	Offer    Offer
	Records  []Record
	Receipts bool `json:",omitempty"` // the caller hands receipts on; else none is signed
}

// Booked is the vault's leave: the presence rows exist.
type Booked struct{ Receipts []string }

// CancelRequest gives up the booking of some people under one hold.
type CancelRequest struct {
	Holder  Holder
	Hold    id.Hold
	Persons []id.Person
}

// SlipRequest asks for the slip of one booking.
type SlipRequest struct {
	Holder  Holder
	Hold    id.Hold
	Records []Record
}

// SlipPerson is one person's part of a slip. Code is the 4-digit security code.
type SlipPerson struct {
	Person    id.Person
	Reference id.Reference
	Name      string
	BirthYear int
	IDType    int
	IDLast4   string
	Dose      int
	Code      string
}

// Slip is the released slip view.
type Slip struct {
	Offer    Offer
	People   []SlipPerson
	ViewRef  string
	Receipts []string
}

// ReleaseRequest drops presence rows whose registry booking was fenced off or
// never bound. It releases no data.
type ReleaseRequest struct {
	Hold    id.Hold
	Persons []id.Person
}

// The kinds of work that the vault waits for the registry to finish.
const (
	WorkBook   = "book"
	WorkCancel = "cancel"
	WorkRemove = "remove"
	WorkLink   = "link"
	WorkMerge  = "merge"
)

// SettledRequest reports that the registry has finished work of one kind (a
// booking bound, a cancellation or a removal carried out). It says nothing of
// the other kinds: a booking may be cancelled before its end was reported.
// Hold is empty for a removal.
type SettledRequest struct {
	Kind    string
	Hold    id.Hold
	Persons []id.Person
}

// UnfinishedRequest lists work of one kind, or with "" of all, older than
// Before (Unix milliseconds), from the mark of the page before on.
type UnfinishedRequest struct {
	Kind   string
	Before int64
	After  WorkMark
	Limit  int
}

// WorkMark is a place in the list of unfinished work. The zero value is its
// beginning.
type WorkMark struct {
	Since int64
	Task  string
}

// Work is one act the vault did whose end in the registry it has not seen.
// Seals are not listed: the registry's own outbox brings their end.
type Work struct {
	Kind    string // WorkBook, WorkCancel, WorkRemove, WorkLink or WorkMerge
	Hold    id.Hold
	Person  id.Person
	Centre  id.Centre
	Session id.Session
	Since   int64
	Place   Place // of a removal or link: the place in the household
	Seal    Seal  // of a merge: what is to be stored; Hold is its name
}

// Unfinished is a page of work, oldest first. What cannot be read is left out.
// Next is where the next page begins; zero: this was the last one.
type Unfinished struct {
	Work []Work
	Next WorkMark
}

// Signed is a staff request as it arrived: method, absolute URL, body and the
// DPoP proof (RFC 9449) with the body's digest. The vault verifies it itself.
type Signed struct {
	Method string
	URL    string
	Body   []byte
	Proof  string

	Assertion []byte `json:",omitempty"` // JSON of a passkey's answer over this very request (ADR 31), for acts that need one
}

// OpenSessionRequest opens a session day at a centre. The facts are in the
// manager's signed body.
type OpenSessionRequest struct{ Signed Signed }

// DoseRequest records a dose. The facts are in the vaccinator's signed body;
// Person and Record are what the registry has under the reference id in it.
type DoseRequest struct {
	Signed   Signed
	Person   id.Person
	Record   Record
	Receipts bool `json:",omitempty"` // the caller hands receipts on; else none is signed
}

// DoseSealed is the sealed dose and the booking it spends.
type DoseSealed struct {
	Seal Seal
	Hold id.Hold
	Dose int
}

// CertificateRequest asks for the certificate of one person.
type CertificateRequest struct {
	Holder   Holder
	Record   Record
	Language string
}

// Certificate is a signed document.
type Certificate struct {
	PDF      []byte
	HC1      string
	ViewRef  string
	Receipts []string
}

// StaffEnrolRequest enrols a staff device key (operator only). PublicJWK is an
// EC P-256 public key as JWK.
type StaffEnrolRequest struct {
	Name      string
	Role      string // "vaccinator" or "manager"
	Centre    id.Centre
	PublicJWK []byte
	Person    string // what tells this member of staff from others, as a staff number; "" is Name
}

// StaffEnrolled names the new credential.
type StaffEnrolled struct {
	Staff   id.Staff
	Receipt string
}

// StaffDisableRequest ends a credential.
type StaffDisableRequest struct{ Staff id.Staff }

// Keys are the public keys of the vault.
type Keys struct {
	Realm        id.Realm
	BearerJWK    []byte // the current one of Bearers
	Bearers      []byte // JWK set: ES256, EC P-256; the current key first, then announced and old ones
	Certificates []byte // key set file of certificate/encode
	LedgerVKey   string // signed-note verifier key of checkpoints
	LedgerKeys   []byte // changes of that key, each signed by old and new (ledger.ParseKeychain)
	ReceiptKey   []byte // Ed25519 public key
	Inbox        []byte // public key that doses without evidence are sealed to (SealInbox)
}

// Status tells whether the vault is ready and how it runs.
type Status struct {
	Ready      bool
	LedgerSize int64
	Separated  bool
	Challenge  bool // proof of work is asked before a code
}

// Empty is the request or answer without content.
type Empty struct{}
