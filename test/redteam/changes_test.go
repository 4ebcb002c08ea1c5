package redteam

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
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
// themself, two without waiting, an operator by the policies' folder, and a database administrator in
// the vault's rows.
func TestR44ChangedAlone(t *testing.T) {
	t.Parallel()
	propose := func(d *harness.Desk) string {
		centre := d.StaffKey("manager").Centre
		return d.Must(d.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": centre, "on": true})).Field("proposal_id")
	}
	approve := func(d *harness.Desk, proposal string) harness.Answer {
		return d.Fresh("approve", d.Approval(proposal))
	}
	alone := func(t *testing.T, s *harness.Server) (bool, string) {
		d := s.FirstAdministrator("Nita Test")
		p := propose(d)
		figures := d.Must(d.Fresh("changes", map[string]any{"kind": "budgets", "budgets": map[string]int{"base": 400, "centre": 5000}})).Field("proposal_id")
		s.Forward(25 * time.Hour)
		d.Must(d.SignIn(""))
		a := approve(d, p)
		if b := approve(d, figures); b.OK() != a.OK() {
			t.Errorf("budgets: %s", b.Text())
		}
		s.Forward(25 * time.Hour)
		return opensFromList(s), fmt.Sprintf("their own approval a day later: %d", a.Status)
	}
	atOnce := func(t *testing.T, s *harness.Server) (bool, string) {
		first := s.FirstAdministrator("Nita Test")
		second := first.Invite(nil, "Omar Test", harness.National)
		p := propose(first)
		if a := approve(second, p); !a.OK() { // two administrators are few: the approval waits, too
			s.Forward(24*time.Hour + time.Second)
			first.Must(first.SignIn(""))
			second.Must(second.SignIn(""))
			second.Must(approve(second, p))
		}
		s.Forward(23 * time.Hour)
		early := opensFromList(s)
		if !s.Ablated() {
			s.Forward(time.Hour)
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
	folder := shared.plain().For(t).PolicyDir()
	file := filepath.Join(folder, "centre.cedar")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := func(t *testing.T, s *harness.Server) (bool, string) {
		more := "\n@id(\"manager-lists\")\npermit (principal is Staff, action == Action::\"staff.list\", resource) when { principal.role == Role::\"manager\" };\n"
		if err := os.WriteFile(file, append(text[:len(text):len(text)], more...), 0o644); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Error(err)
			}
		}()
		lists := func() int {
			day := s.OpenToday()
			return s.Client().Signed(s.StaffKey("manager"), dayListPath, map[string]any{"center_id": day.Centre, "session_id": day.Session}).Status
		}
		before := lists()
		s.Stop()
		s.Up()
		after := lists()
		return before == 403 && after == 200, fmt.Sprintf("the manager's list before the start: %d, after it: %d", before, after)
	}
	run(t, "R44", trial{name: "one administrator", off: []string{"second-person"}, own: true, try: alone},
		trial{name: "at once", off: []string{"change-delay"}, own: true, try: atOnce},
		trial{name: "other files at a start", off: []string{"policy-folder"}, own: true, base: harness.Options{Args: []string{"--policies", folder}}, try: files},
		trial{name: "in the database", off: []string{"row-mac"}, own: true, try: rows})
}
