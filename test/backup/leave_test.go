package backup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/vault/state"
	"tikakosh/test/harness"
)

const day = 24 * time.Hour

// await asks until the answer is the wanted one; housekeeping runs ten times a second.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 100 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not within ten seconds: %s", what)
}

func leaving(c *harness.Client, ref string) harness.Answer {
	return c.Must("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": ref})
}

func statusOf(c *harness.Client, tracking string) string {
	return c.Must("POST", "/v3/registration/leave/status", map[string]any{"tracking_number": tracking}).Field("state")
}

func rowOf(t *testing.T, s *harness.Server, ref string) state.Person {
	t.Helper()
	var p state.Person
	if err := json.Unmarshal([]byte(s.Cell(harness.VaultDB, "SELECT content FROM person WHERE key = $1", s.PersonOf(ref))), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLeave is the way of a vaccinated person out of the registry: hidden at once,
// back within seven days, gone when the law allows, and the others stay.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--house-every", "100ms", "--leave-keep", "720h"}})
	c, mobile := s.Holder()
	asha, ravi := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	if a := leaving(c, asha); a.Status != 409 {
		t.Fatalf("without a dose: %s", a.Text())
	}
	s.Vaccinate(c, mobile, asha)
	if no, a := c.Book(s.Later()[0], 1, ravi); no == "" {
		t.Fatal(a.Text())
	}
	stats := s.Column(harness.VaultDB, "SELECT key || content FROM stat ORDER BY key")
	certificate := c.Certificate(asha)
	wrapped := rowOf(t, s, asha).Wrapped
	left := leaving(c, asha)
	tracking := left.Field("tracking_number")
	if !left.OK() || len(tracking) != 34 || left.Field("receipt") == "" {
		t.Fatalf("leave: %s", left.Text())
	}
	// Hidden at once.
	if people := c.Beneficiaries(); len(people) != 1 || people[0].Reference != ravi || len(people[0].Appointments) != 1 {
		t.Errorf("after a leave: %+v", people)
	}
	if a := c.Certificate(asha); a.Status != 404 {
		t.Errorf("certificate after a leave: %d", a.Status)
	}
	for _, o := range c.Openings() {
		if o.Reference == asha {
			t.Errorf("the history still shows %s: %s", o.Kind, o.View)
		}
	}
	if st := statusOf(c, tracking); st != "hidden" {
		t.Errorf("status %q", st)
	}
	if a := c.Must("POST", "/v3/registration/leave/status", map[string]any{"tracking_number": "TL" + strings.Repeat("A", 32)}); a.Status != 404 {
		t.Errorf("a number nobody has: %d", a.Status)
	}
	// Nobody else brings them back.
	other, _ := s.Holder()
	if a := other.Must("POST", "/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": asha}); a.Status != 404 {
		t.Errorf("undone by a stranger: %d", a.Status)
	}
	if a := c.Must("POST", "/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": asha}); a.Status != 204 {
		t.Fatalf("undo: %s", a.Text())
	}
	if people := c.Beneficiaries(); len(people) != 2 || people[0].Status != "Partially Vaccinated" || statusOf(c, tracking) != "undone" {
		t.Errorf("after undo: %+v", people)
	}
	tracking = leaving(c, asha).Field("tracking_number")
	s.SetClock(7*day + time.Hour)
	c = c.SignIn(mobile)
	await(t, "the leave stands", func() bool { return s.Cell(harness.VaultDB, "SELECT count(*) FROM task WHERE kind = 'remove'") == "1" })
	s.SetClock(7*day + 2*time.Hour) // the worker takes what is a minute old
	await(t, "the registry knows", func() bool {
		return s.Cell(harness.RegistryDB, "SELECT state FROM person WHERE person = $1", s.PersonOf(asha)) == "2"
	})
	if st := statusOf(c, tracking); st != "kept" {
		t.Errorf("status %q", st)
	}
	c = c.SignIn(mobile)
	if a := c.Must("POST", "/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": asha}); a.Status != 404 {
		t.Errorf("undone after seven days: %d", a.Status)
	}
	if rowOf(t, s, asha).Wrapped == nil {
		t.Error("the key is gone before its time")
	}
	s.SetClock(31 * day)
	await(t, "erased", func() bool { return statusOf(c, tracking) == "erased" })
	if p := rowOf(t, s, asha); p.Wrapped != nil || p.State != state.Removed || len(p.Bookings) > 0 {
		t.Errorf("the row after the erasure: %+v", p)
	}
	if rowOf(t, s, ravi).Wrapped == nil {
		t.Error("the key of somebody who stays is gone")
	}
	if now := s.Column(harness.VaultDB, "SELECT key || content FROM stat ORDER BY key"); strings.Join(now, "\n") != strings.Join(stats, "\n") {
		t.Errorf("the figures of the dashboard changed:\n%v\n%v", stats, now)
	}
	if !certificate.OK() {
		t.Errorf("certificate: %s", certificate.Text())
	}
	time.Sleep(1500 * time.Millisecond)
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %s", out)
	}
	s.Stop()
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(filepath.Join(s.Data, harness.VaultDB+suffix))
		if err != nil && suffix == "" {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(base64.StdEncoding.EncodeToString(wrapped))) {
			t.Errorf("the wrapped key is still in %s%s", harness.VaultDB, suffix)
		}
	}
	must(t, s, "ledger", "verify", filepath.Join(s.Data, "ledger"))
	s.Up()
}
