package redteam

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// watched is why something tripped, as a centre's manager and a national privacy officer
// see it.
func watched(t *testing.T, s *harness.Server, centre int64) (why []string) {
	t.Helper()
	var got struct {
		Rows []struct {
			Why string `json:"why"`
		} `json:"tripped"`
	}
	a := s.Client().SignedGet(s.StaffKey("manager"), fmt.Sprintf("/v3/staff/tripped?center_id=%d", centre))
	if err := json.Unmarshal(a.Body, &got); err != nil || !a.OK() {
		t.Fatal(a.Text())
	}
	for _, r := range got.Rows {
		why = append(why, r.Why)
	}
	return why
}

// TestS29OffRoster has a member of staff work at a centre on whose roster they are not. It
// is refused (S3); the attack is that nobody who watches hears of it.
func TestS29OffRoster(t *testing.T) {
	t.Parallel()
	run(t, "S29", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		v := admin.Invite(nil, "Vani Test", fmt.Sprintf("vaccinator@centre/1/1/%d", s.StaffKey("manager").Centre))
		day := s.OpenToday()
		if why := watched(t, s, day.Centre); slices.Contains(why, "off-roster") {
			t.Fatal("noted before anything was done")
		}
		if a := s.Client().Signed(v.Key, harness.WalkInPath, harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()); a.Status != 403 {
			t.Fatalf("off the roster: %s", a.Text())
		}
		why := watched(t, s, day.Centre)
		return !slices.Contains(why, "off-roster"), fmt.Sprintf("those who watch see %q", why)
	}})
}

// TestS30MoreThanVials records more doses than the day's vials hold: for people who are
// there, and for numbers of nobody.
func TestS30MoreThanVials(t *testing.T) {
	t.Parallel()
	run(t, "S30", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		const vials = 2
		day, manager, k := s.Today(), s.StaffKey("manager"), s.StaffKey("vaccinator")
		opens := func(doses int) {
			t.Helper()
			body := map[string]any{}
			if err := json.Unmarshal(sessionBody(t, day), &body); err != nil {
				t.Fatal(err)
			}
			body["doses"] = doses
			if a := s.Client().Signed(manager, "/v3/staff/sessions", body); !a.OK() {
				t.Fatal(a.Text())
			}
		}
		gives := func(ref string) {
			t.Helper()
			form := harness.DoseForm(day, ref, "", 1)
			delete(form, "security_code")
			if a := s.Client().Signed(k, harness.VaccinatePath, form); a.Status != 204 {
				t.Fatal(a.Text())
			}
		}
		taken := func(wait time.Duration) bool { // what was recorded gets to the vault a little later
			for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
				if slices.Contains(watched(t, s, day.Centre), "stock") {
					return true
				}
			}
			return false
		}
		opens(1)
		opens(vials)
		for range vials {
			gives(s.WalkIn(harness.Person{Name: "Asha Test"}).Reference)
		}
		if taken(3 * time.Second) {
			t.Error("as many doses as there were: noted")
		}
		gives(s.WalkIn(harness.Person{Name: "Asha Test"}).Reference)
		seen := taken(10 * time.Second)
		return !seen, fmt.Sprintf("%d doses of %d: those who watch see it: %v", vials+1, vials, seen)
	}})
}
