package journey

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// smallCentre is a centre of the demo where nobody works yet.
const smallCentre = 900_002

// enrol enrols a staff key by the command.
func enrol(t *testing.T, s *harness.Server, centre int64, role, name, person string) (harness.StaffKey, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), role+".json")
	out, exit := s.Command("staff", "enrol", "--data", s.Data, "--role", role, "--centre", fmt.Sprint(centre), "--name", name, "--person", person, "--out", file)
	if exit != 0 {
		t.Fatalf("enrol: exit %d\n%s", exit, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k, err := harness.ParseStaffKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "warning") != (centre != smallCentre) {
		t.Errorf("centre %d: %s", centre, out)
	}
	return k, file
}

// TestSmallCentre: two people of a small centre correct a dose after a day, which the
// public can see; one of them with two keys does not; the second finds what waits by
// the command.
func TestSmallCentre(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	enrol(t, s, 98_000_002, "manager", "Nobody Test", "N-1") // warned of
	manager, _ := enrol(t, s, smallCentre, "manager", "Asha Staff", "E-1")
	again, _ := enrol(t, s, smallCentre, "manager", "A. Staff", "e-1")
	vaccinator, _ := enrol(t, s, smallCentre, "vaccinator", "Ravi Staff", "E-2")
	_, second := enrol(t, s, smallCentre, "manager", "R. Staff", "E-2")

	c, _ := s.Holder()
	ref := c.Enrol("Asha Test")
	day := s.Today()
	form := harness.DoseForm(harness.Day{Centre: smallCentre, Vaccine: day.Vaccine, Date: day.Date}, ref, "", 1)
	delete(form, "security_code")
	if a := s.Client().Signed(vaccinator, harness.VaccinatePath, form); a.Status != 204 {
		t.Fatalf("V5: %s", a.Text())
	}
	event := c.AwaitDose(ref, "unconfirmed").Event
	body := map[string]any{"kind": "confirm", "center_id": smallCentre, "event_id": event, "beneficiary_reference_id": ref, "reason": "seen by both", "person_seen": true}
	proposed := s.Client().Signed(manager, harness.ProposePath, body)
	if !proposed.OK() {
		t.Fatalf("propose: %s", proposed.Text())
	}
	body["correction_id"] = proposed.Field("correction_id")
	for name, x := range map[string]struct {
		k      harness.StaffKey
		status int
	}{"the same human": {again, 403}, "at once": {vaccinator, 409}} {
		if a := s.Client().Signed(x.k, harness.ApprovePath, body); a.Status != x.status {
			t.Errorf("%s: %s", name, a.Text())
		}
	}
	listed := func() (done string) {
		t.Helper()
		a := s.Client().Must("GET", harness.StatusPath, nil)
		var got struct {
			Entries []struct {
				Centre int64  `json:"center_id"`
				Kind   string `json:"kind"`
				Done   string `json:"approved_at"`
			} `json:"entries"`
		}
		if err := json.Unmarshal(a.Body, &got); err != nil || len(got.Entries) != 1 || got.Entries[0].Centre != smallCentre || got.Entries[0].Kind != "confirm" {
			t.Fatalf("the public list: %s", a.Text())
		}
		for _, word := range []string{ref, "Asha", "Staff", manager.Staff, event} {
			if strings.Contains(string(a.Body), word) {
				t.Errorf("the public list says %s", word)
			}
		}
		return got.Entries[0].Done
	}
	if listed() != "" {
		t.Error("carried out already")
	}
	if _, exit := s.Command("staff", "corrections", "--key", second, "--url", s.API, "--clock-file", s.ClockFile()); exit != 0 {
		t.Errorf("the list: exit %d", exit)
	}
	s.SetClock(24*time.Hour + time.Minute)
	id := proposed.Field("correction_id")
	list, exit := s.Command("staff", "corrections", "--key", second, "--url", s.API, "--clock-file", s.ClockFile())
	if exit != 0 || !strings.Contains(list, id) || !strings.Contains(list, "confirm") || strings.Contains(list, ref) {
		t.Errorf("exit %d: %s", exit, list)
	}
	shown, exit := s.Command("staff", "corrections", "--key", second, "--url", s.API, "--show", id, "--clock-file", s.ClockFile())
	if exit != 0 || !strings.Contains(shown, ref) {
		t.Fatalf("exit %d: %s", exit, shown)
	}
	if a := s.Client().Signed(vaccinator, harness.ApprovePath, json.RawMessage(shown)); a.Status != 204 {
		t.Fatalf("after a day: %s", a.Text())
	}
	if s.SetClock(24*time.Hour + 2*time.Minute); listed() == "" {
		t.Error("the public list does not say that it was carried out")
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}
