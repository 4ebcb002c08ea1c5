package portal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// Ways is how a household signs in: its devices, its PIN and its other channel (ADR 39).
type Ways struct {
	Devices Devices
	PINs    PINs
	Emails  Emails
}

// Devices are the vault's words about a household's devices.
type Devices interface {
	Devices(ctx context.Context, h vault.Holder) (vault.DeviceList, error)
	DeviceEnd(ctx context.Context, r vault.DeviceEndRequest) error
	DeviceCode(ctx context.Context, r vault.DeviceCodeRequest) (vault.CodeIssued, error)
	DeviceConfirm(ctx context.Context, r vault.DeviceAnswer) error
}

// PINs are the vault's words about a household's PIN.
type PINs interface {
	PINSet(ctx context.Context, r vault.PINRequest) error
	PINGive(ctx context.Context, r vault.PINAnswer) error
	PINEnd(ctx context.Context, r vault.PINEndRequest) (vault.PINEnded, error)
}

// Emails are the vault's words about a household's other channel.
type Emails interface {
	EmailCode(ctx context.Context, r vault.EmailRequest) (vault.CodeIssued, error)
	EmailConfirm(ctx context.Context, r vault.EmailAnswer) error
	EmailState(ctx context.Context, h vault.Holder) (vault.EmailState, error)
	EmailDrop(ctx context.Context, h vault.Holder) error
}

const (
	devicesPath = "/account/devices"
	pinPath     = "/account/pin"
	emailPath   = "/account/email"
)

// waysRoutes are the pages about how a household signs in.
func waysRoutes() []Route {
	return phones([]Route{
		mine(devicesPath, "ways.devices", devices, "done"),
		act(devicesPath+"/end", "ways.device_end", deviceEnd, "id"),
		act(devicesPath+"/card", "ways.device_card", deviceCard, "card").secret("pin"),
		act(devicesPath+"/pin", "ways.device_pin", devicePIN).secret("pin"),
		act(devicesPath+"/code", "ways.device_code", deviceCode),
		act(devicesPath+"/confirm", "ways.device_confirm", deviceConfirm).secret("txn", "code"),
		mine(pinPath, "ways.pin", pinPage, "done"),
		act(pinPath, "ways.pin_set", pinSet).secret("new", "old"),
		act(pinPath+"/end", "ways.pin_end", pinEnd).secret("old"),
		act(pinPath+"/back", "ways.pin_back", pinBack).secret("pin"),
		mine(emailPath, "ways.email", emailPage, "done"),
		act(emailPath, "ways.email_code", emailCode, "email"),
		act(emailPath+"/confirm", "ways.email_confirm", emailConfirm).secret("txn", "code"),
		act(emailPath+"/delete", "ways.email_drop", emailDrop),
	})
}

// notes are what a page says of what was just done, by the word in its address.
func notes(done string) string {
	return map[string]string{"ended": "ways.done_ended", "confirmed": "ways.done_confirmed", "pin_set": "ways.done_pin_set", "pin_gone": "ways.done_pin_gone", "pin_later": "ways.done_pin_later",
		"pin_back": "ways.done_pin_back", "email_set": "ways.done_email_set", "email_gone": "ways.done_email_gone"}[done]
}

// refused says why the vault would not, where that is no fault of the form.
func (c *Ctx) refused(err error) (warn string, status int) {
	switch {
	case fault.CodeOf(err) == "NEWDEVICE":
		c.waiting = true
		return "ways.new_device", http.StatusForbidden
	case fault.CodeOf(err) == "FIRSTDAY":
		return "ways.first_day", http.StatusForbidden
	case fault.CodeOf(err) == "card":
		return "ways.not_by_card", http.StatusForbidden
	case fault.CodeOf(err) == "other-channel", fault.CodeOf(err) == "device":
		return "ways.no_other", http.StatusConflict
	case fault.CodeOf(err) == "USRAUT0018":
		return "ways.many", http.StatusTooManyRequests
	case fault.CodeOf(err) == "OTPNOTSENT", fault.CodeOf(err) == "OTPUNSURE":
		return "ways.unsent", http.StatusServiceUnavailable
	}
	return "", 0
}

// devices shows what signs the household in.
func devices(c *Ctx) error {
	return c.showDevices(http.StatusOK, view.DevicesPage{Note: notes(c.form.Get("done"))})
}

