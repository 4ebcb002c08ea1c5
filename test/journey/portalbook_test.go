package journey

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// booker is a household in a browser without scripts.
type booker struct {
	*harness.Portal
	t      *testing.T
	mobile string
}

func newBooker(t *testing.T, s *harness.Server) *booker {
	t.Helper()
	b := &booker{Portal: s.Portal(), t: t, mobile: s.Mobile()}
	b.SignIn(b.mobile)
	return b
}

// says checks the last page.
func (b *booker) says(status int, texts ...string) {
	b.t.Helper()
	page := html.UnescapeString(string(b.Last.Body))
	if b.Last.Status != status {
		b.t.Fatalf("%d, want %d: %s", b.Last.Status, status, page)
	}
	for _, x := range texts {
		if !strings.Contains(page, x) {
			b.t.Fatalf("the page has no %q: %s", x, page)
		}
	}
}

// on follows where an answer leads.
func (b *booker) on(a harness.Answer) {
	b.t.Helper()
	if a.Status != 303 {
		b.t.Fatalf("%d, want 303: %s", a.Status, a.Body)
	}
	b.Get(a.Header.Get("Location"))
}

// add registers somebody.
func (b *booker) add(name string, year int) {
	b.t.Helper()
	b.Get("/account/add")
	b.on(b.Submit("/account/add", "name", name, "gender", "2", "year", fmt.Sprint(year), "kind", "6", "id", b.Server.PAN(), "agree", "1"))
	b.says(200, name, "registered")
}

var boxes = regexp.MustCompile(`<input class="govuk-checkboxes__input" id="(p[1-6])" name="p[1-6]" type="checkbox" value="([^"]+)"`)

// party are the boxes of everybody on the page, as pairs for Submit.
func (b *booker) party() (out []string) {
	for _, m := range boxes.FindAllStringSubmatch(string(b.Last.Body), -1) {
		out = append(out, m[1], html.UnescapeString(m[2]))
	}
	return out
}

// link is the address on the page that begins and ends so.
func (b *booker) link(head, tail string) string {
	b.t.Helper()
	m := regexp.MustCompile(`href="(` + regexp.QuoteMeta(head) + `[^"?]*` + regexp.QuoteMeta(tail) + `)"`).FindStringSubmatch(string(b.Last.Body))
	if m == nil {
		b.t.Fatalf("no link %s…%s: %s", head, tail, b.Last.Body)
	}
	return html.UnescapeString(m[1])
}

func portalServer(t *testing.T) *harness.Server {
	t.Helper()
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	return harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--worker-every=100ms"}})
}

// appointments counts live ones of everybody, and of how many numbers.
func appointments(s *harness.Server) (people, numbers string) {
	return s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE state = 1"), s.Cell(harness.RegistryDB, "SELECT count(DISTINCT hold) FROM appointment WHERE state = 1")
}

