package chromium

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"tikakosh/internal/certificate/encode"
	"tikakosh/test/harness"
)

// person is somebody at a browser, with scripts or without.
type person struct {
	*reader
	server *harness.Server
	mobile string
}

func newPerson(t *testing.T, browser context.Context, s *harness.Server, scripts bool) *person {
	t.Helper()
	p := &person{reader: at(t, browser, s.Root), server: s, mobile: s.Mobile()}
	call(p.reader, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
	p.eval(`1`)
	return p
}

// marked is where a script of the test puts its finger on what is to be pressed.
const marked = `[data-finger]`

// follow presses the link or the button that begins so.
func (p *person) follow(text string) {
	p.Helper()
	p.until(text, fmt.Sprintf(`(() => { document.querySelector(%q)?.removeAttribute('data-finger');
		const e = [...document.querySelectorAll('a, button, summary')].find((e) => e.checkVisibility() && e.innerText.trim().startsWith(%q)); e?.setAttribute('data-finger', ''); return !!e; })()`, marked, text))
	p.press(marked)
}

// fill types, chooses and ticks, by the fields' names; the value of a tick or a choice among
// several is what is chosen.
func (p *person) fill(pairs ...string) {
	p.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		field := fmt.Sprintf(`main [name=%q]:not([type=hidden])`, name)
		p.until("the field "+name, fmt.Sprintf(`!!document.querySelector(%q)`, field))
		kind := p.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e.tagName + ' ' + e.type; })()`, field))
		switch {
		case strings.HasPrefix(kind, "SELECT"):
			p.eval(fmt.Sprintf(`(() => { const e = document.querySelector('main [name=%q]'); e.value = %q; e.dispatchEvent(new Event('input', { bubbles: true })); return e.value; })()`, name, value))
		case strings.HasSuffix(kind, "checkbox"), strings.HasSuffix(kind, "radio"):
			id := p.eval(fmt.Sprintf(`[...document.querySelectorAll('main [name=%q]')].find((e) => %q === '' || e.value === %q)?.id`, name, value, value))
			p.press(fmt.Sprintf(`label[for=%q]`, id))
		default:
			p.eval(fmt.Sprintf(`(() => { document.querySelector(%q).value = ''; return ''; })()`, field))
			p.typed(field, value)
		}
	}
}

// text is what the page says.
func (p *person) text() string { return p.eval("document.querySelector('main').innerText") }

// enter signs in from the page that asks for the number.
func (p *person) enter() { p.Helper(); p.signIn(p.server, p.mobile) }

// home presses the way to the people under this mobile, unless the page is it.
func (p *person) home() {
	p.Helper()
	p.until("the account's link", `!!document.querySelector('nav a[href="/account"]')`)
	if p.eval("location.pathname") != "/account" || p.eval(`String(!!document.querySelector('main form'))`) == "true" {
		p.send(`nav a[href="/account"]`)
	}
}

// choose finds a session by the PIN code of its centre and presses it.
func (p *person) choose(pin string, d harness.Day) {
	p.Helper()
	p.send(`nav a[href="/find"]`)
	p.fill("pin", local(pin))
	p.send(`form:has(#pin) button`)
	p.sees("Centres in " + pin)
	link := fmt.Sprintf(`a[href^="/book/%s"]`, d.Session)
	if p.eval(fmt.Sprintf(`!!document.querySelector('%s')`, link)) == "false" { // another day
		p.send(fmt.Sprintf(`main a[href^="/centre/%d"]`, d.Centre))
	}
	p.until("the session", fmt.Sprintf(`!!document.querySelector('%s')`, link))
	p.send(link)
}

// paste puts a long text where somebody pressed.
func (p *person) paste(selector, text string) {
	p.Helper()
	p.press(selector)
	call(p.reader, input.InsertText, input.InsertTextParams{Text: text})
}

// pinOf is the PIN code of a centre.
func pinOf(s *harness.Server, d harness.Day) string {
	return s.Cell(harness.RegistryDB, fmt.Sprintf("SELECT pin FROM centre WHERE centre = %d", d.Centre))
}

// register adds somebody to the account.
func (p *person) register(name string, year int) {
	p.Helper()
	p.home()
	p.follow("Add a person")
	p.until("the form", `!!document.querySelector("#add")`)
	p.fill("name", name, "gender", "2", "year", fmt.Sprint(year), "kind", "6", "id", p.server.PAN(), "agree", "1")
	p.press(`#add button[type="submit"]`)
	p.sees(name)
}

// clean fails when the browser had anything to complain of.
func (p *person) clean() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.said {
		if !strings.Contains(s, "the server responded with a status of 4") && !strings.Contains(s, "Cleared data types") { // a 422 or a 401 is an answer
			p.Errorf("the browser complains: %s", s)
		}
	}
}

