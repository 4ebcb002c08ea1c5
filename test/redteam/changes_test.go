package redteam

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// opensFromList reports whether the demo staff's centre opens people from its list now.
func opensFromList(s *harness.Server) bool {
	day := s.OpenToday()
	a := s.Client().Signed(s.StaffKey("vaccinator"), dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session})
	return a.Field("mode") == "roster"
}

// TestR44ChangedAlone turns on what lets staff open without a code: one administrator for
// themself, two without waiting, and a database administrator in the vault's rows.
func TestR44ChangedAlone(t *testing.T) {
	t.Parallel()
	propose := func(d *harness.Desk) string {
		centre := d.StaffKey("manager").Centre
		return d.Must(d.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": centre, "on": true})).Field("proposal_id")
	}
	approve := func(d *harness.Desk, proposal string) harness.Answer {
		return d.Fresh("approve", map[string]any{"proposal_id": proposal})
	}
	alone := func(t *testing.T, s *harness.Server) (bool, string) {
		d := s.FirstAdministrator("Nita Test")
		p := propose(d)
		figures := d.Must(d.Fresh("changes", map[string]any{"kind": "budgets", "budgets": map[string]int{"base": 400, "centre": 5000}})).Field("proposal_id")
		s.Wait(25 * time.Hour)
		d.Must(d.SignIn(""))
		a := approve(d, p)
		if b := approve(d, figures); b.OK() != a.OK() {
			t.Errorf("budgets: %s", b.Text())
		}
		s.Wait(25 * time.Hour)
		return opensFromList(s), fmt.Sprintf("their own approval a day later: %d", a.Status)
	}
	atOnce := func(t *testing.T, s *harness.Server) (bool, string) {
		first := s.FirstAdministrator("Nita Test")
		second := first.Invite(nil, "Omar Test", harness.National)
		p := propose(first)
		if a := approve(second, p); !a.OK() { // two administrators are few: the approval waits, too
			s.Wait(24*time.Hour + time.Second)
			first.Must(first.SignIn(""))
			second.Must(second.SignIn(""))
			second.Must(approve(second, p))
		}
		s.Wait(23 * time.Hour)
		early := opensFromList(s)
		if !s.Ablated() {
			s.Wait(time.Hour)
			if !opensFromList(s) {
				t.Error("a day after the approval it is not in force")
			}
		}
		return early, fmt.Sprintf("an hour before the day was over: in force %v", early)
	}
	rows := func(t *testing.T, s *harness.Server) (bool, string) {
		key := fmt.Sprintf("roster/%d", s.StaffKey("manager").Centre)
		s.Exec(harness.VaultDB, fmt.Sprintf("INSERT INTO budget (key, version, content, mac, expires, bucket) VALUES ('%s', 1, %s, %s, 0, %d)",
			key, s.Bytes(hex.EncodeToString([]byte(`{"On":true}`))), s.Bytes("00"), id.Bucket(key)))
		opens := opensFromList(s)
		return opens, fmt.Sprintf("the list opens: %v", opens)
	}
	run(t, "R44", trial{name: "one administrator", off: []string{"second-person"}, own: true, try: alone},
		trial{name: "at once", off: []string{"change-delay"}, own: true, try: atOnce},
		trial{name: "in the database", off: []string{"row-mac"}, own: true, try: rows})
}
