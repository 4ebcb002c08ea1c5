package portal

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tikakosh/internal/ablate"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// Ctx is one request on its way through a handler.
type Ctx struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	route  Route
	say    *catalogue.Tongue
	origin string
	form   url.Values // the query's fields, or the body's
	keep   bool       // the form was sent to change the language, not to act
	status int
	begin  time.Time

	holder  vault.Holder // of who is signed in, on pages for them
	seat    string
	seated  string    // the seat that this answer gives the browser, "" when it has one
	ends    time.Time // when the session ends
	out     bool      // the session has just ended, whatever the request's cookies say
	byCard  bool      // the session is a card's: of one person alone
	waiting bool      // the session is on a device that is new to the household
}

// secure sets the headers every answer has.
func (c *Ctx) secure() {
	h := c.w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make a form's Origin null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Vary", "Cookie, Accept-Language, Accept-Encoding")
	h.Set("Cache-Control", "private, no-cache")
	if c.route.Personal {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Permissions-Policy", assets.Permissions)
	h.Set("Content-Security-Policy", assets.Policy)
}

// languageCookie remembers the language somebody chose. It says nothing else.
const languageCookie = "__Host-lang"

// chooseLanguage takes the language from the address, the cookie or the browser.
func (c *Ctx) chooseLanguage() {
	say := c.s.say
	asked := c.r.URL.Query().Get("lang")
	if say.Has(asked) {
		c.use(asked)
		return
	}
	if k, err := c.r.Cookie(languageCookie); err == nil && say.Has(k.Value) {
		c.say = say.In(k.Value)
		return
	}
	c.say = say.In(say.Choose(c.r.Header.Get("Accept-Language")))
}

// use speaks a language from now on, for a year.
func (c *Ctx) use(code string) {
	c.say = c.s.say.In(code)
	http.SetCookie(c.w, &http.Cookie{Name: languageCookie, Value: code, Path: "/", MaxAge: 365 * 24 * 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// admit applies the route's limits, refuses what other sites send, and reads the form.
func (c *Ctx) admit() error {
	origin, wait := c.s.cfg.Door.Admit(c.route.Rate, c.r)
	c.origin = origin
	if wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, Text: "too many requests", RetryAfter: wait}
	}
	if err := c.s.cross.Check(c.r); err != nil && !ablate.Off(ablate.CrossSite) {
		return fault.New(fault.Forbidden, "cross-origin", "the request came from another site")
	}
	if err := c.readForm(); err != nil {
		return err
	}
	// A browser says where a form came from in one way or the other; what says nothing is no
	// browser, or an old one, whose form holds a token.
	resumed := c.r.Context().Value(resuming{}) != nil // by the form of a sign-in, which was judged
	if c.route.guards() && c.silent() && !resumed && !c.owns() && !ablate.Off(ablate.CrossSite) && !ablate.Off(ablate.FormToken) {
		return fault.New(fault.Forbidden, "cross-origin", "the request does not say where it came from")
	}
	if c.route.Method == http.MethodPost { // in an address it is a page's own field
		c.form.Del(ownField)
	}
	if c.route.Audience != edge.Holder {
		return nil
	}
	if err := c.enter(); err != nil {
		return err
	}
	if c.byCard && c.route.Phone {
		return fault.New(fault.Forbidden, "card", "a card opens one person's record")
	}
	return nil
}

// readForm reads the fields of the address or of the body, refuses those the route does not
// know and those that come twice, and notes a switch of language.
func (c *Ctx) readForm() error {
	var err error
	if c.route.Method != http.MethodPost {
		if c.form, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
			return fault.New(fault.Invalid, "query", "the address does not parse")
		}
	} else if err = c.readBody(); err != nil {
		return err
	}
	for name, values := range c.form {
		if name == "lang" || name == ownField && c.route.Method == http.MethodPost && len(values) == 1 {
			continue
		}
		if c.route.Action != "nowhere" && (!slices.Contains(c.route.Fields, name) || len(values) > 1) {
			return fault.New(fault.Invalid, "field", "an unknown or repeated field")
		}
		for _, v := range values {
			if strings.ContainsRune(v, 0) {
				return fault.New(fault.Invalid, "field", "a NUL in a field")
			}
		}
	}
	if c.route.Method == http.MethodPost && c.s.say.Has(c.form.Get("lang")) {
		c.use(c.form.Get("lang"))
		c.keep = true
	}
	if c.r.Context().Value(resuming{}) != nil {
		c.keep = true
	}
	return nil
}

func (c *Ctx) readBody() error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, c.route.BodyLimit)
	kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	var err error
	switch {
	case kind == "application/x-www-form-urlencoded":
		err = c.r.ParseForm()
	case kind == "multipart/form-data" && c.route.Upload:
		err = c.r.ParseMultipartForm(c.route.BodyLimit)
	default:
		return fault.New(fault.Invalid, "type", "a form is wanted")
	}
	c.form = c.r.PostForm
	if c.r.MultipartForm != nil {
		c.form = c.r.MultipartForm.Value
	}
	var large *http.MaxBytesError
	if errorsAs(err, &large) {
		discard(c.r.Body)
		return fault.New(fault.Invalid, "size", "the form is too large")
	}
	if err != nil {
		return fault.New(fault.Invalid, "form", "the form does not parse")
	}
	return nil
}

