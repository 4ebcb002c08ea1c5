package edge

import (
	"encoding/json"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// requestCode is A1 and A5. The portal's "secret" has no security value and is
// ignored (contract.md 1.2).
func requestCode(c *Ctx) error {
	var in struct {
		Mobile loose  `json:"mobile"`
		Work   string `json:"work"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Mobile == "" {
		return missing("mobile")
	}
	device, err := c.device()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Codes.RequestCode(c.r.Context(), vault.CodeRequest{Mobile: string(in.Mobile), Origin: c.origin, Language: c.language(),
		Chosen: c.r.Header.Get("Accept-Language") != "", Work: in.Work, Device: device})
	if err != nil {
		return err
	}
	if got.Challenge != "" {
		return fault.New(fault.RateLimited, "challenge", got.Challenge)
	}
	return c.issued(got)
}

// issued answers a request for a code: the transaction alone, as CoWIN does, when
// a gateway has taken it; else also what the person has to know.
func (c *Ctx) issued(got vault.CodeIssued) error {
	out := map[string]string{"txnId": got.Txn}
	if got.Held > 0 {
		out["delivery"] = "waiting"
		out["message"] = inLanguage(c.language(), codeWaits)
	}
	return c.json(out)
}

// confirmCode is A2, and with account A6. The answer is the lower-case hex
// SHA-256 of the code, exactly one (defence.md R13).
func confirmCode(account bool) func(*Ctx) error {
	return func(c *Ctx) error {
		var in struct {
			OTP otpField `json:"otp"`
			Txn string   `json:"txnId"`
		}
		if err := c.decode(&in); err != nil {
			return err
		}
		if len(in.OTP) == 0 {
			return missing("otp")
		}
		if in.Txn == "" {
			return missing("txnId")
		}
		if !id.Valid(in.Txn) {
			return fault.New(fault.Unauthorized, "txn", "no such transaction")
		}
		device, err := c.device()
		if err != nil {
			return err
		}
		var s vault.Session
		for _, digest := range in.OTP {
			if s, err = c.s.cfg.Codes.ConfirmCode(c.r.Context(), vault.CodeAnswer{Txn: in.Txn, Digest: digest, Origin: c.origin, Device: device}); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		c.s.verified.put(s.Bearer, s.ExpiresAt/1000) // the vault has just made it
		out := map[string]string{"token": s.Bearer}
		if account {
			out["isNewAccount"] = "N"
			if s.NewAccount {
				out["isNewAccount"] = "Y"
			}
		}
		return c.json(out)
	}
}

// otpField holds the answer to a code: one digest. Only builds that switch
// controls off take a list.
type otpField []string

// UnmarshalJSON accepts one string of 64 lower-case hex digits.
func (o *otpField) UnmarshalJSON(b []byte) error {
	bad := fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	if ablate.Off(ablate.OTPFormat) && len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(o))
	}
	var s string
	if json.Unmarshal(b, &s) != nil || len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return bad
	}
	*o = otpField{s}
	return nil
}

func endSession(c *Ctx) error {
	if err := c.decode(&struct{}{}); err != nil {
		return err
	}
	if err := c.s.cfg.Codes.EndSession(c.r.Context(), c.holder); err != nil {
		return err
	}
	c.w.WriteHeader(204)
	return nil
}
