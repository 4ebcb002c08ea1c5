package portal

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"

	"tikakosh/internal/edge"
)

// Some browsers say in no header where a form comes from: those before 2020, and those of feature
// phones. Their forms hold a token of the page instead, which no other site can read (ADR 48).

// ownField is the token's field. Every form may have it; it is nobody's data.
const ownField = "own"

// silent reports whether the browser says nothing of where its request comes from.
func (c *Ctx) silent() bool {
	return c.r.Header.Get("Sec-Fetch-Site") == "" && c.r.Header.Get("Origin") == ""
}

// guards reports whether a form of a route has to come from here.
func (r Route) guards() bool {
	return r.Method == http.MethodPost && (r.Own || r.Audience == edge.Holder)
}

// ownToken is the token of this browser's forms: a digest of its seat and its session, which are
// in cookies that no script reads. It is "" for a browser without a seat. After a sign-out on the
// way the session counts no more.
func (c *Ctx) ownToken() string {
	seat, ok := c.seatCookie()
	if c.seated != "" {
		seat, ok = c.seated, true
	}
	if !ok {
		return ""
	}
	bearer := ""
	if k, err := c.r.Cookie(sessionCookie); err == nil && !c.out {
		bearer = k.Value
	}
	sum := sha256.Sum256([]byte("form " + seat + " " + bearer))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// owns reports whether the form holds the token of a page of this browser.
func (c *Ctx) owns() bool {
	want := c.ownToken()
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(c.form.Get(ownField))) == 1
}

var formAction = regexp.MustCompile(` action="([^"]*)"`)

// withToken puts the token into each form of a page that has to come from here, for a browser that
// says nothing. One without a seat gets it now. The page is ours: every ">" of an attribute is
// escaped in it.
func (c *Ctx) withToken(page []byte) []byte {
	var out []byte
	for {
		from := bytes.Index(page, []byte("<form"))
		if from < 0 {
			break
		}
		end := bytes.IndexByte(page[from:], '>')
		if end < 0 {
			break
		}
		tag := page[from : from+end+1]
		out = append(out, page[:from+end+1]...)
		page = page[from+end+1:]
		m := formAction.FindSubmatch(tag)
		if m == nil || !c.s.guarded(html.UnescapeString(string(m[1]))) {
			continue
		}
		if c.ownToken() == "" {
			c.seated = newSeat()
			c.set(seatCookie, c.seated, http.SameSiteStrictMode)
		}
		out = append(out, `<input type="hidden" name="`+ownField+`" value="`+c.ownToken()+`"/>`...)
		c.w.Header().Set("Cache-Control", "no-store")
	}
	return append(out, page...)
}

// guarded reports whether a form that is sent to an address has to come from here.
func (s *Server) guarded(action string) bool {
	u, err := url.Parse(action)
	if err != nil || u.Host != "" {
		return false
	}
	_, pattern := s.mux.Handler(&http.Request{Method: http.MethodPost, URL: u, Host: "x"})
	for _, r := range s.table {
		if pattern == r.Method+" "+r.Path {
			return r.guards()
		}
	}
	return false
}
