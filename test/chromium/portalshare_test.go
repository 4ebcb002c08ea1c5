package chromium

import (
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestChromiumPortalShare: a link is opened in a browser: its secret is taken out of the address
// and the history, goes to the server only when somebody presses, and is in no Referer of what
// they press next; the certificate is shown.
func TestChromiumPortalShare(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Kumari Test")
	s.Vaccinate(c, mobile, ref)
	browser := newBrowser(t)
	own := at(t, browser, s.Root)
	p := s.Portal()
	p.SignIn(mobile)
	own.carry(p, "__Host-session", "__Host-seat")
	own.open("/p/" + p.Handle(ref) + "/share?lang=en")
	own.eval(`document.querySelector('#share button').click()`)
	own.until("the link", `!!document.getElementById('link')`)
	link := strings.TrimSpace(own.eval(`document.getElementById('link').textContent`))
	_, token, ok := strings.Cut(link, "/share#")
	if !ok || len(token) != 22 {
		t.Fatalf("the link is %q", link)
	}
	if got := own.eval(`location.href + document.title + JSON.stringify({...localStorage, ...sessionStorage})`); strings.Contains(got, token) {
		t.Errorf("the page that shows it keeps it: %s", got)
	}

	r := at(t, browser, s.Root)
	r.open("/share?lang=en#" + token)
	r.until("the script", `document.getElementById('token-field').hidden && location.hash === ''`)
	if list := c.Openings(); len(list) > 0 {
		for _, o := range list {
			if o.Reason == "share link" {
				t.Error("a visit opened the certificate")
			}
		}
	}
	r.eval(`document.querySelector('#open button').click()`)
	r.until("the certificate", `!!document.querySelector('svg.tk-qr')`)
	r.sees("Asha Kumari Test")
	if got := r.eval(`location.href + document.title + document.cookie + document.referrer + JSON.stringify({...localStorage, ...sessionStorage})`); strings.Contains(got, token) || strings.Contains(got, "Asha") {
		t.Errorf("the page leaves something: %s", got)
	}
	r.eval(`document.querySelector('footer a').click()`)
	r.until("another page", `location.pathname === '/status'`)
	if got := r.eval(`document.referrer`); strings.Contains(got, token) {
		t.Errorf("Referer: %s", got)
	}
	if len(r.said)+len(own.said) > 0 {
		t.Errorf("the browser complains: %q %q", own.said, r.said)
	}
	// The way back asks whether the form is to be sent again: nothing of the certificate was kept.
	r.eval(`(setTimeout(() => history.back(), 50), '')`)
	r.until("the way back", `location.pathname !== '/status' && !!document.body && !document.body.innerText.includes('Asha')`)
}