// codes are the booking codes on a slip.
func (p *person) codes() []string {
	p.Helper()
	return regexp.MustCompile(`\d{4}`).FindAllString(p.eval(`[...document.querySelectorAll('strong.tk-h1 bdi')].map((e) => e.textContent).join(' ')`), -1)
}

// give records a dose for the holder of a booking code, as staff do.
func give(t *testing.T, s *harness.Server, d harness.Day, ref, code string) {
	t.Helper()
	if a := s.Client().OpenSession(s.StaffKey("manager"), d); !a.OK() {
		t.Fatal(a.Text())
	}
	if a := s.Client().Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(d, ref, code, 1)); !a.OK() {
		t.Fatal(a.Text())
	}
}

// reference is a person's number on their own page.
func (p *person) reference() string {
	p.Helper()
	m := regexp.MustCompile(`\b\d{14}\b`).FindString(strings.ReplaceAll(p.text(), " ", ""))
	if m == "" {
		p.Fatalf("no reference number: %s", p.text())
	}
	return m
}

// TestChromiumJourneyCitizen: from the landing page to a certificate that a stranger finds
// genuine: sign in, register, find a place, hold it, confirm, the slip with code, calendar and
// way there, the dose, the certificate. With scripts and without.
func TestChromiumJourneyCitizen(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
	d := s.Today()
	pin := pinOf(s, d)
	browser := newBrowser(t)
	for _, scripts := range []bool{true, false} {
		p := newPerson(t, browser, s, scripts)
		p.open("/")
		p.follow("Register or sign in")
		p.enter()
		p.sees("Nobody is registered")
		p.register("Asha Journey", 1984)
		p.choose(pin, d)
		p.sees("Asha Journey")
		p.press(`#book button[type="submit"]`) // nothing chosen
		p.sees("Choose a time")
		if got := p.eval(`String(document.title.startsWith('Error:')) + (document.activeElement?.className ?? '')`); !strings.HasPrefix(got, "true") || scripts && !strings.Contains(got, "govuk-error-summary") {
			t.Errorf("scripts %v: after an error: %s", scripts, got)
		}
		p.fill("slot", d.Slot) // the one person is ticked
		p.press(`#book button[type="submit"]`)
		p.sees("Held for you until")
		p.press(`#check button[type="submit"]`)
		p.sees("Booked")
		slip := p.text()
		for _, want := range []string{d.CentreName, "Bring with you", "Asha Journey"} {
			if !strings.Contains(slip, want) {
				t.Errorf("the slip has no %q: %s", want, slip)
			}
		}
		if got := p.eval(`['a[href$="/calendar.ics"]', 'a[href$="/slip.pdf"]', 'svg.tk-qr, svg[role=img]', 'a[href^="https://www.openstreetmap.org/"][rel=noreferrer]'].map((q) => !!document.querySelector(q)).join()`); got != "true,true,true,true" {
			t.Errorf("calendar, paper, code, the way there: %s", got)
		}
		codes := p.codes()
		if len(codes) != 1 {
			t.Fatalf("codes on the slip: %q", codes)
		}
		if got := s.SecurityCode(p.mobile, d.Date); got != codes[0] { // by message too
			t.Errorf("scripts %v: the slip says %s, the message %s", scripts, codes[0], got)
		}
		p.home()
		p.follow("Asha Journey")
		p.sees("Reference number")
		give(t, s, d, p.reference(), codes[0])
		for begin := time.Now(); !strings.Contains(p.text(), "Dose 1 given on"); time.Sleep(100 * time.Millisecond) {
			if time.Since(begin) > patience {
				t.Fatalf("the dose is not on the page: %s", p.text())
			}
			p.home()
			p.follow("Asha Journey")
			p.sees("Reference number")
		}
		p.follow("Certificate")
		p.certificate("Asha Journey")
		text := p.eval(`document.querySelector('.tk-code').textContent`)
		p.press(`form[action="/sign-out"] button`)
		p.sees("signed out")
		p.clean()
		stranger := newPerson(t, browser, s, scripts)
		stranger.open("/")
		stranger.follow("Verify a certificate")
		stranger.paste("#text", text)
		stranger.press(`#verify-form button[type="submit"]`)
		stranger.sees("Genuine")
		stranger.sees("Asha Journey")
	}
}

// certificate shows the one of this page's person.
func (p *person) certificate(name string) {
	p.Helper()
	p.until("the certificate", `!!document.querySelector('#certificate button')`)
	p.press(`#certificate button`)
	p.until("the code", `!!document.querySelector('svg.tk-qr')`)
	p.sees(name)
}

