package chromium

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// tour is somebody who goes through every page of the portal by typing and pressing.
type tour struct {
	*person
	k       *tracks
	seeds   map[string]string
	scripts bool
}

// newTour opens a window of its own and watches it. What is told in one window is a secret in
// every other.
func (x *tourists) newTour(mobile string) *tour {
	p := newPerson(x.T, x.browser, x.s, x.scripts)
	p.mobile = mobile
	t := &tour{person: p, seeds: x.seeds, scripts: x.scripts}
	t.k = watch(p.reader)
	x.all = append(x.all, t)
	return t
}

// tourists are all windows of a walk through the portal, on one installation.
type tourists struct {
	*testing.T
	s       *harness.Server
	browser context.Context
	scripts bool
	seeds   map[string]string
	all     []*tour
}

// look checks the page that is shown.
func (t *tour) look() {
	t.Helper()
	for _, w := range t.k.here(t.reader, t.seeds) {
		t.Errorf("scripts %v: %s", t.scripts, w)
	}
}

// step presses what leads to another page, and looks at that.
func (t *tour) step(selector string) {
	t.Helper()
	t.reveal(selector)
	t.send(selector)
	t.look()
}

// reveal opens what hides something.
func (t *tour) reveal(selector string) {
	t.Helper()
	t.until(selector, fmt.Sprintf(`!!document.querySelector(%q)`, selector))
	if t.eval(fmt.Sprintf(`String(!document.querySelector(%[1]q).checkVisibility() && !!document.querySelector(%[1]q).closest('details'))`, selector)) == "true" {
		t.eval(fmt.Sprintf(`(document.querySelector(%q).closest('details').querySelector('summary').setAttribute('data-fold', ''), '')`, selector))
		t.press(`[data-fold]`)
	}
}

// fetchFile presses what leads to a file, and waits until it came.
func (t *tour) fetchFile(selector, kind string) {
	t.Helper()
	t.k.mu.Lock()
	have := len(t.k.asks)
	t.k.mu.Unlock()
	t.reveal(selector)
	t.press(selector)
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(50 * time.Millisecond) {
		t.k.mu.Lock()
		came := slices.ContainsFunc(t.k.asks[have:], func(a *ask) bool { return a.status == 200 && strings.HasPrefix(a.kind, kind) })
		t.k.mu.Unlock()
		if came {
			return
		}
	}
	t.k.mu.Lock()
	defer t.k.mu.Unlock()
	var came []string
	for _, a := range t.k.asks[have:] {
		came = append(came, fmt.Sprint(a.method, " ", a.url, " ", a.status, " ", a.kind))
	}
	t.Fatalf("scripts %v: no %s came from %s: %q", t.scripts, kind, selector, came)
}

// submit fills a form and sends it.
func (t *tour) submit(form string, pairs ...string) {
	t.Helper()
	t.fill(pairs...)
	t.step(form + ` button[type="submit"]`)
}

// first chooses the first of a list that is a choice.
func (t *tour) first(name string) {
	t.Helper()
	t.fill(name, t.eval(fmt.Sprintf(`document.querySelector('main [name=%s]').options[1].value`, name)))
}

// there reports whether the page has something.
func (t *tour) there(selector string) bool {
	t.Helper()
	return t.eval(fmt.Sprintf(`!!document.querySelector(%q)`, selector)) == "true"
}

// account leads back to the people.
func (t *tour) account() { t.Helper(); t.step(`nav a[href="/account"]`) }

// openPerson opens somebody's page from the account.
func (t *tour) openPerson(name string) {
	t.Helper()
	t.account()
	t.until(name, fmt.Sprintf(`(() => { document.querySelector('[data-finger]')?.removeAttribute('data-finger'); const e = [...document.querySelectorAll('main a')].find((e) => e.innerText.trim().startsWith(%q)); e?.setAttribute('data-finger', ''); return !!e; })()`, name))
	t.step(marked)
	t.until(name, fmt.Sprintf(`document.querySelector('h1').innerText.includes(%q)`, name))
}

// signInHere signs in on the page that asks for it.
func (t *tour) signInHere() {
	t.Helper()
	t.seeds["code of "+t.mobile] = t.signIn(t.server, t.mobile)
	t.look()
}

