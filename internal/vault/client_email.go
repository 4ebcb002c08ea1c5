package vault

import "context"

// The methods of a household's other channel.
const (
	MethodEmailCode    = "email.code"
	MethodEmailConfirm = "email.confirm"
	MethodEmailState   = "email.state"
	MethodEmailDrop    = "email.drop"
)

// EmailCode sends a code to an address. fault.Invalid when it is none or no route
// takes it, fault.RateLimited beyond the budgets.
func (c *Client) EmailCode(ctx context.Context, r EmailRequest) (CodeIssued, error) {
	return call[EmailRequest, CodeIssued](ctx, c, MethodEmailCode, r)
}

// EmailConfirm makes the address of a right answer the household's other channel,
// in place of the one before.
func (c *Client) EmailConfirm(ctx context.Context, r EmailAnswer) error {
	_, err := call[EmailAnswer, Empty](ctx, c, MethodEmailConfirm, r)
	return err
}

// EmailState tells whether there is one.
func (c *Client) EmailState(ctx context.Context, h Holder) (EmailState, error) {
	return call[Holder, EmailState](ctx, c, MethodEmailState, h)
}

// EmailDrop forgets it. Forgetting it twice is no error.
func (c *Client) EmailDrop(ctx context.Context, h Holder) error {
	_, err := call[Holder, Empty](ctx, c, MethodEmailDrop, h)
	return err
}