// TestChromiumJourneyFamily: four people under one mobile are registered, booked at once,
// and one of them cancels.
func TestChromiumJourneyFamily(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
	names := []string{"Asha Kin", "Ravi Kin", "Meera Kin", "Arjun Kin"}
	d := s.Later()[0]
	bothWays(t, newBrowser(t), s, func(p *person, scripts bool) {
		before := s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment")
		p.open("/")
		p.follow("Register or sign in")
		p.enter()
		for i, n := range names {
			p.register(n, 1950+10*i)
		}
		p.choose(pinOf(s, d), d)
		p.fill("p1", "", "p2", "", "p3", "", "p4", "", "slot", d.Slot)
		p.press(`#book button[type="submit"]`)
		p.sees("Held for you until")
		for _, n := range names {
			p.sees(n)
		}
		p.run(chromedp.DoubleClick(chromedp.CSS(`#check button[type="submit"]`))) // pressed twice, booked once
		p.sees("Booked")
		booked := func() string {
			return s.Cell(harness.RegistryDB, fmt.Sprintf("SELECT count(*) - %s FROM appointment", before)) + " of " + p.eval(`document.querySelectorAll('section.tk-card h2').length`)
		}
		if got := booked(); got != "4 of 4" {
			t.Errorf("scripts %v: booked: %s", scripts, got)
		}
		if codes := p.codes(); len(codes) != 4 {
			t.Errorf("codes: %q", codes)
		}
		p.follow("Cancel")
		p.sees("Cancel this appointment?")
		p.fill("p1", "", "p2", "", "p3", "") // all are ticked: three stay
		p.follow("Cancel for those chosen")
		p.sees("Cancelled")
		p.home()
		if got := p.eval(`document.querySelectorAll('main a[href^="/booking/"]').length`); got != "3" {
			t.Errorf("scripts %v: after the cancellation: %s appointments", scripts, got)
		}
		p.clean()
	})
}

// TestChromiumJourneyCard: somebody without a phone was registered at a centre and has a card.
// With it and its PIN, typed as people type, they sign in on any phone, see themselves alone,
// and book.
func TestChromiumJourneyCard(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
	s.OpenToday()
	card := s.WalkIn(harness.Person{Name: "Kamla Cardholder", Born: 1948})
	d := s.Later()[0]
	browser := newBrowser(t)
	for _, scripts := range []bool{true, false} {
		p := newPerson(t, browser, s, scripts)
		p.open("/")
		p.follow("Register or sign in")
		p.follow("Sign in with a card and its PIN")
		p.fill("card", card.Text[:len(card.Text)-1], "pin", card.PIN)
		p.press(`#card-form button[type="submit"]`)
		p.sees("This is not the text of a card")
		p.fill("card", strings.ToLower(card.Text[:9])+" "+card.Text[9:], "pin", local(card.PIN))
		p.press(`#card-form button[type="submit"]`)
		p.sees("Kamla Cardholder")
		if !scripts {
			p.sees(d.CentreName) // who booked with scripts cancels without, and books anew
			p.follow("Appointment slip")
			p.follow("Cancel")
			p.follow("Cancel for those chosen")
			p.sees("Cancelled")
		}
		p.choose(pinOf(s, d), d)
		p.fill("slot", d.Slot)
		p.press(`#book button[type="submit"]`)
		p.sees("Held for you until")
		p.press(`#check button[type="submit"]`)
		p.sees("Booked")
		p.sees("Kamla Cardholder")
		p.home()
		p.follow("Kamla Cardholder")
		p.follow("Certificate")
		p.sees("Kamla Cardholder")
		p.clean()
	}
}

// TestChromiumJourneyDisputed: somebody finds that their record was opened by break-glass, says
// that it looks wrong, gets a number and a time, and reads the answer.
func TestChromiumJourneyDisputed(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
	admin, second, _ := s.Administrators()
	w := s.Shift(admin, second)
	officer := admin.Invite(second, "Pia Test", "privacy@national")
	browser := newBrowser(t)
	for _, scripts := range []bool{true, false} {
		p := newPerson(t, browser, s, scripts)
		c := s.Client().SignIn(p.mobile)
		ref := c.Enrol("Asha Disputes")
		s.Forward(31 * time.Second)
		q := w.A.Must(w.A.GlassAsk(ref, "asleep"))
		w.B.Must(w.B.TouchedBy(harness.GlassPath+"/approve", harness.GlassApproval(q), w.B))
		w.A.Must(w.A.GlassOpen(q.Field("request_id")))
		p.open("/")
		p.follow("Register or sign in")
		p.enter()
		p.follow("Asha Disputes")
		p.until("who opened it", `!!document.querySelector('a[href$="/seen"]')`)
		p.press(`a[href$="/seen"]`)
		p.sees("Two members of staff")
		p.sees("A vaccinator")
		p.sees("asleep")
		p.follow("This looks wrong")
		p.fill("text", "I was at home.")
		p.press(`#ask button[type="submit"]`)
		p.sees("Your request was received")
		p.sees("Answer by")
		tracking := regexp.MustCompile(`[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}`).FindString(p.text())
		answer := map[string]any{"tracking_number": tracking}
		officer.Must(officer.At("POST", harness.StaffRequestsPath+"/read", answer))
		answer["outcome"], answer["reason"] = "granted", "It was not needed. Both were told."
		officer.Must(officer.At("POST", harness.StaffRequestsPath+"/decide", answer))
		p.follow("Your requests")
		p.sees(tracking)
		p.sees("It was not needed. Both were told.")
		p.clean()
	}
}

