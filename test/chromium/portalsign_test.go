package chromium

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"tikakosh/test/harness"
)

// codeFor waits for the newest code to a number, of more than have messages.
func codeFor(t *testing.T, s *harness.Server, mobile string, have int) string {
	t.Helper()
	for range 200 {
		for _, m := range s.To(mobile)[:max(0, len(s.To(mobile))-have)] {
			if code := m.Code(); code != "" {
				return code
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no code came")
	return ""
}

// TestChromiumPortalSignIn: somebody signs in, with scripts and without; with them the
// browser's key is the household's device, has the session go on with one press, and cannot be
// taken out; without, what was typed is still there after the time ran out.
func TestChromiumPortalSignIn(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	browser := newBrowser(t)

	for _, scripts := range []bool{true, false} {
		r, mobile := at(t, browser, s.Root), s.Mobile()
		call(r, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
		r.open("/account")
		r.sees("Please sign in to go on.")
		r.typed("#mobile", local(mobile))
		have := len(s.To(mobile))
		r.press(`#sign-in button[type="submit"].govuk-button`)
		r.sees("Enter the code")
		code := codeFor(t, s, mobile, have)
		r.typed("#code", "000000")
		r.press(`#code-form button[type="submit"]`)
		r.sees("That is not the code")
		if got := r.eval("document.title + '|' + document.activeElement.className"); !strings.HasPrefix(got, "Error: ") || scripts && !strings.Contains(got, "govuk-error-summary") {
			t.Errorf("after a wrong code: %s", got)
		}
		r.typed("#code", local(code[:3])+" "+code[3:])
		r.press(`#code-form button[type="submit"]`)
		r.until("the account", `location.pathname === '/account' && document.querySelector('form[action="/sign-out"]') !== null`)
		if got := r.eval("document.cookie + location.href + document.title + JSON.stringify({...localStorage, ...sessionStorage})"); strings.Contains(got, mobile) || strings.Contains(got, "__Host-session") {
			t.Errorf("the page leaves something: %s", got)
		}
		if scripts {
			goesOn(t, s, r)
		} else {
			s.Forward(16 * time.Minute)
			r.open("/account")
			r.sees("Your time here has run out")
		}
		if len(r.said) > 0 {
			for _, x := range r.said {
				if !strings.Contains(x, "40") && !strings.Contains(x, "42") && !strings.Contains(x, "Clear-Site-Data") { // the statuses of refusals
					t.Errorf("scripts %v: the browser complains: %q", scripts, x)
				}
			}
		}
	}
}

// goesOn: two minutes before the end the page asks, and one press is enough.
func goesOn(t *testing.T, s *harness.Server, r *reader) {
	t.Helper()
	const key = `new Promise((ok) => { const o = indexedDB.open('tikakosh', 1); o.onsuccess = () => { const g = o.result.transaction('keys').objectStore('keys').get('device'); g.onsuccess = () => ok(g.result ? String(g.result.privateKey.extractable) : 'none'); }; })`
	r.eval(`(() => { ` + key + `.then((v) => { document.body.dataset.key = v; }); return ''; })()`)
	r.until("the key", `document.body.dataset.key === 'false'`)
	if got := s.Column(harness.VaultDB, "SELECT COUNT(*) FROM bearer"); len(got) != 1 {
		t.Fatal(got)
	}
	const later = 13*60 + 30
	s.Forward(later * time.Second)
	r.eval(fmt.Sprintf(`(() => { const now = Date.now; Date.now = () => now.call(Date) + %d * 1000; return ''; })()`, later))
	r.until("the warning", `document.querySelector('dialog').open && document.querySelector('dialog').innerText.includes('nearly over')`)
	r.press("dialog [data-more]")
	r.until("the session goes on", `!document.querySelector('dialog').open`)
	s.Forward(10 * time.Minute)
	r.open("/account")
	r.until("still signed in", `document.querySelector('form[action="/sign-out"]') !== null`)
	r.press(`form[action="/sign-out"] button`)
	r.sees("You are signed out")
	r.open("/account")
	r.sees("Please sign in to go on.")
}
