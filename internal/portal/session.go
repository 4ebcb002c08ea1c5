package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
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
	seat, err := c.r.Cookie(seatCookie)
	if err != nil || !wellSeated(seat.Value) {
		return fault.New(fault.Unauthorized, "seat", "the session's other cookie is missing")
	}
	c.holder, c.seat, c.ends = vault.Holder{Bearer: k.Value, Origin: c.origin}, seat.Value, until
	return nil
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
// person was going. The bearer is always a new one, so that a cookie that was there before
// is worth nothing afterwards. The seat stays only through a sign-in on the way: the address
// that it leads back to is made of it.
func (c *Ctx) signedIn(s vault.Session) error {
	var seat string
	if k, err := c.r.Cookie(seatCookie); err == nil && c.form.Get("carry") != "" && wellSeated(k.Value) {
		seat = k.Value
	} else {
		var raw [seatBytes]byte
		_, _ = rand.Read(raw[:])
		seat = base64.RawURLEncoding.EncodeToString(raw[:])
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
	c.set(seatCookie, seat, http.SameSiteStrictMode)
	return c.resume(s.Bearer, seat)
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
