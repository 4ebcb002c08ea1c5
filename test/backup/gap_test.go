package backup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestGap: a set behind the ledger goes live only when two custodians have signed;
// the ledger stays one log; who was erased or has left since is so again.
func TestGap(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{Args: []string{"--house-every", "100ms", "--leave-keep", "168h"}})
	dir := place(t)
	to, identity := ageKey(t, dir)
	for who, name := range map[string]string{"one": "Custodian One", "two": "Custodian Two", "one-again": "Custodian One"} {
		must(t, s, "staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", filepath.Join(dir, who+".json"))
	}
	c, mobile := s.Holder()
	asha, ravi := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	s.Vaccinate(c, mobile, asha)
	d, mobile2 := s.Holder()
	meena, sunil := d.Enrol("Meena Test"), d.Enrol("Sunil Test")
	s.Vaccinate(d, mobile2, meena)
	time.Sleep(1500 * time.Millisecond)
	path := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	// After the copy: one is removed, one leaves and is erased, one leaves and can come back.
	if a := c.Remove(ravi); !a.OK() {
		t.Fatal(a.Text())
	}
	gone := leaving(c, asha).Field("tracking_number")
	s.SetClock(8 * day)
	await(t, "erased", func() bool { return statusOf(c, gone) == "erased" })
	d = d.SignIn(mobile2)
	hidden := leaving(d, meena).Field("tracking_number")
	if hidden == "" {
		t.Fatal("no tracking number")
	}
	late := d.Enrol("Late Test")
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	with := []string{"restore", "--from", path, "--data", s.Data, "--identity", identity, "--key-files", filepath.Join(old, "vault", "keys")}
	refused(t, s, "two people must approve", append(append(with, "--ledger", published), into(t, s, false)...)...)
	refused(t, s, "two people must approve", append(append(with, "--checkpoint", filepath.Join(published, "checkpoint")), into(t, s, false)...)...)
	approve := func(who string) string {
		out := filepath.Join(dir, filepath.Base(who)+".approval")
		must(t, s, "restore-approve", "--key", who, "--from", path, "--ledger", published, "--out", out)
		return out
	}
	one, two := approve(filepath.Join(dir, "one.json")), approve(filepath.Join(dir, "two.json"))
	again := approve(filepath.Join(dir, "one-again.json"))
	manager := approve(filepath.Join(old, "staff", "manager.json"))
	try := func(files ...string) {
		args := append(append(with, "--ledger", published), into(t, s, true)...)
		for _, f := range files {
			args = append(args, "--gap-approval", f)
		}
		must(t, s, args...)
		borrow(t, old, s.Data)
	}
	for _, files := range [][]string{{one, one}, {one, again}, {one, manager}} { // one key twice, two keys of one person, somebody without the right
		try(files...)
		refuses(t, s, "two different custodians")
		giveBack(t, old, s.Data)
		if err := os.RemoveAll(s.Data); err != nil {
			t.Fatal(err)
		}
	}
	try(one, two)
	if err := s.TryUp(); err != nil {
		t.Fatal(err)
	}
	c, d = c.SignIn(mobile), d.SignIn(mobile2)
	if people := c.Beneficiaries(); len(people) != 0 {
		t.Errorf("erased and removed people are back: %+v", people)
	}
	people := d.Beneficiaries()
	if len(people) != 1 || people[0].Reference != sunil {
		t.Errorf("a person who left is back, or another is missing: %+v (lost with the gap: %s)", people, late)
	}
	if st := statusOf(d, hidden); st != "hidden" {
		t.Errorf("the leave after the copy: %q", st)
	}
	if a := d.Must("POST", "/v3/registration/leave/undo", map[string]any{"beneficiary_reference_id": meena}); a.Status != 204 {
		t.Errorf("undo after the restore: %s", a.Text())
	}
	if p := rowOf(t, s, asha); p.Wrapped != nil {
		t.Error("an erased key is back")
	}
	time.Sleep(1500 * time.Millisecond)
	goesOn(t, s, old)
	continues(t, s, published)
}

// continues checks that the ledger's leaves begin with those that were published
// before.
func continues(t *testing.T, s *harness.Server, published string) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(published, "tile", "entries", "000"))
	if err != nil { // a small ledger has part of a bundle: its entries must be a beginning
		parts, err := filepath.Glob(filepath.Join(published, "tile", "entries", "000.p", "*"))
		if err != nil || len(parts) == 0 {
			t.Fatal("no entries")
		}
		for _, p := range parts {
			raw, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > len(before) {
				before = raw
			}
		}
	}
	after := entriesOf(t, s)
	if !strings.HasPrefix(string(after), string(before)) {
		t.Error("the ledger after the restore is not a continuation of the published one")
	}
}

// entriesOf are the first bundle's leaves, as the database has them, in the form of
// the published file.
func entriesOf(t *testing.T, s *harness.Server) (out []byte) {
	t.Helper()
	for _, leaf := range s.Column(harness.VaultDB, "SELECT leaf FROM ledger_entry ORDER BY entry_index LIMIT 256") {
		out = append(out, byte(len(leaf)>>8), byte(len(leaf)))
		out = append(out, leaf...)
	}
	return out
}

// demoFiles are no part of a backup: a demo's own.
func demoFiles() []string {
	return []string{"registry/demo.json", "staff/manager.json", "staff/vaccinator.json"}
}

func borrow(t *testing.T, old, data string) {
	t.Helper()
	for _, f := range demoFiles() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(data, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(old, f), filepath.Join(data, f)); err != nil { // with its owner
			t.Fatal(err)
		}
	}
}

func giveBack(t *testing.T, old, data string) {
	t.Helper()
	for _, f := range demoFiles() {
		if err := os.Rename(filepath.Join(data, f), filepath.Join(old, f)); err != nil {
			t.Fatal(err)
		}
	}
}
