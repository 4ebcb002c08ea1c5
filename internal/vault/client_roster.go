package vault

import "context"

// The methods of the day's list and of what trips.
const (
	MethodDayList     = "roster.list"
	MethodRosterRow   = "roster.row"
	MethodRosterOpen  = "roster.open"
	MethodVisitClose  = "visit.close"
	MethodTripped     = "budget.tripped"
	MethodTrippedSeen = "budget.seen"
)

// DayList releases the list of a session that is open at the staff member's centre today.
func (c *Client) DayList(ctx context.Context, r DayListRequest) (DayList, error) {
	return call[DayListRequest, DayList](ctx, c, MethodDayList, r)
}

// RosterRow says whose record a row needs. It releases nothing and spends no proof.
func (c *Client) RosterRow(ctx context.Context, r RosterRowRequest) (RosterRow, error) {
	return call[RosterRowRequest, RosterRow](ctx, c, MethodRosterRow, r)
}

// RosterOpen opens a row of the day's list within the budgets. fault.Forbidden with a code
// that begins with NEEDCODE: not without what the person shows.
func (c *Client) RosterOpen(ctx context.Context, r RosterOpenRequest) (RosterOpened, error) {
	return call[RosterOpenRequest, RosterOpened](ctx, c, MethodRosterOpen, r)
}

// VisitClose ends a visit without a dose.
func (c *Client) VisitClose(ctx context.Context, r VisitCloseRequest) (Done, error) {
	return call[VisitCloseRequest, Done](ctx, c, MethodVisitClose, r)
}

// Tripped lists what tripped at a centre, or within the asker's place.
func (c *Client) Tripped(ctx context.Context, r TrippedRequest) (Tripped, error) {
	return call[TrippedRequest, Tripped](ctx, c, MethodTripped, r)
}

// TrippedSeen notes that somebody has seen to what tripped. fault.NotFound: it is not on
// the list.
func (c *Client) TrippedSeen(ctx context.Context, r SeenRequest) (Done, error) {
	return call[SeenRequest, Done](ctx, c, MethodTrippedSeen, r)
}
