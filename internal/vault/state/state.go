// Package state holds the rows the vault keeps and the store it keeps them in:
// types only, no keys and no SQL.
//
// A row is a small document under a key. Rows that grant anything are anchored:
// they carry a MAC over table, key, version, expiry and content, and the combined
// digest of all anchored rows is part of every ledger entry, so that neither an
// edited nor a rolled-back row goes unseen (design: "a DBA can neither repoint
// an index nor roll back a counter").
package state

import (
	"context"
	"strconv"

	"tikakosh/internal/access"
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Table names a kind of row. The set is closed; the store has one SQL table
// for each.
type Table string

// The tables.
const (
	Households    Table = "household"    // by household id; anchored
	MobileIndexes Table = "mobile_index" // by hex blind index; anchored
	Persons       Table = "person"       // by person id; anchored
	IDTags        Table = "id_tag"       // by hex tag; anchored
	OpenSessions  Table = "open_session" // by centre/session/day; anchored
	StaffKeys     Table = "staff"        // by staff id; anchored
	Cards         Table = "card"         // by keyed MAC of the card's secret; anchored
	Challenges    Table = "challenge"    // by hash of the transaction id
	Quotas        Table = "quota"        // by hex blind index
	Counters      Table = "counter"      // by kind/key/window
	Bearers       Table = "bearer"       // by hash of the bearer's id
	Replays       Table = "replay"       // by staff id and proof id
	KeyRing       Table = "key_ring"     // by key id
	Idempotencies Table = "idempotency"  // by household and key
	OpenDays      Table = "open_day"     // by centre/day; names rows of OpenSessions, grants nothing
	Issued        Table = "issued"       // by person and page: certificates made for them; anchored
	Revocations   Table = "revocation"   // by person and number: certificates taken back; anchored
	Corrections   Table = "correction"   // by random id: proposals about doses; anchored
)

// Anchored lists the tables whose combined digest is in the ledger.
func Anchored() []Table {
	return []Table{Households, MobileIndexes, Persons, IDTags, OpenSessions, StaffKeys, Cards, Partners,
		Issued, Revocations, Corrections, KeyStates, Departures, Budgets, Changes, Presences, Requests, Shares,
		StaffMembers, StaffProposals, StaffAreas, Rosters, StaffDepartments}
}

// Passing lists the tables whose rows expire.
func Passing() []Table {
	return []Table{Challenges, Quotas, Counters, Bearers, Replays, Idempotencies, OpenDays, Notices, Alerts, Places,
		StaffSessions, Ceremonies, Relinks, ShareLinks}
}

// All lists every table.
func All() []Table { return append(append(Anchored(), Passing()...), KeyRing, Stats) }

// Stored is a row as the store has it. Version starts at 1. Expires (Unix
// milliseconds, 0 never) lets housekeeping drop rows that no longer matter.
type Stored struct {
	Key     string
	Version int64
	Content []byte
	MAC     []byte
	Expires int64
}

// Entry is one ledger row: the public leaf, the sealed body with its salt, and
// the keyed tag of the person it concerns (nil if none).
type Entry struct {
	Index     int64
	Leaf      []byte
	Sealed    []byte
	PersonTag []byte
}

// Head is the ledger's end: the next index and the digest of the anchored rows,
// sealed, because the digest before and after a change would tell the rows'
// share in it.
type Head struct {
	Next   int64
	Digest []byte
	MAC    []byte
}

// Task points at an act whose end in the registry the vault has not seen. It
// grants nothing.
type Task struct {
	ID     string // "book/<hold>/<person>", "cancel/<hold>/<person>", "seal/<seal>"
	Kind   string
	Person id.Person
	Ref    string // hold or seal
	Since  int64
}

// TaskPage is a page of the list of tasks: of one kind or, with "", of all; older
// than Before; after the place of (Since, ID).
type TaskPage struct {
	Kind   string
	Before int64
	Since  int64
	ID     string
	Limit  int
}

// Rows are the documents of one transaction. Put writes version s.Version and
// demands that the stored version is s.Version-1 (0: absent); otherwise it
// returns fault.Conflict with code "version" and the whole transaction is repeated.
// A store that is asked over a wire may return it, as every error of a write, from
// a later call of the transaction or from Update itself; only Put of a new notice
// says at once whether there is one of that key.
type Rows interface {
	Get(ctx context.Context, t Table, key string) (Stored, bool, error)
	Put(ctx context.Context, t Table, s Stored) error
	Delete(ctx context.Context, t Table, key string) error
	Scan(ctx context.Context, t Table, after string, limit int) ([]Stored, error)
	// All calls fn with every row, in no order, and stops at its first error.
	All(ctx context.Context, t Table, fn func(Stored) error) error
	Expire(ctx context.Context, t Table, before int64, limit int) (int64, error)
}

// Ledger is the ledger's part of one transaction. Append demands dense indexes.
type Ledger interface {
	Head(ctx context.Context) (Head, error)
	SetHead(ctx context.Context, h Head) error
	Append(ctx context.Context, e Entry) error
	Entries(ctx context.Context, from int64, limit int) ([]Entry, error)
	ByPerson(ctx context.Context, tag []byte, before int64, limit int) ([]Entry, error)
}

// Tasks is the list of unfinished work. Adding twice is adding once. ListTasks
// lists in order of Since and ID and leaves seals out: those that are never stored would crowd out the rest.
type Tasks interface {
	AddTask(ctx context.Context, t Task) error
	GetTask(ctx context.Context, id string) (Task, bool, error)
	EndTask(ctx context.Context, id string) error
	ListTasks(ctx context.Context, page TaskPage) ([]Task, error)
}

// Tx is one transaction on the vault's database.
type Tx interface {
	Rows
	Ledger
	Tasks
}

// Store is the vault's database. Update is durable when it returns nil; fn may
// run twice. An error at commit is fault.Unknown. View is a read-only snapshot.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Household is a household of up to six under one mobile. Mobile and Last4 are
// sealed; Mobile is opened only to send a message.
//
// Without Mobile it is the household of one person who has none. Only is the
// person that the caller's evidence is for; with it the others are not members
// as far as that caller is concerned. It is never stored.
type Household struct {
	Mobile, Last4 []byte
	Members       []Member
	Created       int64
	Language      string    `json:",omitempty"` // of messages: "hi", or English
	Email         []byte    `json:",omitempty"` // sealed: the other channel, which a code confirmed
	EmailSince    int64     `json:",omitempty"`
	EmailFirm     bool      `json:",omitempty"` // the address was set by a session that was more than a code
	Seen          int64     `json:",omitempty"` // when a code to the number was last completed, exact to a week
	Nets          []string  `json:",omitempty"` // keyed tags of the networks that clients without a key came from last
	Ways          []Way     `json:",omitempty"` // devices and others that sign in
	PIN           *HousePIN `json:",omitempty"`
	Counted       int64     `json:",omitempty"` // the hour in which it was last counted as opened by something new to it
	Only          id.Person `json:"-"`
}

// The states of a member and person.
const (
	Pending = "pending" // enrolled; rows not known to be stored
	Active  = "active"
	Removed = "removed"
	Merged  = "merged" // a person only: another registration of the same person goes on
)

// Member is one place of a household.
type Member struct {
	Slot   int
	Person id.Person
	State  string
	IDTag  string // hex; "" after removal
	Since  int64  `json:",omitempty"` // when a linked person came; 0: with the enrolment
}

// MobileIndex leads from a blind index to its household. Former are those that it led to
// before, the newest first: a code to the number opens none of them (ADR 39).
type MobileIndex struct {
	Household id.Household
	Former    []Former `json:",omitempty"`
}

// IDTag marks where an id number is in use. It is a flag, not a link anybody
// can follow from outside.
type IDTag struct{ Uses []IDUse }

// IDUse is one use of an id number.
type IDUse struct {
	Household id.Household
	Person    id.Person
	At        int64
}

// Person is everything the vault keeps of a person: the wrapped data key, the
// head of the sealed parts, pending seals and bookings. No contents in the clear.
type Person struct {
	Household id.Household
	Reference id.Reference
	State     string
	Epoch     string // key id of the epoch key
	Wrapped   []byte
	Seq       int64
	Chain     vault.Hash
	Parts     map[vault.Part]int // current version of each part
	Pending   []Seal
	Bookings  []Booking
	Flags     []string // "id-elsewhere": the id number is in use in another household
	Told      []string `json:",omitempty"` // keyed digests of the last doses recorded without evidence
	Created   int64
	Card      string      `json:",omitempty"` // key of the card's row
	Born      []byte      `json:",omitempty"` // sealed: year or date of birth, so that it is known who is an adult
	Merging   *MergeRef   `json:",omitempty"` // sealed into another person, end not known yet
	Departure string      `json:",omitempty"` // key of the row of a leave that stands
	Until     int64       `json:",omitempty"` // when it can no longer be undone
	Leaves    int         `json:",omitempty"` // how many there were
	Joined    []id.Person `json:",omitempty"` // registrations that ended in this one
	Relink    string      `json:",omitempty"` // the last request to move them to another number that two signed (ADR 41)
	Band      []byte      `json:",omitempty"` // sealed: among which registrations they are counted; nil: not counted
}

// MergeRef points at the merge of a person into another one: in force while
// that person's row has the seal pending.
type MergeRef struct {
	Into id.Person
	Seal string
	At   int64
}

// Seal is a seal whose storage has not been reported.
type Seal struct {
	ID      string
	Key     string     // idempotency key of the mutation, or staff and proof of a dose
	Made    vault.Hash // digest of the request an enrolment answers
	Base    int64      // Seq of the head it extends
	Chain   vault.Hash
	Parts   []vault.Sealed
	Hold    id.Hold // the booking a dose spends
	Revokes string  `json:",omitempty"` // why the person's certificates are taken back when it is stored
	At      int64
	Count   []byte `json:",omitempty"` // sealed: what the dashboard counts when it is stored

	Merge    id.Person `json:",omitempty"` // the person who ends as another when this is stored
	MergeSeq int64     `json:",omitempty"` // how many parts of theirs it carries
}

// The states of a booking.
const (
	Live      = "live"
	Spent     = "spent"
	Cancelled = "cancelled"
	Released  = "released"
	Moved     = "moved" // replaced by another one, whose From names it
	Missed    = "missed"
	Entered   = "entered" // waits for a draw
)

// Booking is presence: a booking the holder made through the vault.
type Booking struct {
	Hold      id.Hold
	From      id.Hold `json:",omitempty"` // the appointment this one replaced
	Offer     vault.Offer
	Programme string
	Dose      int
	State     string
	Settled   bool
	Tries     int
	Nonce     string
	Given     string `json:",omitempty"` // keyed digest of the dose recorded on it
	At        int64
	DrawAt    int64  `json:",omitempty"` // of an entry: when the draw is held
	Drawn     string `json:",omitempty"` // of an entry: how the draw ended for it

	Openers []id.Staff `json:",omitempty"` // who opened the person for it with nothing shown
}

// OpenSession is a session day that a manager's signed request opened, with the
// place names that certificates print.
type OpenSession struct {
	Centre                id.Centre
	Session               id.Session
	Day                   civil.Date
	Zone                  string
	Name, District, State string
	Product               string
	By                    id.Staff
	At                    int64
	Doses                 int64 `json:",omitempty"` // that its vials hold, as the manager said; 0: nobody did
}

// OpenSessionKey names the row of a centre's session and day.
func OpenSessionKey(c id.Centre, s id.Session, day civil.Date) string {
	return string(s) + "/" + day.String() + "/" + strconv.FormatInt(int64(c), 10)
}

// Staff is one enrolled device key. Name is sealed.
type Staff struct {
	Name   []byte
	Role   string
	Centre id.Centre
	JWK    []byte
	Active bool
	Since  int64
	Human  string `json:",omitempty"` // keyed tag of whose key it is: one person may have several

	Suspended int64 `json:",omitempty"` // when a restore behind the ledger took it out of use; 0: not so
	// Of a member's session (ADR 31), as which this row is made up: its key, when it ends
	// at the latest, and whether only its time ended it. Never stored.
	Session string       `json:"-"`
	Until   int64        `json:"-"`
	Lapsed  bool         `json:"-"`
	Grant   access.Grant `json:"-"` // that the session acts under
}

// The states of a challenge.
const (
	ChallengeOpen = "open"
	ChallengeUsed = "used"
	ChallengeDead = "dead"
)

// Challenge is a one-time code that was sent. Code is a keyed MAC and is wiped
// when the challenge ends.
type Challenge struct {
	Index   string // hex blind index of the number
	Mobile  []byte // sealed
	Last4   []byte // sealed
	Code    []byte
	Origin  string
	Sent    int64
	Expires int64
	Tries   int
	State   string
	Speaks  string    `json:",omitempty"` // the language asked for in so many words
	Person  id.Person `json:",omitempty"` // a code that shows a staff member who it is; it signs nobody in
	Staff   id.Staff  `json:",omitempty"` // who asked for it

	House id.Household `json:",omitempty"` // a code that confirms an e-mail address for this household; it signs nobody in
	Email []byte       `json:",omitempty"` // sealed: that address

	Device string `json:",omitempty"` // thumbprint of the device key that asked for it; only that one can use it

	Partner id.Partner `json:",omitempty"` // who asked for it; only they can use it
	Scopes  []string   `json:",omitempty"` // what it allows that partner
	NameTag []byte     `json:",omitempty"` // keyed tag of the name a status is asked for
}

// Quota counts the codes sent to a number that nobody confirmed.
type Quota struct{ Sent []QuotaSend }

// QuotaSend is one unconfirmed code.
type QuotaSend struct {
	At        int64
	Origin    string
	Challenge string
	Own       bool `json:",omitempty"` // asked for by a device of the household's own, when others had used the number's up
}

// Counter counts within one window.
type Counter struct{ N int64 }

// Bearer is a live holder session.
type Bearer struct {
	Household id.Household
	Expires   int64
	Revoked   bool
	Origin    string
	Person    id.Person `json:",omitempty"` // a card's session: for this person alone
	Card      string    `json:",omitempty"` // key of that card's row

	Way     string `json:",omitempty"` // the device key that it was got on
	Cooling bool   `json:",omitempty"` // got on a device that is new to the household: masked views
	Began   int64  `json:",omitempty"` // of one that was extended: when it began

	Shown map[id.Person]string `json:",omitempty"` // adults whose card was shown in this session, with the key of that card's row

	Partner id.Partner `json:",omitempty"` // a partner's session: only they can use it
	Scopes  []string   `json:",omitempty"` // what the person's consent allows
	NameTag []byte     `json:",omitempty"` // keyed tag of the name a status is asked for
}

// Idempotency remembers which person an enrolment key made.
type Idempotency struct {
	Person id.Person
	Digest vault.Hash
}

// Key is one wrapped key.
type Key struct {
	Purpose string
	Version int
	Wrapped []byte
	State   string
	Created int64
	Held    bool `json:",omitempty"` // of an epoch key: custody holds the other half
	Apart   bool `json:",omitempty"` // of the first index key: there is a matching key that is none of it
}
