package vault

import "context"

// The methods of departments whose staff sign in at their own identity provider.
const (
	MethodDepartments    = "identity.departments"
	MethodDepartmentSet  = "department.set"
	MethodDepartmentEnd  = "department.end"
	MethodDepartmentList = "department.list"
	MethodStaffSync      = "staff.sync"
)

// Departments lists those in force. It changes nothing.
func (c *Client) Departments(ctx context.Context) (Departments, error) {
	return call[Empty, Departments](ctx, c, MethodDepartments, Empty{})
}

// DepartmentSet hands a department's file in (operator's socket only): what it takes
// away is gone at once, what it adds waits for a second person. fault.Invalid says what
// is wrong with the file.
func (c *Client) DepartmentSet(ctx context.Context, r DepartmentRequest) (DepartmentStates, error) {
	return call[DepartmentRequest, DepartmentStates](ctx, c, MethodDepartmentSet, r)
}

// DepartmentEnd ends a department's sign-in and disables its members, at once
// (operator's socket only).
func (c *Client) DepartmentEnd(ctx context.Context, r DepartmentRequest) (DepartmentStates, error) {
	return call[DepartmentRequest, DepartmentStates](ctx, c, MethodDepartmentEnd, r)
}

// DepartmentList lists all (operator's socket only).
func (c *Client) DepartmentList(ctx context.Context) (DepartmentStates, error) {
	return call[Empty, DepartmentStates](ctx, c, MethodDepartmentList, Empty{})
}

// StaffSync disables a department's leavers and ends their sessions (operator's socket
// only). Repeating it changes nothing more.
func (c *Client) StaffSync(ctx context.Context, r StaffSync) (StaffSynced, error) {
	return call[StaffSync, StaffSynced](ctx, c, MethodStaffSync, r)
}
