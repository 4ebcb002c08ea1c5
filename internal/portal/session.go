package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// A session is the vault's bearer in a cookie. The portal keeps none of it: it routes on the
// bearer as the edge does, and the vault judges it anew at every act.

// Sessions is how somebody signs in and out: the vault's words.
type Sessions interface {
	RequestCode(ctx context.Context, r vault.CodeRequest) (vault.CodeIssued, error)
	ConfirmCode(ctx context.Context, r vault.CodeAnswer) (vault.Session, error)
	CardSession(ctx context.Context, a vault.CardAnswer) (vault.Session, error)
	EndSession(ctx context.Context, h vault.Holder) error
	ExtendSession(ctx context.Context, r vault.ExtendRequest) (vault.Session, error)
}

// sessionCookie is the bearer: it ends with the browser, and no script reads it. seatCookie is
// random and opens nothing: it makes the handles in this browser's addresses (handle).
const (
	sessionCookie = "__Host-session"
	seatCookie    = "__Host-seat"
	seatBytes     = 16
	cardSeat      = ".card"
)

// mine makes the row of a page of who has signed in.
func mine(path, action string, h func(*Ctx) error, fields ...string) Route {
	return Route{Method: "GET", Path: path, Audience: edge.Holder, Action: action, Rate: edge.RateSelf, Fields: fields, Personal: true, Handler: h}
}

// act makes the row of what who has signed in does. Its handler looks at c.keep first: then
// it shows the form again with what was typed and does nothing. That happens when somebody
// changes the language, and when the session had ended and they have signed in again.
func act(path, action string, h func(*Ctx) error, fields ...string) Route {
	return Route{Method: "POST", Path: path, Audience: edge.Holder, Action: action, Rate: edge.RateSelf, BodyLimit: bodySmall, Fields: fields, Personal: true, Handler: h}
}

// secret adds fields that are not taken along through a sign-in: codes, PINs, transactions.
func (r Route) secret(names ...string) Route {
	r.Fields, r.Secrets = append(slices.Clip(r.Fields), names...), append(slices.Clip(r.Secrets), names...)
	return r
}

// phone marks what a card does not open: its page says so before anything is typed. The vault
// refuses it in any case.
func (r Route) phone() Route {
	r.Phone = true
	return r
}

// phones is phone for each.
func phones(table []Route) []Route {
	for i := range table {
		table[i].Phone = true
	}
	return table
}

// sits reads who is signed in from the cookies. It is fault.Unauthorized when nobody is, with
// the code "ended" when somebody was. The vault is not asked.
func (c *Ctx) sits() error {
	k, err := c.r.Cookie(sessionCookie)
	if err != nil || k.Value == "" {
		return fault.New(fault.Unauthorized, "session", "nobody is signed in")
	}
	until, err := c.s.cfg.Live(k.Value)
	if err != nil {
		if fault.Is(err, fault.Unauthorized) {
			return fault.New(fault.Unauthorized, "ended", "the session has ended")
		}
		return err
	}
	seat, ok := c.seatCookie()
	if !ok {
		return fault.New(fault.Unauthorized, "seat", "the session's other cookie is missing")
	}
	c.holder, c.seat, c.ends = vault.Holder{Bearer: k.Value, Origin: c.origin}, seat, until
	return nil
}

// seatCookie is the browser's seat. One of a card's session says so behind it, so that what a
// card cannot do is said before somebody tries (the vault refuses it in any case).
func (c *Ctx) seatCookie() (seat string, ok bool) {
	k, err := c.r.Cookie(seatCookie)
	if err != nil {
		return "", false
	}
	seat, c.byCard = strings.CutSuffix(k.Value, cardSeat)
	return seat, wellSeated(seat)
}

// enter lets who is signed in into their own pages. A browser that comes from another site
// does not send the strict cookie: then nothing is opened until the person says so here.
func (c *Ctx) enter() error {
	err := c.sits()
	if fault.CodeOf(err) == "seat" && c.route.Method == http.MethodGet && slices.Contains([]string{"cross-site", "same-site"}, c.r.Header.Get("Sec-Fetch-Site")) {
		return fault.New(fault.Unauthorized, "elsewhere", "the way here began at another site")
	}
	return err
}

func wellSeated(seat string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(seat)
	return err == nil && len(raw) == seatBytes
}

// tag names the one who is signed in, in this browser: two windows with the same one show pages
// of the same one.
func (c *Ctx) tag() string {
	sum := sha256.Sum256([]byte("who" + c.seat + whose(c.holder.Bearer)))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:11]
}

// inSession tells a page that came out of the browser's memory whose session it is.
func inSession(c *Ctx) error {
	c.w.Header().Set("Content-Type", "text/plain")
	return c.send([]byte(c.tag()))
}

// handle names a person in this browser's addresses: it says nothing of them, and nothing to
// anybody else.
func (c *Ctx) handle(ref id.Reference) string {
	sum := sha256.Sum256([]byte(c.seat + string(ref)))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:11]
}

// member finds by handle the one of a household; refOf is how one is called.
// fault.NotFound when it is nobody of them.
func member[T any](c *Ctx, handle string, household []T, refOf func(T) id.Reference) (T, error) {
	for _, one := range household {
		if c.handle(refOf(one)) == handle {
			return one, nil
		}
	}
	var none T
	return none, fault.New(fault.NotFound, "person", "nobody of this household")
}

// signedIn gives the browser its fresh session, ends the one it had, and goes on to where the
// person was going. card is cardSeat for a card's session, else "". The bearer is always a new one, so that a cookie that was there before
// is worth nothing afterwards. The seat stays only through a sign-in on the way: the address
// that it leads back to is made of it.
func (c *Ctx) signedIn(s vault.Session, card string) error {
	seat, ok := c.seatCookie()
	if !ok || c.form.Get("carry") == "" {
		seat = newSeat()
	}
	if old, err := c.r.Cookie(sessionCookie); err == nil && old.Value != s.Bearer {
		if _, err := c.s.cfg.Live(old.Value); err == nil {
			if ablate.Off(ablate.SessionFresh) {
				return c.resume(old.Value, seat)
			}
			c.end(old.Value)
		}
	}
	c.set(sessionCookie, s.Bearer, http.SameSiteLaxMode)
	c.set(seatCookie, seat+card, http.SameSiteStrictMode)
	return c.resume(s.Bearer, seat+card)
}

func newSeat() string {
	var raw [seatBytes]byte
	_, _ = rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// end ends a session in the vault. One that cannot be ended now ends by itself in a quarter
// of an hour; it reports which.
func (c *Ctx) end(bearer string) bool {
	ctx, stop := context.WithTimeout(context.WithoutCancel(c.r.Context()), 5*time.Second)
	defer stop()
	err := c.s.cfg.Sessions.EndSession(ctx, vault.Holder{Bearer: bearer, Origin: c.origin})
	if err != nil && !fault.Is(err, fault.Unauthorized) {
		c.s.cfg.Logger.Warn("a session was not ended", "kind", fault.KindOf(err))
		return false
	}
	return true
}

func (c *Ctx) set(name, value string, same http.SameSite) {
	http.SetCookie(c.w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: same})
}

// leave takes the session out of the browser.
func (c *Ctx) leave(names ...string) {
	c.out = true
	for _, name := range names {
		http.SetCookie(c.w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
}
