package vault

import (
	"tikakosh/internal/civil"
	"tikakosh/internal/id"
)

// The methods about doses.
const (
	MethodStaffNames  = "staff.names"
	MethodAccept      = "dose.accept"
	MethodDoses       = "person.doses"
	MethodAnswerDose  = "person.dose.answer"
	MethodUnmatched   = "staff.doses.unmatched"
	MethodPropose     = "staff.correction.propose"
	MethodApprove     = "staff.correction.approve"
	MethodRecordGiven = "staff.dose.record"
)

// StaffNames are the names (RFC 7638 thumbprints) of the active staff keys:
// public values, by which the web role refuses strangers while the vault is
// down.
type StaffNames struct{ Names []id.Staff }

// Sealed dose items as the vault judges them.
const (
	InboxSealed  = "sealed"  // it is in the person's record now, or was before
	InboxNobody  = "nobody"  // genuine, but its reference number fits nobody
	InboxRefused = "refused" // not a genuine request of a vaccinator; nothing to keep for anybody
)

// AcceptRequest hands a sealed dose to the vault. Person and Record are what
// the registry has under the reference number it came with, or nobody.
type AcceptRequest struct {
	Event  id.Event
	Sealed []byte
	Person id.Person
	Record Record
}

// Accepted says what became of it. Seal has parts when the registry has to
// store them.
type Accepted struct {
	Verdict string
	Seal    Seal
}

// DosesRequest asks for every dose event of the holder's household.
type DosesRequest struct {
	Holder  Holder
	Records []Record
}

// DoseEvent is one dose event as its person sees it. Reason is that of the last
// change. Country is empty for doses given here.
type DoseEvent struct {
	Person    id.Person
	Reference id.Reference
	Event     id.Event
	Product   string
	Lot       string
	Sequence  int
	Day       civil.Date
	Place     string
	Source    string
	Country   string
	Status    string
	Reason    string
	Recorded  int64
	Changes   int
}

// Doses is the released list.
type Doses struct {
	Events   []DoseEvent
	ViewRef  string
	Receipts []string
}

// AnswerDoseRequest is the holder's answer to an unconfirmed dose: it was
// theirs, or (Confirm false, with a reason) it was not.
type AnswerDoseRequest struct {
	Holder  Holder
	Record  Record
	Event   id.Event
	Confirm bool
	Reason  string
}

// Amended is the sealed new version of a dose event. Without parts it has been
// stored before.
type Amended struct{ Seal Seal }

// InboxRow is a dose without a person, as the registry keeps it.
type InboxRow struct {
	Event    id.Event
	Sealed   []byte
	Received int64
}

// UnmatchedRequest asks, on a manager's signed request, what the doses without
// a person of their centre say.
type UnmatchedRequest struct {
	Signed Signed
	Rows   []InboxRow
}

// UnmatchedDose is one of them: what the vaccinator wrote. Typed is the
// reference number as it was typed.
type UnmatchedDose struct {
	Event      id.Event
	Typed      id.Reference
	Product    string
	Lot        string
	Sequence   int
	Day        civil.Date
	Vaccinator string
	Received   int64
}

// Unmatched is the released list.
type Unmatched struct {
	Doses    []UnmatchedDose
	Receipts []string
}

// ProposeRequest proposes a correction on a manager's signed request. Its facts
// are in the signed body.
type ProposeRequest struct{ Signed Signed }

// Proposed names the proposal; a second member of staff of the centre approves it.
type Proposed struct {
	Correction string
	Receipt    string
}

// ApproveRequest carries a proposal out on the signed request of a second member
// of staff. Person and Record are who the proposal is about, and Item the sealed
// dose it assigns, as the registry has them.
type ApproveRequest struct {
	Signed Signed
	Person id.Person
	Record Record
	Item   InboxRow
}

// RecordGivenRequest records a dose given elsewhere or before, on a vaccinator's
// signed request.
type RecordGivenRequest struct {
	Signed Signed
	Person id.Person
	Record Record
}
