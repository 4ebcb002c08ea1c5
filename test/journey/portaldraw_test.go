package journey

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// until gets a page again and again until it says one of some texts, and returns which.
func (b *booker) until(path string, texts ...string) string {
	b.t.Helper()
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(200 * time.Millisecond) {
		b.Get(path)
		page := html.UnescapeString(string(b.Last.Body))
		for _, x := range texts {
			if b.Last.Status == 200 && strings.Contains(page, x) {
				return x
			}
		}
	}
	b.t.Fatalf("%s never says %q: %s", path, texts, b.Last.Body)
	return ""
}

// TestPortalDraw: two households enter a draw of one place through the pages. Nothing is held, the
// account says that they wait, an entry is not one twice; then one has a slip with its code and the
// other is told, on the page and by a message, that there was no place.
func TestPortalDraw(t *testing.T) {
	s := portalServer(t)
	one, two := newBooker(t, s), newBooker(t, s)
	one.add("Asha Test", 1980)
	two.add("Ravi Test", 1970)
	d := s.Later()[0]
	at := s.Now().Add(5 * time.Minute)
	s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET draw_at = %d, cap1 = taken1 + 1 WHERE session = '%s'", at.UnixMilli(), d.Session))
	page := "/book/" + d.Session
	for i, b := range []*booker{one, two} {
		b.until(page, "Until then everybody who enters has the same chance")
		if strings.Contains(string(b.Last.Body), "holds the places") {
			t.Error("the page of a draw promises a hold")
		}
		b.Submit(page, append(b.party(), "slot", d.Slot)...)
		b.says(200, "Enter the draw")
		if strings.Contains(string(b.Last.Body), "Held for you until") {
			t.Error("a place is held before a draw")
		}
		sure := b.Last.Hidden(page + "/confirm")
		for range 2 { // pressed twice
			b.Post(page+"/confirm", sure)
			b.says(200, "You are in the draw", fmt.Sprintf("has the number %d", i+1))
		}
		b.Get("/account")
		b.says(200, "Waits for the draw of", d.CentreName)
		b.Get("/book/" + s.Later()[0].Session)
		b.says(200, "Has an appointment already")
	}
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE session = $1 AND state = 1", d.Session); n != "0" {
		t.Errorf("%s holds", n)
	}
	s.Forward(6 * time.Minute)
	const won, lost = "Appointment slip, change or cancel", "The draw is over: there was no place left"
	results := map[string]*booker{}
	for _, b := range []*booker{one, two} {
		results[b.until("/account", won, lost)] = b
	}
	if len(results) != 2 {
		t.Fatalf("not one of each: %v", results)
	}
	results[won].Get(results[won].link("/booking/", ""))
	results[won].says(200, d.CentreName)
	code := regexp.MustCompile(`<strong class="tk-h1"><bdi[^>]*>(\d{4})</bdi>`).FindStringSubmatch(string(results[won].Last.Body))
	if code == nil || code[1] != s.SecurityCode(results[won].mobile, d.Date) {
		t.Errorf("the code of who won: %q", code)
	}
	told := s.AwaitMessages(results[lost].mobile, 1, 10*time.Second)
	if last := told[0].Text; !strings.Contains(last, "no place for your request") {
		t.Errorf("who got none was told %q", last)
	}
}