func (c *Ctx) showDevices(status int, x view.DevicesPage) error {
	got, err := c.s.cfg.Ways.Devices.Devices(c.r.Context(), c.holder)
	if warn, s := c.refused(err); warn != "" {
		return c.render(s, view.WaysRefused(c.page("ways.devices"), warn))
	}
	if err != nil {
		return err
	}
	c.waiting = got.Waiting
	x.Waiting, x.Other, x.PIN = got.Waiting, got.Other, got.PIN == vault.PINSet || got.PIN == vault.PINEnding
	for _, d := range got.Devices {
		w := view.DeviceLine{ID: d.ID, Kind: "ways.kind_" + d.Kind, This: d.This, Waits: d.State == vault.DeviceWaiting, Since: c.indianDay(d.Since), Last: c.indianDay(d.Last)}
		if d.Until > 0 {
			w.Until = c.say.Clock(time.UnixMilli(d.Until))
			if d.This {
				x.Until = w.Until
			}
		}
		x.Devices = append(x.Devices, w)
	}
	p := c.page("ways.devices")
	p.Wrong = x.Card.Wrong != "" || x.CardPIN.Wrong != "" || x.Give.Wrong != ""
	return c.render(status, view.Devices(p, x))
}

// indianDay is a day in India.
func (c *Ctx) indianDay(ms int64) string {
	return c.say.Day(civil.Of(time.UnixMilli(ms).In(statistics.India())))
}

// after goes on to a page that says what was done, or shows why not. again shows the form
// anew.
func (c *Ctx) after(err error, path, done string, again func(warn string, status int) error) error {
	if err == nil {
		return c.see(path + "?done=" + done)
	}
	if warn, status := c.refused(err); warn != "" {
		return again(warn, status)
	}
	return err
}

func (c *Ctx) devicesAgain(warn string, status int) error {
	return c.showDevices(status, view.DevicesPage{Warn: warn})
}

func deviceEnd(c *Ctx) error {
	if c.keep {
		return c.showDevices(http.StatusOK, view.DevicesPage{})
	}
	err := c.s.cfg.Ways.Devices.DeviceEnd(c.r.Context(), vault.DeviceEndRequest{Holder: c.holder, ID: c.form.Get("id")})
	if fault.Is(err, fault.NotFound) {
		err = nil // it is ended already
	}
	return c.after(err, devicesPath, "ended", c.devicesAgain)
}

// deviceCard confirms the device that asks with a card of the household and its PIN.
func deviceCard(c *Ctx) error {
	x := view.DevicesPage{Card: view.Field{Value: c.form.Get("card")}}
	if c.keep {
		return c.showDevices(http.StatusOK, x)
	}
	pin, ok := pinTyped(c.form.Get("pin"))
	if _, err := vault.ParseCard(x.Card.Value); err != nil {
		x.Card.Wrong = "sign.card_form"
	}
	if !ok {
		x.CardPIN.Wrong = "sign.pin_form"
	}
	if x.Card.Wrong != "" || x.CardPIN.Wrong != "" {
		return c.showDevices(http.StatusUnprocessableEntity, x)
	}
	err := c.s.cfg.Unlock.ShowCard(c.r.Context(), vault.ShowCardRequest{Holder: c.holder, Card: x.Card.Value, PIN: pin})
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
		x.CardPIN.Wrong = "sign.card_wrong"
		return c.showDevices(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, devicesPath, "confirmed", c.devicesAgain)
}

// pinTyped reads a PIN as typed, in the digits of any script.
func pinTyped(typed string) (string, bool) {
	s, ok := catalogue.Digits(typed, 12)
	return s, ok && s[0] != '+'
}

