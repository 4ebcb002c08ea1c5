package vault

import "context"

// The methods for partner applications.
const (
	MethodPartnerCode    = "partner.code"
	MethodPartnerConfirm = "partner.confirm"
	MethodStatusPull     = "partner.status"
	MethodPartnerEnrol   = "partner.enrol"
	MethodPartnerDisable = "partner.disable"
	MethodPartnerList    = "partner.list"
)

// PartnerCode sends a one-time code that names the partner and what the code
// allows it. fault.Forbidden for an unknown partner, key or signature, or a
// scope it does not have.
func (c *Client) PartnerCode(ctx context.Context, r PartnerCodeRequest) (CodeIssued, error) {
	return call[PartnerCodeRequest, CodeIssued](ctx, c, MethodPartnerCode, r)
}

// PartnerConfirm turns a right answer into a session that only this partner can
// use, for what the person consented to.
func (c *Client) PartnerConfirm(ctx context.Context, r PartnerCodeAnswer) (Session, error) {
	return call[PartnerCodeAnswer, Session](ctx, c, MethodPartnerConfirm, r)
}

// StatusPull tells the vaccination status once; the session ends with it.
func (c *Client) StatusPull(ctx context.Context, r StatusPullRequest) (StatusTold, error) {
	return call[StatusPullRequest, StatusTold](ctx, c, MethodStatusPull, r)
}

// EnrolPartner enrols a partner (operator's socket only).
func (c *Client) EnrolPartner(ctx context.Context, r PartnerEnrolRequest) (PartnerEnrolled, error) {
	return call[PartnerEnrolRequest, PartnerEnrolled](ctx, c, MethodPartnerEnrol, r)
}

// DisablePartner ends a partner's access and its sessions (operator's socket only).
func (c *Client) DisablePartner(ctx context.Context, r PartnerDisableRequest) (Done, error) {
	return call[PartnerDisableRequest, Done](ctx, c, MethodPartnerDisable, r)
}

// Partners lists the partners (operator's socket only).
func (c *Client) Partners(ctx context.Context) (PartnerList, error) {
	return call[Empty, PartnerList](ctx, c, MethodPartnerList, Empty{})
}
