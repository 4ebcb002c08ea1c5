package edge

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Devices is the vault's part of how a household signs in: its devices and its PIN (ADR 39).
type Devices interface {
	Devices(ctx context.Context, h vault.Holder) (vault.DeviceList, error)
	DeviceEnd(ctx context.Context, r vault.DeviceEndRequest) error
	DeviceCodes
}

// DeviceCodes confirms the device that asks.
type DeviceCodes interface {
	DeviceCode(ctx context.Context, r vault.DeviceCodeRequest) (vault.CodeIssued, error)
	DeviceConfirm(ctx context.Context, r vault.DeviceAnswer) error
	PINs
}

// PINs is the PIN of a household.
type PINs interface {
	PINSet(ctx context.Context, r vault.PINRequest) error
	PINGive(ctx context.Context, r vault.PINAnswer) error
	PINEnd(ctx context.Context, r vault.PINEndRequest) (vault.PINEnded, error)
}

func deviceRoutes() []Route {
	post := func(path, action string, rate Rate, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: Holder, Action: action, Rate: rate, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		{Method: "GET", Path: "/api/v3/devices", Audience: Holder, Action: "device.list", Rate: RateSelf, ContentType: typeJSON, Handler: deviceList},
		post("/api/v3/devices/end", "device.end", RateSelf, deviceEnd),
		post("/api/v3/devices/code", "device.code", RateCode, deviceCode),
		post("/api/v3/devices/confirm", "device.confirm", RateCode, deviceConfirm),
		post("/api/v3/pin", "pin.set", RateCode, pinSet),
		post("/api/v3/pin/give", "pin.give", RateCode, pinGive),
		post("/api/v3/pin/delete", "pin.end", RateCode, pinEnd),
	}
}

// device is the request as the device's own key signed it, or nil: clients that know no
// device keys send no proof.
func (c *Ctx) device() (*vault.Signed, error) {
	if len(c.r.Header.Values("DPoP")) == 0 {
		return nil, nil
	}
	s, err := c.signed()
	if err == nil {
		_, err = checkProof(s, c.s.cfg.Now())
	}
	return &s, err
}

// wireWay is one device of a household.
type wireWay struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Since string `json:"since"`
	Last  string `json:"last_seen"`
	Until string `json:"trusted_from,omitempty"`
	This  bool   `json:"this_device"`
}

func deviceList(c *Ctx) error {
	got, err := c.s.cfg.Devices.Devices(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	day := func(ms int64) string { return civil.Of(time.UnixMilli(ms).UTC()).Indian() }
	out := struct {
		Waiting bool      `json:"new_device"`
		Other   bool      `json:"other_channel"`
		PIN     string    `json:"pin"`
		Ends    string    `json:"pin_ends,omitempty"`
		From    string    `json:"pin_from,omitempty"`
		Devices []wireWay `json:"devices"`
	}{Waiting: got.Waiting, Other: got.Other, PIN: got.PIN, Devices: []wireWay{}}
	if got.Ends > 0 {
		out.Ends = instant(got.Ends)
	}
	if got.From > 0 {
		out.From = instant(got.From)
	}
	for _, d := range got.Devices {
		w := wireWay{ID: d.ID, Kind: d.Kind, State: d.State, Since: day(d.Since), Last: day(d.Last), This: d.This}
		if d.Until > 0 {
			w.Until = instant(d.Until)
		}
		out.Devices = append(out.Devices, w)
	}
	return c.json(out)
}

func deviceEnd(c *Ctx) error {
	var in struct {
		ID string `json:"id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !token(in.ID) {
		return missing("id")
	}
	return c.nothing(c.s.cfg.Devices.DeviceEnd(c.r.Context(), vault.DeviceEndRequest{Holder: c.holder, ID: in.ID}))
}

// nothing answers an act that has no answer.
func (c *Ctx) nothing(err error) error {
	if err == nil {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func deviceCode(c *Ctx) error {
	if err := c.decode(&struct{}{}); err != nil {
		return err
	}
	got, err := c.s.cfg.Devices.DeviceCode(c.r.Context(), vault.DeviceCodeRequest{Holder: c.holder, Language: c.language()})
	if err != nil {
		return err
	}
	return c.issued(got)
}

func deviceConfirm(c *Ctx) error {
	var in struct {
		OTP otpField `json:"otp"`
		Txn string   `json:"txnId"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if len(in.OTP) != 1 {
		return missing("otp")
	}
	if !id.Valid(in.Txn) {
		return missing("txnId")
	}
	return c.nothing(c.s.cfg.Devices.DeviceConfirm(c.r.Context(), vault.DeviceAnswer{Holder: c.holder, Txn: in.Txn, Digest: in.OTP[0]}))
}

// pinField is a PIN: its digits as text, so that none is lost at its beginning.
type pinField string

// UnmarshalJSON takes a text of up to 12 digits. What is a good PIN is the vault's to say.
func (p *pinField) UnmarshalJSON(b []byte) error {
	bad := fault.New(fault.Invalid, "pin", "a PIN has 6 to 12 digits")
	if len(b) < 2 || len(b) > 14 || b[0] != '"' || b[len(b)-1] != '"' {
		return bad
	}
	s := string(b[1 : len(b)-1])
	if strings.Trim(s, "0123456789") != "" {
		return bad
	}
	*p = pinField(s)
	return nil
}

func pinSet(c *Ctx) error {
	var in struct {
		PIN pinField `json:"pin"`
		Old pinField `json:"old_pin"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.PIN == "" {
		return missing("pin")
	}
	return c.nothing(c.s.cfg.Devices.PINSet(c.r.Context(), vault.PINRequest{Holder: c.holder, PIN: string(in.PIN), Old: string(in.Old)}))
}

func pinGive(c *Ctx) error {
	var in struct {
		PIN pinField `json:"pin"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.PIN == "" {
		return missing("pin")
	}
	return c.nothing(c.s.cfg.Devices.PINGive(c.r.Context(), vault.PINAnswer{Holder: c.holder, PIN: string(in.PIN)}))
}

// pinEnd answers when the PIN goes; nothing when it is gone.
func pinEnd(c *Ctx) error {
	var in struct {
		PIN pinField `json:"pin"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	got, err := c.s.cfg.Devices.PINEnd(c.r.Context(), vault.PINEndRequest{Holder: c.holder, PIN: string(in.PIN)})
	if err != nil {
		return err
	}
	out := map[string]string{}
	if got.Ends > 0 {
		out["pin_ends"] = instant(got.Ends)
	}
	return c.json(out)
}
