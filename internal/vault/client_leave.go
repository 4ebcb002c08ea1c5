package vault

import "context"

// Leave hides a person who leaves.
func (c *Client) Leave(ctx context.Context, r LeaveRequest) (Left, error) {
	return call[LeaveRequest, Left](ctx, c, MethodLeave, r)
}

// LeaveUndo brings a person back.
func (c *Client) LeaveUndo(ctx context.Context, r LeaveUndoRequest) (Done, error) {
	return call[LeaveUndoRequest, Done](ctx, c, MethodLeaveUndo, r)
}

// LeaveStatus tells what became of a leave; fault.NotFound for a number that was
// never given out.
func (c *Client) LeaveStatus(ctx context.Context, r LeaveStatusRequest) (LeaveStatus, error) {
	return call[LeaveStatusRequest, LeaveStatus](ctx, c, MethodLeaveStatus, r)
}
