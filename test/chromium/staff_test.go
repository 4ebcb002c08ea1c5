package chromium

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// on is true where the suite runs.
func on(t *testing.T) {
	t.Helper()
	if os.Getenv("TIKAKOSH_CHROMIUM") != "1" {
		t.Skip("set TIKAKOSH_CHROMIUM=1 where chromium is installed")
	}
}

func later(s *harness.Server, by time.Duration) { s.Forward(by) }

// TestChromiumStaff: staff in real browsers, from the first administrator's link to a
// lost device and back.
func TestChromiumStaff(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	browser := newBrowser(t)
	var all []*desk
	newcomer := func(name string) *desk {
		d := newDesk(t, browser, s, name)
		all = append(all, d)
		return d
	}

	link, exit := s.Command("staff", "setup-link", "--data", s.Data)
	if exit != 0 {
		t.Fatal(link)
	}
	link, _, _ = strings.Cut(link, "\n")
	first := newcomer("Nita Test")
	first.small()
	first.enrol(link, "Nita Test")
	first.signIn()
	first.sees("National administrator, everywhere")

	// Alone, a day passes on the public list and the operator approves; with two, a day
	// passes and the other one does.
	link = first.invite("Omar Test", "national")
	first.sees("It is on the public list")
	first.open("proposals", "To approve")
	proposal := first.eval("document.querySelector('[data-proposal]').dataset.proposal")
	later(s, 24*time.Hour+time.Minute)
	s.OperatorApproves(proposal)
	second := newcomer("Omar Test")
	second.enrol(link, "")
	second.signIn()
	first.again()
	link = first.invite("Priya Test", "national")
	second.open("proposals", "To approve")
	second.press("Approve, with my passkey")
	second.sees("It can be done in about 24 hours.")
	later(s, 24*time.Hour+time.Minute)
	second.again()
	second.approve()
	third := newcomer("Priya Test")
	third.enrol(link, "")
	third.signIn()
	first.again()

	// With three nothing waits.
	link = first.invite("Vani Test", "vaccinator")
	second.approve()
	vaccinator := newcomer("Vani Test")
	vaccinator.small()
	vaccinator.enrol(link, "")
	vaccinator.signIn()
	vaccinator.sees("Vaccinator, centre 7 in district 395, state 21")
	vaccinator.inHindi()
	vaccinator.keyStays()
	vaccinator.replayed()

	rulesByTwo(first, second)

	// The device is lost: whoever found it has the browser, and the passkey in it.
	first.open("members", "Staff")
	first.press("Open Vani Test")
	first.at("Member of staff")
	first.press("Give a new link, with my passkey")
	first.at("New link proposed")
	link = first.eval("document.querySelector('[name=link]').value")
	third.approve()
	anew := newcomer("Vani Test, new device")
	anew.enrol(link, "")

	vaccinator.do(chromedp.Reload())
	vaccinator.at("Sign in") // the session in the old browser has ended
	vaccinator.press("Sign in with a passkey")
	vaccinator.sees("The sign-in was refused.")
	anew.signIn()
	anew.sees("Signed in: Vani Test")
	secondDevice(third, first, newcomer("Priya Test, second device"))
	anew.policyHolds()
	anew.press("Sign out")
	anew.at("Sign in")
	if n := anew.eval(keptKeys); n != "0" {
		t.Errorf("%s keys are kept after signing out", n)
	}
	for _, d := range all {
		d.quiet()
	}
}

// rulesByTwo: a centre's roster mode and a budget, proposed by one and approved by the other.
func rulesByTwo(first, second *desk) {
	first.Helper()
	first.open("changes", "Propose a change of rules")
	first.fill("center", "7")
	first.press("Propose, with my passkey")
	first.at("Proposed")
	second.approve()
	second.open("proposals", "To approve")
	second.sees("Roster mode on at centre 7")
	second.sees("In force from")
	second.press("Withdraw")
	second.sees("Withdrawn.")
	first.open("changes", "Propose a change of rules")
	first.fill("figure", "base")
	first.fill("value", "29")
	first.eval("document.querySelectorAll('form')[1].requestSubmit()")
	first.at("Proposed")
	second.open("proposals", "To approve")
	second.press("Show what changes")
	second.sees("base: 30 now, 29 afterwards")
	second.press("Back to the list")
	second.press("Show what changes")
	second.press("Approve, with my passkey") // where what it says is shown, and only there
	second.sees("Approved.")
	second.press("Withdraw")
	second.sees("Withdrawn.")
}

// secondDevice adds one: it works when a colleague has approved it, and then ends the
// sessions there were.
func secondDevice(owner, colleague, device *desk) {
	owner.Helper()
	owner.open("me", "My sessions and devices")
	owner.press("Add a device")
	owner.until("the link", "document.querySelector('[name=link]') !== null")
	link := owner.eval("document.querySelector('[name=link]').value")
	device.do(chromedp.Navigate(link))
	device.at("Make your passkey")
	device.press("Make the passkey")
	device.at("A colleague has to approve this device")
	device.do(chromedp.Reload())
	device.at("Sign in")
	device.press("Sign in with a passkey")
	device.sees("The sign-in was refused.")
	colleague.approve()
	device.signIn()
	owner.do(chromedp.Reload())
	owner.at("Sign in")
	owner.signIn()
	endsTheOther(device, owner)
}

