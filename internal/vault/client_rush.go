package vault

import "context"

// The methods of bookings in numbers.
const (
	MethodBookMany    = "booking.many"
	MethodSettledMany = "booking.settledmany"
)

// BookMany asks leave for many bookings; each has its own outcome in the answer.
func (c *Client) BookMany(ctx context.Context, r BookManyRequest) (BookedMany, error) {
	return call[BookManyRequest, BookedMany](ctx, c, MethodBookMany, r)
}

// SettledMany reports the ends of many acts. Reporting one twice is no error.
func (c *Client) SettledMany(ctx context.Context, r SettledManyRequest) error {
	_, err := call[SettledManyRequest, Empty](ctx, c, MethodSettledMany, r)
	return err
}
