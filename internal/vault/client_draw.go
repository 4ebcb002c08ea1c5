package vault

import "context"

// The methods of draws.
const (
	MethodDrawn     = "booking.drawn"
	MethodCloseDraw = "draw.close"
)

// Drawn ends the wait of an entry of a draw.
func (c *Client) Drawn(ctx context.Context, r DrawnRequest) (Booked, error) {
	return call[DrawnRequest, Booked](ctx, c, MethodDrawn, r)
}

// CloseDraw commits to a draw's entries on the ledger.
func (c *Client) CloseDraw(ctx context.Context, r CloseDrawRequest) (DrawCommitted, error) {
	return call[CloseDrawRequest, DrawCommitted](ctx, c, MethodCloseDraw, r)
}