// endsTheOther: a member sees both sessions of theirs, and ends the other browser's.
func endsTheOther(here, there *desk) {
	here.Helper()
	here.open("me", "My sessions and devices")
	here.until("two sessions", "document.querySelectorAll('[data-session]').length === 2")
	here.sees("this browser")
	here.eval("[...document.querySelectorAll('[data-session]')].find(e => !e.textContent.includes('this browser')).querySelector('button').click()")
	here.sees("The session has ended.")
	here.until("one session", "document.querySelectorAll('[data-session]').length === 1")
	there.do(chromedp.Reload())
	there.at("Sign in")
	there.signIn()
}

const keptKeys = `new Promise((ok, no) => { const r = indexedDB.open('tikakosh-staff'); r.onerror = no; r.onsuccess = () => { const q = r.result.transaction('keys').objectStore('keys').count(); q.onsuccess = () => { r.result.close(); ok(q.result); }; }; })`

// inHindi: the same view in the other language, without signing in again.
func (d *desk) inHindi() {
	d.Helper()
	d.press("हिन्दी")
	d.at("मेरे सत्र और डिवाइस")
	if l := d.eval("document.documentElement.lang"); l != "hi" {
		d.Errorf("the page's language is %q", l)
	}
	d.press("English")
	d.at("My sessions and devices")
}

// keyStays: whoever runs script in the page cannot take the session's key with them.
func (d *desk) keyStays() {
	d.Helper()
	for _, format := range []string{"jwk", "pkcs8"} {
		got := d.eval(`new Promise((ok, no) => { const r = indexedDB.open('tikakosh-staff'); r.onerror = no; r.onsuccess = () => {
			const q = r.result.transaction('keys').objectStore('keys').get('session');
			q.onsuccess = () => { r.result.close(); ok(q.result); }; }; })
			.then(k => k.key.extractable ? 'extractable' : crypto.subtle.exportKey('` + format + `', k.key).then(() => 'exported', e => e.name))`)
		if got != "InvalidAccessError" {
			d.Errorf("the session's key as %s: %s", format, got)
		}
	}
}

// replayed: who reads a request on its way and sends it again is refused.
func (d *desk) replayed() {
	d.Helper()
	d.do(chromedp.Reload())
	d.at("My sessions and devices")
	d.mu.Lock()
	seen := d.signed[len(d.signed)-1]
	d.mu.Unlock()
	req, err := http.NewRequest(seen.Method, seen.URL, nil)
	if err != nil {
		d.Fatal(err)
	}
	for k, v := range seen.Headers {
		req.Header.Set(k, fmt.Sprint(v))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		d.Errorf("%s %s sent again: %d %s %v", seen.Method, seen.URL, res.StatusCode, text, err)
	}
}

// policyHolds: a text that got into the page as script or HTML does nothing.
func (d *desk) policyHolds() {
	d.Helper()
	d.quiet()
	d.mu.Lock()
	d.allowed = true // from here on the policy is provoked
	d.mu.Unlock()
	if got := d.eval(`(() => { const s = document.createElement('script'); try { s.textContent = 'globalThis.ran = 1'; } catch (e) { return e.name; } document.body.append(s); return 'ran: ' + globalThis.ran; })()`); got != "TypeError" && got != "ran: undefined" {
		d.Errorf("inline script: %s", got)
	}
	if got := d.eval(`(() => { try { document.querySelector('main').innerHTML = '<img src=x>'; return 'taken'; } catch (e) { return e.name; } })()`); got != "TypeError" {
		d.Errorf("text as HTML: %s", got)
	}
	if got := d.eval(`fetch('` + d.server.Root + `/api/v2/admin/location/states').then(() => 'answered', e => e.name)`); got != "TypeError" {
		d.Errorf("a request to another origin: %s", got)
	}
}

// TestChromiumFrame: a page of somebody else's cannot put the staff client into a frame,
// where it could be clicked through.
func TestChromiumFrame(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	browser := newBrowser(t)
	for _, off := range []bool{false, true} {
		o := harness.Options{}
		if off {
			o = harness.Options{Tags: harness.Ablation, Ablate: []string{"staff-page"}}
		}
		s := harness.Start(t, &b, o)
		// Whether the client runs is seen from here: it then asks for its settings.
		inner, err := url.Parse(s.StaffClient)
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan struct{}, 100)
		proxy := httputil.NewSingleHostReverseProxy(inner)
		client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/config.json" {
				asked <- struct{}{}
			}
			proxy.ServeHTTP(w, r)
		}))
		evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<!doctype html><title>Prize</title><iframe src="`+strings.Replace(client.URL, "127.0.0.1", "localhost", 1)+`/" width="600" height="400"></iframe>`)
		}))
		d := newDesk(t, browser, s, "victim")
		d.do(chromedp.Navigate(evil.URL))
		framed, wait := false, 2*time.Second
		if off {
			wait = patience
		}
		select {
		case <-asked:
			framed = true
		case <-time.After(wait):
		}
		client.Close()
		evil.Close()
		if framed != off {
			t.Errorf("control off: %v, framed: %v", off, framed)
		}
		s.Kill()
	}
}
