package vault

import "context"

// MethodIdentity is the beginning of the names of a member's acts: it is followed by
// the act, with a full stop for each slash.
const MethodIdentity = "identity."

// The operator's methods of staff identities.
const (
	MethodStaffSetup     = "staff.setup"
	MethodStaffMembers   = "staff.members"
	MethodStaffEnd       = "staff.member-disable"
	MethodStaffApprove   = "staff.approve"
	MethodStaffProposals = "staff.proposals"
	MethodStaffClient    = "staff.client"
	MethodIdentityBegin  = MethodIdentity + "begin"
	MethodIdentityForAct = MethodIdentity + "act"
)

// StaffBegin asks for a ceremony: of a sign-in, an enrolment, or a nonce. Which one is
// the signed address's to say. fault.Unauthorized, Invalid, NotFound (the link) and
// Conflict (not approved yet, or used).
func (c *Client) StaffBegin(ctx context.Context, r StaffAct) (StaffCeremony, error) {
	return call[StaffAct, StaffCeremony](ctx, c, MethodIdentityBegin, r)
}

// StaffAct carries out any other act of a member; which one is the signed address's to
// say. A proof is spent by a success; repeating one needs a new proof.
func (c *Client) StaffAct(ctx context.Context, r StaffAct) (StaffActed, error) {
	return call[StaffAct, StaffActed](ctx, c, MethodIdentityForAct, r)
}

// StaffSetup makes the link for the first administrator (operator's socket only);
// fault.Conflict once there is one.
func (c *Client) StaffSetup(ctx context.Context) (StaffActed, error) {
	return call[StaffOperatorRequest, StaffActed](ctx, c, MethodStaffSetup, StaffOperatorRequest{})
}

// StaffMembers lists all members without their names (operator's socket only).
func (c *Client) StaffMembers(ctx context.Context) (StaffActed, error) {
	return call[StaffOperatorRequest, StaffActed](ctx, c, MethodStaffMembers, StaffOperatorRequest{})
}

// StaffEnd disables a member (operator's socket only).
func (c *Client) StaffEnd(ctx context.Context, r StaffOperatorRequest) (StaffActed, error) {
	return call[StaffOperatorRequest, StaffActed](ctx, c, MethodStaffEnd, r)
}

// StaffApprove is the operator's approval where nobody else could (operator's socket
// only); fault.Conflict "wait" before its time, fault.Forbidden where somebody can.
func (c *Client) StaffApprove(ctx context.Context, r StaffOperatorRequest) (StaffActed, error) {
	return call[StaffOperatorRequest, StaffActed](ctx, c, MethodStaffApprove, r)
}

// StaffProposals lists what waits, without names (operator's socket only).
func (c *Client) StaffProposals(ctx context.Context) (StaffActed, error) {
	return call[StaffOperatorRequest, StaffActed](ctx, c, MethodStaffProposals, StaffOperatorRequest{})
}

// StaffClient is which staff client is on the ledger (operator's socket only).
func (c *Client) StaffClient(ctx context.Context) (StaffClientShown, error) {
	return call[Empty, StaffClientShown](ctx, c, MethodStaffClient, Empty{})
}
