package edge

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Emails is the vault's part of a household's other channel; *vault.Client
// satisfies it.
type Emails interface {
	EmailCode(ctx context.Context, r vault.EmailRequest) (vault.CodeIssued, error)
	EmailConfirm(ctx context.Context, r vault.EmailAnswer) error
	EmailState(ctx context.Context, h vault.Holder) (vault.EmailState, error)
	EmailDrop(ctx context.Context, h vault.Holder) error
}

// emailRoutes let a household have its messages by e-mail as well.
func emailRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/v3/email", Audience: Holder, Action: "email.state", Rate: RateSelf, ContentType: typeJSON, Handler: emailState},
		{Method: "POST", Path: "/api/v3/email", Audience: Holder, Action: "email.code", Rate: RateCode, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: emailCode},
		{Method: "POST", Path: "/api/v3/email/confirm", Audience: Holder, Action: "email.confirm", Rate: RateCode, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: emailConfirm},
		{Method: "POST", Path: "/api/v3/email/delete", Audience: Holder, Action: "email.drop", Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: emailDrop},
	}
}

// emailState says whether there is an address, and never which.
func emailState(c *Ctx) error {
	got, err := c.s.cfg.Emails.EmailState(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	out := map[string]any{"confirmed": got.Confirmed}
	if got.Confirmed {
		out["since"] = civil.Of(time.UnixMilli(got.Since).UTC()).Indian()
	}
	return c.json(out)
}

func emailCode(c *Ctx) error {
	var in struct {
		Email personal `json:"email"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Email == "" {
		return missing("email")
	}
	got, err := c.s.cfg.Emails.EmailCode(c.r.Context(), vault.EmailRequest{Holder: c.holder, Email: string(in.Email), Language: c.language()})
	if err != nil {
		return err
	}
	return c.issued(got)
}

func emailConfirm(c *Ctx) error {
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
	err := c.s.cfg.Emails.EmailConfirm(c.r.Context(), vault.EmailAnswer{Holder: c.holder, Txn: in.Txn, Digest: in.OTP[0]})
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func emailDrop(c *Ctx) error {
	if err := c.decode(&struct{}{}); err != nil {
		return err
	}
	if err := c.s.cfg.Emails.EmailDrop(c.r.Context(), c.holder); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// knownPlace refuses a wish for a district or PIN code that is none: it would
// stand for two months and tell nothing.
func (c *Ctx) knownPlace(district int, pin string) error {
	if district != 0 {
		if _, ok := c.s.cfg.Places.District(district); !ok {
			return fault.New(fault.Invalid, "district_id", "no district has this number; choose one of the list of districts")
		}
		return nil
	}
	if _, ok := c.s.cfg.Places.ByPIN(pin); !ok && !c.centreAt(pin) {
		return fault.New(fault.Invalid, "APPOIN0018", "no postal area and no centre has this PIN code; look whether it is right")
	}
	return nil
}

// centreAt reports whether a centre has a PIN code.
func (c *Ctx) centreAt(pin string) bool {
	key, err := strconv.ParseInt(pin, 10, 64)
	return err == nil && len(c.s.cfg.Search.Centres(scheduling.ByPIN, key)) > 0
}
