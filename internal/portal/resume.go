package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tikakosh/internal/edge"
	"tikakosh/internal/portal/view"
)

// carryMax bounds what is taken along through a sign-in, as the text of its field, in bytes.
const carryMax = 20 << 10

// carried is where somebody was going when they had to sign in: a page's address, and of a
// form what was typed, sealed with this browser's seat. Nobody reads it out of the page that
// stands on a shared computer's screen.
type carried struct {
	To  string `json:"to"`
	Box string `json:"box,omitempty"`
}

// typed is what somebody typed into a form, without its secrets, and a digest of whose session
// it was typed in.
type typed struct {
	Form url.Values `json:"form"`
	Who  string     `json:"who"`
}

func carryKey(seat string) [32]byte { return sha256.Sum256([]byte("typed at " + seat)) }

// resuming marks the request that shows a form again after a sign-in.
type resuming struct{}

// carrying is where this request goes, for the hidden field of the sign-in's forms.
func (c *Ctx) carrying() string {
	k := carried{To: c.self()}
	if c.route.Method == http.MethodPost {
		k.To = c.r.URL.EscapedPath()
		old, err := c.r.Cookie(sessionCookie)
		seat, seated := c.seatCookie()
		if err != nil || !seated || whose(old.Value) == "" {
			return "" // it is nobody's to be shown to
		}
		x := typed{Form: url.Values{}, Who: whose(old.Value)}
		for name, values := range c.form {
			if name != "lang" && !slices.Contains(c.route.Secrets, name) {
				x.Form[name] = values
			}
		}
		k.Box = base64.RawURLEncoding.EncodeToString(seal(carryKey(seat), x))
	}
	text := k.text()
	if len(text) > carryMax || c.route.Upload {
		return ""
	}
	return text
}

// whose is a digest of the one that a bearer is of, "" of what is none. What somebody typed is
// shown after a sign-in to nobody else.
func whose(bearer string) string {
	var claims struct {
		Subject string `json:"sub"`
	}
	_, rest, _ := strings.Cut(bearer, ".")
	middle, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(middle)
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Subject == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("carried " + claims.Subject))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (k carried) text() string {
	raw, _ := json.Marshal(k)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readCarried reads the hidden field. What it says is checked when it is used.
func readCarried(text string) (k carried, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > carryMax || json.Unmarshal(raw, &k) != nil {
		return k, false
	}
	return k, true
}

// goal finds the route that a carried address is of: a page here, or a form of who is signed
// in; never another site.
func (s *Server) goal(to, method string) (*url.URL, bool) {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return nil, false
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Fragment != "" {
		return nil, false
	}
	if method == http.MethodPost {
		u.RawQuery = ""
	}
	_, pattern := s.mux.Handler(&http.Request{Method: method, URL: u, Host: "x"})
	for _, r := range s.table {
		if pattern == r.Method+" "+r.Path {
			return u, r.Method == method && (method == http.MethodGet || r.Audience == edge.Holder)
		}
	}
	return nil, false
}

// resume goes on to where the person was going before they signed in. A form is shown again
// with what was typed; it is the person who sends it.
func (c *Ctx) resume(bearer, seat string) error {
	k, ok := readCarried(c.form.Get("carry"))
	if !ok {
		return c.see("/account")
	}
	if k.Box == "" {
		u, ok := c.s.goal(k.To, http.MethodGet)
		if !ok || strings.HasPrefix(u.Path, "/sign-") {
			return c.see("/account")
		}
		return c.see(u.String())
	}
	var x typed
	box, err := base64.RawURLEncoding.DecodeString(k.Box)
	u, ok := c.s.goal(k.To, http.MethodPost)
	if err != nil || !ok || !unseal(carryKey(strings.TrimSuffix(seat, cardSeat)), box, &x) || x.Who == "" || x.Who != whose(bearer) {
		return c.see("/account")
	}
	r := c.r.Clone(context.WithValue(c.r.Context(), resuming{}, true))
	r.URL, r.Form, r.PostForm, r.MultipartForm = u, nil, nil, nil
	body := x.Form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Del("Cookie")
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: bearer})
	r.AddCookie(&http.Cookie{Name: seatCookie, Value: seat})
	r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.say.Code})
	c.status = http.StatusOK
	c.s.mux.ServeHTTP(c.w, r)
	return nil
}

// elsewhere asks whether to go on: the way here began at another site, and opening a page of
// somebody's is an entry that they see.
func (c *Ctx) elsewhere() error {
	return c.render(http.StatusOK, view.GoOn(c.page("sign.go_on"), c.self()))
}
