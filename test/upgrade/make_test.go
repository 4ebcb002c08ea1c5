package upgrade

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// facts are what the making of a fixture knew and a later version must show
// again. People are synthetic; mobiles begin with 5.
type facts struct {
	MadeAt      time.Time `json:"made_at"`
	Mobile      string    `json:"mobile"`
	Name        string    `json:"name"`
	Reference   string    `json:"reference"`
	Dose1       string    `json:"dose1_date"`
	Vaccine     string    `json:"vaccine"`
	Certificate string    `json:"certificate"` // HC1 text
	LedgerSize  int       `json:"ledger_size"`
	Openings    []string  `json:"openings"` // kind and view, oldest first
	LastIndex   int64     `json:"last_index"`

	// From version 0.4 on; empty before.
	Card     harness.Card    `json:"card,omitzero"`     // of a person without a mobile
	Partner  json.RawMessage `json:"partner,omitempty"` // a partner's credentials
	Left     string          `json:"left,omitempty"`    // mobile of a household whose vaccinated person has left
	Tracking string          `json:"tracking,omitempty"`

	Staff *staffFacts `json:"staff,omitempty"` // from version 0.5 on
}

// madeAt is the moment the fixture plays at: a morning in India, so that a
// session of the day is open for booking.
var madeAt = time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC)

// at starts the current binary with its clock at an instant.
func at(t harness.TB, b *harness.Builder, data string, when time.Time, change ...func(*harness.Options)) *harness.Server {
	t.Helper()
	o := harness.Options{Data: data, Clock: time.Until(when)}
	for _, f := range change {
		f(&o)
	}
	return harness.Start(t, b, o)
}

// makeFixture plays one household's way on a fresh installation, stops it
// gently, and keeps what it left.
func makeFixture(t *testing.T, b *harness.Builder, dst string) {
	data := room(t)
	f := facts{MadeAt: madeAt, Name: "Asha Test"}
	// The first three administrators wait a day each. The list opens people only where two
	// people said so, which no command does yet: a test build stands in for them.
	s := at(t, b, data, madeAt.Add(-50*time.Hour), func(o *harness.Options) {
		o.Tags, o.Ablate = harness.Ablation, []string{"roster-mode", "phantoms"}
	})
	people := makeMembers(t, s)
	s.SetClock(time.Until(madeAt))
	c, mobile := s.Holder()
	f.Mobile = mobile
	f.Reference = c.Enrol(f.Name)
	c.Enrol("Ravi Test")
	day := s.Vaccinate(c, mobile, f.Reference)
	f.Dose1, f.Vaccine = day.Date, day.Vaccine
	pdf := c.Certificate(f.Reference)
	if !pdf.OK() {
		t.Fatalf("certificate: %s", pdf.Text())
	}
	f.Certificate = hc1(t, pdf.Body)
	later := s.Later()[0]
	if no, a := c.Book(later, 1, c.Beneficiaries()[1].Reference); no == "" {
		t.Fatalf("a booking that stays live: %s", a.Text())
	}
	seen := c.Openings()
	f.LastIndex = seen[0].Index
	for i := range seen {
		o := seen[len(seen)-1-i]
		f.Openings = append(f.Openings, o.Kind+": "+o.View)
	}
	makeOthers(t, s, &f)
	f.Staff = makeStaff(t, s, people)
	time.Sleep(time.Second) // the worker settles what the requests left
	makeSet(t, s, dst)
	s.Stop()
	if out, exit := s.Command("ledger", "audit", "--data", data); exit != 0 {
		t.Fatalf("audit: %s", out)
	}
	f.LedgerSize = ledgerSize(t, s, data)
	if err := os.RemoveAll(filepath.Join(dst, "data")); err != nil {
		t.Fatal(err)
	}
	keep(t, data, filepath.Join(dst, "data"))
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dst, "facts.json"), append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// makeOthers plays what the first household does not do: a person with a card, a
// partner application, and one who leaves.
func makeOthers(t *testing.T, s *harness.Server, f *facts) {
	f.Card = s.WalkIn(harness.Person{Name: "Usha Test"})
	raw, err := os.ReadFile(s.EnrolPartner("Old Partner", "auth,status,certificate").File)
	if err != nil {
		t.Fatal(err)
	}
	f.Partner = raw
	c, mobile := s.Holder()
	ref := c.Enrol("Leela Test")
	s.Vaccinate(c, mobile, ref)
	a := c.Must("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": ref})
	if f.Left, f.Tracking = mobile, a.Field("tracking_number"); f.Tracking == "" {
		t.Fatalf("leave: %s", a.Text())
	}
}

// sameOthers finds them again: the card opens, the partner is known, and who left is
// hidden and can come back.
func sameOthers(t *testing.T, s *harness.Server, f facts) {
	t.Helper()
	if f.Left == "" {
		return
	}
	if got := s.Client().ByCard(f.Card).Beneficiaries(); len(got) != 1 || got[0].Reference != f.Card.Reference || got[0].Name != "Usha Test" {
		t.Errorf("by card: %+v", got)
	}
	p, err := harness.ParsePartner(f.Partner)
	if err != nil {
		t.Fatal(err)
	}
	if token := s.Client().PartnerToken(p, f.Mobile, ""); token == "" {
		t.Error("the partner gets no token")
	}
	c := s.Client().SignIn(f.Left)
	if got := c.Beneficiaries(); len(got) != 0 {
		t.Errorf("who left is shown: %+v", got)
	}
	if a := c.Must("POST", "/v3/registration/leave/status", map[string]any{"tracking_number": f.Tracking}); !a.OK() {
		t.Errorf("by tracking number: %s", a.Text())
	}
}

// keep copies the regular files of a stopped installation. A write-ahead log
// that still holds something would mean that the stop was not gentle.
func keep(t *testing.T, src, dst string) {
	t.Helper()
	size := int64(0)
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "lock" || strings.HasSuffix(d.Name(), ".lock") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			if len(raw) > 0 && strings.HasSuffix(path, "-wal") {
				t.Errorf("%s was not checkpointed: %d bytes", path, len(raw))
			}
			return nil
		}
		size += int64(len(raw))
		to := filepath.Join(dst, strings.TrimPrefix(path, src))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, raw, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 1<<20 {
		t.Errorf("the fixture has %d bytes, more than 1 MB", size)
	}
}
