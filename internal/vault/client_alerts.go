package vault

import "context"

// The methods of messages about free places.
const (
	MethodWish   = "alert.wish"
	MethodUnwish = "alert.unwish"
	MethodTell   = "alert.tell"
)

// Wish gives leave to tell the holder's household. The same ID twice is once.
func (c *Client) Wish(ctx context.Context, r WishRequest) error {
	_, err := call[WishRequest, Empty](ctx, c, MethodWish, r)
	return err
}

// Unwish takes a leave back. Taking it back twice is no error.
func (c *Client) Unwish(ctx context.Context, r UnwishRequest) error {
	_, err := call[UnwishRequest, Empty](ctx, c, MethodUnwish, r)
	return err
}

// Tell tells a household of free places, within its leave and budget.
func (c *Client) Tell(ctx context.Context, r TellRequest) (Told, error) {
	return call[TellRequest, Told](ctx, c, MethodTell, r)
}