// seed makes a text of the page a secret.
func (t *tour) seed(what, js string) string {
	t.Helper()
	text := strings.TrimSpace(t.eval(js))
	if len(text) < 6 {
		t.Fatalf("%s is %q", what, text)
	}
	t.seeds[what] = text
	return text
}

// notWalked are the routes that a walk does not reach, with the reason.
func notWalked(scripts bool) map[string]string {
	const back = "a PIN that nobody took away cannot come back: the form is sent, and answered with what is wrong"
	if scripts {
		return map[string]string{"POST /verify": "with a script the browser checks the certificate itself and sends nothing", "POST /account/pin/back": back,
			"GET /verify/worker.js": "the browser asks for its worker beside the window; TestChromiumPortalOffline works with it",
			"GET /session":          "a page asks it that comes back from the browser's memory, where a signed-in page is never kept"}
	}
	return map[string]string{
		"POST /account/pin/back": back,
		"GET /verify/worker.js":  "a script's, for checking without a network",
		"GET /session":           "a script's, on a page that comes back from the browser's memory",
		"POST /find/near":        "a browser tells where it is to a script only",
		"GET /find/near":         "as POST /find/near",
		"POST /session/extend":   "a script's: without one the page says until when it lasts",
	}
}

// public walks the pages for everybody.
func (x *tourists) public() {
	s := x.s
	t := x.newTour(s.Mobile())
	t.open("/")
	t.look()
	t.step(`main a[href="/find"]`)
	t.first("state")
	t.step(`form:has(#state) button`)
	t.until("the districts", `!!document.querySelector('#district')`)
	t.first("district")
	t.step(`form:has(#district) button`)
	t.step(`main a.govuk-back-link`)
	t.submit(`form:has(#pin)`, "pin", s.Cell(harness.RegistryDB, "SELECT pin FROM centre LIMIT 1"))
	t.step(`main a[href^="/centre/"]`)
	if x.scripts {
		call(t.reader, browser.SetPermission, browser.SetPermissionParams{BrowserContextID: chromedp.FromContext(t.ctx).BrowserContextID, Permission: &browser.PermissionDescriptor{Name: "geolocation"}, Setting: browser.PermissionSettingGranted})
		lat, long, near := 19.0, 72.8, 10.0
		call(t.reader, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{Latitude: &lat, Longitude: &long, Accuracy: &near})
		t.step(`nav a[href="/find"]`)
		t.step(`button[data-locate]`)
		t.step(`header a[lang="hi"]`)
		t.step(`header a[lang="en"]`)
	}
	for begin := time.Now(); ; time.Sleep(time.Second) { // the figures of a young installation come a little later
		t.step(`nav a[href="/numbers"]`)
		if t.eval(`!!document.querySelector('main a[href^="/numbers.csv"]')`) == "true" {
			break
		}
		if time.Since(begin) > 5*patience {
			t.Fatalf("no figures are published: %s", t.text())
		}
	}
	t.fetchFile(`main a[href^="/numbers.csv"]`, "text/csv")
	t.step(`footer a[href="/status"]`)
	t.step(`footer a[href="/promises"]`)
	if t.there(`a[href="/ledger"]`) {
		t.step(`a[href="/ledger"]`)
	}
	t.step(`footer a[href="/accessibility"]`)
	t.step(`nav a[href="/sign-in"]`)
	t.step(`a[href="/sign-in/card"]`)
	t.step(`main a[href="/sign-in"]`)
	t.open("/nowhere")
	t.look()
}