// devicePIN confirms the device that asks with the household's PIN.
func devicePIN(c *Ctx) error {
	if c.keep {
		return c.showDevices(http.StatusOK, view.DevicesPage{})
	}
	pin, ok := pinTyped(c.form.Get("pin"))
	x := view.DevicesPage{Give: view.Field{Wrong: "sign.pin_form"}}
	if !ok {
		return c.showDevices(http.StatusUnprocessableEntity, x)
	}
	err := c.s.cfg.Ways.PINs.PINGive(c.r.Context(), vault.PINAnswer{Holder: c.holder, PIN: pin})
	if fault.Is(err, fault.Invalid) {
		x.Give.Wrong = "ways.pin_wrong"
		return c.showDevices(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, devicesPath, "confirmed", c.devicesAgain)
}

// deviceCode sends a code to the other channel and asks for it.
func deviceCode(c *Ctx) error {
	if c.keep {
		return c.showDevices(http.StatusOK, view.DevicesPage{})
	}
	got, err := c.s.cfg.Ways.Devices.DeviceCode(c.r.Context(), vault.DeviceCodeRequest{Holder: c.holder, Language: c.tongue()})
	if err != nil {
		return c.after(err, "", "", c.devicesAgain)
	}
	return c.askChannel(http.StatusOK, view.ChannelPage{Action: devicesPath + "/confirm", Back: devicesPath, Txn: got.Txn})
}

func (c *Ctx) askChannel(status int, x view.ChannelPage) error {
	p := c.page("ways.channel_title")
	p.KeepForm = "channel"
	p.Wrong = x.Code.Wrong != ""
	return c.render(status, view.Channel(p, x))
}

// channelCode reads the answer to a code of the other channel; ok is false when the page has
// been shown again.
func (c *Ctx) channelCode(x *view.ChannelPage) (digest string, ok bool, err error) {
	x.Txn = c.form.Get("txn")
	if c.keep && x.Txn == "" { // after a sign-in: the code is of a session that has ended
		return "", false, c.see(x.Back)
	}
	if c.keep {
		return "", false, c.askChannel(http.StatusOK, *x)
	}
	code, ok := catalogue.Digits(c.form.Get("code"), 6)
	if !ok || len(code) != 6 || code[0] == '+' {
		x.Code = view.Field{Value: c.form.Get("code"), Wrong: "sign.code_form"}
		return "", false, c.askChannel(http.StatusUnprocessableEntity, *x)
	}
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:]), true, nil
}

