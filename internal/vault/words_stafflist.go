package vault

import (
	"context"

	"tikakosh/internal/id"
)

// MethodStaffList lists staff credentials; MethodResume confirms one that a restore
// suspended.
const (
	MethodStaffList = "staff.list"
	MethodResume    = "credential.resume"
)

// ResumeRequest names a staff credential or a partner.
type ResumeRequest struct {
	Staff   id.Staff   `json:",omitempty"`
	Partner id.Partner `json:",omitempty"`
}

// Resume takes a suspended credential into use again (operator's socket only).
// fault.NotFound when it is not suspended.
func (c *Client) Resume(ctx context.Context, r ResumeRequest) (Done, error) {
	return call[ResumeRequest, Done](ctx, c, MethodResume, r)
}

// StaffListed is one staff credential as the operator sees it. The name stays
// sealed: who a credential belongs to is in the operator's own papers. Since is in
// Unix milliseconds.
type StaffListed struct {
	Staff  id.Staff
	Role   string
	Centre id.Centre
	Active bool
	Since  int64

	Suspended bool // since a restore behind the ledger, until it is confirmed
}

// CredentialState is the word for a credential in a list: "active", "suspended" or
// "ended".
func CredentialState(active, suspended bool) string {
	switch {
	case suspended:
		return "suspended"
	case active:
		return "active"
	}
	return "ended"
}

// StaffList is every staff credential, in order of their names.
type StaffList struct{ Staff []StaffListed }

// StaffCredentials lists the staff credentials (operator's socket only).
func (c *Client) StaffCredentials(ctx context.Context) (StaffList, error) {
	return call[Empty, StaffList](ctx, c, MethodStaffList, Empty{})
}
