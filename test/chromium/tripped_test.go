package chromium

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestChromiumTripped: the centre's manager reads in their browser, in English and in Hindi,
// that more doses were recorded than the vials hold and what to do next, and notes what was
// found; who is vaccinator there has no such list.
func TestChromiumTripped(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	admin, second, _ := s.Administrators()
	day, k := s.Today(), s.StaffKey("vaccinator")
	a := s.Client().Signed(s.StaffKey("manager"), "/v3/staff/sessions", map[string]any{"center_id": day.Centre, "session_id": day.Session, "date": day.Date, "zone": "Asia/Kolkata",
		"vaccine": day.Vaccine, "name": day.CentreName, "district_name": day.District, "state_name": day.State, "doses": 1})
	if !a.OK() {
		t.Fatalf("the session: %s", a.Text())
	}
	for range 2 {
		form := harness.DoseForm(day, s.WalkIn(harness.Person{Name: "Asha Test"}).Reference, "", 1)
		delete(form, "security_code")
		if a := s.Client().Signed(k, harness.VaccinatePath, form); !a.OK() {
			t.Fatalf("a dose: %s", a.Text())
		}
	}
	manager := newDesk(t, newBrowser(t), s, "Mina Test")
	manager.enrol(admin.Invited(second, "Mina Test", fmt.Sprintf("manager@centre/1/1/%d", day.Centre)), "")
	manager.small()
	manager.signIn()
	const title = "What to look into"
	for range 40 { // the doses get to the vault a little later
		if manager.open("tripped", title); strings.Contains(manager.text(), "More doses") {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	manager.sees("More doses were recorded than the vials hold")
	manager.sees("Count the vials")
	manager.sees("1 ×")
	manager.fill("note", "A box came later.")
	manager.press("I have seen to it")
	manager.sees("has seen to it")
	manager.press("हिन्दी")
	manager.at("किसकी जाँच करनी है")
	manager.sees("शीशियाँ गिनें")
	manager.quiet()
}
