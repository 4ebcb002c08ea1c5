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
}

// madeAt is the moment the fixture plays at: a morning in India, so that a
// session of the day is open for booking.
var madeAt = time.Date(2026, 11, 24, 4, 30, 0, 0, time.UTC)

// at starts the current binary with its clock at an instant. The harness starts
// every server with its own clock file at zero, hence a second file: the last
// flag wins.
func at(t harness.TB, b *harness.Builder, data string, when time.Time) *harness.Server {
	t.Helper()
	offset := time.Until(when)
	file := data + ".own-clock"
	if err := os.WriteFile(file, []byte(millis(offset)), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file) })
	s := harness.Start(t, b, harness.Options{Data: data, Args: []string{"--clock-file", file}})
	s.SetClock(offset) // what s.Now says
	return s
}

// makeFixture plays one household's way on a fresh installation, stops it
// gently, and keeps what it left.
func makeFixture(t *testing.T, b *harness.Builder, dst string) {
	data := room(t)
	s := at(t, b, data, madeAt)
	c, mobile := s.Holder()
	f := facts{MadeAt: madeAt, Mobile: mobile, Name: "Asha Test"}
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
