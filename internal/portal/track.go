package portal

import (
	"net/http"
	"net/mail"
	"strings"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

const trackPath = "/track"

// trackFloor is how long an answer takes at least: that a number is there costs the vault some
// microseconds more than that it is not, and nobody is to see which.
const trackFloor = 300 * time.Millisecond

// trackRoutes are the page that tells what became of a request, or of a leave, to whoever has its
// number: without a session, and after the person is erased.
func trackRoutes() []Route {
	form := page(trackPath, "track", trackForm)
	form.Personal = true
	return []Route{form,
		{Method: "POST", Path: trackPath, Audience: edge.Public, Own: true, Action: "track.look", Rate: edge.RateCode, BodyLimit: bodySmall, Fields: []string{"number"}, Personal: true, Handler: track}}
}

func (c *Ctx) tracking(status int, x view.TrackPage) error {
	p := c.page("track.title")
	p.KeepForm, p.Wrong = "track", x.Number.Wrong != ""
	return c.render(status, view.Track(p, x))
}

func trackForm(c *Ctx) error { return c.tracking(http.StatusOK, view.TrackPage{}) }

// trackingDigits are those of a request's number; the numbers of leaves begin with two letters.
const (
	trackingDigits = 16
	leaveNumber    = "TL"
	leaveLetters   = 32
)

// trackingNumber reads a number as people type it, with spaces, dashes and the digits of their
// script; false when it is none, as with a slip of the finger, which costs nobody a try.
func trackingNumber(typed string) (string, bool) {
	if digits, ok := catalogue.Digits(typed, trackingDigits); ok && len(digits) == trackingDigits && digits[0] != '+' {
		return digits, id.VerhoeffValid(digits)
	}
	number := strings.ToUpper(strings.Join(strings.FieldsFunc(typed, func(r rune) bool { return r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }), ""))
	rest, ok := strings.CutPrefix(number, leaveNumber)
	return number, ok && len(rest) == leaveLetters && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// track tells the state and the times that were stated, and nothing of anybody.
func track(c *Ctx) error {
	x := view.TrackPage{Number: view.Field{Value: c.form.Get("number")}}
	if c.keep {
		return c.tracking(http.StatusOK, x)
	}
	number, ok := trackingNumber(x.Number.Value)
	if !ok {
		x.Number.Wrong = "track.wrong"
		return c.tracking(http.StatusUnprocessableEntity, x)
	}
	floor := time.NewTimer(trackFloor)
	defer floor.Stop()
	got, err := c.s.cfg.Asking.Track(c.r.Context(), number, c.origin)
	select {
	case <-floor.C:
	case <-c.r.Context().Done():
	}
	if fault.Is(err, fault.NotFound) {
		x.Number.Wrong = "track.none"
		return c.tracking(http.StatusUnprocessableEntity, x)
	}
	if err != nil {
		return err
	}
	x.Told = c.told(got)
	return c.tracking(http.StatusOK, x)
}

// told is what a number tells, in words.
func (c *Ctx) told(got vault.Tracked) *view.Tracked {
	x := &view.Tracked{At: c.day(got.At), Done: c.day(got.Done)}
	if got.Leave {
		x.Left = true
		x.State = map[string]string{vault.LeaveHidden: "leave.state_hidden", vault.LeaveKept: "leave.state_kept", vault.LeaveErased: "leave.state_erased", vault.LeaveUndone: "leave.state_undone"}[got.State]
		if got.State == vault.LeaveHidden || got.State == vault.LeaveKept {
			x.Due = c.day(got.Due)
		}
		return x
	}
	x.State = map[string]string{vault.RequestReceived: "ask.state_received", vault.RequestInHand: "ask.state_hand", vault.TrackAnswered: "track.answered", vault.RequestWithdrawn: "track.withdrawn"}[got.State]
	if got.Done == 0 {
		x.Due = c.moment(got.Due)
	}
	return x
}

// ParseContact reads one way to reach the operator: an e-mail address, or a telephone number.
// fault.Invalid for anything else: it is shown on pages.
func ParseContact(text string) (view.Contact, error) {
	bad := fault.New(fault.Invalid, "contact", "a contact is an e-mail address, as in help@vaccination.example, or a telephone number, as in 1800 000 0000")
	if strings.Contains(text, "@") {
		a, err := mail.ParseAddress(text)
		if err != nil || a.Name != "" || a.Address != text || len(text) > 100 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+@") != "" {
			return view.Contact{}, bad
		}
		return view.Contact{Text: text, Href: "mailto:" + text}, nil
	}
	digits, ok := catalogue.Digits(text, 15)
	if !ok || len(digits) < 3 || len(text) > 30 || strings.Trim(text, "0123456789+- ") != "" {
		return view.Contact{}, bad
	}
	return view.Contact{Text: text, Href: "tel:" + digits}, nil
}
