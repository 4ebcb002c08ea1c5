package chromium

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tikakosh/internal/certificate/encode"
	"tikakosh/test/harness"
)

// at makes a window of its own for a real installation.
func at(t *testing.T, browser context.Context, base string) *reader {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	r := &reader{T: t, ctx: ctx, base: base}
	if err := chromedp.Listen(ctx, r.hear); err != nil {
		t.Fatal(err)
	}
	call(r, log.Enable, cdp.Empty{})
	call(r, runtime.Enable, cdp.Empty{})
	r.window(360, 640, "light")
	return r
}

// clock sets the page's clock to the installation's.
func (r *reader) clock(s *harness.Server) {
	r.Helper()
	call(r, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf("{ const now = Date.now; Date.now = () => now() + %d; }", time.Until(s.Now()).Milliseconds())})
}

func (r *reader) press(selector string) {
	r.Helper()
	r.run(chromedp.Click(chromedp.CSS(selector)))
}

func (r *reader) typed(selector, text string) {
	r.Helper()
	r.run(chromedp.SendKeys(chromedp.CSS(selector), text))
}

func (r *reader) run(actions ...chromedp.Action[chromedp.Void]) {
	r.Helper()
	ctx, end := context.WithTimeout(r.ctx, patience)
	defer end()
	if err := chromedp.Do(ctx, actions...); err != nil {
		r.Fatal(err)
	}
}

// sees waits for a text of the page.
func (r *reader) sees(text string) {
	r.Helper()
	r.until(text, fmt.Sprintf("document.body?.innerText.includes(%q)", text))
}

// TestChromiumPortalStranger: somebody who is nobody here finds a centre, changes the
// language and keeps the place, and checks certificates, with scripts and without, against
// the real program with its vault.
func TestChromiumPortalStranger(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	text, err := encode.HC1FromPDF(c.Certificate(ref).Body)
	if err != nil {
		t.Fatal(err)
	}
	pin := s.Column(harness.RegistryDB, "SELECT pin FROM centre LIMIT 1")[0]
	browser := newBrowser(t)

	for _, scripts := range []bool{true, false} {
		r := at(t, browser, s.Root)
		r.clock(s)
		call(r, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
		r.open("/")
		r.sees("Nobody can look you up.")
		r.press(`a[href="/find"].tk-act`)
		r.sees("Find a vaccination centre")
		r.typed("#pin", local(pin)) // in the digits of another script
		r.press(`form:has(#pin) button`)
		r.sees("Centres in " + pin)
		r.press(`header a[lang="hi"]`)
		r.sees(pin + " के केंद्र")
		r.open("/verify")
		r.sees("प्रमाणपत्र जाँचें") // the cookie remembers
		r.press(`header button[lang="en"]`)
		r.sees("Verify a certificate")
		if scripts {
			r.choose("#photo", photograph(t, text))
		} else {
			r.typed("#text", text)
			r.press(`#verify-form button[type="submit"]`)
		}
		r.sees("Genuine")
		r.sees("Asha Test")
		if got := r.eval("location.href + document.title + document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"); strings.Contains(got, "Asha") || strings.Contains(got, "HC1") || !strings.HasPrefix(got, s.Root+"/verify") {
			t.Errorf("the page leaves something: %s", got)
		}
		if len(r.said) > 0 {
			t.Errorf("scripts %v: the browser complains: %q", scripts, r.said)
		}
	}

	// Changed by one letter it is not genuine; and while the vault is away checking goes on.
	r := at(t, browser, s.Root)
	r.clock(s)
	changed := []byte(text)
	changed[len(changed)-20] ^= 1
	for _, x := range []struct{ text, want string }{{string(changed), "not a certificate"}, {text, "Genuine"}} {
		if x.want == "Genuine" {
			s.KillRole("vault")
		}
		r.open("/verify")
		r.eval(`(() => { document.getElementById('text').value = ` + fmt.Sprintf("%q", x.text) + `; return ''; })()`)
		r.press(`#verify-form button[type="submit"]`)
		r.until(x.want, fmt.Sprintf(`/%s|Not genuine/.test([...document.querySelectorAll('h1')].pop().textContent)`, x.want))
		if got := r.eval(`[...document.querySelectorAll('h1')].pop().textContent`); (got == "Genuine") != (x.want == "Genuine") {
			t.Errorf("%s: want %s", got, x.want)
		}
	}

	// A form of another site is refused.
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.Root+"/find/near", strings.NewReader(url.Values{"lat": {"1"}, "long": {"1"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d", a.StatusCode)
	}
}

// local is a number in Devanagari digits.
func local(n string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '०' }, n)
}

// inlined puts a script and a handler of its own into a page, as an injection
// would.
func inlined(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if !strings.HasPrefix(r.URL.Path, "/s/") {
			return
		}
		_, _ = w.Write([]byte(`<script>globalThis.taken = 1</script><img src="data:," onerror="globalThis.taken = 1"><style>h1 { display: none }</style>`))
	})
}

// TestChromiumPortalPolicy: what is injected into a page does not run; without the policy it
// does.
func TestChromiumPortalPolicy(t *testing.T) {
	on(t)
	browser := newBrowser(t)
	for _, policy := range []bool{true, false} {
		h := inlined(newBook(t))
		if !policy {
			inner := h
			h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(bare{w}, r) })
		}
		r := newReader(t, browser, h)
		r.open("/s/landing?lang=en")
		if got := r.eval(`String(globalThis.taken === 1) + getComputedStyle(document.querySelector('h1')).display`); got != map[bool]string{true: "falseblock", false: "truenone"}[policy] {
			t.Errorf("policy %v: %s", policy, got)
		}
	}
}

// bare leaves the policy out.
type bare struct{ http.ResponseWriter }

func (b bare) Write(p []byte) (int, error) {
	b.Header().Del("Content-Security-Policy")
	return b.ResponseWriter.Write(p)
}
