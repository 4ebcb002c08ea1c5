package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"tikakosh/internal/edge"
	"tikakosh/internal/portal/view"
)

// carryMax bounds what is taken along through a sign-in, as the text of its field, in bytes.
const carryMax = 20 << 10

// carried is where somebody was going when they had to sign in: a page's address, and of a
// form what was typed, without its secrets.
type carried struct {
	To   string     `json:"to"`
	Form url.Values `json:"form,omitempty"`
	Who  string     `json:"who,omitempty"` // of a form: a digest of whose session it was typed in
}

// resuming marks the request that shows a form again after a sign-in.
type resuming struct{}

// carrying is where this request goes, for the hidden field of the sign-in's forms.
func (c *Ctx) carrying() string {
	k := carried{To: c.self()}
	if c.route.Method == http.MethodPost {
		k.To = c.r.URL.EscapedPath()
		k.Form = url.Values{}
		for name, values := range c.form {
			k.Form[name] = values
		}
		if old, err := c.r.Cookie(sessionCookie); err == nil {
			k.Who = whose(old.Value)
		}
		for _, name := range append(c.route.Secrets, "lang") {
			k.Form.Del(name)
		}
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
func (s *Server) goal(k carried) (*url.URL, bool) {
	if !strings.HasPrefix(k.To, "/") || strings.HasPrefix(k.To, "//") || strings.ContainsAny(k.To, "\\\r\n\t") {
		return nil, false
	}
	u, err := url.Parse(k.To)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Fragment != "" {
		return nil, false
	}
	method := http.MethodGet
	if k.Form != nil {
		method, u.RawQuery = http.MethodPost, ""
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
	u, ok := c.s.goal(k)
	switch {
	case !ok || strings.HasPrefix(u.Path, "/sign-") || k.Form != nil && (k.Who == "" || k.Who != whose(bearer)):
		return c.see("/account")
	case k.Form == nil:
		return c.see(u.String())
	}
	r := c.r.Clone(context.WithValue(c.r.Context(), resuming{}, true))
	r.URL, r.Form, r.PostForm, r.MultipartForm = u, nil, nil, nil
	body := k.Form.Encode()
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