func deviceConfirm(c *Ctx) error {
	x := view.ChannelPage{Action: devicesPath + "/confirm", Back: devicesPath}
	digest, ok, err := c.channelCode(&x)
	if !ok {
		return err
	}
	err = c.s.cfg.Ways.Devices.DeviceConfirm(c.r.Context(), vault.DeviceAnswer{Holder: c.holder, Txn: x.Txn, Digest: digest})
	if fault.Is(err, fault.Invalid) {
		x.Code.Wrong = "sign.code_wrong"
		return c.askChannel(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, devicesPath, "confirmed", c.devicesAgain)
}

func pinPage(c *Ctx) error {
	return c.showPIN(http.StatusOK, view.PINPage{Note: notes(c.form.Get("done"))})
}

func (c *Ctx) showPIN(status int, x view.PINPage) error {
	got, err := c.s.cfg.Ways.Devices.Devices(c.r.Context(), c.holder)
	if err == nil && got.Waiting && x.Warn == "" {
		x.Warn, status = "ways.new_device", http.StatusForbidden
	}
	if warn, s := c.refused(err); warn != "" {
		return c.render(s, view.WaysRefused(c.page("ways.pin"), warn))
	}
	if err != nil {
		return err
	}
	c.waiting = got.Waiting
	x.State, x.Waiting = "ways.pin_"+got.PIN, got.Waiting
	x.Has = got.PIN == vault.PINSet || got.PIN == vault.PINEnding || got.PIN == vault.PINLocked
	x.Coming = got.PIN == vault.PINComing
	for _, at := range []int64{got.Ends, got.From} {
		if at > 0 {
			x.At = c.say.Clock(time.UnixMilli(at))
		}
	}
	p := c.page("ways.pin")
	p.Wrong = x.New.Wrong != "" || x.Old.Wrong != "" || x.End.Wrong != "" || x.Back.Wrong != ""
	return c.render(status, view.PIN(p, x))
}

func (c *Ctx) pinAgain(warn string, status int) error {
	return c.showPIN(status, view.PINPage{Warn: warn})
}

func pinSet(c *Ctx) error {
	if c.keep {
		return c.showPIN(http.StatusOK, view.PINPage{})
	}
	var x view.PINPage
	fresh, ok := pinTyped(c.form.Get("new"))
	if !ok {
		x.New.Wrong = "ways.pin_form"
		return c.showPIN(http.StatusUnprocessableEntity, x)
	}
	old, _ := pinTyped(c.form.Get("old"))
	err := c.s.cfg.Ways.PINs.PINSet(c.r.Context(), vault.PINRequest{Holder: c.holder, PIN: fresh, Old: old})
	switch fault.CodeOf(err) {
	case "pin":
		x.New.Wrong = "ways.pin_weak"
		return c.showPIN(http.StatusUnprocessableEntity, x)
	case "PIN":
		x.Old.Wrong = "ways.pin_wrong"
		return c.showPIN(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, pinPath, "pin_set", c.pinAgain)
}

func pinEnd(c *Ctx) error {
	if c.keep {
		return c.showPIN(http.StatusOK, view.PINPage{})
	}
	old, _ := pinTyped(c.form.Get("old")) // without it the PIN goes a day later
	got, err := c.s.cfg.Ways.PINs.PINEnd(c.r.Context(), vault.PINEndRequest{Holder: c.holder, PIN: old})
	if fault.CodeOf(err) == "PIN" {
		return c.showPIN(http.StatusUnprocessableEntity, view.PINPage{End: view.Field{Wrong: "ways.pin_wrong"}})
	}
	done := "pin_gone"
	if got.Ends > 0 {
		done = "pin_later"
	}
	return c.after(err, pinPath, done, c.pinAgain)
}

// pinBack gets back the people of a number that was idle.
func pinBack(c *Ctx) error {
	if c.keep {
		return c.showPIN(http.StatusOK, view.PINPage{})
	}
	pin, ok := pinTyped(c.form.Get("pin"))
	x := view.PINPage{Back: view.Field{Wrong: "sign.pin_form"}}
	if !ok {
		return c.showPIN(http.StatusUnprocessableEntity, x)
	}
	err := c.s.cfg.Ways.PINs.PINGive(c.r.Context(), vault.PINAnswer{Holder: c.holder, PIN: pin})
	if fault.Is(err, fault.Invalid) {
		x.Back.Wrong = "ways.pin_wrong"
		return c.showPIN(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, pinPath, "pin_back", c.pinAgain)
}

func emailPage(c *Ctx) error {
	return c.showEmail(http.StatusOK, view.EmailPage{Note: notes(c.form.Get("done"))})
}

func (c *Ctx) showEmail(status int, x view.EmailPage) error {
	got, err := c.s.cfg.Ways.Emails.EmailState(c.r.Context(), c.holder)
	if warn, s := c.refused(err); warn != "" {
		return c.render(s, view.WaysRefused(c.page("ways.email"), warn))
	}
	if err != nil {
		return err
	}
	if got.Confirmed {
		x.Since = c.indianDay(got.Since)
	}
	p := c.page("ways.email")
	p.Wrong = x.Email.Wrong != ""
	p.KeepForm = "email-form"
	return c.render(status, view.Email(p, x))
}

// emailCode sends a code to the address, which shows that it is the household's own. The
// address goes along to the next page's form in no other way than as the code's transaction.
func emailCode(c *Ctx) error {
	x := view.EmailPage{Email: view.Field{Value: c.form.Get("email")}}
	if c.keep {
		return c.showEmail(http.StatusOK, x)
	}
	if strings.TrimSpace(x.Email.Value) == "" {
		x.Email.Wrong = "ways.email_none"
		return c.showEmail(http.StatusUnprocessableEntity, x)
	}
	got, err := c.s.cfg.Ways.Emails.EmailCode(c.r.Context(), vault.EmailRequest{Holder: c.holder, Email: strings.TrimSpace(x.Email.Value), Language: c.tongue()})
	if fault.Is(err, fault.Invalid) {
		x.Email.Wrong = "ways.email_wrong"
		return c.showEmail(http.StatusUnprocessableEntity, x)
	}
	if err != nil {
		return c.after(err, "", "", func(warn string, status int) error {
			x.Warn = warn
			return c.showEmail(status, x)
		})
	}
	return c.askChannel(http.StatusOK, view.ChannelPage{Action: emailPath + "/confirm", Back: emailPath, Txn: got.Txn})
}

func emailConfirm(c *Ctx) error {
	x := view.ChannelPage{Action: emailPath + "/confirm", Back: emailPath}
	digest, ok, err := c.channelCode(&x)
	if !ok {
		return err
	}
	err = c.s.cfg.Ways.Emails.EmailConfirm(c.r.Context(), vault.EmailAnswer{Holder: c.holder, Txn: x.Txn, Digest: digest})
	if fault.Is(err, fault.Invalid) {
		x.Code.Wrong = "sign.code_wrong"
		return c.askChannel(http.StatusUnprocessableEntity, x)
	}
	return c.after(err, emailPath, "email_set", c.emailAgain)
}

func (c *Ctx) emailAgain(warn string, status int) error {
	return c.showEmail(status, view.EmailPage{Warn: warn})
}

func emailDrop(c *Ctx) error {
	if c.keep {
		return c.showEmail(http.StatusOK, view.EmailPage{})
	}
	return c.after(c.s.cfg.Ways.Emails.EmailDrop(c.r.Context(), c.holder), emailPath, "email_gone", c.emailAgain)
}
