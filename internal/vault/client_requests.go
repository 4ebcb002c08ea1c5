package vault

import "context"

// The methods of requests.
const (
	MethodRequestMake     = "request.make"
	MethodRequestList     = "request.list"
	MethodRequestWithdraw = "request.withdraw"
	MethodRequestTrack    = "request.track"
	MethodRequestWaiting  = "request.waiting"
	MethodRequestRead     = "request.read"
	MethodRequestDecide   = "request.decide"
)

// RequestMake asks for something about one's own record, and names it by a tracking
// number. fault.NotFound: the person, the entry or the dose is not theirs.
func (c *Client) RequestMake(ctx context.Context, r RequestMake) (Request, error) {
	return call[RequestMake, Request](ctx, c, MethodRequestMake, r)
}

// RequestList is what the holder asked for, and what was answered. Reading it is an
// opening.
func (c *Client) RequestList(ctx context.Context, r RequestAct) (RequestList, error) {
	return call[RequestAct, RequestList](ctx, c, MethodRequestList, r)
}

// RequestWithdraw takes a request back, with what it did at once. fault.NotFound: it is
// not theirs, or there is none. fault.Conflict: it is too late.
func (c *Client) RequestWithdraw(ctx context.Context, r RequestAct) (Request, error) {
	return call[RequestAct, Request](ctx, c, MethodRequestWithdraw, r)
}

// RequestTrack tells the state of a request, or of a leave, to whoever has its number.
// fault.NotFound: there is none. fault.RateLimited: too many from that network were wrong.
func (c *Client) RequestTrack(ctx context.Context, r TrackRequest) (Tracked, error) {
	return call[TrackRequest, Tracked](ctx, c, MethodRequestTrack, r)
}

// RequestWaiting is what waits for an answer within the asker's place. It names nobody.
func (c *Client) RequestWaiting(ctx context.Context, r StaffRequestAct) (StaffRequests, error) {
	return call[StaffRequestAct, StaffRequests](ctx, c, MethodRequestWaiting, r)
}

// RequestRead shows what one request says. The person sees that it was read.
func (c *Client) RequestRead(ctx context.Context, r StaffRequestAct) (StaffRequests, error) {
	return call[StaffRequestAct, StaffRequests](ctx, c, MethodRequestRead, r)
}

// RequestDecide answers one, with a reason in words. The person is told.
func (c *Client) RequestDecide(ctx context.Context, r StaffRequestAct) (StaffRequests, error) {
	return call[StaffRequestAct, StaffRequests](ctx, c, MethodRequestDecide, r)
}
