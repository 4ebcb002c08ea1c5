package portal

import (
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

const (
	// signLimit bounds the forms of a sign-in, which carry along where somebody was going, and
	// a proof and the solution of a challenge.
	signLimit = carryMax + 12<<10
	// codeLife and codeTries are the vault's (design.md 10): here they choose what is said.
	codeLife  = 3 * time.Minute
	codeTries = 3
	// codeGap is how soon another code to a number may be asked for. How many there are in a
	// day is the vault's to count.
	codeGap = 30 * time.Second
)

// signRoutes are the pages of signing in and out. Each of their forms says where it comes
// from: a form of another site could otherwise sign somebody in as somebody else.
func signRoutes() []Route {
	form := func(path, action string, rate edge.Rate, h func(*Ctx) error, fields ...string) Route {
		return Route{Method: "POST", Path: path, Audience: edge.Public, Own: true, Action: action, Rate: rate, BodyLimit: signLimit, Fields: append(fields, "carry"), Personal: true, Handler: h}
	}
	return append(waysRoutes(), []Route{
		page("/sign-in", "sign.in", signIn, "to"),
		form("/sign-in", "sign.code", edge.RateCode, askCode, "mobile", "shared", "proof", "work", "once"),
		form("/sign-in/again", "sign.again", edge.RateCode, askCode, "mobile", "shared", "proof", "work", "txn", "tries", "sent"),
		{Method: "GET", Path: codePath, Audience: edge.Public, Action: "sign.code_page", Rate: edge.RateSearch, Fields: []string{"to"}, Personal: true, Handler: askedCode},
		form(codePath, "sign.confirm", edge.RateCode, confirmCode, "mobile", "shared", "proof", "txn", "tries", "sent", "code"),
		page("/sign-in/card", "sign.card", func(c *Ctx) error { return c.askCard(http.StatusOK, view.CardInPage{}) }),
		form("/sign-in/card", "sign.card_session", edge.RateCode, cardSession, "card", "pin"),
		page("/sign-in/help", "sign.help", signHelp),
		page("/sign-out", "sign.left", signedOut),
		form("/sign-out", "sign.out", edge.RateSelf, signOut),
		mine("/session", "session.who", inSession),
		act("/session/extend", "session.extend", extend).secret("proof"),
	}...)
}

// signIn asks for the number, unless somebody is signed in.
func signIn(c *Ctx) error {
	carry := c.toCarry()
	if c.sits() == nil {
		c.form.Set("carry", carry)
		return c.resume("", "")
	}
	return c.askNumber(http.StatusOK, view.SignInPage{Carry: carry})
}

// toCarry is what the forms of a sign-in carry for the address in this page's own.
func (c *Ctx) toCarry() string {
	if to := c.form.Get("to"); to != "" && len(to) <= codeToMax {
		return carried{To: to}.text()
	}
	return ""
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

// signer is what a form needs to be signed by the browser's key.
func (c *Ctx) signer() view.Signer {
	return view.Signer{Key: c.s.assets.URL("key.js"), Now: strconv.FormatInt(c.s.cfg.Now().Unix(), 10)}
}

func (c *Ctx) askNumber(status int, x view.SignInPage) error {
	p := c.page("sign.title")
	p.KeepForm = "sign-in"
	p.Wrong = x.Mobile.Wrong != ""
	p.Scripts = append(p.Scripts, "sign.js")
	x.Signer, x.Once = c.signer(), newOnce()
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

// proven is a form as the browser's key signed it, or nil: a browser without scripts, and a
// device that is to be forgotten, sends no proof.
func (c *Ctx) proven(body string) *vault.Signed {
	proof := c.form.Get("proof")
	if proof == "" || c.form.Get("shared") != "" {
		return nil
	}
	return &vault.Signed{Method: "POST", URL: c.s.cfg.PublicURL + c.r.URL.EscapedPath(), Body: []byte(body), Proof: proof}
}

// askCode has a code sent, and asks for it.
func askCode(c *Ctx) error {
	x := view.SignInPage{Mobile: view.Field{Value: c.form.Get("mobile")}, Shared: c.form.Get("shared") != "", Carry: c.form.Get("carry")}
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
	again := c.route.Path == "/sign-in/again"
	last, st, known := c.code()
	switch wait := c.s.codes.wait(c.form.Get("txn"), c.begin); {
	case again && wait > 0:
		return c.tooSoon(wait)
	case !again && known && st.Once != "" && st.Once == c.form.Get("once") && st.Mobile == mobile && st.Over == "" && c.begin.Sub(time.Unix(st.Sent, 0)) < codeLife:
		return c.toCode(last, st, x.Carry, http.StatusOK) // the same form again: its code is on the way
	}
	r := vault.CodeRequest{Mobile: mobile, Origin: c.origin, Language: c.tongue(), Chosen: true, Work: c.form.Get("work"), Device: c.proven(x.Mobile.Value)}
	got, err := c.s.cfg.Sessions.RequestCode(c.r.Context(), r)
	if fault.CodeOf(err) == "proof" { // a clock that is wrong, an address that is another: as a browser without a key
		r.Device = nil
		got, err = c.s.cfg.Sessions.RequestCode(c.r.Context(), r)
	}
	switch {
	case fault.Is(err, fault.Invalid):
		x.Mobile.Wrong = "sign.mobile_wrong"
		return c.askNumber(http.StatusUnprocessableEntity, x)
	case err != nil:
		return c.noCode(err, x)
	case got.Challenge != "":
		x.Work = got.Challenge
		return c.askNumber(http.StatusTooManyRequests, x)
	}
	st = codeState{Mobile: mobile, Shared: x.Shared || r.Device == nil, Sent: c.begin.Unix(), Held: got.Held, Once: onceOf(c.form.Get("once"))}
	if again {
		st.Note = "sign.sent_again"
	}
	return c.toCode(got.Txn, st, x.Carry, http.StatusOK)
}

// tooSoon says that the code that was sent may still be on its way.
func (c *Ctx) tooSoon(wait time.Duration) error {
	x := c.codePage()
	if txn, st, known := c.code(); known && txn == x.Txn {
		st.Soon, st.Note = true, ""
		if _, alone := c.codeHere(x.Carry); alone {
			return c.toCode(txn, st, x.Carry, http.StatusTooManyRequests)
		}
	}
	x.Warn = c.say.N("sign.too_soon", seconds(wait))
	c.w.Header().Set("Retry-After", strconv.FormatInt(seconds(wait), 10))
	return c.askForCode(http.StatusTooManyRequests, x)
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// clockOf is a time of day in India.
func clockOf(at time.Time) string { return at.In(time.FixedZone("IST", 19800)).Format("15:04") }

// noCode says why no code was sent, and what to do. Too many are the same for every number.
func (c *Ctx) noCode(err error, x view.SignInPage) error {
	var heading string
	var status int
	switch {
	case fault.CodeOf(err) == "USRAUT0018":
		heading, status = "sign.many", http.StatusTooManyRequests
	case fault.Is(err, fault.Unknown):
		heading, status = "sign.unsure", http.StatusServiceUnavailable
	case fault.CodeOf(err) == "OTPNOTSENT":
		heading, status = "sign.unsent", http.StatusServiceUnavailable
	default:
		return err
	}
	y := view.StuckPage{Heading: heading, Mobile: x.Mobile.Value, Carry: x.Carry, Again: status == http.StatusServiceUnavailable}
	if wait := fault.RetryAfter(err); wait > 0 {
		y.Wait = c.waitFor(wait)
		c.w.Header().Set("Retry-After", strconv.FormatInt(seconds(wait), 10))
	}
	return c.stuck(status, y)
}

// waitFor says how long to wait, in the unit that somebody would use.
func (c *Ctx) waitFor(d time.Duration) string {
	switch s := seconds(d); {
	case s <= 90:
		return c.say.N("error.wait_seconds", s)
	case s <= 90*60:
		return c.say.N("error.wait_minutes", (s+59)/60)
	default:
		return c.say.N("sign.wait_hours", (s+3599)/3600)
	}
}

func (c *Ctx) stuck(status int, x view.StuckPage) error {
	p := c.page(x.Heading)
	p.Scripts = append(p.Scripts, "sign.js")
	x.Signer = c.signer()
	return c.render(status, view.Stuck(p, x))
}

func (c *Ctx) askCard(status int, x view.CardInPage) error {
	p := c.page("sign.card_title")
	p.KeepForm = "card-form"
	p.Wrong = x.Card.Wrong != "" || x.PIN.Wrong != ""
	x.Scan = c.scanner(p)
	return c.render(status, view.CardIn(p, x))
}

// scanner lets a page read codes: it may use the camera and compile the decoder.
func (c *Ctx) scanner(p *view.Page) view.Scanner {
	h := c.w.Header()
	h.Set("Permissions-Policy", assets.CameraPermissions)
	h.Set("Content-Security-Policy", assets.CardPolicy)
	p.Scripts = append(p.Scripts, "scan.js")
	return view.Scanner{Decoder: c.s.assets.URL("zxing.js"), Wasm: c.s.assets.URL("zxing.wasm")}
}

// cardSession signs in who has a card and its PIN. A wrong card, a wrong PIN and a locked card
// have one answer.
func cardSession(c *Ctx) error {
	x := view.CardInPage{Card: view.Field{Value: c.form.Get("card")}, Carry: c.form.Get("carry")}
	if c.keep {
		return c.askCard(http.StatusOK, x)
	}
	pin, ok := c.cardTyped(&x.Card, &x.PIN)
	if !ok {
		return c.askCard(http.StatusUnprocessableEntity, x)
	}
	s, err := c.s.cfg.Sessions.CardSession(c.r.Context(), vault.CardAnswer{Card: x.Card.Value, PIN: pin, Origin: c.origin})
	switch {
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Unauthorized), fault.Is(err, fault.NotFound), fault.Is(err, fault.Forbidden):
		x.PIN.Wrong = "sign.card_wrong"
		return c.askCard(http.StatusUnprocessableEntity, x)
	case err != nil:
		return err
	}
	return c.signedIn(s, cardSeat)
}

// cardTyped reads the PIN of a card's form and says what is wrong with card and PIN as typed.
func (c *Ctx) cardTyped(card, pin *view.Field) (string, bool) {
	if _, err := vault.ParseCard(card.Value); err != nil {
		card.Wrong = "sign.card_form"
		if card.Value == "" {
			card.Wrong = "sign.card_none"
		}
	}
	digits, ok := pinTyped(c.form.Get("pin"))
	if !ok {
		pin.Wrong = "sign.pin_form"
	}
	return digits, card.Wrong == "" && pin.Wrong == ""
}

func signHelp(c *Ctx) error {
	return c.render(http.StatusOK, view.SignHelp(c.page("sign.help_title")))
}

// signOut ends the session, takes it out of the browser and has the browser forget the pages.
// The browser's key stays: it opens nothing, and without it this device would be new again.
func signOut(c *Ctx) error {
	if k, err := c.r.Cookie(sessionCookie); err == nil && k.Value != "" {
		if _, err := c.s.cfg.Live(k.Value); err == nil {
			c.end(k.Value)
		}
	}
	c.forgetCode()
	c.leave(sessionCookie, seatCookie)
	c.w.Header().Set("Clear-Site-Data", `"cache"`)
	return c.see("/sign-out")
}

// signedOut says that somebody has signed out. While the session lives it does not, also by a link
// of another site, with which the browser sends no seat: all its windows would believe it.
func signedOut(c *Ctx) error {
	if k, err := c.r.Cookie(sessionCookie); err == nil {
		if _, err := c.s.cfg.Live(k.Value); err == nil {
			return c.see("/account")
		}
	}
	p := c.page("sign.out_title")
	p.Scripts = append(p.Scripts, "session.js")
	return c.render(http.StatusOK, view.SignedOut(p))
}

// extend has the session go on and answers how many seconds it has, and the time of day at which
// that is. It is asked by a script;
// the vault judges the proof.
func extend(c *Ctx) error {
	p := c.proven("extend")
	if c.keep || p == nil {
		return c.see("/account")
	}
	s, err := c.s.cfg.Sessions.ExtendSession(c.r.Context(), vault.ExtendRequest{Holder: c.holder, Device: *p})
	if err != nil {
		return err
	}
	c.set(sessionCookie, s.Bearer, http.SameSiteLaxMode)
	c.w.Header().Set("Content-Type", "text/plain")
	return c.send([]byte(strconv.FormatInt(max(0, s.ExpiresAt/1000-c.begin.Unix()), 10) + " " + clockOf(time.UnixMilli(s.ExpiresAt))))
}
