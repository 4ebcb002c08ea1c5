package chromium

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// posts counts the documents that the window asks for by sending a form.
func posts(r *reader) func() int {
	r.Helper()
	var mu sync.Mutex
	n := 0
	call(r, network.Enable, network.EnableParams{})
	if err := chromedp.Listen(r.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && e.Type == network.ResourceTypeDocument && e.Request.Method == "POST" {
			mu.Lock()
			n++
			mu.Unlock()
		}
	}); err != nil {
		r.Fatal(err)
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// reload loads the page anew, as a person does, and waits for a text of it.
func (r *reader) reload(text string) {
	r.Helper()
	r.eval(`(document.body.dataset.old = '1', '')`)
	call(r, page.Reload, page.ReloadParams{})
	r.until("the page anew", fmt.Sprintf("!document.body?.dataset.old && document.readyState === 'complete' && document.body.innerText.includes(%q)", text))
}

// move goes back or forward, and waits for a path.
func (r *reader) move(by int, path string) {
	r.Helper()
	history := call(r, page.GetNavigationHistory, cdp.Empty{})
	to := history.Entries[int(history.CurrentIndex)+by]
	call(r, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: to.ID})
	r.until(path, fmt.Sprintf("document.readyState === 'complete' && location.pathname === %q", path))
}

