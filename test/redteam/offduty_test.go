package redteam

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// tried is one act of a stolen session. done reports whether it went through.
type tried struct {
	name string
	done func() bool
}

// each tries every act and says which went through. Either all of them do or none: an
// act that is refused without the control too shows nothing of it.
func each(t *testing.T, acts []tried) (bool, string) {
	t.Helper()
	var through, refused []string
	for _, a := range acts {
		if a.done() {
			through = append(through, a.name)
		} else {
			refused = append(refused, a.name)
		}
	}
	if len(through) > 0 && len(refused) > 0 {
		t.Errorf("refused though others went through: %s", strings.Join(refused, ", "))
	}
	if len(through) == 0 {
		return false, fmt.Sprintf("%d acts, none went through", len(acts))
	}
	return true, fmt.Sprintf("%d of %d acts went through: %s", len(through), len(acts), strings.Join(through, ", "))
}

// TestS3OffDuty: a vaccinator's live session, on a day they do not work: it opens
// nobody and puts nothing into anybody's record.
func TestS3OffDuty(t *testing.T) {
	t.Parallel()
	run(t, "S3", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		day := s.Today()
		v := admin.Invite(nil, "Vani Test", fmt.Sprintf("vaccinator@centre/1/1/%d", day.Centre))
		day = s.OpenToday() // a day later, as the invitation waited
		got, evidence := each(t, s3acts(t, s, v.Key, day))
		admin.Must(admin.Ask("POST", "roster", map[string]any{"member_id": v.Member, "center_id": day.Centre, "date": day.Date, "on": true}))
		if on := s.Client().Signed(v.Key, harness.WalkInPath, harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()); !on.OK() {
			t.Fatalf("on the roster: %s", on.Text())
		}
		return got, evidence
	}})
}

// s3acts is all that a vaccinator does with somebody who is there.
func s3acts(t *testing.T, s *harness.Server, k harness.StaffKey, day harness.Day) []tried {
	card := func() harness.Card { return s.WalkIn(harness.Person{Name: "Ravi Test"}) }
	booked := func() (c *harness.Client, ref, code string) {
		c, mobile := s.Holder()
		ref = c.Enrol("Asha Test")
		if _, a := c.Book(day, 1, ref); !a.OK() {
			t.Fatal(a.Text())
		}
		return c, ref, s.SecurityCode(mobile, day.Date, ref)
	}
	signed := func(path string, body map[string]any) bool { return s.Client().Signed(k, path, body).OK() }
	return []tried{
		{"view by card", func() bool {
			c := card()
			return s.Client().Shown(k, harness.StaffViewPath, c.Reference, "card "+c.Text).OK()
		}},
		{"view by code", func() bool {
			_, ref, code := booked()
			return s.Client().Shown(k, harness.StaffViewPath, ref, "code "+code).OK()
		}},
		{"certificate", func() bool {
			c := card()
			(&stage{t: t, s: s, today: day, keys: map[string]harness.StaffKey{byVacc: s.StaffKey("vaccinator")}}).given(c)
			return s.Client().Shown(k, harness.StaffCertPath, c.Reference, "card "+c.Text).OK()
		}},
		{"registration", func() bool { return signed(harness.WalkInPath, harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()) }},
		{"booking", func() bool { return signed(harness.OnspotPath, harness.OnspotForm(day, card(), 1)) }},
		{"one-time code", func() bool {
			_, ref, _ := booked()
			return signed(harness.StaffCodePath, map[string]any{"beneficiary_reference_id": ref})
		}},
		{"list of the day", func() bool {
			return signed(dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session})
		}},
		{"dose by code", func() bool {
			_, ref, code := booked()
			return signed(harness.VaccinatePath, harness.DoseForm(day, ref, code, 1))
		}},
		{"dose from a record", func() bool { return signed(harness.GivenPath, abroad(s, day.Centre, card())) }},
		{"dose without a code", func() bool { return writes(t, s, k, day, day.Centre) }},
	}
}

// abroad is the form of a dose given elsewhere.
func abroad(s *harness.Server, centre int64, c harness.Card) map[string]any {
	return map[string]any{"source": "abroad", "country": "SG", "beneficiary_reference_id": c.Reference, "center_id": centre, "vaccine": "COVISHIELD", "dose": 1,
		"dose_date": s.Now().AddDate(0, 0, -90).Format("02-01-2006"), "vaccinator_name": "Demo Vaccinator", "card": c.Text}
}

// writes records a dose without a code, which is always acknowledged, and reports
// whether it got into the person's record. One that does not waits for the manager.
func writes(t *testing.T, s *harness.Server, k harness.StaffKey, day harness.Day, centre int64) bool {
	t.Helper()
	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	form := harness.DoseForm(day, ref, "", 1)
	delete(form, "security_code")
	form["center_id"] = centre
	if a := s.Client().Signed(k, harness.VaccinatePath, form); a.Status != 204 {
		t.Fatalf("a dose without a code: %s", a.Text())
	}
	for range 100 {
		if slices.ContainsFunc(c.Doses(), func(d harness.DoseEvent) bool { return d.Reference == ref }) {
			return true
		}
		if _, waits := s.Unmatched()[ref]; waits {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("a dose that was acknowledged is nowhere")
	return false
}

// TestS4OtherCentre: a vaccinator at work in one centre puts doses into records as
// given at another, where the person is.
func TestS4OtherCentre(t *testing.T) {
	t.Parallel()
	run(t, "S4", trial{own: true, base: stageOptions(t), try: func(t *testing.T, s *harness.Server) (bool, string) {
		admin := s.FirstAdministrator("Nita Test")
		own := s.StaffKey("vaccinator").Centre
		v := admin.Invite(nil, "Vani Test", fmt.Sprintf("vaccinator@centre/1/1/%d", own))
		day := s.OpenToday()
		admin.Must(admin.Ask("POST", "roster", map[string]any{"member_id": v.Member, "center_id": own, "date": day.Date, "on": true}))
		there := (&stage{t: t, s: s, today: day}).elsewhere()
		file := filepath.Join(t.TempDir(), "manager.json")
		if out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", "manager", "--name", "Test Manager", "--centre", fmt.Sprint(there.Centre), "--out", file); exit != 0 {
			t.Fatal(out)
		}
		if a := s.Client().OpenSession(keyFile(t, file), there); !a.OK() {
			t.Fatal(a.Text())
		}
		return each(t, []tried{
			{"dose by code", func() bool {
				c, mobile := s.Holder()
				ref := c.Enrol("Asha Test")
				if _, a := c.Book(there, 1, ref); !a.OK() {
					t.Fatal(a.Text())
				}
				return s.Client().Signed(v.Key, harness.VaccinatePath, harness.DoseForm(there, ref, s.SecurityCode(mobile, there.Date, ref), 1)).OK()
			}},
			{"dose from a record", func() bool {
				return s.Client().Signed(v.Key, harness.GivenPath, abroad(s, there.Centre, s.WalkIn(harness.Person{Name: "Ravi Test"}))).OK()
			}},
			{"dose without a code", func() bool { return writes(t, s, v.Key, day, there.Centre) }},
		})
	}})
}