// household walks what somebody with a mobile does, from the first sign-in to the last sign-out.
func (x *tourists) household() {
	s := x.s
	t := x.newTour(s.Mobile())
	number := s.PAN()
	for what, v := range map[string]string{"mobile": t.mobile, "mobile's end": t.mobile[4:], "name": "Quillfeather", "first name": "Zarina", "child's name": "Ravindra", "id number": number, "wrong": "somebody in a red coat"} {
		x.seeds[what] = v
	}
	// Signing in, with a wrong code and another one.
	t.open("/")
	t.step(`main a[href="/sign-in"]`)
	t.submit(`#sign-in`, "mobile", t.mobile)
	s.Forward(31 * time.Second)
	t.submit(`#code-form`, "code", "000000")
	t.step(`a[href="/sign-in/help"]`)
	t.step(`main a[href="/sign-in"]`)
	t.submit(`#sign-in`, "mobile", t.mobile)
	s.Forward(31 * time.Second)
	t.submit(`#code-form`, "code", "000000")
	have := len(s.To(t.mobile))
	t.step(`form[action="/sign-in/again"] button`)
	code := s.CodeAfter(t.mobile, have)
	t.seeds["code"] = code
	t.submit(`#code-form`, "code", code)
	t.until("the account", `location.pathname === '/account'`)

	// Two people, a booking, moved, cancelled.
	for i, name := range []string{"Zarina Quillfeather", "Ravindra Quillfeather"} {
		t.account()
		t.step(`a[href="/account/add"]`)
		id := number
		if i > 0 {
			id = s.PAN()
		}
		t.submit(`#add`, "name", name, "gender", "2", "year", []string{"1984", "1979"}[i], "kind", "6", "id", id, "agree", "1")
		t.sees(name)
	}
	t.openPerson("Zarina")
	ref := t.reference()
	t.seeds["reference"] = ref
	x.book(t, ref)
	x.records(t)
	x.papers(t)
	x.wishes(t)
	x.ways(t)
	x.leaves(t)
	x.out(t)
}

// book books, lets a place go, moves, gets the papers, cancels for one; the other has the dose.
func (x *tourists) book(t *tour, ref string) {
	s := x.s
	later, today := s.Later(), s.Today()
	pin := s.Cell(harness.RegistryDB, fmt.Sprintf("SELECT pin FROM centre WHERE centre = %d", today.Centre))
	hold := func(d harness.Day, who string) {
		t.Helper()
		t.step(`nav a[href="/find"]`)
		t.submit(`form:has(#pin)`, "pin", pin)
		if !strings.Contains(t.text(), d.CentreName) || t.eval(fmt.Sprintf(`!!document.querySelector('a[href^="/book/%s"]')`, d.Session)) == "false" {
			t.step(fmt.Sprintf(`main a[href^="/centre/%d"]`, d.Centre))
		}
		t.step(fmt.Sprintf(`a[href^="/book/%s"]`, d.Session))
		if t.eval(fmt.Sprintf(`document.querySelector('[name=%s]').checked`, who)) == "false" {
			t.fill(who, "")
		}
		t.fill("slot", d.Slot)
		t.step(`#book button[type="submit"]`)
		t.sees("Held for you until")
	}
	hold(later[0], "p1")
	t.step(`form[action="/book/leave"] button`)
	hold(later[0], "p1")
	t.step(`#check button`)
	t.sees("Booked")
	t.seed("number of the booking", `document.querySelector('dl:nth-of-type(2) dd').textContent`)
	t.fetchFile(`a[href$="/calendar.ics"]`, "text/calendar")
	t.fetchFile(`a[href$="/slip.pdf"]`, "application/pdf")
	t.step(`a[href$="/move"]`)
	t.step(fmt.Sprintf(`a[href^="/book/%s"]`, later[1].Session))
	t.fill("slot", later[1].Slot)
	t.step(`#book button[type="submit"]`)
	t.step(`#check button`)
	t.sees("Moved")
	t.step(`a[href$="/cancel"]`)
	t.step(`#cancel button[type="submit"]`)
	t.sees("Cancelled")
	// And the one that is kept: the dose is given today.
	hold(today, "p1")
	t.step(`#check button`)
	codes := t.codes()
	if len(codes) != 1 {
		t.Fatalf("codes on the slip: %q", codes)
	}
	give(t.T, s, today, ref, codes[0])
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		t.openPerson("Zarina")
		if strings.Contains(t.text(), "Dose 1 given on") {
			break
		}
		if time.Since(begin) > patience {
			t.Fatalf("the dose is not on the page: %s", t.text())
		}
	}
}