// TestChromiumPortalCodeStays: with scripts and without, the page of a code is loaded anew, left
// by Back and found again by Forward, and changes its language, and not one message more goes.
// After a wrong code a reload asks for the page and sends nothing again, where there are scripts.
func TestChromiumPortalCodeStays(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	browser := newBrowser(t)
	for _, scripts := range []bool{true, false} {
		r, mobile := at(t, browser, s.Root), s.Mobile()
		sent := posts(r)
		call(r, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
		r.open("/account")
		r.sees("Please sign in to go on.")
		r.typed("#mobile", mobile)
		have := len(s.To(mobile))
		r.press(`#sign-in button[type="submit"].govuk-button`)
		r.sees("Enter the code")
		code := codeFor(t, s, mobile, have)
		n := sent()
		messages := len(s.To(mobile))
		if at := r.eval("location.pathname + location.search"); at != "/sign-in/code?to=%2Faccount" {
			t.Errorf("scripts %v: the page of the code is at %s", scripts, at)
		}
		for range 2 {
			r.reload(mobile)
		}
		r.move(-1, "/account")
		r.move(1, "/sign-in/code")
		r.sees(mobile)
		if sent() != n || len(s.To(mobile)) != messages {
			t.Errorf("scripts %v: Back and reloads sent %d forms and %d messages", scripts, sent()-n, len(s.To(mobile))-messages)
		}
		r.typed("#code", "12")
		r.press(`header button[lang="hi"]`)
		r.until("Hindi", `document.documentElement.lang === 'hi' && document.querySelector('#code').value === '12' && location.pathname === '/sign-in/code'`)
		n = sent()
		r.reload(mobile)
		if sent() != n {
			t.Errorf("scripts %v: a reload after a change of language sends %d forms", scripts, sent()-n)
		}
		r.press(`header button[lang="en"]`)
		r.until("English", `document.documentElement.lang === 'en'`)
		r.eval(`(document.querySelector('#code').value = '', '')`)
		r.typed("#code", "000000")
		r.press(`#code-form button[type="submit"]`)
		r.sees("That is not the code")
		n = sent()
		if scripts {
			r.reload("That is not the code")
			if sent() != n {
				t.Error("a reload sends the wrong code again")
			}
		}
		r.typed("#code", code)
		r.press(`#code-form button[type="submit"]`)
		r.until("the account", `location.pathname === '/account' && document.querySelector('form[action="/sign-out"]') !== null`)
		if len(s.To(mobile)) != messages {
			t.Errorf("scripts %v: %d messages more", scripts, len(s.To(mobile))-messages)
		}
		if k := r.left(); k["cookie __Host-code"] != "" {
			t.Errorf("scripts %v: the code stays in the browser: %q", scripts, k)
		}
		// Back to it leads on.
		r.open("/sign-in/code")
		r.until("the account", `location.pathname === '/account'`)
	}
}

// beside opens another window of the same browser.
func (r *reader) beside() *reader {
	r.Helper()
	ctx, end := chromedp.NewContext(r.ctx)
	r.Cleanup(end)
	o := &reader{T: r.T, ctx: ctx, base: r.base}
	if err := chromedp.Listen(ctx, o.hear); err != nil {
		r.Fatal(err)
	}
	return o
}

// TestChromiumPortalWindows: what one window does the others of the browser do too. After "stay
// signed in" every bar says the new time; after a sign-out no window shows a page of the one who
// was there, nor does Back, also where the page comes out of the browser's memory.
func TestChromiumPortalWindows(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	r, mobile := at(t, newBrowser(t), s.Root), s.Mobile()
	r.open("/account")
	r.signIn(s, mobile)
	second, third := r.beside(), r.beside()
	const bar = `document.querySelector('.tk-me [data-until]').textContent`
	second.open("/notify")
	second.until("the bar", bar+` === 'Signed in until 10:15'`)
	third.open("/account/devices")
	third.sees("Devices, PIN and e-mail")

	// Two minutes before the end; one press, and all say 10:28.
	const later = 13*60 + 30
	s.Forward(later * time.Second)
	for _, w := range []*reader{r, second, third} {
		w.eval(fmt.Sprintf(`(() => { const now = Date.now; Date.now = () => now.call(Date) + %d * 1000; return ''; })()`, later))
		w.until("the warning", `document.querySelector('dialog').open`)
	}
	r.press("dialog [data-more]")
	for _, w := range []*reader{r, second, third} {
		w.until("the new time", `!document.querySelector('dialog').open && ['10:28', '10:29'].some((at) => `+bar+`.endsWith(at) && document.querySelector('dialog [data-until]').textContent.includes(at))`)
	}
	said := r.eval(bar)
	r.open("/account")
	if again := r.eval(bar); again != said {
		t.Errorf("the bar said %q, the next page %q", said, again)
	}

	// A page out of the browser's memory: while the session is there it is shown.
	third.eval(`(() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); return ''; })()`)
	third.until("the page again", `!document.body.hidden && document.body.innerText.includes('Devices, PIN')`)
	// The third page is left, and found again by Back.
	third.run(chromedp.Navigate(s.Root + "/promises"))
	r.press(`form[action="/sign-out"] button`)
	r.sees("You are signed out")
	second.until("the sign-out in the other window", `location.pathname === '/sign-out'`)
	third.move(-1, "/account/devices")
	third.until("that nothing is shown", `!document.body.innerText.includes('End this one') && document.body.innerText.includes('Mobile number')`)

	// A restored page that heard nothing asks, and goes.
	fourth := r.beside()
	r.open("/account")
	r.signIn(s, mobile)
	fourth.open("/account/pin")
	fourth.sees("PIN of your household")
	ctx, end := context.WithTimeout(r.ctx, patience)
	defer end()
	if _, err := chromedp.Call(ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	fourth.eval(`(() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); return ''; })()`)
	fourth.until("that it is gone", `!document.body.innerText.includes('PIN of your household')`)

	for _, w := range []*reader{r, second, third, fourth} {
		for _, x := range w.said {
			if !strings.Contains(x, "40") && !strings.Contains(x, "Clear-Site-Data") {
				t.Errorf("the browser complains: %q", x)
			}
		}
	}
}

// TestChromiumPortalOTP: where the browser can read messages, the page asks it for the code, which
// is filled in and sent; who types the code by hand ends the asking.
func TestChromiumPortalOTP(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	r := at(t, newBrowser(t), s.Root)
	// A desktop has no messages: its answer is the test's.
	call(r, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		globalThis.OTPCredential ??= class {};
		navigator.credentials.get = (o) => new Promise((ok, no) => {
			globalThis.asked = JSON.stringify(o.otp);
			globalThis.give = (code) => ok({ code });
			o.signal.addEventListener('abort', () => { globalThis.ended = true; no(new DOMException('', 'AbortError')); });
		});`})
	reach := func(mobile string) string {
		t.Helper()
		have := len(s.To(mobile))
		r.open("/sign-in")
		r.typed("#mobile", mobile)
		r.press(`#sign-in button[type="submit"].govuk-button`)
		r.until("that the browser is asked", `globalThis.asked === '{"transport":["sms"]}'`)
		return codeFor(t, s, mobile, have)
	}
	code := reach(s.Mobile())
	if got := r.eval(`document.featurePolicy ? document.featurePolicy.allowedFeatures().includes('otp-credentials') : 'not known'`); got != "true" {
		t.Errorf("the page may ask for codes: %s", got)
	}
	r.eval(fmt.Sprintf("(give(%q), '')", code))
	r.until("the account", `location.pathname === '/account' && document.querySelector('form[action="/sign-out"]') !== null`)
	r.press(`form[action="/sign-out"] button`)
	r.sees("You are signed out")
	code = reach(s.Mobile())
	r.eval(`(HTMLFormElement.prototype.submit = () => { globalThis.sent = true; }, '')`)
	r.typed("#code", code)
	r.press(`#code-form button[type="submit"]`)
	r.until("that the asking ends", `globalThis.ended === true && globalThis.sent === true`)
	for _, x := range r.said {
		if !strings.Contains(x, "Clear-Site-Data") {
			t.Errorf("the browser complains: %q", x)
		}
	}
}

// TestChromiumPortalWork: after many wrong codes the vault asks for some work; the browser does it
// by itself, and the code comes. Without scripts the page says what else there is.
func TestChromiumPortalWork(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--failed-guess-alarm", "2", "--failed-guess-limit", "3"}})
	for range 4 {
		c := s.Client()
		txn, _ := c.AskCode(s.Mobile())
		c.Confirm(txn, "000000")
	}
	browser := newBrowser(t)
	r, mobile := at(t, browser, s.Root), s.Mobile()
	have := len(s.To(mobile))
	r.open("/sign-in")
	r.typed("#mobile", mobile)
	r.press(`#sign-in button[type="submit"].govuk-button`)
	r.sees("Enter the code")
	code := codeFor(t, s, mobile, have)
	if n := len(s.To(mobile)); n != have+1 {
		t.Errorf("%d messages", n-have)
	}
	r.typed("#code", code)
	r.press(`#code-form button[type="submit"]`)
	r.until("the account", `location.pathname === '/account' && document.querySelector('form[action="/sign-out"]') !== null`)
	for _, x := range r.said {
		if !strings.Contains(x, "429") {
			t.Errorf("the browser complains: %q", x)
		}
	}
	plain := at(t, browser, s.Root)
	call(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	plain.open("/sign-in")
	plain.typed("#mobile", s.Mobile())
	plain.press(`#sign-in button[type="submit"].govuk-button`)
	plain.sees("That needs scripts")
}

// TestChromiumPortalCardScan: a photo of a card is read into the form, which waits for the PIN; a
// code that is no card's is said to be another; card and PIN sign in, under the page's own policy.
func TestChromiumPortalCardScan(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	s.OpenToday()
	card := s.WalkIn(harness.Person{Name: "Asha Test", ID: s.PAN()})
	r := at(t, newBrowser(t), s.Root)
	r.open("/sign-in/card")
	if got := r.eval(`performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('zxing')).length`); got != "0" {
		t.Errorf("the decoder is loaded before anybody wants it: %s", got)
	}
	r.choose("#photo", photograph(t, "HC1:6BF"))
	r.sees("That is another code")
	if got := r.eval(`document.querySelector('#card').value`); got != "" {
		t.Errorf("the field says %q", got)
	}
	r.choose("#photo", photograph(t, card.Text))
	r.until("the card", fmt.Sprintf(`document.querySelector('#card').value === %q && document.activeElement.id === 'pin'`, card.Text))
	// By script: choose has numbered the document's nodes anew, and chromedp does not know it.
	r.eval(fmt.Sprintf(`(() => { const f = document.querySelector('#card-form'); f.elements.pin.value = %q; f.requestSubmit(); return ''; })()`, card.PIN))
	r.until("the account", `location.pathname === '/account'`)
	r.sees("Asha Test")
	for _, x := range r.said {
		t.Errorf("the browser complains: %q", x)
	}
}