// page is what every screen has, for this request. titleID may be "" for the site's own title.
func (c *Ctx) page(titleID string) *view.Page {
	p := &view.Page{Tongue: c.say, Self: c.self(), Languages: c.s.say.Languages(), Asset: c.s.assets.URL, Contact: c.s.cfg.Contact}
	if titleID != "" {
		p.Title = c.say.T(titleID)
	}
	if !c.out && (c.holder.Bearer != "" || c.sits() == nil) {
		p.SignedIn, p.Expires, p.Waiting = true, c.ends, c.waiting
		now := c.s.cfg.Now()
		p.Left, p.Now = int(c.ends.Sub(now)/time.Second), strconv.FormatInt(now.Unix(), 10)
		p.Who = c.tag()
		p.Scripts = append(p.Scripts, "session.js")
	}
	for _, n := range navigation() {
		if p.SignedIn && n.Path == "/sign-in" {
			n = view.NavItem{Path: "/account", Text: "nav.account"}
		}
		if c.s.has(n.Path) {
			n.Current = c.r.URL.Path == n.Path || strings.HasPrefix(c.r.URL.Path, n.Path+"/")
			p.Nav = append(p.Nav, n)
		}
	}
	return p
}

// navigation lists the pages that every page leads to, where there are such.
func navigation() []view.NavItem {
	return []view.NavItem{{Path: "/find", Text: "nav.find"}, {Path: "/verify", Text: "nav.verify"}, {Path: "/numbers", Text: "nav.numbers"},
		{Path: "/promises", Text: "nav.promises", More: true}, {Path: "/sign-in", Text: "nav.sign_in"}}
}

// self is the page's own address; what was sent in a body stays out of it.
func (c *Ctx) self() string {
	q := c.r.URL.Query()
	q.Del("lang")
	if c.route.Action == "nowhere" || len(q) == 0 {
		return c.r.URL.EscapedPath()
	}
	return c.r.URL.EscapedPath() + "?" + q.Encode()
}

// rendering is what a page is rendered into before the first byte is sent.
type rendering struct {
	html bytes.Buffer
	gz   bytes.Buffer
	pack *gzip.Writer
}

func newRendering() *rendering {
	r := &rendering{}
	r.pack, _ = gzip.NewWriterLevel(&r.gz, 3) // a level that exists; 5 saves a twentieth of the bytes for a quarter more time
	return r
}

// render answers with a screen. It is rendered whole first, so that an error on the way
// shows as one and not as half a page.
func (c *Ctx) render(status int, screen templ.Component) error {
	b := c.s.buffers.Get().(*rendering)
	defer func() {
		clear(b.html.Bytes()) // what a page showed does not stay in memory
		clear(b.gz.Bytes())
		c.s.buffers.Put(b)
	}()
	b.html.Reset()
	b.gz.Reset()
	if err := screen.Render(c.r.Context(), &b.html); err != nil {
		return fault.Wrap(fault.Internal, err, "page")
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", c.say.Code)
	body := b.html.Bytes()
	if c.silent() {
		body = c.withToken(body)
	}
	// Personal pages are not compressed: their length would tell of what they say.
	if !c.route.Personal && strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		b.pack.Reset(&b.gz)
		if _, err := b.pack.Write(body); err == nil && b.pack.Close() == nil {
			body = b.gz.Bytes()
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.status = status
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
	return nil
}

// see sends the browser on to another page with GET, after a form did what it was for.
func (c *Ctx) see(path string) error {
	c.status = http.StatusSeeOther
	c.w.Header().Set("Location", path)
	c.w.WriteHeader(http.StatusSeeOther)
	return nil
}

func newRequestID() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return strings.ToUpper(hex.EncodeToString(b[:]))
}