// TestPortalTold: who asked on the page to be told when a place opens is told when one does.
func TestPortalTold(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--watch-every=200ms"}})
	who := newBooker(t, s)
	who.add("Asha Test", 1980)
	d := s.Later()[0]
	pin := s.Cell(harness.RegistryDB, "SELECT pin FROM centre WHERE centre = $1", d.Centre)
	who.Get("/find?pin=" + pin)
	who.Get(who.linkTo("/notify?pin=" + pin))
	who.says(200, "Tell me when a place opens", `value="`+pin+`"`)
	who.Submit("/notify", "dose", "1", "vaccine", d.Vaccine, "weeks", "4", "pin", pin)
	who.says(200, "We will tell you.", d.Vaccine)
	who.Get("/notify")
	who.Submit("/notify", "dose", "1", "vaccine", d.Vaccine, "weeks", "4", "pin", pin)
	who.says(422, "You have asked for this already")
	time.Sleep(time.Second) // the watcher has seen what is free
	s.Exec(harness.RegistryDB, "UPDATE session SET taken1 = cap1 WHERE session = '"+d.Session+"'")
	time.Sleep(time.Second)
	s.Exec(harness.RegistryDB, "UPDATE session SET taken1 = cap1 - 1 WHERE session = '"+d.Session+"'")
	for range 200 {
		for _, m := range s.To(who.mobile) {
			if strings.Contains(m.Text, "Places have become free") && strings.Contains(m.Text, d.Date) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("nobody was told: %+v", s.To(who.mobile))
}

// linkTo is an address that the page leads to.
func (b *booker) linkTo(path string) string {
	b.t.Helper()
	if !strings.Contains(html.UnescapeString(string(b.Last.Body)), `href="`+path+`"`) {
		b.t.Fatalf("no link %s: %s", path, b.Last.Body)
	}
	return path
}

// TestPortalBookNewDevice: a browser that is new to a household books for it and sees initials: the
// dose is asked, what the rules refuse is refused, the codes come by message only, and no page of
// the appointment opens there; the household's own browser has the slip.
func TestPortalBookNewDevice(t *testing.T) {
	s := portalServer(t)
	own := &booker{Portal: s.Portal(), t: t, mobile: s.Mobile()}
	own.SignInOn(s.DeviceKey(), own.mobile)
	own.add("Asha Test", 1980)
	own.add("Baby Test", s.Now().Year()-1)
	own.Get("/account/devices")
	own.says(200, "Trusted")
	b := &booker{Portal: s.Portal(), t: t, mobile: own.mobile}
	b.SignInOn(s.DeviceKey(), b.mobile)
	b.Get("/account")
	b.says(200, "initials only")
	hidden := func() {
		t.Helper()
		if page := string(b.Last.Body); strings.Contains(page, "Asha") || strings.Contains(page, "Baby") || regexp.MustCompile(`>\d{14}<`).MatchString(page) {
			t.Errorf("a new device sees who it is: %s", page)
		}
	}
	hidden()
	d := s.Later()[0]
	page := "/book/" + d.Session
	b.Get(page)
	b.says(200, "Can be tried", "initials")
	hidden()
	boxes := b.party()
	if len(boxes) != 4 {
		t.Fatalf("%q", boxes)
	}
	b.Submit(page, append(boxes[:2:2], "slot", d.Slot)...)
	b.says(422, "Choose the dose")
	b.Submit(page, append(boxes[:2:2], "slot", d.Slot, "dose", "2")...)
	b.says(422, "cannot be booked here any more")
	hidden()
	b.Get(page)
	b.Submit(page, append(boxes[2:4:4], "slot", d.Slot, "dose", "1")...)
	b.says(422, "cannot be booked here any more") // the baby
	b.Get(page)
	b.Submit(page, append(boxes[:2:2], "slot", d.Slot, "dose", "1")...)
	b.says(200, "Held for you until")
	hidden()
	before := len(s.To(b.mobile))
	b.Submit(page + "/confirm")
	b.says(200, "Booked", "the codes are in the message", d.CentreName)
	hidden()
	code := s.SecurityCode(b.mobile, d.Date)
	if len(s.AwaitMessages(b.mobile, before, 10*time.Second)) == 0 || code == "" || strings.Contains(string(b.Last.Body), ">"+code+"<") {
		t.Errorf("the code %q is not in the message alone", code)
	}
	own.Get("/account")
	slip := own.link("/booking/", "")
	for _, tail := range []string{"", "/move", "/cancel", "/calendar.ics", "/slip.pdf"} {
		if a := b.Get(slip + tail); a.Status != 404 {
			t.Errorf("%s on a new device: %d", tail, a.Status)
		}
	}
	own.Get(slip)
	own.says(200, "Asha Test", code)
	b.Get("/notify")
	b.says(200, "Tell me when a place opens")
}
