package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// signLimit bounds the forms of a sign-in, which carry along where somebody was going.
const signLimit = carryMax + 12<<10

// signRoutes are the pages of signing in and out. Each of their forms says where it comes
// from: a form of another site could otherwise sign somebody in as somebody else.
func signRoutes() []Route {
	form := func(path, action string, rate edge.Rate, h func(*Ctx) error, fields ...string) Route {
		return Route{Method: "POST", Path: path, Audience: edge.Public, Own: true, Action: action, Rate: rate, BodyLimit: signLimit, Fields: append(fields, "carry"), Personal: true, Handler: h}
	}
	return []Route{
		page("/sign-in", "sign.in", signIn, "to"),
		form("/sign-in", "sign.code", edge.RateCode, askCode, "mobile"),
		form("/sign-in/again", "sign.again", edge.RateCode, askCode, "mobile"),
		form("/sign-in/code", "sign.confirm", edge.RateCode, confirmCode, "mobile", "txn", "code"),
		page("/sign-out", "sign.left", signedOut),
		form("/sign-out", "sign.out", edge.RateSelf, signOut),
	}
}

// signIn asks for the number, unless somebody is signed in.
func signIn(c *Ctx) error {
	carry := ""
	if to := c.form.Get("to"); to != "" {
		carry = carried{To: to}.text()
	}
	if c.sits() == nil {
		c.form.Set("carry", carry)
		return c.resume("", "")
	}
	return c.askNumber(http.StatusOK, view.SignInPage{Carry: carry})
}

// mustSignIn is the answer to who has to sign in first. Where they were going, and what they
// typed, goes along in the form.
func (c *Ctx) mustSignIn(err error) error {
	x := view.SignInPage{Carry: c.carrying(), Why: "sign.first"}
	if fault.CodeOf(err) != "session" {
		x.Why = "sign.ended"
	}
	c.leave(sessionCookie) // the seat stays: addresses of this browser are made of it
	return c.askNumber(http.StatusUnauthorized, x)
}

func (c *Ctx) askNumber(status int, x view.SignInPage) error {
	p := c.page("sign.title")
	p.KeepForm = "sign-in"
	p.Wrong = x.Mobile.Wrong != ""
	return c.render(status, view.SignIn(p, x))
}

// mobileOf reads a number as typed. What is a mobile number is the vault's to say; here it is
// ten digits.
func mobileOf(typed string) (string, bool) {
	if m, ok := catalogue.Mobile(typed); ok {
		return m, true
	}
	s, ok := catalogue.Digits(typed, 10)
	return s, ok && len(s) == 10 && s[0] != '+'
}

// tongue is the language of a message: those that messages are written in.
func (c *Ctx) tongue() string {
	if c.say.Code == "hi" {
		return "hi"
	}
	return "en"
}

// askCode has a code sent, and asks for it.
func askCode(c *Ctx) error {
	x := view.SignInPage{Mobile: view.Field{Value: c.form.Get("mobile")}, Carry: c.form.Get("carry")}
	if c.keep {
		return c.askNumber(http.StatusOK, x)
	}
	mobile, ok := mobileOf(x.Mobile.Value)
	if !ok {
		x.Mobile.Wrong = "sign.mobile_wrong"
		if x.Mobile.Value == "" {
			x.Mobile.Wrong = "sign.mobile_none"
		}
		return c.askNumber(http.StatusUnprocessableEntity, x)
	}
	got, err := c.s.cfg.Sessions.RequestCode(c.r.Context(), vault.CodeRequest{Mobile: mobile, Origin: c.origin, Language: c.tongue(), Chosen: true})
	switch {
	case fault.Is(err, fault.Invalid):
		x.Mobile.Wrong = "sign.mobile_wrong"
		return c.askNumber(http.StatusUnprocessableEntity, x)
	case err != nil:
		return err
	case got.Challenge != "":
		return fault.New(fault.RateLimited, "challenge", "work is asked for")
	}
	y := view.CodePage{Mobile: mobile, Txn: got.Txn, Carry: x.Carry}
	if c.route.Path == "/sign-in/again" {
		y.Note = "sign.sent_again"
	}
	return c.askForCode(http.StatusOK, y)
}

func (c *Ctx) askForCode(status int, x view.CodePage) error {
	p := c.page("sign.code_title")
	p.KeepForm = "code"
	p.Wrong = x.Code.Wrong != ""
	return c.render(status, view.Code(p, x))
}

// confirmCode signs in who has the code.
func confirmCode(c *Ctx) error {
	x := view.CodePage{Mobile: c.form.Get("mobile"), Txn: c.form.Get("txn"), Carry: c.form.Get("carry"), Code: view.Field{Value: c.form.Get("code")}}
	if c.keep {
		return c.askForCode(http.StatusOK, x)
	}
	code, ok := catalogue.Digits(x.Code.Value, 6)
	if !ok || len(code) != 6 || code[0] == '+' {
		x.Code.Wrong = "sign.code_form"
		if x.Code.Value == "" {
			x.Code.Wrong = "sign.code_none"
		}
		return c.askForCode(http.StatusUnprocessableEntity, x)
	}
	sum := sha256.Sum256([]byte(code))
	s, err := c.s.cfg.Sessions.ConfirmCode(c.r.Context(), vault.CodeAnswer{Txn: x.Txn, Digest: hex.EncodeToString(sum[:]), Origin: c.origin})
	switch {
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Unauthorized):
		x.Code = view.Field{Wrong: "sign.code_wrong"}
		return c.askForCode(http.StatusUnprocessableEntity, x)
	case err != nil:
		return err
	}
	return c.signedIn(s)
}

// signOut ends the session, takes it out of the browser and has the browser forget the pages.
func signOut(c *Ctx) error {
	if k, err := c.r.Cookie(sessionCookie); err == nil && k.Value != "" {
		if _, err := c.s.cfg.Live(k.Value); err == nil {
			c.end(k.Value)
		}
	}
	c.leave(sessionCookie, seatCookie)
	c.w.Header().Set("Clear-Site-Data", `"cache"`)
	return c.see("/sign-out")
}

func signedOut(c *Ctx) error {
	return c.render(http.StatusOK, view.SignedOut(c.page("sign.out_title")))
}