// records sees who opened the record, complains, takes it back, asks for a correction, and takes
// a file of everything.
func (x *tourists) records(t *tour) {
	t.step(`a[href$="/seen"]`)
	t.step(`a[href$="/seen?own=1"]`)
	t.step(`a[href*="what=opening"]`)
	t.submit(`#ask`, "text", "There was somebody in a red coat.")
	t.sees("Your request was received")
	tracking := regexp.MustCompile(`[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}`).FindString(t.text())
	t.seeds["tracking number"] = tracking
	t.step(`main a[href="/requests"]`)
	t.sees(tracking)
	t.step(`form[action="/requests/withdraw"] button`)
	t.openPerson("Zarina")
	t.step(`a[href$="/ask"]`)
	t.step(`a[href*="what=details"]`)
	t.submit(`#ask`, "name", "Zarina Quillfeathers", "text", "One letter is missing.")
	t.account()
	t.step(`a[href="/export"]`)
	t.step(`#export button[value="page"]`)
	t.step(`a[href="/export"]`)
	t.fetchFile(`#export button[value="json"]`, "application/json")
}

// papers shows the certificate, makes a link, which a stranger opens, and ends it; makes a card,
// which then guards the certificate.
func (x *tourists) papers(t *tour) {
	t.openPerson("Zarina")
	t.step(`a[href$="/certificate"]`)
	t.step(`#certificate button`)
	t.until("the code", `!!document.querySelector('svg.tk-qr')`)
	text := t.eval(`document.querySelector('.tk-code').textContent`)
	t.seeds["certificate"] = text[:40]
	t.fetchFile(`main form[data-file] button[value="pdf"]`, "application/pdf")
	t.step(`main .govuk-back-link`)
	t.step(`main a[href$="/share"]`)
	t.step(`#share button`)
	link := t.eval(`document.querySelector('#link').textContent.trim()`)
	_, token, _ := strings.Cut(link, "#")
	if len(token) != 22 {
		t.Fatalf("the link is %q", link)
	}
	t.seeds["token"] = token
	x.stranger(token, text)
	t.step(`main a[href$="/share"]`)
	t.step(`form[action$="/share/end"] button`)

	t.openPerson("Zarina")
	t.step(`a[href$="/card"]`)
	t.step(`#ask button`)
	card := t.seed("card", `[...document.querySelectorAll('bdi')].map((e) => e.textContent).find((e) => e.startsWith('TK1'))`)
	pin := t.eval(`[...document.querySelectorAll('.tk-facts bdi')].map((e) => e.textContent).find((e) => /^\d{6}$/.test(e))`)
	t.seeds["card's PIN"] = pin
	// It guards in every session but the one that made it.
	t.step(`form[action="/sign-out"] button`)
	x.s.Forward(31 * time.Second)
	t.step(`main a[href="/sign-in"]`)
	t.signInHere()
	t.openPerson("Zarina")
	t.step(`a[href$="/certificate"]`)
	t.step(`#certificate button`)
	t.sees("has a card of their own")
	t.submit(`#card-form`, "card", card, "pin", pin)
	t.step(`#certificate button`)
	t.until("the code", `!!document.querySelector('svg.tk-qr')`)

	// With the card alone, in another browser.
	c := x.newTour("")
	c.open("/sign-in")
	c.step(`a[href="/sign-in/card"]`)
	c.submit(`#card-form`, "card", card, "pin", pin)
	c.sees("Zarina")
	c.step(`form[action="/sign-out"] button`)
}

// stranger opens a link and checks a certificate.
func (x *tourists) stranger(token, text string) {
	t := x.newTour("")
	if x.scripts {
		// What somebody typed into the address line is theirs; it is gone when the page is there.
		t.open("/share#" + token)
		t.until("that the token is taken out", `document.getElementById('token-field').hidden && location.hash === ''`)
		t.k.mu.Lock()
		t.k.lines = slices.DeleteFunc(t.k.lines, func(l string) bool { return strings.HasSuffix(l, "/share#"+token) })
		t.k.mu.Unlock()
	} else {
		t.open("/share")
		t.fill("token", token)
	}
	t.look()
	t.step(`#open button`)
	t.sees("Zarina")
	t.fetchFile(`main form[data-file] button[value="pdf"]`, "application/pdf")
	t.step(`nav a[href="/verify"]`)
	t.typed("#text", text)
	if x.scripts {
		t.press(`#verify-form button[type="submit"]`)
		t.until("the verdict", `!!document.querySelector('main h1[tabindex]')`)
		t.k.add("title", t.eval("document.title"))
	} else {
		t.step(`#verify-form button[type="submit"]`)
	}
	t.sees("Genuine")
	t.step(`nav a[href="/numbers"]`)
}

