package journey

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestWithoutMobile: somebody walks in without a mobile, gets a card, a place
// and a dose, and the certificate by the card; later a mobile is linked.
func TestWithoutMobile(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	day := s.OpenToday()
	vaccinator, staff := s.StaffKey("vaccinator"), s.Client()
	form := harness.Person{Name: "Asha Test", ID: s.PAN()}.Form()
	form["mobile_number"] = s.Mobile() // neither linked nor looked up
	a := staff.Signed(vaccinator, harness.WalkInPath, form)
	card := harness.CardOf(a)
	pdf, err := base64.StdEncoding.DecodeString(a.Field("card_pdf"))
	if !a.OK() || a.Field("isNewAccount") != "Y" || err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Fatalf("walk-in: %s", a.Text())
	}
	again := harness.CardOf(staff.Signed(vaccinator, harness.WalkInPath, form)) // the answer was lost
	if again.Reference != card.Reference || again.Text == card.Text {
		t.Fatal("a retry made a second person, or showed a card twice")
	}
	if bearer, _ := staff.TryCard(card); bearer != "" {
		t.Error("the card of the lost answer is good")
	}
	card = again
	if a := staff.Shown(vaccinator, harness.StaffViewPath, card.Reference, "card "+card.Text); !a.OK() || a.Field("name") != "Asha Test" || a.Field("mobile_number") != "" {
		t.Errorf("V2: %s", a.Text())
	}
	if a := staff.Signed(vaccinator, harness.OnspotPath, harness.OnspotForm(day, card, 1)); !a.OK() || a.Field("appointment_confirmation_no") == "" {
		t.Fatalf("V4: %s", a.Text())
	}
	c := s.Client().ByCard(card)
	people := c.Beneficiaries()
	if len(people) != 1 || people[0].Reference != card.Reference || len(people[0].Appointments) != 1 {
		t.Fatalf("by card: %+v", people)
	}
	if a := c.Slip(people[0].Appointments[0].ID); !a.OK() || !strings.HasPrefix(string(a.Body), "%PDF-") {
		t.Errorf("slip: %s", a.Text())
	}
	give(t, s, day, card, 1)
	certificate(t, s, c, card.Reference)
	if a := staff.Shown(vaccinator, harness.StaffCertPath, card.Reference, "card "+card.Text); !a.OK() || !strings.HasPrefix(string(a.Body), "%PDF-") {
		t.Errorf("V6: %s", a.Text())
	}
	byStaff := 0
	for _, o := range c.Openings() {
		if o.Role == "vaccinator" && o.Kind == "opening" {
			byStaff++
		}
	}
	if byStaff < 3 {
		t.Errorf("the person sees %d openings by staff", byStaff)
	}
	if a := c.Must("POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Ravi Test", ID: s.PAN()}.Form()); a.Status != 403 {
		t.Errorf("a card registered somebody: %s", a.Text())
	}

	home, _ := s.Holder()
	home.Enrol("Ravi Test")
	if a := home.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); !a.OK() {
		t.Fatalf("link: %s", a.Text())
	}
	if people := home.Beneficiaries(); len(people) != 2 || people[1].Reference != card.Reference || people[1].Status != "Partially Vaccinated" {
		t.Errorf("linked: %+v", people)
	}
	if got := s.Client().ByCard(card).Beneficiaries(); len(got) != 1 {
		t.Errorf("by card after the link: %+v", got)
	}
	if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM member WHERE state = 1 AND person = (SELECT person FROM reference WHERE reference = $1)", card.Reference); n != "1" {
		t.Errorf("%s places of a linked person in the registry", n)
	}
	fresh := harness.CardOf(home.Must("POST", harness.NewCardPath, map[string]any{"beneficiary_reference_id": card.Reference}))
	if bearer, _ := staff.TryCard(card); bearer != "" || fresh.Text == "" {
		t.Error("a replaced card is good")
	}
	s.Client().ByCard(fresh)
	ledger(t, s, home)
}

// give records a dose for who showed a card.
func give(t *testing.T, s *harness.Server, day harness.Day, card harness.Card, dose int) {
	t.Helper()
	form := harness.DoseForm(day, card.Reference, "", dose)
	form["card"] = card.Text
	if a := s.Client().Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, form); a.Status != 204 {
		t.Fatalf("dose: %s", a.Text())
	}
}