// TestPortalFamily: a family of four registers, holds and books at once under one number,
// moves, cancels for one, and is vaccinated with the code of the slip; then the page says from
// when the second dose is.
func TestPortalFamily(t *testing.T) {
	s := portalServer(t)
	b := newBooker(t, s)
	b.Get("/account")
	b.says(200, "Nobody is registered", "Add a person")
	b.Get("/account/add")
	b.Submit("/account/add", "name", "Asha <b>", "year", "84", "kind", "1", "id", "1234")
	b.says(422, "<title>Error:", "Write the year with four digits", "This does not look like a number", "We can only register somebody who agrees", `value="84"`)
	if strings.Contains(string(b.Last.Body), "<b>") {
		t.Error("a name is markup")
	}
	names := []string{"Asha Test", "Ravi Test", "Meera Test", "Arjun Test"}
	for i, n := range names {
		b.add(n, 1960+i*10)
	}
	b.says(200, append(names, "Dose 1 can be booked now.")...)
	days := s.Later()
	d, e := days[0], days[1]
	b.Get("/book/" + d.Session)
	first := b.party()
	if len(first) != 8 {
		t.Fatalf("%q", first)
	}
	b.Submit("/book/" + d.Session)
	b.says(422, "Choose who is coming", "Choose a time")
	b.Submit("/book/"+d.Session, append(first, "slot", d.Slot, "lang", "hi")...) // the language, not the booking
	b.says(200, `value="`+d.Slot+`" checked`)
	if n, _ := appointments(s); n != "0" || s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold") != "0" {
		t.Error("a switch of language held places")
	}
	b.Get("/book/" + d.Session + "?lang=en")
	form := b.Last.Hidden("/book/" + d.Session)
	for i := 0; i < len(first); i += 2 {
		form.Set(first[i], first[i+1])
	}
	form.Set("slot", d.Slot)
	b.Post("/book/"+d.Session, form)
	b.Post("/book/"+d.Session, form) // pressed twice
	b.says(200, append(names, "Held for you until")...)
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1"); n != "1" {
		t.Errorf("%s holds", n)
	}
	sure := b.Last.Hidden("/book/" + d.Session + "/confirm")
	var where [2]string
	var both sync.WaitGroup
	for i := range where {
		both.Go(func() { where[i] = b.Post("/book/"+d.Session+"/confirm", sure).Header.Get("Location") })
	}
	both.Wait()
	if where[0] == "" || where[0] != where[1] {
		t.Errorf("confirmed twice at once: %q", where)
	}
	if n, numbers := appointments(s); n != "4" || numbers != "1" {
		t.Errorf("%s booked under %s numbers", n, numbers)
	}
	b.Get(where[0])
	b.says(200, append(names, "Booked", "Bring with you", d.CentreName)...)
	slip := strings.Split(where[0], "?")[0]
	checkSlip(t, b, s, slip, d)
	b.Get(slip + "/move")
	b.says(200, "You keep this appointment until you confirm")
	b.Get("/book/" + e.Session + "?move=" + strings.TrimPrefix(slip, "/booking/"))
	b.says(200, "This appointment is moved")
	b.Submit("/book/"+e.Session, append(b.party(), "slot", e.Slot)...)
	b.says(200, "Until you confirm you keep your old appointment", "Held for you until")
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE state = 1 AND session = $1", d.Session); n != "4" {
		t.Errorf("%s of the old ones are left before the confirmation", n)
	}
	b.on(b.Submit("/book/" + e.Session + "/confirm"))
	b.says(200, "Moved")
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE state = 1 AND session = $1", e.Session); n != "4" {
		t.Errorf("%s moved", n)
	}
	b.Get("/account")
	moved := b.link("/booking/", "")
	b.Get(moved + "/cancel")
	box := b.party()
	b.Submit(moved + "/cancel")
	b.says(422, "Choose for whom")
	b.Submit(moved+"/cancel", box[6:]...)
	b.says(200, "Cancelled")
	if n, _ := appointments(s); n != "3" {
		t.Errorf("%s are booked after one cancelled", n)
	}
}

// checkSlip checks what comes with an appointment: codes as in the message, calendar, paper.
func checkSlip(t *testing.T, b *booker, s *harness.Server, slip string, d harness.Day) {
	t.Helper()
	code := regexp.MustCompile(`<strong class="tk-h1"><bdi[^>]*>(\d{4})</bdi>`).FindAllStringSubmatch(string(b.Last.Body), -1)
	if len(code) != 4 || code[0][1] == "" || !slices.ContainsFunc(code, func(m []string) bool { return m[1] == s.SecurityCode(b.mobile, d.Date) }) {
		t.Errorf("codes %q", code)
	}
	ics := b.Get(slip + "/calendar.ics")
	event := parseICS(t, ics.Body)
	from, err := time.Parse("20060102T150405Z", event["DTSTART"])
	if err != nil || from.In(time.FixedZone("IST", 19800)).Format("02-01-2006 03:04PM") != d.Date+" "+strings.Split(d.Slot, "-")[0] || !strings.Contains(event["LOCATION"], strings.ReplaceAll(d.CentreName, ",", `\,`)) {
		t.Errorf("calendar %v of %+v: %v", event, d, err)
	}
	if got := ics.Header.Get("Content-Type"); got != "text/calendar; charset=utf-8" || ics.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(ics.Body), "Asha") {
		t.Errorf("calendar %q %s", got, ics.Body)
	}
	if a := b.Get(slip + "/slip.pdf"); !strings.HasPrefix(string(a.Body), "%PDF") {
		t.Errorf("paper: %d", a.Status)
	}
}