// wishes asks to be told of places, and no more.
func (x *tourists) wishes(t *tour) {
	t.account()
	t.step(`a[href="/notify"]`)
	t.submit(`#notify`, "pin", x.s.Cell(harness.RegistryDB, "SELECT pin FROM centre LIMIT 1"))
	t.step(`form[action="/notify/end"] button`)
}

// ways sets an address and a PIN; a second browser waits and is confirmed by each in turn, and
// ended by the first; PIN and address go again.
func (x *tourists) ways(t *tour) {
	s := x.s
	address := x.seeds["address"]
	mailed := func(have int) string {
		for _, m := range s.AwaitMessages(address, have, patience) {
			if code := m.Code(); code != "" {
				return code
			}
		}
		x.Fatal("no code came to the address")
		return ""
	}
	t.account()
	t.step(`a[href="/account/devices"]`)
	t.step(`a[href="/account/email"]`)
	t.submit(`#email-form`, "email", address)
	t.submit(`#channel`, "code", mailed(0))
	t.step(`main .govuk-back-link`)
	t.step(`a[href="/account/pin"]`)
	t.submit(`form[action="/account/pin"]`, "new", "482913")

	mobile, card, pin := t.mobile, t.seeds["card"], t.seeds["card's PIN"]
	if !x.scripts { // without a script a browser has no key, so that none of this household waits
		mobile, card, pin = x.seeds["another mobile"], x.seeds["another card"], x.seeds["another card's PIN"]
	}
	second := func() *tour {
		n := x.newTour(mobile)
		s.Forward(31 * time.Second)
		n.open("/account/devices")
		n.signInHere()
		n.until("the devices", `location.pathname === '/account/devices'`)
		return n
	}
	n := second()
	have := len(s.To(address))
	n.step(`form[action="/account/devices/code"] button`)
	n.submit(`#channel`, "code", mailed(have))
	n.sees("You see everything now")
	n = second()
	n.submit(`form[action="/account/devices/pin"]`, "pin", "482913")
	n.sees("You see everything now")
	n = second()
	n.fill("card", card)
	n.typed("#card-pin", pin)
	n.step(`form[action="/account/devices/card"] button`)
	n.sees("You see everything now")
	n.eval(`([...document.querySelectorAll('li.tk-card')].find((e) => !e.innerText.includes('This device')).querySelector('button').setAttribute('data-finger', ''), '')`)
	n.step(marked)
	n.sees("The device was ended")

	t.step(`a[href="/account/devices"]`)
	t.step(`a[href="/account/pin"]`)
	t.typed("#end", "482913")
	t.step(`form[action="/account/pin/end"] button`)
	t.sees("There is no PIN")
	t.reveal(`#back`)
	t.typed("#back", "482913")
	t.step(`form[action="/account/pin/back"] button`)
	t.step(`main .govuk-back-link`)
	t.step(`a[href="/account/email"]`)
	t.step(`form[action="/account/email/delete"] button`)
}

