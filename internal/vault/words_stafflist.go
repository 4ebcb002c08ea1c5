package vault

import (
	"context"

	"tikakosh/internal/id"
)

// MethodStaffList lists staff credentials.
const MethodStaffList = "staff.list"

// StaffListed is one staff credential as the operator sees it. The name stays
// sealed: who a credential belongs to is in the operator's own papers. Since is in
// Unix milliseconds.
type StaffListed struct {
	Staff  id.Staff
	Role   string
	Centre id.Centre
	Active bool
	Since  int64
}

// StaffList is every staff credential, in order of their names.
type StaffList struct{ Staff []StaffListed }

// StaffCredentials lists the staff credentials (operator's socket only).
func (c *Client) StaffCredentials(ctx context.Context) (StaffList, error) {
	return call[Empty, StaffList](ctx, c, MethodStaffList, Empty{})
}
