package edge

import (
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// partnerCall is a partner's request as it was signed, with its key. Only the
// vault judges it. The address is the configured one, with the query: of CoWIN's
// routes the query says whose document is meant.
func (c *Ctx) partnerCall() (vault.PartnerCall, error) {
	keys, proofs := c.r.Header.Values("X-Api-Key"), c.r.Header.Values("DPoP")
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > 200 {
		return vault.PartnerCall{}, fault.New(fault.Forbidden, "partner", "Forbidden")
	}
	if len(proofs) != 1 || len(proofs[0]) > 4096 {
		return vault.PartnerCall{}, fault.New(fault.Forbidden, "proof", "a partner signs its requests: a DPoP proof is wanted beside the x-api-key")
	}
	address := c.s.cfg.PublicURL + c.r.URL.EscapedPath()
	if c.r.URL.RawQuery != "" {
		address += "?" + c.r.URL.RawQuery
	}
	return vault.PartnerCall{Key: keys[0], Signed: vault.Signed{Method: c.r.Method, URL: address, Body: c.body, Proof: proofs[0]}}, nil
}

// partnerCode is A3 and, for a status, the first step of KYC-VS. What is checked
// here is form; the vault reads the body itself, as it was signed.
func partnerCode(scope string) func(*Ctx) error {
	return func(c *Ctx) error {
		var in struct {
			Mobile loose    `json:"mobile"`
			Number loose    `json:"mobile_number"`
			Name   personal `json:"full_name"`
			Work   string   `json:"work"`
		}
		if err := c.decode(&in); err != nil {
			return err
		}
		switch {
		case scope == vault.ScopeSignIn && in.Mobile == "":
			return missing("mobile")
		case scope == vault.ScopeStatus && in.Number == "":
			return missing("mobile_number")
		case scope == vault.ScopeStatus && in.Name == "":
			return missing("full_name")
		}
		got, err := c.s.cfg.Partners.PartnerCode(c.r.Context(), vault.PartnerCodeRequest{Partner: *c.holder.Partner, Scope: scope, Language: c.language()})
		if err != nil {
			return err
		}
		if got.Challenge != "" {
			return fault.New(fault.RateLimited, "challenge", got.Challenge)
		}
		return c.issued(got)
	}
}

// partnerConfirm is A4 and, for a status, the second step of KYC-VS.
func partnerConfirm(scope string) func(*Ctx) error {
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
		s, err := c.s.cfg.Partners.PartnerConfirm(c.r.Context(), vault.PartnerCodeAnswer{Partner: *c.holder.Partner, Scope: scope})
		if err != nil {
			return err
		}
		out := map[string]string{"token": s.Bearer}
		if scope == vault.ScopeSignIn {
			out["isNewAccount"] = "N"
			if s.NewAccount {
				out["isNewAccount"] = "Y"
			}
		}
		return c.json(out)
	}
}

// vaccinationStatus is the last step of KYC-VS.
func vaccinationStatus(c *Ctx) error {
	var err error
	if c.holder.Bearer, err = c.s.bearerOf(c.r); err != nil {
		return err
	}
	got, err := c.s.cfg.People.VaccinationStatus(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	c.shown(got.ViewRef)
	return c.json(struct {
		Status   int      `json:"vaccination_status"`
		Signed   string   `json:"signed_status"`
		ViewRef  string   `json:"view_ref"`
		Receipts []string `json:"receipts"`
	}{got.Status, got.Signed, got.ViewRef, got.Receipts})
}

// What knowYourStatus says, in English and Hindi.
const (
	statusPage = "Your vaccination status can be told to an organisation that you choose, once, with a code that is sent to your mobile. " +
		"The message with the code names the organisation. Your access history shows what it was told. There are no links that show a status to whoever has them.\n"
	statusPageHi = "आपके टीकाकरण की स्थिति आपकी चुनी हुई संस्था को एक बार, आपके मोबाइल पर भेजे गए कोड से बताई जा सकती है। " +
		"कोड वाले संदेश में संस्था का नाम होता है। उसे क्या बताया गया, यह आपके एक्सेस इतिहास में दिखता है। ऐसा कोई लिंक नहीं है जो पाने वाले को स्थिति दिखा दे।\n"
)

// knowYourStatus is a page for people who were sent here by older texts.
func knowYourStatus(c *Ctx) error {
	text := statusPage
	if c.language() == "hi" {
		text = statusPageHi
	}
	c.public(3600)
	c.w.Header().Set("Content-Type", typeText)
	_, _ = c.w.Write([]byte(text))
	return nil
}

// partnerRoutes are A3, A4 and KYC-VS (contract.md 1.6). CoWIN's share links,
// with a reference number in the address, are not among them on purpose.
func partnerRoutes() []Route {
	post := func(path, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: Partner, Action: action, Rate: RateCode, ContentType: typeJSON, BodyLimit: bodySmall, Handler: h}
	}
	return []Route{
		post("/api/v2/auth/generateOTP", "partner.code", partnerCode(vault.ScopeSignIn)),
		post("/api/v2/auth/confirmOTP", "partner.confirm", partnerConfirm(vault.ScopeSignIn)),
		post("/api/v3/vaccination/generateOTP", "partner.code", partnerCode(vault.ScopeStatus)),
		post("/api/v3/vaccination/confirmOTP", "partner.confirm", partnerConfirm(vault.ScopeStatus)),
		{Method: "GET", Path: "/api/v3/vaccination/status", Audience: Partner, Action: "partner.status", Rate: RateSelf, ContentType: typeJSON, Handler: vaccinationStatus},
		{Method: "GET", Path: "/api/v3/vaccination/status/knowYourStatus", Audience: Public, Action: "meta", Rate: RateSearch, ContentType: typeText, Handler: knowYourStatus},
	}
}
