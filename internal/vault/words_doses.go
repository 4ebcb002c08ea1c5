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
	MethodCorrections = "staff.corrections"
	MethodSecondActs  = "staff.corrections.public"
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
	Hold    id.Hold   // the booking that a dose with the person's code spends
	Centre  id.Centre // whose list a dose of nobody is on, when not that of the centre typed
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

// Doses is the released list. Withheld names the people left out because their own
// card has to be shown first.
type Doses struct {
	Withheld []id.Reference
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
	Centre     id.Centre // as typed
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
// are in the signed body. Person is who the registry has under the reference number
// there, or nobody.
type ProposeRequest struct {
	Signed Signed
	Person id.Person
}

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

// RouteCorrections is the end of the address that a manager signs for the list of
// corrections that wait.
const RouteCorrections = "/staff/corrections"

// CorrectionsRequest asks, on a manager's signed request, what waits at the centre
// for a second person. The centre, and the one proposal that is to be shown, are in
// the signed address.
type CorrectionsRequest struct{ Signed Signed }

// WaitingCorrection is one proposal that waits. By is the proposer's key; Mine: the
// asker is the same human. Times are Unix milliseconds; before NotBefore nobody
// approves it. Body, of a proposal that is shown, is what the second person signs.
type WaitingCorrection struct {
	ID        string
	Kind      string
	By        id.Staff
	Mine      bool
	At        int64
	NotBefore int64
	Expires   int64
	Body      string
}

// Corrections is the released list. ViewRef is that of a proposal that is shown.
type Corrections struct {
	Waiting  []WaitingCorrection
	ViewRef  string
	Receipts []string
}

// SecondPersonRequest asks for a page of the public list: after an entry's id, ""
// from a proposal's life ago on.
type SecondPersonRequest struct{ After string }

// SecondPersonAct is a proposal at a centre with fewer than three members of staff.
// Times are Unix milliseconds; Done 0: it was not carried out (yet).
type SecondPersonAct struct {
	ID        string
	Centre    id.Centre
	Kind      string
	At        int64
	NotBefore int64
	Done      int64
	Digest    string         // of what a change of policies or budgets would put into force
	Figures   map[string]int // of a change of budgets
	Dropped   bool           // withdrawn, or lapsed when its time came
}

// SecondPersonActs is a page of that list, oldest first.
type SecondPersonActs struct {
	Acts []SecondPersonAct
	More bool
}
