package vault

import "context"

// MethodSessionExtend is the word by which a session goes on.
const MethodSessionExtend = "session.extend"

// ExtendRequest asks for more time for a session. Device is the request as the key signed it
// that the session was got on.
type ExtendRequest struct {
	Holder Holder
	Device Signed
}

// ExtendSession has a session go on for a quarter of an hour, up to an hour from its
// beginning. It is the same session under a new bearer: EndSession ends both, and to ask again
// does no harm. fault.Unauthorized without a session, fault.Forbidden "EXTEND" without the
// session's own key or when the hour is over, "NEWDEVICE" on a device that waits.
func (c *Client) ExtendSession(ctx context.Context, r ExtendRequest) (Session, error) {
	return call[ExtendRequest, Session](ctx, c, MethodSessionExtend, r)
}
