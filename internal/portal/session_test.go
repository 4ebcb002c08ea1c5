package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// gate is a vault that signs in: every number has the code 123456, and "live" is a session.
type gate struct {
	asked, ended []string
	devices      []*vault.Signed // of the words in order, nil without one
	live         map[string]bool
	work         string
	held         int64
	err          error // of the next word
	noProof      bool  // refuses proofs
}

func (g *gate) RequestCode(_ context.Context, r vault.CodeRequest) (vault.CodeIssued, error) {
	g.devices = append(g.devices, r.Device)
	if g.noProof && r.Device != nil {
		return vault.CodeIssued{}, fault.New(fault.Unauthorized, "proof", "the proof is for another request")
	}
	if g.work != "" && r.Work == "" {
		return vault.CodeIssued{Challenge: g.work}, g.err
	}
	g.asked = append(g.asked, r.Mobile+" "+r.Language)
	return vault.CodeIssued{Txn: "00000000-0000-4000-8000-000000000001", Held: g.held}, g.err
}

func (g *gate) ConfirmCode(_ context.Context, r vault.CodeAnswer) (vault.Session, error) {
	if g.err != nil {
		return vault.Session{}, g.err
	}
	g.devices = append(g.devices, r.Device)
	if r.Digest != "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92" { // of 123456
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	return vault.Session{Bearer: fresh, ExpiresAt: noon().Add(15 * time.Minute).UnixMilli()}, nil
}

func (g *gate) CardSession(_ context.Context, a vault.CardAnswer) (vault.Session, error) {
	if a.PIN != "482913" {
		return vault.Session{}, fault.New(fault.Invalid, "CARD", "The card or its PIN is not right")
	}
	return vault.Session{Bearer: fresh, ExpiresAt: noon().Add(15 * time.Minute).UnixMilli()}, g.err
}

func (g *gate) ExtendSession(_ context.Context, r vault.ExtendRequest) (vault.Session, error) {
	g.devices = append(g.devices, &r.Device)
	return vault.Session{Bearer: fresh, ExpiresAt: noon().Add(14 * time.Minute).UnixMilli()}, g.err
}

func (g *gate) EndSession(_ context.Context, h vault.Holder) error {
	g.ended = append(g.ended, h.Bearer)
	return g.err
}

func (g *gate) Live(bearer string) (time.Time, error) {
	if bearer != fresh && bearer != "live" && !g.live[bearer] {
		return time.Time{}, fault.New(fault.Unauthorized, "bearer", "no bearer")
	}
	return noon().Add(15 * time.Minute), nil
}

// fresh is the bearer that a sign-in gives; ended was the same one's, stranger another's.
const (
	fresh    = "e30.eyJzdWIiOiJhIn0.x"
	ended    = "e30.eyJzdWIiOiJhIn0.y"
	stranger = "e30.eyJzdWIiOiJiIn0.y"
)

// seated are the cookies of somebody who is signed in, for get and post.
const (
	seat   = "AAAAAAAAAAAAAAAAAAAAAA"
	seated = sessionCookie + "=live; " + seatCookie + "=" + seat
)

// send sends a form as a browser does; header as get takes it.
func send(s http.Handler, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// hidden are the hidden fields of a page.
func hidden(w *httptest.ResponseRecorder) url.Values {
	out := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		out.Set(m[1], m[2])
	}
	return out
}

// follow is the page that an answer leads to, in a browser that has a cookie besides those that
// the answer sets.
func follow(s http.Handler, w *httptest.ResponseRecorder, cookie string) *httptest.ResponseRecorder {
	if w.Code != http.StatusSeeOther {
		return w
	}
	for _, k := range w.Result().Cookies() {
		if k.MaxAge >= 0 {
			cookie += "; " + k.Name + "=" + k.Value
		}
	}
	return get(s, w.Header().Get("Location"), "Cookie", strings.TrimPrefix(cookie, "; "))
}

// cookies are those that an answer sets, by name.
func cookies(w *httptest.ResponseRecorder) map[string]*http.Cookie {
	out := map[string]*http.Cookie{}
	for _, k := range w.Result().Cookies() {
		out[k.Name] = k
	}
	return out
}

// keeping is a server with a page and a form of who is signed in, beside its own.
func keeping(t testing.TB) (*Server, *gate, *int) {
	t.Helper()
	g, acted := &gate{live: map[string]bool{}}, new(int)
	s, _ := newServer(t, func(c *Config) { c.Sessions, c.Live, c.PublicURL = g, g.Live, "https://tk.example" })
	for _, r := range []Route{
		mine("/t/{who}", "t", func(c *Ctx) error {
			if c.form.Get("late") != "" {
				return fault.New(fault.Unauthorized, "bearer", "the vault has ended it")
			}
			return c.render(200, view.Trouble(c.page("error.wait"), view.ProblemPage{Heading: "error.wait", Text: "here " + c.r.PathValue("who") + " " + c.handle("12345678901234")}))
		}, "a", "late"),
		act("/t/{who}", "t", func(c *Ctx) error {
			if !c.keep {
				*acted++
				return c.see("/done")
			}
			return c.render(200, view.Trouble(c.page("error.wait"), view.ProblemPage{Heading: "error.wait", Text: "kept " + c.r.PathValue("who") + " " + c.form.Get("a") + c.form.Get("pin")}))
		}, "a").secret("pin"),
	} {
		s.table = append(s.table, r)
		s.mux.Handle(r.Method+" "+r.Path, s.serve(r))
	}
	return s, g, acted
}

// TestSignIn: number, code, session; the cookies are what they are to be, and no address or
// title says who.
func TestSignIn(t *testing.T) {
	s, g, _ := keeping(t)
	if w := get(s, "/sign-in"); w.Code != 200 || !strings.Contains(w.Body.String(), `autocomplete="tel-national"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for typed, want := range map[string]string{"9876543210": "9876543210", "+91 98765 43210": "9876543210", "९८७६५४३२१०": "9876543210", "09876543210": "9876543210", "5123456789": "5123456789"} {
		w := follow(s, send(s, "/sign-in", url.Values{"mobile": {typed}}), "")
		if w.Code != 200 || len(g.asked) == 0 || g.asked[len(g.asked)-1] != want+" en" || !strings.Contains(w.Body.String(), `autocomplete="one-time-code"`) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d %q", typed, w.Code, g.asked)
		}
	}
	for _, typed := range []string{"", "98765", "98765432101234", "abc", "<script>"} {
		w := send(s, "/sign-in", url.Values{"mobile": {typed}})
		if w.Code != 422 || !strings.Contains(w.Body.String(), "<title>Error: ") || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%q: %d", typed, w.Code)
		}
	}
	asked := follow(s, send(s, "/sign-in", url.Values{"mobile": {"9876543210"}}), "")
	form := hidden(asked)
	for _, typed := range []string{"", "12345", "1234567", "abcdef", "000000"} {
		form.Set("code", typed)
		if w := send(s, "/sign-in/code", form); w.Code != 422 || hidden(w).Get("txn") != form.Get("txn") || len(cookies(w)) != 0 {
			t.Errorf("code %q: %d", typed, w.Code)
		}
	}
	form.Set("code", "१२३ ४५६")
	w := send(s, "/sign-in/code", form)
	k := cookies(w)
	if w.Code != 303 || w.Header().Get("Location") != "/account" || k[sessionCookie] == nil || k[sessionCookie].Value != fresh {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for name, same := range map[string]http.SameSite{sessionCookie: http.SameSiteLaxMode, seatCookie: http.SameSiteStrictMode} {
		if c := k[name]; c == nil || !c.HttpOnly || !c.Secure || c.Path != "/" || c.MaxAge != 0 || !c.Expires.IsZero() || c.SameSite != same || c.Domain != "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", ""}} {
		if w := send(s, "/sign-in/code", form, h...); w.Code != 403 || len(cookies(w)) != 0 {
			t.Errorf("%v: another site signed somebody in: %d", h, w.Code)
		}
	}
}

// TestHolder: who is signed in gets in; who is not is asked to sign in and goes on where they
// were, with what they typed and without its secrets.
func TestHolder(t *testing.T) {
	s, g, acted := keeping(t)
	if w := get(s, "/t/x?a=1", "Cookie", seated); w.Code != 200 || !strings.Contains(w.Body.String(), "here x") || !strings.Contains(w.Body.String(), "/sign-out") || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	signIn := func(w *httptest.ResponseRecorder, cookie string) *httptest.ResponseRecorder {
		t.Helper()
		if w.Code != 401 || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		form := hidden(w)
		form.Set("mobile", "9876543210")
		w = follow(s, send(s, "/sign-in", form, "Cookie", cookie), cookie)
		form = hidden(w)
		form.Set("code", "111111")
		form = hidden(send(s, "/sign-in/code", form, "Cookie", cookie)) // a wrong one keeps it too
		form.Set("code", "123456")
		return send(s, "/sign-in/code", form, "Cookie", cookie)
	}
	if w := signIn(get(s, "/t/x?a=1&lang=en"), ""); w.Code != 303 || w.Header().Get("Location") != "/t/x?a=1" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	const dead = sessionCookie + "=" + ended + "; " + seatCookie + "=" + seat
	const others = sessionCookie + "=" + stranger + "; " + seatCookie + "=" + seat
	w := get(s, "/t/x?late=1", "Cookie", seated)
	if w.Code != 401 || !strings.Contains(w.Body.String(), "run out") || strings.Contains(w.Body.String(), "/sign-out") || cookies(w)[sessionCookie].MaxAge != -1 {
		t.Errorf("the vault ended it: %d", w.Code)
	}
	typed := url.Values{"a": {"typed <b>"}, "pin": {"482913"}}
	w = signIn(send(s, "/t/x", typed, "Cookie", dead), dead)
	if w.Code != 200 || *acted != 0 || !strings.Contains(w.Body.String(), "kept x typed &lt;b&gt;") || strings.Contains(w.Body.String(), "482913") || cookies(w)[seatCookie].Value != seat || cookies(w)[sessionCookie].Value != fresh {
		t.Errorf("%d, acted %d, %v %s", w.Code, *acted, w.Header(), w.Body)
	}
	for name, cookie := range map[string]string{"another's": others, "nobody's": seatCookie + "=" + seat} {
		if w := signIn(send(s, "/t/x", typed, "Cookie", cookie), cookie); w.Code != 303 || w.Header().Get("Location") != "/account" || *acted != 0 {
			t.Errorf("%s form is shown to who signs in: %d %v", name, w.Code, w.Header())
		}
	}
	if w := send(s, "/t/x", typed, "Cookie", seated); w.Code != 303 || *acted != 1 {
		t.Errorf("signed in: %d, acted %d", w.Code, *acted)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if w := send(s, "/t/x", typed, "Cookie", seated, "Sec-Fetch-Site", site); w.Code != 403 || *acted != 1 {
			t.Errorf("a form of another site acted: %d", w.Code)
		}
		if w := get(s, "/t/x", "Cookie", sessionCookie+"=live", "Sec-Fetch-Site", site); w.Code != 200 || strings.Contains(w.Body.String(), "here x") || !strings.Contains(w.Body.String(), `href="/t/x"`) {
			t.Errorf("a link of another site opened a page: %d %s", w.Code, w.Body)
		}
	}
	if w := get(s, "/t/x", "Cookie", sessionCookie+"=live"); w.Code != 401 {
		t.Errorf("without a seat: %d", w.Code)
	}
	// The session that was there ends when another begins.
	g.live["older"] = true
	g.ended = nil
	form := url.Values{"mobile": {"9876543210"}, "txn": {"x"}, "code": {"123456"}}
	if w := send(s, "/sign-in/code", form, "Cookie", sessionCookie+"=older; "+seatCookie+"="+seat); cookies(w)[sessionCookie].Value != fresh || cookies(w)[seatCookie].Value == seat || len(g.ended) != 1 || g.ended[0] != "older" {
		t.Errorf("%v, ended %q", w.Header(), g.ended)
	}
	w = send(s, "/sign-out", nil, "Cookie", seated)
	k := cookies(w)
	if w.Code != 303 || len(g.ended) != 2 || k[sessionCookie].MaxAge != -1 || k[seatCookie].MaxAge != -1 || w.Header().Get("Clear-Site-Data") != `"cache"` {
		t.Errorf("%d %q %v", w.Code, g.ended, w.Header())
	}
	if get(s, "/sign-in", "Cookie", seated).Code != 303 {
		t.Error("who is signed in is asked to sign in")
	}
}

// TestGoal: what is carried through a sign-in leads to pages of here and nowhere else.
func TestGoal(t *testing.T) {
	s, _, _ := keeping(t)
	for to, want := range map[string]bool{"/t/x?a=1": true, "/find": true, "/account": true, "//evil.example/t/x": false, "https://evil.example/": false, "/\\evil.example": false, "javascript:alert(1)": false,
		"/nowhere": false, "/api/v2/x": false, "": false, "/t/x\r\nSet-Cookie: a=b": false, "/assets/x": false} {
		if _, ok := s.goal(to, "GET"); ok != want {
			t.Errorf("%q: %v", to, ok)
		}
	}
	if _, ok := s.goal("/sign-out", "POST"); ok {
		t.Error("a public form is shown again")
	}
	w := send(s, "/sign-in/code", url.Values{"mobile": {"9876543210"}, "txn": {"x"}, "code": {"123456"}, "carry": {carried{To: "//evil.example/"}.text()}})
	if w.Header().Get("Location") != "/account" {
		t.Errorf("%v", w.Header())
	}
}

// TestHandles: a handle is this browser's own, and finds only who is in the household.
func TestHandles(t *testing.T) {
	a, b := &Ctx{seat: seat}, &Ctx{seat: "BAAAAAAAAAAAAAAAAAAAAA"}
	refs := []id.Reference{"12345678901234", "22345678901234"}
	same := func(r id.Reference) id.Reference { return r }
	if h := a.handle(refs[0]); len(h) != 11 || h == b.handle(refs[0]) || h == a.handle(refs[1]) {
		t.Error("handles are not the browser's own")
	}
	if got, err := member(a, a.handle(refs[1]), refs, same); err != nil || got != refs[1] {
		t.Errorf("%s %v", got, err)
	}
	for _, h := range []string{"", b.handle(refs[0]), a.handle("32345678901234")} {
		if _, err := member(a, h, refs, same); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", h, err)
		}
	}
}

// FuzzCarried: what a form says of where somebody was going is any text.
func FuzzCarried(f *testing.F) {
	s, _, _ := keeping(f)
	f.Add(carried{To: "/t/x", Box: "AAAA"}.text())
	f.Add(carried{To: "/t/x"}.text())
	f.Add("//evil")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"to":"//x"}`)))
	f.Fuzz(func(t *testing.T, text string) {
		k, ok := readCarried(text)
		if !ok {
			return
		}
		var x typed
		if box, err := base64.RawURLEncoding.DecodeString(k.Box); err == nil && unseal(carryKey(seat), box, &x) {
			t.Errorf("a box that nobody sealed opens: %q", text)
		}
		if u, ok := s.goal(k.To, "POST"); ok && (u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.String(), "/") || strings.HasPrefix(u.String(), "//")) {
			t.Errorf("%q leads to %s", k.To, u)
		}
		if _, err := json.Marshal(k); err != nil {
			t.Error(err)
		}
	})
}
