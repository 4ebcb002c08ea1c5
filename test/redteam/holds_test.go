package redteam

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"testing"

	"tikakosh/test/harness"
)

// TestP1HeldPlaces holds places in the portal without ever booking them: with one household of
// six people in session after session, and again and again in one.
func TestP1HeldPlaces(t *testing.T) {
	box := regexp.MustCompile(`<input class="govuk-checkboxes__input" id="p[1-6]" name="(p[1-6])" type="checkbox" value="([^"]+)"`)
	family := func(s *harness.Server) *harness.Portal {
		p, mobile := s.Portal(), s.Mobile()
		p.SignIn(mobile)
		c := s.Client().With(p.Cookie("__Host-session"))
		for range 6 {
			c.Enrol("Asha Test")
		}
		return p
	}
	hold := func(p *harness.Portal, d harness.Day) harness.Answer {
		path := "/book/" + d.Session
		a := p.Get(path)
		pairs := []string{"slot", d.Slot}
		for _, m := range box.FindAllStringSubmatch(string(a.Body), -1) {
			pairs = append(pairs, m[1], html.UnescapeString(m[2]))
		}
		return p.Submit(path, pairs...)
	}
	held := func(t *testing.T, s *harness.Server) int {
		n, err := strconv.Atoi(s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold_place p JOIN hold h ON h.hold = p.hold WHERE h.state = 1 AND p.state = 1"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run(t, "P1",
		trial{name: "session after session", try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := family(s)
			days := s.Later()
			for _, d := range days[:min(3, len(days))] {
				if a := hold(p, d); a.Status != 200 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			n := held(t, s)
			return n > 6, fmt.Sprintf("one household of six holds %d places", n)
		}},
		trial{name: "one session over and over", try: func(t *testing.T, s *harness.Server) (bool, string) {
			p := family(s)
			d := s.Later()[0]
			for n := range 6 {
				a := hold(p, d)
				if a.Status == 429 {
					return false, fmt.Sprintf("refused after %d holds, Retry-After %s", n, a.Header.Get("Retry-After"))
				}
				if a.Status != 200 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
				p.Submit("/book/leave")
			}
			return true, "six holds of one session without a booking"
		}})
}
