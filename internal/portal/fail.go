package portal

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/view"
)

func errorsAs[T error](err error, into *T) bool { return errors.As(err, into) }

func errPanic() error { return fault.New(fault.Internal, "panic", "a page failed") }

// nowhere answers for every address that is no page.
func nowhere(*Ctx) error { return fault.New(fault.NotFound, "page", "no such page") }

// troubles says what each kind of error is to a person, and its status.
func troubles() map[fault.Kind]struct {
	status   int
	heading  string
	personal bool // shows a number to quote
} {
	type row = struct {
		status   int
		heading  string
		personal bool
	}
	return map[fault.Kind]row{
		fault.Invalid:      {http.StatusBadRequest, "error.invalid", false},
		fault.Unauthorized: {http.StatusUnauthorized, "error.sign_in", false},
		fault.Forbidden:    {http.StatusForbidden, "error.forbidden", false},
		fault.NotFound:     {http.StatusNotFound, "error.not_found", false},
		fault.Conflict:     {http.StatusConflict, "error.conflict", false},
		fault.Full:         {http.StatusConflict, "error.conflict", false},
		fault.RateLimited:  {http.StatusTooManyRequests, "error.wait", false},
		fault.Unavailable:  {http.StatusServiceUnavailable, "error.unavailable", true},
		fault.Unknown:      {http.StatusServiceUnavailable, "error.unavailable", true},
	}
}

// fail renders every error that a handler returns. Kinds that mean a fault of ours show a
// number to quote and nothing else; no error's own text reaches a page.
func (c *Ctx) fail(err error) {
	kind := fault.KindOf(err)
	if kind == fault.Unauthorized && c.route.Audience == edge.Holder {
		c.w.Header().Set("Cache-Control", "no-store")
		show := func() error { return c.mustSignIn(err) }
		if fault.CodeOf(err) == "elsewhere" {
			show = c.elsewhere
		}
		if show() == nil {
			return
		}
		kind = fault.Internal
	}
	if kind == fault.Forbidden && fault.CodeOf(err) == "card" && c.route.Audience == edge.Holder {
		if c.render(http.StatusForbidden, view.CardCannot(c.page("sign.card_cannot"))) == nil {
			return
		}
	}
	row, ok := troubles()[kind]
	if !ok {
		row.status, row.heading, row.personal = http.StatusInternalServerError, "error.internal", true
	}
	if kind == fault.Invalid && fault.CodeOf(err) == "size" {
		row.status, row.heading = http.StatusRequestEntityTooLarge, "error.too_large"
	}
	x := view.ProblemPage{Heading: row.heading, Text: row.heading + "_text"}
	h := c.w.Header()
	h.Set("Cache-Control", "no-store")
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 {
		seconds := int64((f.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
		x.Wait = c.say.N("error.wait_seconds", seconds)
		if seconds > 90 {
			x.Wait = c.say.N("error.wait_minutes", (seconds+59)/60)
		}
	}
	if row.personal {
		x.Request = newRequestID()
		c.s.cfg.Logger.Error("page failed", "request", x.Request, "route", c.route.Path, "kind", kind, "code", fault.CodeOf(err))
	}
	if c.render(row.status, view.Trouble(c.page(row.heading), x)) != nil {
		c.status = http.StatusInternalServerError
		c.w.WriteHeader(c.status)
	}
}