// TestTwoRegistrations: a first dose under a mobile and a first dose of a
// walk-in with the same document become the record of one person.
func TestTwoRegistrations(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	who := harness.Person{Name: "Asha Test", ID: s.PAN()}
	c, mobile := s.Holder()
	first, _ := c.TryEnrol(who)
	day := s.Vaccinate(c, mobile, first)

	// The walk-in's dose is too near to count: the demo's sessions do not reach as
	// far as the interval. Doses far enough apart are a test of the vault.
	card := s.WalkIn(who)
	if a := s.Client().Signed(s.StaffKey("vaccinator"), harness.OnspotPath, harness.OnspotForm(day, card, 1)); !a.OK() {
		t.Fatalf("V4: %s", a.Text())
	}
	give(t, s, day, card, 1)
	if a := c.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); a.Status != 409 {
		t.Errorf("an id number twice: %s", a.Text())
	}
	if a := c.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN, "to_merge": "Y"}); !a.OK() {
		t.Fatalf("link: %s", a.Text())
	}
	before := c.Certificate(card.Reference)
	if !before.OK() {
		t.Fatal(before.Text())
	}
	stranger, _ := s.Holder()
	if a := stranger.Must("POST", harness.MergePath, map[string]any{"keep": first, "merge": card.Reference}); a.Status != 404 {
		t.Errorf("a stranger's merge: %s", a.Text())
	}
	if a := c.Must("POST", harness.MergePath, map[string]any{"keep": first, "merge": card.Reference}); a.Status != 204 {
		t.Fatalf("merge: %s", a.Text())
	}
	people := c.Beneficiaries()
	if len(people) != 1 || people[0].Reference != first || people[0].Status != "Partially Vaccinated" {
		t.Errorf("after the merge: %+v", people)
	}
	if bearer, _ := s.Client().TryCard(card); bearer != "" {
		t.Error("the card of the registration that ended is good")
	}
	if a := c.Certificate(card.Reference); a.Status != 404 {
		t.Errorf("the certificate of the number that ended: %s", a.Text())
	}
	certificate(t, s, c, first)
	for range 200 {
		if s.Cell(harness.VaultDB, "SELECT count(*) FROM task WHERE kind <> 'seal'") == "0" {
			break
		}
		time.Sleep(50 * time.Millisecond)
		s.SetClock(3 * time.Minute)
	}
	if n := s.Cell(harness.VaultDB, "SELECT count(*) FROM task WHERE kind <> 'seal'"); n != "0" {
		t.Errorf("%s tasks remain", n)
	}
	ledger(t, s, c)
}

// TestDosesOfTwoRegistrations: a first dose under a mobile and, three months
// later, a first dose of a walk-in with the same document are doses one and two
// of one person; the certificate says so.
func TestDosesOfTwoRegistrations(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{})
	who := harness.Person{Name: "Asha Test", ID: s.PAN()}
	c, mobile := s.Holder()
	first, _ := c.TryEnrol(who)
	day := s.Vaccinate(c, mobile, first)
	old := c.Certificate(first)
	if !old.OK() {
		t.Fatal(old.Text())
	}

	offset := 120 * 24 * time.Hour
	later := s.Now().Add(offset).In(time.FixedZone("IST", 5*3600+1800))
	file := filepath.Join(t.TempDir(), "sessions.csv")
	row := fmt.Sprintf("center_id,date,vaccine,dose1_capacity,dose2_capacity,min_age_limit,slots\n%d,%s,%s,50,50,18,09:00AM-11:00AM\n", day.Centre, later.Format("2006-01-02"), day.Vaccine)
	if err := os.WriteFile(file, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, exit := s.Command("import", "sessions", file, "--data", s.Data, "--apply"); exit != 0 {
		t.Fatalf("import: exit %d\n%s", exit, out)
	}
	s.SetClock(offset)
	s.Stop()
	s.Up() // the search begins with the new day
	day = s.OpenToday()
	card := s.WalkIn(who)
	if a := s.Client().Signed(s.StaffKey("vaccinator"), harness.OnspotPath, harness.OnspotForm(day, card, 1)); !a.OK() {
		t.Fatalf("V4: %s", a.Text())
	}
	give(t, s, day, card, 1)
	c = s.Client().SignIn(mobile)
	if a := c.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN, "to_merge": "Y"}); !a.OK() {
		t.Fatalf("link: %s", a.Text())
	}
	if a := c.Must("POST", harness.MergePath, map[string]any{"keep": first, "merge": card.Reference}); a.Status != 204 {
		t.Fatalf("merge: %s", a.Text())
	}
	if people := c.Beneficiaries(); len(people) != 1 || people[0].Status != "Vaccinated" || len(people[0].Appointments) != 2 {
		t.Errorf("after the merge: %+v", people)
	}
	a := c.Certificate(first)
	cert := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(cert, a.Body, 0o600); err != nil || !a.OK() {
		t.Fatal(a.Text(), err)
	}
	// The command's clock is today's, so the certificate's year has not begun.
	out, _ := s.Command("certificate", "verify", cert, "--keys", s.API+"/v3/keys")
	if !strings.Contains(out, "genuine") || !strings.Contains(out, "2 of 2") {
		t.Errorf("verify:\n%s", out)
	}
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
}
