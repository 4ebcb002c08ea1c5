package vault

import "tikakosh/internal/id"

// LeaveRequest hides a vaccinated person's record for good. Until a first dose a
// registration is removed instead (RemoveRequest).
type LeaveRequest struct {
	Holder Holder
	Record Record
}

// Left is what a person who leaves takes along. Tracking finds the state of it
// later, without any other evidence; it opens nothing. Times are Unix
// milliseconds.
type Left struct {
	Tracking string
	Undo     int64 // until then it can be undone
	Erase    int64 // then the key is destroyed
	Receipt  string
}

// LeaveUndoRequest brings a person back who has left, while that is possible.
// Reference is theirs; the holder's evidence is for their household or card.
type LeaveUndoRequest struct {
	Holder    Holder
	Reference id.Reference
}

// LeaveStatusRequest asks what became of a leave.
type LeaveStatusRequest struct{ Tracking string }

// The states of a leave.
const (
	LeaveHidden = "hidden" // hidden; can be undone
	LeaveKept   = "kept"   // hidden for good; the law wants the record kept until Erase
	LeaveUndone = "undone"
	LeaveErased = "erased" // the key is gone
)

// LeaveStatus is the answer. Times are Unix milliseconds.
type LeaveStatus struct {
	State string
	At    int64
	Undo  int64
	Erase int64
}

// The methods about leaving.
const (
	MethodLeave       = "person.leave"
	MethodLeaveUndo   = "person.leave.undo"
	MethodLeaveStatus = "person.leave.status"
)
