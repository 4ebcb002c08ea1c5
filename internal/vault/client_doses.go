package vault

import "context"

// StaffNames lists the names of the active staff keys.
func (c *Client) StaffNames(ctx context.Context) (StaffNames, error) {
	return call[Empty, StaffNames](ctx, c, MethodStaffNames, Empty{})
}

// AcceptDose hands a sealed dose over. Repeating it answers the same.
func (c *Client) AcceptDose(ctx context.Context, r AcceptRequest) (Accepted, error) {
	return call[AcceptRequest, Accepted](ctx, c, MethodAccept, r)
}

// Doses releases every dose event of the holder's household.
func (c *Client) Doses(ctx context.Context, r DosesRequest) (Doses, error) {
	return call[DosesRequest, Doses](ctx, c, MethodDoses, r)
}

// AnswerDose seals the holder's answer to an unconfirmed dose.
func (c *Client) AnswerDose(ctx context.Context, r AnswerDoseRequest) (Amended, error) {
	return call[AnswerDoseRequest, Amended](ctx, c, MethodAnswerDose, r)
}

// Unmatched releases what the doses without a person say.
func (c *Client) Unmatched(ctx context.Context, r UnmatchedRequest) (Unmatched, error) {
	return call[UnmatchedRequest, Unmatched](ctx, c, MethodUnmatched, r)
}

// Propose keeps a correction until it is approved.
func (c *Client) Propose(ctx context.Context, r ProposeRequest) (Proposed, error) {
	return call[ProposeRequest, Proposed](ctx, c, MethodPropose, r)
}

// Approve seals an approved correction. Repeating it answers the same.
func (c *Client) Approve(ctx context.Context, r ApproveRequest) (Amended, error) {
	return call[ApproveRequest, Amended](ctx, c, MethodApprove, r)
}

// RecordGiven seals a dose given elsewhere or before.
func (c *Client) RecordGiven(ctx context.Context, r RecordGivenRequest) (Amended, error) {
	return call[RecordGivenRequest, Amended](ctx, c, MethodRecordGiven, r)
}

// Corrections lists what waits at a centre for a second person.
func (c *Client) Corrections(ctx context.Context, r CorrectionsRequest) (Corrections, error) {
	return call[CorrectionsRequest, Corrections](ctx, c, MethodCorrections, r)
}

// SecondPersonActs is the public list of what waits at small centres.
func (c *Client) SecondPersonActs(ctx context.Context, r SecondPersonRequest) (SecondPersonActs, error) {
	return call[SecondPersonRequest, SecondPersonActs](ctx, c, MethodSecondActs, r)
}
