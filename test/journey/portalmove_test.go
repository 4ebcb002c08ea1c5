package journey

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestPortalMoveOne: of a family's appointment one person is moved alone, then the others; the
// addresses of what was say where it went, and each calendar file changes the event it should.
func TestPortalMoveOne(t *testing.T) {
	s := portalServer(t)
	b := newBooker(t, s)
	b.add("Asha Test", 1960)
	b.add("Ravi Test", 1970)
	b.add("Meera Test", 1980)
	days := s.Later()
	from, to := days[0], days[1]
	b.Get("/book/" + from.Session)
	b.Submit("/book/"+from.Session, append(b.party(), "slot", from.Slot)...)
	b.on(b.Submit("/book/" + from.Session + "/confirm"))
	b.says(200, "Booked")
	b.Get("/account")
	first := b.link("/booking/", "")
	event := func(at string) (map[string]string, string) {
		t.Helper()
		a := b.Get(at + "/calendar.ics")
		if a.Status != 200 {
			t.Fatalf("%s: %d", at, a.Status)
		}
		return parseICS(t, a.Body), string(a.Body)
	}
	was, _ := event(first)
	if was["SEQUENCE"] != "0" {
		t.Errorf("a new appointment: %v", was)
	}
	b.Get(first + "/move")
	b.says(200, "Move an appointment")
	if page := string(b.Last.Body); !strings.Contains(page, to.Session) || !strings.Contains(page, "years") {
		t.Fatalf("the days to move to: %s", page)
	}
	at := "/book/" + to.Session
	b.Get(at + "?move=" + strings.TrimPrefix(first, "/booking/") + "&from=move")
	b.says(200, "Who is moved?", "keeps the old appointment")
	boxes := b.party()
	form := b.Last.Hidden(at)
	form.Set("slot", to.Slot)
	form.Set(boxes[2], boxes[3]) // Ravi
	b.Post(at, form)
	b.says(200, "Held for you until", "Ravi Test")
	sure := b.Last.Hidden(at + "/confirm")
	one := b.Post(at+"/confirm", sure).Header.Get("Location")
	if again := b.Post(at+"/confirm", sure).Header.Get("Location"); one == "" || again != one {
		t.Fatalf("confirmed twice: %q and %q", one, again)
	}
	b.Get(one)
	b.says(200, "Moved", "Ravi Test")
	if strings.Contains(string(b.Last.Body), "Asha Test") {
		t.Error("who stays is on the slip of who was moved")
	}
	one, _, _ = strings.Cut(one, "?")
	count := func(session string) string {
		return s.Cell(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE state = 1 AND session = $1", session)
	}
	if a, z := count(from.Session), count(to.Session); a != "2" || z != "1" {
		t.Fatalf("%s stay and %s were moved", a, z)
	}
	own, _ := event(one)
	if still, _ := event(first); own["UID"] == was["UID"] || own["SEQUENCE"] != "0" || still["UID"] != was["UID"] {
		t.Errorf("moved alone: %v beside %v", own, still)
	}
	moveOn(b, first, days[2])
	all := b.Last
	b.says(200, "Moved", "Asha Test", "Meera Test")
	rest := html.UnescapeString(regexp.MustCompile(`href="(/booking/[^"/]+)/calendar.ics"`).FindStringSubmatch(string(all.Body))[1])
	b.Get(first)
	b.says(200, "This appointment was moved", "It is now here")
	if page := string(b.Last.Body); !strings.Contains(page, `href="`+rest+`"`) || !strings.Contains(page, `href="`+one+`"`) {
		t.Errorf("the old address does not lead to the new ones: %s", page)
	}
	if _, raw := event(rest); !strings.Contains(raw, "STATUS:CANCELLED") || strings.Count(raw, "BEGIN:VEVENT") != 2 || !strings.Contains(raw, was["UID"]) {
		t.Errorf("the event that nobody has any more: %s", raw)
	}
	alone, _ := event(one)
	moveOn(b, one, days[2])
	b.says(200, "Moved", "Ravi Test")
	last := regexp.MustCompile(`href="(/booking/[^"/]+)/calendar.ics"`).FindStringSubmatch(string(b.Last.Body))[1]
	if again, raw := event(html.UnescapeString(last)); !strings.Contains(raw, "UID:"+alone["UID"]+"\r\nSEQUENCE:1\r\n") || again["UID"] == "" {
		t.Errorf("the same event at another time: %s", raw)
	}
	b.Get("/booking/" + strings.Repeat("A", 11))
	b.says(404, "There is no such appointment any more")
}

// moveOn moves everybody of an appointment to a day's session; the last page is the new slip.
func moveOn(b *booker, old string, to harness.Day) {
	b.t.Helper()
	at := "/book/" + to.Session
	b.Get(at + "?move=" + strings.TrimPrefix(old, "/booking/"))
	b.Submit(at, append(b.party(), "slot", to.Slot)...)
	b.says(200, "Held for you until")
	b.on(b.Submit(at + "/confirm"))
}
