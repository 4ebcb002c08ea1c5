package chromium

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"tikakosh/test/harness"
)

// TestChromiumPortalBook: somebody registers and books in a real browser, with scripts and
// without: sign-in on the way to the booking, a person, hold, confirmation, slip; and gives a
// booking up again. The address and the title say nothing of anybody on the way.
func TestChromiumPortalBook(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	browser := newBrowser(t)
	d := s.Later()[0]
	for _, scripts := range []bool{true, false} {
		r, mobile := at(t, browser, s.Root), s.Mobile()
		call(r, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
		r.open("/book/" + d.Session)
		r.sees("Please sign in to go on.")
		r.typed("#mobile", mobile)
		have := len(s.To(mobile))
		r.press(`#sign-in button[type="submit"].govuk-button`)
		r.sees("Enter the code")
		r.typed("#code", codeFor(t, s, mobile, have))
		r.press(`#code-form button[type="submit"]`)
		r.sees("Register the person first")
		r.press(`a[href^="/account/add"]`)
		r.typed("#name", "Asha Test")
		r.typed("#year", "१९८४")
		r.eval(`(() => { document.querySelector('#gender').value = '2'; document.querySelector('#kind').value = '6'; return ''; })()`)
		r.typed("#id", s.PAN())
		r.press("#agree")
		r.press(`#add button[type="submit"]`)
		r.sees("Who is coming?") // back where they were going
		if got := r.eval("String(document.querySelector('#p1').checked)"); got != "true" {
			t.Errorf("the only person is not chosen: %s", got)
		}
		r.press("#slot0")
		r.press(`#book button[type="submit"].govuk-button`)
		r.sees("Held for you until")
		r.press(`#check button[type="submit"].govuk-button`)
		r.sees("Booking code")
		if got := r.eval("location.href + document.title + document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"); containsAny(got, "Asha", mobile, "__Host-session") {
			t.Errorf("the page leaves something: %s", got)
		}
		r.press(`a[href$="/cancel"]`)
		r.press(`#cancel button[type="submit"].govuk-button`)
		r.sees("Cancelled")
		for _, x := range r.said {
			if !containsAny(x, "401") { // the status of the page that asks to sign in
				t.Errorf("scripts %v: the browser complains: %q", scripts, x)
			}
		}
	}
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
