package redteam

import (
	"bytes"
	"fmt"
	"testing"

	"tikakosh/test/harness"
)

// TestC6StaffFirst sends every staff request that names a person or a list of a
// centre, signed by a stranger's key, while the tables behind it cannot be read:
// whatever is read for such a request shows in its answer.
func TestC6StaffFirst(t *testing.T) {
	t.Parallel()
	run(t, "C6", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		day := s.OpenToday()
		c, _ := s.Holder()
		ref := c.Enrol("Asha Test")
		stranger, err := harness.NewStaffKey("manager", day.Centre)
		if err != nil {
			t.Fatal(err)
		}
		hide := func(from, to string) {
			for _, table := range []string{"reference", "inbox"} {
				s.Exec(harness.RegistryDB, fmt.Sprintf("ALTER TABLE %s%s RENAME TO %s%s", table, from, table, to))
			}
		}
		hide("", "_away")
		defer hide("_away", "")
		correction := map[string]any{"correction_id": "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11", "kind": "assign", "center_id": day.Centre,
			"event_id": "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a12", "beneficiary_reference_id": ref, "reason": "x"}
		given := harness.DoseForm(day, ref, "1234", 1)
		given["source"] = "administered"
		told, all := 0, 0
		seen := ""
		for path, body := range map[string]map[string]any{
			harness.ApprovePath: correction, harness.UnmatchedPath: {"center_id": day.Centre}, harness.VaccinatePath: harness.DoseForm(day, ref, "1234", 1),
			harness.StaffCodePath: {"beneficiary_reference_id": ref}, harness.StaffViewPath: nil, harness.StaffCertPath: nil, harness.GivenPath: {
				"source": "abroad", "country": "SG", "beneficiary_reference_id": ref, "center_id": day.Centre, "vaccine": "COVISHIELD", "dose": 1,
				"dose_date": "01-01-2026", "vaccinator_name": "Demo Vaccinator", "security_code": "1234"},
		} {
			all++
			var a harness.Answer
			if body == nil {
				a = s.Client().Shown(stranger, path, ref, "code 1234")
			} else {
				a = s.Client().Signed(stranger, path, body)
			}
			if a.Status != 401 {
				told, seen = told+1, fmt.Sprintf("; %s: %d", path, a.Status)
			}
		}
		return told > 0, fmt.Sprintf("%d of %d requests of a stranger's key show that something was read for them%s", told, all, seen)
	}})
}

// TestC7OtherAdult: a walk-in with a card is linked to the mobile of a household
// and gets a dose; whoever has the phone asks for what is theirs.
func TestC7OtherAdult(t *testing.T) {
	t.Parallel()
	run(t, "C7", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		day := s.OpenToday()
		home, mobile := s.Holder()
		first := home.Enrol("Asha Test")
		card := s.WalkIn(harness.Person{Name: "Ravi Test"})
		staff := s.Client()
		if a := staff.Signed(s.StaffKey("vaccinator"), harness.OnspotPath, harness.OnspotForm(day, card, 1)); !a.OK() {
			t.Fatalf("V4: %s", a.Text())
		}
		form := harness.DoseForm(day, card.Reference, "", 1)
		form["card"] = card.Text
		if a := staff.Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, form); a.Status != 204 {
			t.Fatalf("dose: %s", a.Text())
		}
		if a := home.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); !a.OK() {
			t.Fatalf("link: %s", a.Text())
		}
		if a := home.Certificate(card.Reference); !a.OK() {
			t.Errorf("the session that the card was shown in: %s", a.Text())
		}
		phone := s.Client().SignIn(mobile)
		got := 0
		ask := func(method, path string, body map[string]any) {
			var in any
			if body != nil {
				in = body
			}
			if a := phone.Must(method, path, in); a.OK() && (body != nil || bytes.Contains(a.Body, []byte(card.Reference+`","event_id`)) || bytes.Contains(a.Body, []byte(card.Reference+`","kind`))) {
				got++
			}
		}
		if phone.Certificate(card.Reference).OK() {
			got++
		}
		ask("GET", "/v3/openings?limit=200", nil)
		ask("GET", harness.DosesPath, nil)
		ask("POST", harness.UnlockPath, map[string]any{"card": card.Text, "pin": "000000"})
		a := phone.Must("POST", harness.MergePath, map[string]any{"keep": first, "merge": card.Reference})
		if a.Status != 403 {
			got++
		}
		ask("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": card.Reference}) // voids the card: last
		if got == 0 {
			if a := phone.Must("POST", harness.UnlockPath, map[string]any{"card": card.Text, "pin": card.PIN}); a.Status != 204 {
				t.Errorf("unlock: %s", a.Text())
			}
			if a := phone.Certificate(card.Reference); !a.OK() {
				t.Errorf("after card and PIN: %s", a.Text())
			}
		}
		return got > 0, fmt.Sprintf("%d of 6 requests for what is another adult's were answered", got)
	}})
}