// keyed is a household whose first device has a key, with the address and the PIN of the walk:
// other browsers of it wait. Somebody's card is a day old, so that it speaks for a browser.
func (x *tourists) keyed() {
	s, address, mobile := x.s, x.seeds["address"], x.s.Mobile()
	own := s.Portal()
	own.SignInOn(s.DeviceKey(), mobile)
	c := s.Client().With(own.Cookie("__Host-session"))
	held := harness.CardOf(c.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": c.Enrol("Zarina Quillfeather")}))
	have := len(s.To(address))
	own.Get("/account/email")
	own.Submit("/account/email", "email", address)
	if a := own.Submit("/account/email/confirm", "code", s.AwaitMessages(address, have, patience)[0].Code()); a.Status != 303 {
		x.Fatalf("the address: %d %s", a.Status, a.Body)
	}
	own.Get("/account/pin")
	if a := own.Submit("/account/pin", "new", "482913"); a.Status != 303 {
		x.Fatalf("the PIN: %d %s", a.Status, a.Body)
	}
	x.seeds["another mobile"], x.seeds["another card"], x.seeds["another card's PIN"] = mobile, held.Text, held.PIN
}

// leaves removes who had no dose; who had one leaves, comes back, leaves again and asks what
// became of it; two lost phones are one stopped and one taken over.
func (x *tourists) leaves(t *tour) {
	t.openPerson("Ravindra")
	t.step(`a[href$="/remove"]`)
	if t.there(`main [name=sure]`) {
		t.fill("sure", "")
	}
	t.step(`main form:not([action="/sign-out"]) button[type="submit"]`)
	leave := func() string {
		t.openPerson("Zarina")
		t.step(`a[href$="/leave"]`)
		t.submit(`#leave`, "sure", "yes")
		return t.seed("number of the leave", `document.querySelector('dl bdi').textContent`)
	}
	leave()
	t.step(`form[action="/leave/undo"] button`)
	tracking := leave()
	t.account()
	t.step(`a[href="/leave"]`)
	t.step(`footer a[href="/track"]`)
	t.submit(`#track`, "number", tracking)
	t.until("what became of it", `!!document.querySelector('main [role="status"] dl')`)
}

// relinks are two lost phones: whoever has the old number stops one move, and the new number
// takes the other one over.
func (x *tourists) relinks() {
	s := x.s
	admin, second, _ := s.Administrators()
	w := s.Shift(admin, second)
	lost := s.Lost(2)
	for what, v := range map[string]string{"old mobile": lost.Old, "new mobile": lost.New, "lost reference": lost.Reference, "lost document": lost.Document} {
		x.seeds[what] = v
	}
	w.Relink(lost)
	s.Forward(31 * time.Second)
	old := x.newTour(lost.Old)
	old.open("/account")
	old.signInHere()
	old.step(`main a[href="/account/relink"]`)
	old.step(`form[action="/account/relink/stop"] button`)
	w.Relink(lost)
	s.Forward(72*time.Hour + time.Minute)
	fresh := x.newTour(lost.New)
	fresh.open("/account")
	fresh.signInHere()
	fresh.step(`main a[href="/account/relink"]`)
	fresh.submit(`#take-over`, "reference", lost.Reference)
	fresh.sees("The person is under this mobile now")
	if fresh.step(`nav a[href="/account"]`); fresh.there(`main a[href="/account/relink"]`) {
		fresh.step(`main a[href="/account/relink"]`)
	}
	if fresh.there(`form[action="/account/relink/card"]`) { // somebody who has a card and no mobile yet
		s.OpenToday()
		card := s.WalkIn(harness.Person{Name: "Kamla Cardholder", Born: 1948})
		x.seeds["walk-in's card"], x.seeds["walk-in's reference"], x.seeds["walk-in"] = card.Text, card.Reference, "Cardholder"
		fresh.fill("card", card.Text, "pin", card.PIN)
		fresh.step(`form[action="/account/relink/card"] button[type="submit"]`)
		fresh.sees("The person is under this mobile now")
	}
}

// out lets the session go on, with a script, and ends it; Back then shows nothing, and nothing
// is left.
func (x *tourists) out(t *tour) {
	if x.scripts {
		t.account()
		left, err := strconv.Atoi(t.eval(`document.querySelector('dialog[data-left]').dataset.left`))
		if err != nil {
			t.Fatal(err)
		}
		x.s.Forward(time.Duration(left-110) * time.Second)
		t.account()
		t.until("the warning", `document.querySelector('dialog[data-left]')?.open === true`)
		t.press(`dialog [data-more]`)
		t.until("that it goes on", `!document.querySelector('dialog[data-left]').open`)
	}
	t.account()
	t.step(`main a[href="/requests"]`)
	t.step(`form[action="/sign-out"] button`)
	if got := t.eval("location.pathname"); got != "/sign-out" {
		t.Fatalf("after the sign-out: %s", got)
	}
	for where, text := range t.kept() {
		if !harmless(where, text) {
			t.Errorf("scripts %v: after the sign-out there is %s (%d bytes)", x.scripts, where, len(text))
		}
	}
	for _, shown := range back(t.reader, x.seeds, 6) {
		t.Errorf("scripts %v: Back shows %s", x.scripts, shown)
	}
}

// harmless: the language, the browser's key, which opens nothing (ADR 44), and the public page
// of the check as it is for a stranger (ADR 43). That no seed is in them is seen besides.
func harmless(where, text string) bool {
	public := strings.HasPrefix(where, "cache verify") && !strings.Contains(text, "/sign-out")
	return where == "cookie __Host-lang" || text == "" || public || strings.HasPrefix(where, "database ")
}

// kept is what the browser keeps; scripts are on while it is read.
func (t *tour) kept() map[string]string {
	t.Helper()
	call(t.reader, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	defer call(t.reader, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !t.scripts})
	return t.left()
}

// walk is all of it. It returns the routes that were reached.
func (x *tourists) walk() map[string]bool {
	table, reached := newTable(), map[string]bool{}
	x.seeds["address"], x.seeds["PIN"] = "a"+x.s.Mobile()+"@mail.example", "482913"
	if !x.scripts {
		x.keyed()
	}
	x.s.Forward(24*time.Hour + time.Minute) // figures are published, and a card is as old as one that speaks for a browser has to be
	for _, part := range []func(){x.public, x.household, x.relinks} {
		part()
	}
	for _, t := range x.all {
		t.k.past(t.reader)
		for _, c := range call(t.reader, network.GetCookies, network.GetCookiesParams{}).Cookies {
			if !c.Secure || !c.HTTPOnly || !strings.HasPrefix(c.Name, "__Host-") || (c.Name != "__Host-lang" && !c.Session) {
				t.Errorf("the cookie %s: secure %v, unreadable %v, ends with the browser %v", c.Name, c.Secure, c.HTTPOnly, c.Session)
			}
		}
		call(t.reader, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
		t.open("/") // Back may have ended on a page of the browser's own, which has no storage
		for _, f := range t.k.faults(t.reader, x.seeds) {
			t.Errorf("scripts %v: %s", x.scripts, f)
		}
		names, wrong := t.k.reached(table)
		for _, w := range wrong {
			t.Errorf("scripts %v: %s", x.scripts, w)
		}
		for n := range names {
			reached[n] = true
		}
	}
	return reached
}

// TestChromiumEveryPage: with scripts and without, people go through every page of the portal
// by typing and pressing: each route of its table is reached, but for those with a reason not
// to be. On the way nothing personal stands in an address, a title, the window's history, a
// Referer, a cookie or anything else that the browser keeps; no answer of a personal route may
// be stored; after the sign-out nothing is left, and Back shows nothing. What each check is
// worth is in TestChromiumNoTraces and TestChromiumTracksFindLeaks.
func TestChromiumEveryPage(t *testing.T) {
	on(t)
	browser := newBrowser(t)
	for _, scripts := range []bool{true, false} {
		if only := os.Getenv("TIKAKOSH_SCRIPTS"); only != "" && only != fmt.Sprint(scripts) {
			continue
		}
		t.Run(fmt.Sprintf("scripts %v", scripts), func(t *testing.T) {
			var b harness.Builder
			t.Cleanup(func() { _ = b.Close() })
			s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), People: 400, Args: []string{"--worker-every=100ms"}}) // so many that there is a file of figures
			x := &tourists{T: t, s: s, browser: browser, scripts: scripts, seeds: map[string]string{}}
			reached := x.walk()
			reasons := notWalked(scripts)
			for _, name := range newTable().missing(reached) {
				if reasons[name] == "" {
					t.Errorf("%s is not reached", name)
				}
			}
			for name, why := range reasons {
				if reached[name] {
					t.Errorf("%s has no need of a reason: %s", name, why)
				}
			}
			// A route that nobody reaches is found.
			delete(reached, "POST /p/{who}/leave")
			if !slices.Contains(newTable().missing(reached), "POST /p/{who}/leave") {
				t.Error("a route that is not reached is not found")
			}
		})
	}
}
