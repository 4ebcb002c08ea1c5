package chromium

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
)

// message stands in for a browser that reads messages: asked for a code it waits, gives the one
// of the message when the test says so, and notes that it was told to stop.
const message = `globalThis.OTPCredential = class {};
Object.defineProperty(navigator, 'credentials', { value: { get: ({ otp, signal }) => new Promise((done, fail) => {
	sessionStorage.setItem('transport', otp.transport.join());
	globalThis.arrive = (code) => done({ code });
	signal.addEventListener('abort', () => { sessionStorage.setItem('stopped', '1'); fail(signal.reason); });
}) } });`

// TestChromiumMessageFills: web.md 9, row 2. Where the browser can read the message, the code is
// filled in and sent by itself; where somebody types it, the browser is told to stop.
func TestChromiumMessageFills(t *testing.T) {
	on(t)
	s := signInServer(t)
	browser := newBrowser(t)
	for _, typed := range []bool{false, true} {
		p := newPerson(t, browser, s, true)
		call(p.reader, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: message})
		have := len(s.To(p.mobile))
		p.ask(p.mobile)
		code := s.CodeAfter(p.mobile, have)
		p.until("that the message is asked for", `sessionStorage.getItem('transport') === 'sms' && typeof arrive === 'function'`)
		if typed {
			p.fill("code", code)
			p.press(`#code-form button[type="submit"]`)
		} else {
			p.eval(fmt.Sprintf(`(arrive(%q), '')`, code))
		}
		p.until("the account", `location.pathname === '/account'`)
		if got := p.eval(`sessionStorage.getItem('stopped') ?? ''`); typed && got != "1" {
			t.Error("somebody types the code, and the browser still waits for the message")
		}
		p.clean()
		s.Forward(31 * time.Second)
	}
}
