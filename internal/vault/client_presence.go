package vault

import "context"

// The methods of break-glass.
const (
	MethodGlassPropose = "glass.propose"
	MethodGlassApprove = "glass.approve"
	MethodGlassWhom    = "glass.whom"
	MethodGlassOpen    = "glass.open"
	MethodGlassList    = "glass.list"
)

// GlassPropose asks to open somebody who cannot show anything. It tells nothing of them.
func (c *Client) GlassPropose(ctx context.Context, r GlassRequest) (Glass, error) {
	return call[GlassRequest, Glass](ctx, c, MethodGlassPropose, r)
}

// GlassApprove is the second member of staff's word, for what the signed body repeats.
func (c *Client) GlassApprove(ctx context.Context, r GlassAct) (Glass, error) {
	return call[GlassAct, Glass](ctx, c, MethodGlassApprove, r)
}

// GlassWhom says whose record an approved request needs. It releases nothing and spends
// no proof.
func (c *Client) GlassWhom(ctx context.Context, r GlassAct) (GlassWhom, error) {
	return call[GlassAct, GlassWhom](ctx, c, MethodGlassWhom, r)
}

// GlassOpen releases the verification view of an approved request, once, to the session
// that asked for it. fault.NotFound: the number is nobody's, or nothing was approved.
func (c *Client) GlassOpen(ctx context.Context, r GlassOpenRequest) (StaffView, error) {
	return call[GlassOpenRequest, StaffView](ctx, c, MethodGlassOpen, r)
}

// GlassList is what waits, or what was done; which one is in the signed address.
func (c *Client) GlassList(ctx context.Context, r GlassAct) (GlassList, error) {
	return call[GlassAct, GlassList](ctx, c, MethodGlassList, r)
}