// parseICS reads the one event of a calendar, strictly: CRLF, lines of at most 75 octets,
// what begins ends.
func parseICS(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(raw), "\r\n"), "\r\n")
	out, open := map[string]string{}, []string{}
	var whole []string
	for _, l := range lines {
		if len(l) > 75 || strings.ContainsAny(l, "\r\n") {
			t.Errorf("a line of %d octets: %q", len(l), l)
		}
		if strings.HasPrefix(l, " ") && len(whole) > 0 {
			whole[len(whole)-1] += l[1:]
			continue
		}
		whole = append(whole, l)
	}
	for _, l := range whole {
		name, value, ok := strings.Cut(l, ":")
		switch {
		case !ok:
			t.Errorf("no value: %q", l)
		case name == "BEGIN":
			open = append(open, value)
		case name == "END":
			if len(open) == 0 || open[len(open)-1] != value {
				t.Fatalf("%s ends in %q", value, open)
			}
			open = open[:len(open)-1]
		case open[len(open)-1] == "VEVENT":
			out[name] = value
		}
	}
	if len(open) != 0 || lines[0] != "BEGIN:VCALENDAR" || out["UID"] == "" || out["DTSTAMP"] == "" {
		t.Errorf("calendar %q", raw)
	}
	return out
}

// TestPortalLost: places that go while somebody looks are offered elsewhere with what was
// chosen; a hold that ran out is taken again where there is room, and one that was given up is
// free at once.
func TestPortalLost(t *testing.T) {
	s := portalServer(t)
	b := newBooker(t, s)
	b.add("Asha Test", 1980)
	b.add("Ravi Test", 1981)
	d := s.Later()[0]
	left := func(n int) {
		s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET taken1 = cap1 - %d WHERE session = '%s'", n, d.Session))
		time.Sleep(2500 * time.Millisecond) // what memory knows is older than two seconds
	}
	taken := func() string {
		return s.Cell(harness.RegistryDB, "SELECT cap1 - taken1 FROM session WHERE session = $1", d.Session)
	}
	check := func() {
		b.Get("/book/" + d.Session)
		b.Submit("/book/"+d.Session, append(b.party(), "slot", d.Slot)...)
	}
	left(1)
	check()
	b.says(422, "What you chose is kept", "Places nearby", "<title>Error:")
	var other string
	var kept url.Values
	for _, m := range regexp.MustCompile(`action="(/book/[^"]+)"`).FindAllStringSubmatch(string(b.Last.Body), -1) {
		if m[1] != "/book/"+d.Session {
			other, kept = m[1], b.Last.Hidden(m[1])
			break
		}
	}
	slot := regexp.MustCompile(`name="slot" value="([^"]+)"><span`).FindStringSubmatch(string(b.Last.Body))
	if other == "" || kept.Get("p1") == "" || kept.Get("p2") == "" || slot == nil {
		t.Fatalf("%s %v %s", other, kept, b.Last.Body)
	}
	kept.Set("slot", html.UnescapeString(slot[1]))
	b.Post(other, kept)
	b.says(200, "Held for you until", "Asha Test", "Ravi Test")
	left(2)
	check()
	b.says(200, "Held for you until")
	if n := taken(); n != "0" {
		t.Fatalf("%s left", n)
	}
	sure := b.Last.Hidden("/book/" + d.Session + "/confirm")
	b.on(b.Submit("/book/leave"))
	if n := taken(); n != "2" {
		t.Errorf("given up: %s left", n)
	}
	b.on(b.Post("/book/"+d.Session+"/confirm", sure)) // the other tab, and there is room
	b.says(200, "Booked")
	moved := b.link("/booking/", "/cancel")
	b.Get(moved)
	b.Submit(moved, b.party()...)
	b.says(200, "Cancelled")
	check()
	b.says(200, "Held for you until")
	sure = b.Last.Hidden("/book/" + d.Session + "/confirm")
	s.Forward(7 * time.Minute)
	for range 100 {
		if taken() == "2" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	left(0)
	b.Post("/book/"+d.Session+"/confirm", sure)
	b.says(422, "What you chose is kept", "Places nearby")
}

// TestPortalSecondDose: who was vaccinated sees when the second dose is, on the account and in
// the way of a booking before it; they cannot be removed, and somebody else can.
func TestPortalSecondDose(t *testing.T) {
	s := portalServer(t)
	b := newBooker(t, s)
	b.add("Asha Test", 1980)
	b.add("Baby Test", s.Now().Year()-1)
	b.Get("/account")
	asha := b.link("/p/", "")
	b.Get(asha)
	b.says(200, "Reference number", "1980")
	ref := regexp.MustCompile(`>(\d{14})<`).FindStringSubmatch(string(b.Last.Body))
	if ref == nil || strings.Contains(asha, ref[1]) {
		t.Fatalf("%v %s", ref, asha)
	}
	d := s.Today()
	b.Get("/book/" + d.Session)
	b.says(200, "Too young")
	b.Submit("/book/"+d.Session, append(b.party()[:2], "slot", d.Slot)...)
	b.says(200, "Held for you until")
	b.on(b.Submit("/book/" + d.Session + "/confirm"))
	code := regexp.MustCompile(`<strong class="tk-h1"><bdi[^>]*>(\d{4})</bdi>`).FindStringSubmatch(string(b.Last.Body))
	staff := s.Client()
	if a := staff.OpenSession(s.StaffKey("manager"), d); !a.OK() || code == nil {
		t.Fatal(a.Text())
	}
	if a := staff.Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(d, ref[1], code[1], 1)); !a.OK() {
		t.Fatalf("the code of the slip: %s", a.Text())
	}
	b.Get("/account")
	b.says(200, "Partly vaccinated", "Dose 2 of "+d.Vaccine+" from ")
	from := regexp.MustCompile(`Dose 2 of \S+ from ([^.<]+)`).FindStringSubmatch(string(b.Last.Body))
	b.Get("/book/" + s.Later()[0].Session)
	b.says(200, "Dose 2 from "+html.UnescapeString(from[1]))
	b.Get(asha + "/remove")
	b.says(200, "A dose is recorded")
	b.Post(asha+"/remove", url.Values{})
	b.says(422, "A dose is recorded")
	b.Get("/account")
	baby := regexp.MustCompile(`href="(/p/[^"]+)"><bdi[^>]*>Baby Test`).FindStringSubmatch(string(b.Last.Body))[1]
	b.Get(baby + "/remove")
	b.Submit(baby + "/remove")
	b.says(422, "Tick the box when you are sure", "Baby Test")
	b.on(b.Submit(baby+"/remove", "sure", "yes"))
	b.says(200, "The registration is deleted.", "Asha Test")
	b.Get(asha + "/card")
	b.Submit(asha + "/card")
	b.says(200, "This page is shown once")
	b.Get("/notify?pin=" + s.Cell(harness.RegistryDB, "SELECT pin FROM centre WHERE centre = $1", d.Centre))
	b.Submit("/notify", "pin", "000000", "dose", "2", "weeks", "4")
	b.says(422, "<title>Error:")
	b.Submit("/notify", "pin", s.Cell(harness.RegistryDB, "SELECT pin FROM centre WHERE centre = $1", d.Centre), "dose", "2", "weeks", "4")
	b.says(200, "We will tell you.", "dose 2, any vaccine")
	b.Submit("/notify/end")
	b.says(200, "Stopped.")
	stranger := newBooker(t, s)
	stranger.add("Other Test", 1970)
	for _, path := range []string{asha, asha + "/remove", asha + "/card", "/booking/AAAAAAAAAAA", "/book/" + d.Session + "?move=AAAAAAAAAAA"} {
		if a := stranger.Get(path); a.Status != 404 {
			t.Errorf("%s of another household: %d", path, a.Status)
		}
	}
}
