package journey

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestJourney is one household's way from the first code to a verified
// certificate.
func TestJourney(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})

	c, mobile := s.Holder()
	if got := c.Beneficiaries(); len(got) != 0 {
		t.Fatalf("a new household has %d people", len(got))
	}
	ref := c.Enrol("Asha Test")
	for _, name := range []string{"Ravi Test", "Meera Test", "Kiran Test", "Dev Test", "Uma Test"} {
		c.Enrol(name)
	}
	if seventh, a := c.TryEnrol(harness.Person{Name: "Seventh Test"}); seventh != "" || a.Status < 400 || a.Status >= 500 {
		t.Errorf("a seventh person: %s", a.Text())
	}
	people := c.Beneficiaries()
	if len(people) != 6 || people[0].Reference != ref || people[0].Name != "Asha Test" || people[0].Status != "Not Vaccinated" {
		t.Fatalf("the household: %+v", people)
	}

	cancelAndRemove(t, s, c, people[5].Reference)

	day := s.Vaccinate(c, mobile, ref)
	people = c.Beneficiaries()
	if people[0].Status == "Not Vaccinated" || len(people[0].Appointments) != 1 {
		t.Errorf("after the dose: %+v", people[0])
	}
	if a := c.Remove(ref); a.OK() {
		t.Error("a vaccinated person's registration was deleted")
	}
	if _, a := c.Book(day, 2, ref); a.OK() {
		t.Error("the second dose was booked for the day of the first")
	}
	certificate(t, s, c, ref)
	survives(t, s, c, ref)
	ledger(t, s, c)
}

// cancelAndRemove books, looks at the slip, cancels, and deletes.
func cancelAndRemove(t *testing.T, s *harness.Server, c *harness.Client, ref string) {
	t.Helper()
	d := s.Later()[0]
	appointment, a := c.Book(d, 1, ref)
	if appointment == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	if slip := c.Slip(appointment); !slip.OK() || !strings.HasPrefix(string(slip.Body), "%PDF-") {
		t.Errorf("slip: %s", slip.Text())
	}
	if a := c.Remove(ref); a.OK() {
		t.Error("a registration with a live appointment was deleted")
	}
	if a := c.Cancel(appointment, ref); a.Status != 204 {
		t.Errorf("cancel: %s", a.Text())
	}
	if slip := c.Slip(appointment); slip.OK() {
		t.Error("a slip of a cancelled appointment")
	}
	if a := c.Remove(ref); a.Status != 204 {
		t.Errorf("delete: %s", a.Text())
	}
	if got := c.Beneficiaries(); len(got) != 5 {
		t.Errorf("%d people after one was deleted from six", len(got))
	}
}

// certificate downloads, verifies with the command, and finds every one of a
// few changed characters.
func certificate(t *testing.T, s *harness.Server, c *harness.Client, ref string) {
	t.Helper()
	a := c.Certificate(ref)
	if !a.OK() {
		t.Fatalf("certificate: %s", a.Text())
	}
	file := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(file, a.Body, 0o600); err != nil {
		t.Fatal(err)
	}
	keys := s.API + "/v3/keys"
	if out, exit := s.Command("certificate", "verify", file, "--keys", keys); exit != 0 || !strings.Contains(out, "Asha Test") {
		t.Errorf("verify: exit %d\n%s", exit, out)
	}
	text := string(a.Body)
	from := strings.Index(text, "HC1:")
	if from < 0 {
		t.Fatal("no HC1 text in the PDF")
	}
	hc1 := text[from:]
	if end := strings.IndexFunc(hc1, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", r) }); end > 0 {
		hc1 = hc1[:end]
	}
	if out, exit := s.Command("certificate", "verify", hc1, "--keys", keys); exit != 0 {
		t.Errorf("verify the text: exit %d\n%s", exit, out)
	}
	for _, at := range []int{5, len(hc1) / 2, len(hc1) - 1} {
		changed := []byte(hc1)
		if changed[at]++; !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(changed[at])) {
			changed[at] = 'A'
		}
		if string(changed) == hc1 {
			changed[at] = 'B'
		}
		if out, exit := s.Command("certificate", "verify", string(changed), "--keys", keys); exit == 0 {
			t.Errorf("character %d was changed and the certificate accepted:\n%s", at, out)
		}
	}
}

// survives kills each role in turn; what was acknowledged is still there, and
// what needs the role works again without repair.
func survives(t *testing.T, s *harness.Server, c *harness.Client, ref string) {
	t.Helper()
	for _, role := range []string{harness.RoleVault, harness.RoleWeb, harness.RoleWorker, harness.RoleCourier} {
		s.AwaitRole(role, s.KillRole(role))
		s.Alive()
		people, a := c.TryBeneficiaries()
		if !slices.ContainsFunc(people, func(p harness.Beneficiary) bool { return p.Reference == ref }) {
			t.Errorf("after %s was killed: %s", role, a.Text())
		}
		if other, _ := s.Holder(); len(other.Beneficiaries()) != 0 {
			t.Errorf("after %s was killed a new household is not empty", role)
		}
	}
}

// ledger checks the person's own history and the files.
func ledger(t *testing.T, s *harness.Server, c *harness.Client) {
	t.Helper()
	kinds := map[string]int{}
	for _, o := range c.Openings() {
		kinds[o.Kind]++
		if o.Kind == "opening" && o.ViewRef == "" {
			t.Errorf("an opening without a view reference: %+v", o)
		}
	}
	for _, want := range []string{"opening", "sealed", "committed", "booking"} {
		if kinds[want] == 0 {
			t.Errorf("no %q in the access history: %v", want, kinds)
		}
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit while running: exit %d\n%s", exit, out)
	}
	s.Stop()
	if out, exit := s.Command("ledger", "verify", filepath.Join(s.Data, "ledger")); exit != 0 {
		t.Errorf("verify: exit %d\n%s", exit, out)
	}
	tamperedLedger(t, s)
}

// tamperedLedger changes one byte of each tile file in a copy.
func tamperedLedger(t *testing.T, s *harness.Server) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.Data, "ledger"))); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) == 0 {
			return err
		}
		good := raw[len(raw)/2]
		raw[len(raw)/2] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			return err
		}
		if out, exit := s.Command("ledger", "verify", dir); exit == 0 && n < 4 {
			t.Errorf("a changed byte in %s was not found:\n%s", filepath.Base(path), out)
		}
		n++
		raw[len(raw)/2] = good
		return os.WriteFile(path, raw, 0o600)
	})
	if err != nil || n == 0 {
		t.Errorf("%d tiles changed, %v", n, err)
	}
}
