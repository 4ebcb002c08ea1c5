package chromium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// patience is how long a step may take on a busy machine.
const patience = 20 * time.Second

// chromium is where the browser is.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Fatal("chromium is wanted and not installed: apt-get install chromium")
	return ""
}

// newBrowser starts Chromium.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.Flag("lang", "en-US"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none as root
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// desk is one person at a browser of their own: a context that shares nothing with the
// others, and an authenticator.
type desk struct {
	*testing.T
	server *harness.Server
	ctx    context.Context
	name   string
	key    webauthn.AuthenticatorID
	old    page.ScriptIdentifier

	mu      sync.Mutex
	said    []string           // by the browser's log and console: what was wrong
	signed  []*network.Request // requests with a proof
	allowed bool               // a test provokes the policy
}

func newDesk(t *testing.T, browser context.Context, s *harness.Server, name string) *desk {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	d := &desk{T: t, server: s, ctx: ctx, name: name}
	if err := chromedp.Listen(ctx, d.hear); err != nil { // opens the tab
		t.Fatal(err)
	}
	send(d, log.Enable, cdp.Empty{})
	send(d, network.Enable, network.EnableParams{})
	send(d, runtime.Enable, cdp.Empty{})
	send(d, webauthn.Enable, webauthn.EnableParams{})
	d.authenticator()
	d.clock()
	return d
}

// hear notes what the browser complains of, and what the page sends.
func (d *desk) hear(event any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork { // an answer that is a refusal
			d.said = append(d.said, string(e.Entry.Source)+": "+e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		d.said = append(d.said, "exception: "+e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if e.Request.Headers["DPoP"] != nil {
			d.signed = append(d.signed, e.Request)
		}
	}
}

// send sends a command of the protocol.
func send[P, R any](d *desk, c cdp.Command[P, R], params P) R {
	d.Helper()
	ctx, end := context.WithTimeout(d.ctx, patience)
	defer end()
	got, err := chromedp.Call(ctx, c, params)
	if err != nil {
		d.Fatalf("%s: %v", d.name, err)
	}
	return got
}

func (d *desk) do(actions ...chromedp.Action[chromedp.Void]) {
	d.Helper()
	ctx, end := context.WithTimeout(d.ctx, patience)
	defer end()
	if err := chromedp.Do(ctx, actions...); err != nil {
		d.Fatalf("%s: %v; the page says: %s", d.name, err, d.text())
	}
}

// authenticator plugs in a new one.
func (d *desk) authenticator() {
	d.Helper()
	d.key = send(d, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
}

// clock gives the page the server's time, now and after each load.
func (d *desk) clock() {
	d.Helper()
	set := fmt.Sprintf(`(() => { globalThis.realNow ??= Date.now.bind(Date); Date.now = () => realNow() + %d; })()`, time.Until(d.server.Now()).Round(time.Second).Milliseconds())
	if d.old != "" {
		send(d, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: d.old})
	}
	d.old = send(d, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: set}).Identifier
	d.eval(set)
}

// eval is the value of an expression or promise in the page, as text.
func (d *desk) eval(js string) string {
	d.Helper()
	out, err := d.try(js)
	if err != nil {
		d.Fatalf("%s: %v in %s", d.name, err, js)
	}
	return out
}

// try is eval where the page may be on its way to another.
func (d *desk) try(js string) (string, error) {
	ctx, end := context.WithTimeout(d.ctx, patience)
	defer end()
	return chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => String(await (`+strings.TrimSuffix(js, ";")+`)))()`, chromedp.EvalAwaitPromise))
}

func (d *desk) text() string {
	ctx, end := context.WithTimeout(d.ctx, time.Second)
	defer end()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title + ' | ' + (document.body?.innerText ?? '')`))
	if err != nil {
		return err.Error()
	}
	return out
}

// until waits for an expression to be true.
func (d *desk) until(what, js string) {
	d.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		if got, err := d.try(js); err == nil && got == "true" {
			return
		}
	}
	d.Fatalf("%s: %s did not come; the page says: %s", d.name, what, d.text())
}

