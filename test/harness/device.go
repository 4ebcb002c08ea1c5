package harness

import "encoding/json"

// DeviceKey is a browser's key that nobody enrolled.
func (s *Server) DeviceKey() StaffKey {
	s.tb.Helper()
	k, err := NewStaffKey("", 0)
	if err != nil {
		s.tb.Fatal(err)
	}
	return k
}

// CodeOn asks for a code on a device.
func (c *Client) CodeOn(k StaffKey, mobile string) (txn, code string) {
	c.Server.tb.Helper()
	have := len(c.Server.To(mobile))
	a := c.need("generateOTP", c.Signed(k, "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}))
	return a.Field("txnId"), c.Server.codeAfter(mobile, have)
}

// ConfirmOn answers a code on a device. The answer may be a refusal.
func (c *Client) ConfirmOn(k StaffKey, txn, code string) (bearer string, a Answer) {
	c.Server.tb.Helper()
	a = c.Signed(k, "/v2/auth/public/confirmOTP", map[string]any{"otp": Digest(code), "txnId": txn})
	return a.Field("token"), a
}

// SignInOn is SignIn on a device.
func (c *Client) SignInOn(k StaffKey, mobile string) *Client {
	c.Server.tb.Helper()
	txn, code := c.CodeOn(k, mobile)
	bearer, a := c.ConfirmOn(k, txn, code)
	c.need("confirmOTP", a)
	return c.With(bearer)
}

// Devices is what signs a household in.
type Devices struct {
	New     bool   `json:"new_device"`
	Other   bool   `json:"other_channel"`
	PIN     string `json:"pin"`
	Devices []struct {
		ID    string `json:"id"`
		State string `json:"state"`
		This  bool   `json:"this_device"`
	} `json:"devices"`
}

// Devices lists it.
func (c *Client) Devices() (d Devices) {
	c.Server.tb.Helper()
	a := c.need("devices", c.Must("GET", "/v3/devices", nil))
	if err := json.Unmarshal(a.Body, &d); err != nil {
		c.Server.tb.Fatal(err)
	}
	return d
}

// OtherChannel gives the household an e-mail address and returns it.
func (c *Client) OtherChannel() string {
	c.Server.tb.Helper()
	address := "d" + c.Server.Mobile() + "@mail.example"
	a := c.need("email", c.Must("POST", "/v3/email", map[string]any{"email": address}))
	code := c.Server.codeAfter(address, 0)
	c.need("email/confirm", c.Must("POST", "/v3/email/confirm", map[string]any{"otp": Digest(code), "txnId": a.Field("txnId")}))
	return address
}

// OtherCode asks for a code to the other channel that confirms this device.
func (c *Client) OtherCode(address string) (txn, code string) {
	c.Server.tb.Helper()
	have := len(c.Server.To(address))
	a := c.need("devices/code", c.Must("POST", "/v3/devices/code", map[string]any{}))
	return a.Field("txnId"), c.Server.codeAfter(address, have)
}