// TestChromiumJourneyFalseDose: somebody says that a dose was not given; two members of staff
// revoke it, and the certificate that says it is found to be taken back.
func TestChromiumJourneyFalseDose(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
	browser := newBrowser(t)
	bothWays(t, browser, s, func(p *person, scripts bool) {
		c := s.Client().SignIn(p.mobile)
		ref := c.Enrol("Asha Undone")
		s.Vaccinate(c, p.mobile, ref)
		event := c.AwaitDose(ref, "confirmed").Event
		text, err := encode.HC1FromPDF(c.Certificate(ref).Body)
		if err != nil {
			t.Fatal(err)
		}
		stranger := newPerson(t, browser, s, scripts)
		stranger.open("/")
		stranger.follow("Verify a certificate")
		stranger.paste("#text", text)
		stranger.press(`#verify-form button[type="submit"]`)
		stranger.sees("Genuine")
		s.Forward(31 * time.Second)
		p.open("/")
		p.follow("Register or sign in")
		p.enter()
		p.follow("Asha Undone")
		p.until("what can be put right", `!!document.querySelector('a[href$="/ask"]')`)
		p.press(`a[href$="/ask"]`)
		p.until("the choices", `!!document.querySelector('a[href*="what=revoke"]')`)
		p.press(`a[href*="what=revoke"]`)
		p.fill("event", event, "text", "I never had this dose.")
		p.press(`#ask button[type="submit"]`)
		p.sees("Your request was received")
		tracking := regexp.MustCompile(`[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}`).FindString(p.text())
		revoked(t, s, tracking, event, ref)
		p.follow("Your requests")
		p.sees("The dose is revoked.")
		p.home()
		p.follow("Asha Undone")
		p.sees("Reference number")
		if strings.Contains(p.text(), "Dose 1 given on") {
			t.Errorf("scripts %v: the dose is still on the page", scripts)
		}
		p.clean()
		s.Forward(11 * time.Minute) // the list of those taken back is made anew
		for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
			stranger.open("/verify")
			stranger.paste("#text", text)
			stranger.press(`#verify-form button[type="submit"]`)
			stranger.until("a verdict", `/Taken back|Genuine|Not decided/.test([...document.querySelectorAll('h1')].map((h) => h.textContent).join())`)
			if verdict := stranger.text(); strings.Contains(verdict, "Taken back") {
				break
			} else if time.Now().After(end) {
				t.Fatalf("scripts %v: the revoked certificate: %s", scripts, verdict)
			}
		}
		stranger.clean()
	})
}

// revoked has two members of staff revoke a dose, and the request for it answered.
func revoked(t *testing.T, s *harness.Server, tracking, event, ref string) {
	t.Helper()
	manager, vaccinator := s.StaffKey("manager"), s.StaffKey("vaccinator")
	signed := func(k harness.StaffKey, path string, body map[string]any) harness.Answer {
		t.Helper()
		a := s.Client().Signed(k, path, body)
		if !a.OK() {
			t.Fatalf("%s: %s", path, a.Text())
		}
		return a
	}
	signed(manager, harness.StaffRequestsPath+"/read", map[string]any{"tracking_number": tracking})
	form := map[string]any{"kind": "revoke", "center_id": manager.Centre, "event_id": event, "beneficiary_reference_id": ref, "reason": "the lot was another person's"}
	correction := signed(manager, harness.ProposePath, form).Field("correction_id")
	form["correction_id"] = correction
	signed(vaccinator, harness.ApprovePath, form)
	signed(manager, harness.StaffRequestsPath+"/decide", map[string]any{"tracking_number": tracking, "outcome": "granted", "reason": "The dose is revoked.", "correction_id": correction})
}
