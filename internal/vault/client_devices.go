package vault

import "context"

// The methods of a household's devices and PIN.
const (
	MethodDevices       = "device.list"
	MethodDeviceEnd     = "device.end"
	MethodDeviceCode    = "device.code"
	MethodDeviceConfirm = "device.confirm"
	MethodPINSet        = "pin.set"
	MethodPINGive       = "pin.give"
	MethodPINEnd        = "pin.end"
)

// Devices lists what signs a household in.
func (c *Client) Devices(ctx context.Context, h Holder) (DeviceList, error) {
	return call[Holder, DeviceList](ctx, c, MethodDevices, h)
}

// DeviceEnd ends one of them; fault.NotFound when there is none of that name.
func (c *Client) DeviceEnd(ctx context.Context, r DeviceEndRequest) error {
	_, err := call[DeviceEndRequest, Empty](ctx, c, MethodDeviceEnd, r)
	return err
}

// DeviceCode sends a code to the other channel; fault.Conflict when there is none, or
// nothing to confirm, fault.RateLimited beyond the budgets.
func (c *Client) DeviceCode(ctx context.Context, r DeviceCodeRequest) (CodeIssued, error) {
	return call[DeviceCodeRequest, CodeIssued](ctx, c, MethodDeviceCode, r)
}

// DeviceConfirm confirms the device that asks; fault.Invalid for a wrong answer.
func (c *Client) DeviceConfirm(ctx context.Context, r DeviceAnswer) error {
	_, err := call[DeviceAnswer, Empty](ctx, c, MethodDeviceConfirm, r)
	return err
}

// PINSet sets or changes the PIN; fault.Invalid when it is none, easy to guess, or the old
// one is not right.
func (c *Client) PINSet(ctx context.Context, r PINRequest) error {
	_, err := call[PINRequest, Empty](ctx, c, MethodPINSet, r)
	return err
}

// PINGive gives it; fault.Invalid, always the same, when it is not right, locked, or there
// is none.
func (c *Client) PINGive(ctx context.Context, r PINAnswer) error {
	_, err := call[PINAnswer, Empty](ctx, c, MethodPINGive, r)
	return err
}

// PINEnd takes it away.
func (c *Client) PINEnd(ctx context.Context, r PINEndRequest) (PINEnded, error) {
	return call[PINEndRequest, PINEnded](ctx, c, MethodPINEnd, r)
}
