package vault

import "tikakosh/internal/id"

// MaxDayList is how many people of one session a day's list holds; a session day is
// planned for 200.
const MaxDayList = 1000

// DayListRequest asks for the list of a session that is open today. Centre and session are
// in the signed body; People are the records of everybody the registry has an appointment
// of there: the vault leaves out who has none with it.
type DayListRequest struct {
	Signed Signed
	People []Record
}

// The modes of a day's list.
const (
	DayListCode   = "code"   // slot and number in the queue alone
	DayListRoster = "roster" // a row can be opened, within the budgets
)

// DayList is a day's list. In mode roster it is an opening of everybody on it.
type DayList struct {
	Mode     string
	Rows     []DayRow
	ViewRef  string
	Receipts []string
}

// DayRow is one place in the queue. Row names it to this member of staff, on this day.
type DayRow struct {
	Slot    string
	Number  int
	Initial string
	LastTwo string // of the reference number
	Row     string
}

// RosterRowRequest asks whose record a row needs. The row is in the signed body.
type RosterRowRequest struct{ Signed Signed }

// RosterRow names the person by their random id; "" when there is none.
type RosterRow struct{ Person id.Person }

// RosterOpenRequest asks for the verification view of a row of the day's list, with nothing
// shown. The row is in the signed body; Record is what the registry has of its person.
type RosterOpenRequest struct {
	Signed Signed
	Record Record
}

// RosterOpened is the view. Warn: many visits are open; close those that ended.
type RosterOpened struct {
	StaffView
	Warn bool
}

// VisitCloseRequest ends a visit without a dose. Row and reason are in the signed body.
type VisitCloseRequest struct{ Signed Signed }

// RouteTripped is the end of the address that a manager signs for what tripped.
const RouteTripped = "/staff/tripped"

// TrippedRequest asks for what tripped at a centre, or with none within the asker's place.
// The centre is in the signed address.
type TrippedRequest struct{ Signed Signed }

// Tripped is what tripped, the newest first. Nobody who came is named.
type Tripped struct {
	Rows     []TrippedRow
	Receipts []string
}

// TrippedRow is one kind of thing that tripped, of one member of staff within an hour. At
// is the first time, in Unix milliseconds.
type TrippedRow struct {
	At     int64
	Why    string
	Staff  id.Staff
	Centre id.Centre
	Times  int
	ID     string
	SeenBy id.Staff // who has seen to it, "" nobody
	SeenAt int64
}

// SeenRequest says that somebody who watches has seen to what tripped. Which and the note
// are in the signed body.
type SeenRequest struct{ Signed Signed }
