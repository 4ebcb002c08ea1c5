package vault

import (
	"context"

	"tikakosh/internal/id"
)

// The ends of the addresses of re-linking (ADR 41), staff's and holders'.
const (
	RouteRelink        = "/staff/relink"
	RouteRelinkApprove = RouteRelink + "/approve"
	RouteRelinkStop    = RouteRelink + "/stop"
)

// The methods of re-linking.
const (
	MethodRelinkPropose   = "relink.propose"
	MethodRelinkApprove   = "relink.approve"
	MethodRelinkStaffStop = "relink.staff-stop"
	MethodRelinkList      = "relink.list"
	MethodRelinkStop      = "relink.stop"
	MethodRelinkFinish    = "relink.finish"
)

// RelinkWaits is one person who is to be moved to another number. Times in Unix
// milliseconds: From when the new number may take them over, and Until when.
type RelinkWaits struct {
	ID        string
	Person    id.Person
	Reference id.Reference
	Centre    id.Centre
	Place     string
	At        int64 // when two members of staff had signed
	From      int64
	Until     int64
}

// RelinkList is what waits of a household's people.
type RelinkList struct{ Rows []RelinkWaits }

// RelinkStopRequest stops one; the bearer is that of the old number, or of the person's card.
type RelinkStopRequest struct {
	Holder  Holder
	Request string
}

// RelinkFinishRequest takes a person over to the number of the bearer. Person is who the
// registry has under Reference, "" for nobody.
type RelinkFinishRequest struct {
	Holder    Holder
	Reference id.Reference
	Person    id.Person
}

// RelinkPropose is the first member of staff's request. It tells nothing of the person.
func (c *Client) RelinkPropose(ctx context.Context, r GlassRequest) (Glass, error) {
	return call[GlassRequest, Glass](ctx, c, MethodRelinkPropose, r)
}

// RelinkApprove is the second one's word. fault.NotFound: the number or the document is not
// right. The three days begin.
func (c *Client) RelinkApprove(ctx context.Context, r GlassAct) (Glass, error) {
	return call[GlassAct, Glass](ctx, c, MethodRelinkApprove, r)
}

// RelinkStaffStop is a member of staff who stops one.
func (c *Client) RelinkStaffStop(ctx context.Context, r GlassAct) (Done, error) {
	return call[GlassAct, Done](ctx, c, MethodRelinkStaffStop, r)
}

// RelinkList is what waits of the people of a bearer.
func (c *Client) RelinkList(ctx context.Context, h Holder) (RelinkList, error) {
	return call[Holder, RelinkList](ctx, c, MethodRelinkList, h)
}

// RelinkStop stops one; fault.NotFound when none of that id waits for the bearer's people.
func (c *Client) RelinkStop(ctx context.Context, r RelinkStopRequest) (Done, error) {
	return call[RelinkStopRequest, Done](ctx, c, MethodRelinkStop, r)
}

// RelinkFinish takes the person over, once the three days are past. Repeating it answers the
// same. fault.NotFound: nothing waits for this number under that reference number.
func (c *Client) RelinkFinish(ctx context.Context, r RelinkFinishRequest) (Linked, error) {
	return call[RelinkFinishRequest, Linked](ctx, c, MethodRelinkFinish, r)
}