// sees waits for a text in the page.
func (d *desk) sees(text string) {
	d.Helper()
	d.until(text, fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// at waits for a view by its heading and looks at what is true of every view.
func (d *desk) at(heading string) {
	d.Helper()
	d.until("the view "+heading, fmt.Sprintf("document.querySelector('h1')?.textContent === %q", heading))
	d.decent()
}

// press clicks a button of the view.
func (d *desk) press(text string) {
	d.Helper()
	d.until("the button "+text, fmt.Sprintf(`[...document.querySelectorAll('button')].some(b => b.textContent === %q && !b.disabled)`, text))
	d.do(chromedp.Click(chromedp.Search(fmt.Sprintf(`//button[normalize-space()=%q]`, text))))
}

// open goes to a view by the navigation.
func (d *desk) open(view, heading string) {
	d.Helper()
	d.do(chromedp.Click(chromedp.CSS(`nav a[href="#` + view + `"]`)))
	d.at(heading)
}

func (d *desk) fill(name, value string) {
	d.Helper()
	field := chromedp.CSS(`[name="` + name + `"]`)
	d.do(chromedp.Clear(field), chromedp.SendKeys(field, value))
}

func (d *desk) choose(name, value string) {
	d.Helper()
	d.eval(fmt.Sprintf(`(() => { const s = document.querySelector('[name=%q]'); s.value = %q; s.dispatchEvent(new Event('change')); })()`, name, value))
}

var plainAddress = regexp.MustCompile(`^/?(#[a-z]*)?$`)

// decent looks at what is true of every view: nothing about anybody in the address, the
// title or the store; every field has a label and every control is large enough; nothing
// runs out of 320 px; the focus is in the view.
func (d *desk) decent() {
	d.Helper()
	if at := strings.TrimPrefix(d.eval("location.href"), d.server.StaffClient); !plainAddress.MatchString(at) {
		d.Errorf("the address tells something: %s", at)
	}
	const checks = `{
		'a name in the title': async () => !/Test/.test(document.title),
		'something kept': async () => Object.keys(localStorage).join() === 'language' && sessionStorage.length === 0 && document.cookie === '',
		'another database': async () => indexedDB.databases().then(l => l.every(x => x.name === 'tikakosh-staff')),
		'a field without a label': async () => [...document.querySelectorAll('input,select')].every(e => e.labels.length === 1 && e.labels[0].textContent),
		'a control without a name': async () => [...document.querySelectorAll('button,a')].every(e => e.textContent.trim()),
		'a control that is small': async () => [...document.querySelectorAll('main button, main input, main select, nav a, header button')].every(e => { const r = e.getBoundingClientRect(); return r.height === 0 || (r.height >= 44 && r.width >= 44); }),
		'two headings of the first level': async () => document.querySelectorAll('h1').length === 1,
		'no language': async () => ['en', 'hi'].includes(document.documentElement.lang),
		'no place for messages': async () => document.querySelector('[role=status]') !== null && document.querySelector('[role=alert]') !== null,
		'a page wider than a small screen': async () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
	}`
	d.until("the focus in the view", `document.activeElement.closest('main') !== null`)
	if bad := d.eval(`(async () => { const bad = []; for (const [what, good] of Object.entries(` + checks + `)) if (await good() !== true) bad.push(what); return bad; })()`); bad != "" {
		d.Errorf("%s, %s: there is %s", d.name, d.eval("document.title"), bad)
	}
}

// small makes the window 320 px wide.
func (d *desk) small() {
	d.Helper()
	send(d, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 640, DeviceScaleFactor: 1})
}

// quiet fails where the browser complained, of a breach of the page's policy above all.
func (d *desk) quiet() {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.said) > 0 && !d.allowed {
		d.Errorf("%s: the browser complains: %q", d.name, d.said)
	}
}

// enrol opens a link and makes a passkey. name is for the first administrator.
func (d *desk) enrol(link, name string) {
	d.Helper()
	d.do(chromedp.Navigate(link))
	d.at("Make your passkey")
	if strings.Contains(d.eval("location.href + JSON.stringify(history.state)"), link[strings.IndexByte(link, '#')+1:]) {
		d.Errorf("%s: the link's token stays in the address", d.name)
	}
	d.press("Make the passkey")
	if name != "" {
		d.at("First administrator")
		d.fill("name", name)
		d.press("Make the passkey")
	}
	d.at("Your passkey is ready")
}

func (d *desk) signIn() {
	d.Helper()
	d.press("Sign in with a passkey")
	d.at("My sessions and devices")
	d.sees("You are signed in.")
}

// again signs in anew, after a time in which the session ended.
func (d *desk) again() {
	d.Helper()
	d.clock()
	d.do(chromedp.Navigate(d.server.StaffClient + "/"))
	d.at("Sign in")
	d.signIn()
}

// invite proposes somebody and returns the link.
func (d *desk) invite(name, role string) string {
	d.Helper()
	d.open("invite", "Invite somebody")
	d.fill("name", name)
	d.choose("role", role)
	if role == "vaccinator" {
		d.fill("state", "21")
		d.fill("district", "395")
		d.fill("centre", "7")
	}
	d.press("Invite, with my passkey")
	d.at("Invited")
	return d.eval("document.querySelector('[name=link]').value")
}

// approve approves the only proposal that waits.
func (d *desk) approve() {
	d.Helper()
	d.open("proposals", "To approve")
	d.press("Approve, with my passkey")
	d.sees("Approved.")
}
