package journey

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// nobody is a reference number with a right check digit that names no one.
const nobody = "10000000000009"

// TestDosesWithoutEvidence: recorded write-only, also while the vault is down;
// on a right number, on nobody's, on somebody else's; each ends with the right
// person and the right certificate.
func TestDosesWithoutEvidence(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	day := s.OpenToday()
	c, _ := s.Holder()
	asha, ravi := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	other, _ := s.Holder()
	meera := other.Enrol("Meera Test")
	second := s.StaffKey("vaccinator")

	known, unknown := s.WriteDose(day, asha), s.WriteDose(day, nobody)
	if known.Status != 204 || unknown.Status != 204 || len(known.Body)+len(unknown.Body) != 0 {
		t.Fatalf("known %s, unknown %s", known.Text(), unknown.Text())
	}
	if a := s.WriteDose(day, "10000000000002"); a.Status != 400 {
		t.Errorf("a wrong check digit: %s", a.Text())
	}
	d := c.AwaitDose(asha, "unconfirmed")
	unreadable(t, s)
	if a := c.Certificate(asha); a.OK() {
		t.Error("a certificate of an unconfirmed dose")
	}
	if p := c.Beneficiaries(); p[0].Status != "Not Vaccinated" {
		t.Errorf("an unconfirmed dose counts: %+v", p[0])
	}
	if a := other.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": asha, "event_id": d.Event}); a.Status != 404 {
		t.Errorf("a stranger confirms: %s", a.Text())
	}
	if a := c.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": asha, "event_id": d.Event}); a.Status != 204 {
		t.Fatalf("confirm: %s", a.Text())
	}
	verify(t, s, saved(t, c, asha), 0, "GENUINE", "Asha Test")

	t.Run("nobody's number", func(t *testing.T) {
		event := awaitUnmatched(t, s, nobody)
		if a := s.Correct(s.StaffKey("manager"), "assign", event, ravi, nil); a.Status != 403 {
			t.Errorf("the manager approves his own proposal: %s", a.Text())
		}
		if a := s.Correct(second, "assign", event, ravi, nil); a.Status != 204 {
			t.Fatalf("assign: %s", a.Text())
		}
		if got := s.Unmatched(); len(got) != 0 {
			t.Errorf("still on the list: %v", got)
		}
		c.AwaitDose(ravi, "unconfirmed")
		if a := s.Correct(second, "confirm", event, ravi, map[string]any{"person_seen": true}); a.Status != 204 {
			t.Fatalf("confirm: %s", a.Text())
		}
		verify(t, s, saved(t, c, ravi), 0, "GENUINE", "Ravi Test")
	})
	t.Run("somebody else's number, the vault down", func(t *testing.T) {
		uma := other.Enrol("Uma Test")
		pid := s.Role(harness.RoleVault)
		harness.Freeze(t, pid)
		start := time.Now()
		a := s.WriteDose(day, meera)
		if a.Status != 204 || time.Since(start) > 5*time.Second {
			t.Errorf("while the vault is down: %s after %v", a.Text(), time.Since(start))
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.AwaitRole(harness.RoleVault, pid)
		s.Alive()
		d := other.AwaitDose(meera, "unconfirmed")
		if a := other.Must("POST", harness.DisputePath, map[string]any{"beneficiary_reference_id": meera, "event_id": d.Event, "reason": "I was not there"}); a.Status != 204 {
			t.Fatalf("dispute: %s", a.Text())
		}
		if a := s.Correct(second, "assign", d.Event, uma, nil); a.Status != 204 {
			t.Fatalf("assign: %s", a.Text())
		}
		if a := other.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": uma, "event_id": d.Event}); a.Status != 204 {
			t.Fatalf("confirm: %s", a.Text())
		}
		verify(t, s, saved(t, other, uma), 0, "GENUINE", "Uma Test")
		if a := other.Certificate(meera); a.OK() {
			t.Error("a certificate of a disputed dose")
		}
	})
	t.Run("a mistyped centre", func(t *testing.T) { mistypedCentre(t, s, day) })
	t.Run("with the code, the vault down", func(t *testing.T) { codeWhileDown(t, s, day) })
	t.Run("corrected", func(t *testing.T) {
		old := saved(t, c, asha)
		if a := s.Correct(second, "correct", d.Event, asha, map[string]any{"vaccine_batch": "TEST-2"}); a.Status != 204 {
			t.Fatalf("correct: %s", a.Text())
		}
		if got := c.AwaitDose(asha, "confirmed"); got.Batch != "TEST-2" || got.Changes != 2 || got.Reason == "" {
			t.Errorf("after the correction: %+v", got)
		}
		verify(t, s, old, 1, "REVOKED")
		verify(t, s, saved(t, c, asha), 0, "GENUINE", "TEST-2")
	})
	t.Run("abroad", func(t *testing.T) { abroad(t, s, day) })
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}

// unreadable looks for what was recorded in the registry's files.
func unreadable(t *testing.T, s *harness.Server) {
	t.Helper()
	if harness.OnPostgres() {
		all := 0
		for where, values := range s.Blobs(harness.RegistryDB) {
			for _, raw := range values {
				if all++; bytes.Contains(raw, []byte("TEST-1")) || bytes.Contains(raw, []byte("Demo Vaccinator")) {
					t.Errorf("%s shows what was recorded", where)
				}
			}
		}
		if all == 0 {
			t.Error("nothing was looked at")
		}
		return
	}
	for _, file := range []string{"registry.db", "registry.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(s.Data, "registry", file))
		if err != nil || bytes.Contains(raw, []byte("TEST-1")) || bytes.Contains(raw, []byte("Demo Vaccinator")) {
			t.Errorf("%s shows what was recorded, or is not there: %v", file, err)
		}
	}
}

// abroad records a dose from another country for a person with a card.
func abroad(t *testing.T, s *harness.Server, day harness.Day) {
	t.Helper()
	second := s.StaffKey("vaccinator")
	card := s.WalkIn(harness.Person{Name: "Sita Test"})
	form := map[string]any{"source": "abroad", "country": "SG", "beneficiary_reference_id": card.Reference, "center_id": day.Centre, "vaccine": "COVISHIELD",
		"dose": 1, "dose_date": s.Now().AddDate(0, 0, -90).Format("02-01-2006"), "vaccinator_name": "Demo Vaccinator", "card": card.Text}
	if a := s.Client().Signed(second, harness.GivenPath, form); a.Status != 204 {
		t.Fatalf("abroad: %s", a.Text())
	}
	own := s.Client().ByCard(card)
	verify(t, s, saved(t, own, card.Reference), 0, "GENUINE", "SG")
	form["country"], form["dose"], form["card"] = "IN", 2, card.Text
	if a := s.Client().Signed(second, harness.GivenPath, form); a.Status != 400 {
		t.Errorf("abroad at home: %s", a.Text())
	}
}

func awaitUnmatched(t *testing.T, s *harness.Server, typed string) string {
	t.Helper()
	for range 100 {
		if event := s.Unmatched()[typed]; event != "" {
			return event
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the dose is not on the manager's list")
	return ""
}

// saved downloads a certificate into a file.
func saved(t *testing.T, c *harness.Client, ref string) string {
	t.Helper()
	a := c.Certificate(ref)
	if !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	file := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(file, a.Body, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// verify runs the command with the present revocation list. A revocation is
// public within a minute.
func verify(t *testing.T, s *harness.Server, file string, exit int, words ...string) {
	t.Helper()
	var out string
	for range 60 {
		var got int
		if out, got = s.Command("certificate", "verify", file, "--keys", s.API+"/v3/keys", "--revocations", s.API+"/v3/revocations"); (got != 0) == (exit != 0) {
			break
		}
		time.Sleep(time.Second)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
}

// mistypedCentre: a dose under a number that is no centre's is on the list of the
// vaccinator's own centre, and two people put it right.
func mistypedCentre(t *testing.T, s *harness.Server, day harness.Day) {
	t.Helper()
	c, _ := s.Holder()
	ref := c.Enrol("Gita Test")
	typed := day
	typed.Centre = 99_000_001
	if a := s.WriteDose(typed, ref); a.Status != 204 {
		t.Fatalf("V5: %s", a.Text())
	}
	event := awaitUnmatched(t, s, ref)
	if d := c.Doses(); len(d) != 0 {
		t.Errorf("before two people have looked at it: %+v", d)
	}
	second := s.StaffKey("second-manager")
	if a := s.Correct(second, "assign", event, ref, nil); a.Status != 204 {
		t.Fatalf("assign: %s", a.Text())
	}
	if got := s.Unmatched()[ref]; got != "" {
		t.Error("still on the list")
	}
	if d := c.AwaitDose(ref, "unconfirmed"); d.Event != event {
		t.Errorf("%+v", d)
	}
	if a := s.Correct(second, "confirm", event, ref, map[string]any{"person_seen": true}); a.Status != 204 {
		t.Fatalf("confirm: %s", a.Text())
	}
	verify(t, s, saved(t, c, ref), 0, "GENUINE", "Gita Test")
}

// codeWhileDown: a dose with the person's code is taken while the vault does not
// answer, and counts when it does again.
func codeWhileDown(t *testing.T, s *harness.Server, day harness.Day) {
	t.Helper()
	c, mobile := s.Holder()
	right, wrong := c.Enrol("Sona Test"), c.Enrol("Mina Test")
	var codes []string
	for _, ref := range []string{right, wrong} {
		if appointment, a := c.Book(day, 1, ref); appointment == "" {
			t.Fatalf("book: %s", a.Text())
		}
		codes = append(codes, s.SecurityCode(mobile, day.Date, ref))
	}
	bad := "0000"
	if codes[1] == bad {
		bad = "1111"
	}
	pid := s.Role(harness.RoleVault)
	harness.Freeze(t, pid)
	k, results := s.StaffKey("vaccinator"), make(chan string, 2)
	for ref, code := range map[string]string{right: codes[0], wrong: bad} {
		go func() {
			a := s.Client().Signed(k, harness.VaccinatePath, harness.DoseForm(day, ref, code, 1))
			if a.Status != 204 {
				results <- a.Text()
				return
			}
			results <- ""
		}()
	}
	for range 2 {
		if text := <-results; text != "" {
			t.Errorf("while the vault is down: %s", text)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.AwaitRole(harness.RoleVault, pid)
	s.Alive()
	c.AwaitDose(right, "confirmed")
	c.AwaitDose(wrong, "unconfirmed")
	verify(t, s, saved(t, c, right), 0, "GENUINE", "Sona Test")
	if a := c.Certificate(wrong); a.OK() {
		t.Error("a certificate of a dose with a wrong code")
	}
	unreadable(t, s)
}
