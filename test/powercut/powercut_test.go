//go:build powercut

package powercut

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"tikakosh/internal/ledger"
	"tikakosh/test/harness"
)

// recorded are the files whose survival is replayed.
var recorded = [...]string{harness.RegistryDB, harness.RegistryDB + "-wal", harness.VaultDB, harness.VaultDB + "-wal"}

// ack is one acknowledged act: when its answer came, and what it was about.
type ack struct {
	kind      string // "enrolment", "opening", "booking" or "dose"
	at        float64
	reference string
	hold      string
	entries   []uint64 // indexes of the receipts in the answer
}

// tally counts acknowledged acts by kind, all and those a power cut took.
type tally map[string][2]int

// String is the line that .ci/full copies.
func (c tally) String() string {
	var out []string
	for _, kind := range []string{"enrolment", "opening", "booking", "dose"} {
		out = append(out, fmt.Sprintf("%s %d of %d", kind, c[kind][0], c[kind][1]))
	}
	return strings.Join(out, ", ")
}

// TestPowerCut: with every control on, nothing acknowledged is lost; with
// db-sync off, of every kind something is.
func TestPowerCut(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	t.Run("with", func(t *testing.T) {
		got := cut(t, &b, harness.Options{})
		t.Logf("power cut: lost %s", got)
		for kind, n := range got {
			if n[0] > 0 || n[1] < 4 {
				t.Errorf("%s: %d of %d lost", kind, n[0], n[1])
			}
		}
	})
	t.Run("without db-sync", func(t *testing.T) {
		got := cut(t, &b, harness.Options{Tags: harness.Ablation, Ablate: []string{"db-sync"}})
		t.Logf("power cut: without syncing lost %s", got)
		for kind, n := range got {
			if n[0] == 0 {
				t.Errorf("without syncing no %s was lost, so the test proves nothing", kind)
			}
		}
	})
}

func cut(t *testing.T, b *harness.Builder, o harness.Options) tally {
	t.Helper()
	s := harness.Start(t, b, o)
	day := s.Today()
	if a := s.Client().OpenSession(s.StaffKey("manager"), day); !a.OK() {
		t.Fatalf("open the session: %s", a.Text())
	}
	time.Sleep(2 * time.Second) // the demo's last writes
	dir := t.TempDir()
	files := map[string]string{}
	for _, name := range recorded {
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := harness.CopyFile(filepath.Join(s.Data, name), copied); err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(s.Data, name)] = copied
	}
	trace, stop := record(t, dir, s.Role(harness.RoleVault), s.Role(harness.RoleWeb))
	var acks []ack
	var last *harness.Client
	for range 4 {
		var more []ack
		last, more = acts(t, s, day)
		acks = append(acks, more...)
	}
	stop()
	events := events(t, trace)
	d, err := newDisk(files)
	if err != nil {
		t.Fatal(err)
	}
	out := tally{}
	for _, a := range acks {
		for len(events) > 0 && events[0].at <= a.at {
			d.apply(events[0])
			events = events[1:]
		}
		n := out[a.kind]
		if why := missing(t, d, a); why != "" {
			t.Logf("%s: %s (%s)", a.kind, why, d)
			n[0]++
		}
		n[1]++
		out[a.kind] = n
	}
	if len(o.Ablate) == 0 {
		starts(t, b, s, d, last)
	}
	return out
}

func events(t *testing.T, trace string) []event {
	t.Helper()
	raw, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	out, err := parse(raw)
	if err != nil || len(out) == 0 {
		t.Fatalf("%d events recorded, %v", len(out), err)
	}
	return out
}

// acts takes a new household through the main job and notes each answer.
func acts(t *testing.T, s *harness.Server, day harness.Day) (*harness.Client, []ack) {
	t.Helper()
	c, mobile := s.Holder()
	var out []ack
	note := func(a ack) {
		a.at = float64(time.Now().UnixNano()) / 1e9
		out = append(out, a)
	}
	look := func() {
		_, a := c.TryBeneficiaries()
		note(ack{kind: "opening", entries: receipts(t, a.Body)})
	}
	var refs []string
	for range 3 {
		refs = append(refs, c.Enrol("Asha Test"))
		note(ack{kind: "enrolment", reference: refs[len(refs)-1]})
	}
	look()
	hold, a := c.Book(day, 1, refs[0])
	if hold == "" {
		t.Fatalf("booking: %s", a.Text())
	}
	note(ack{kind: "booking", reference: refs[0], hold: hold})
	code := s.SecurityCode(mobile, day.Date)
	if a := s.Client().Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, harness.DoseForm(day, refs[0], code, 1)); !a.OK() {
		t.Fatalf("dose: %s", a.Text())
	}
	note(ack{kind: "dose", reference: refs[0], hold: hold})
	look()
	return c, out
}

// receipts are the indexes of the ledger entries that an answer promises.
func receipts(t *testing.T, body []byte) (out []uint64) {
	t.Helper()
	var in struct {
		Receipts []string `json:"receipts"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Receipts) == 0 {
		t.Fatalf("an opening with %d receipts: %v", len(in.Receipts), err)
	}
	for _, text := range in.Receipts {
		r, err := ledger.ParseReceipt(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Index)
	}
	return out
}

// record attaches strace to the roles and returns the file and how to stop.
func record(t *testing.T, dir string, pids ...int) (file string, stop func()) {
	t.Helper()
	file = filepath.Join(dir, "trace")
	args := []string{"-f", "-q", "-ttt", "-T", "-y", "-xx", "-s", "1000000", "-e", "trace=pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat", "-o", file}
	for _, p := range pids {
		args = append(args, "-p", strconv.Itoa(p))
	}
	cmd := exec.Command("strace", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("strace is needed: %v", err)
	}
	time.Sleep(time.Second)
	return file, func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	}
}

// missing says what of an acknowledged act the power cut took.
func missing(t *testing.T, d *disk, a ack) string {
	t.Helper()
	dir := t.TempDir()
	if err := d.save(dir); err != nil {
		t.Fatal(err)
	}
	count := func(file, query string, args ...any) (n int) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow(query, args...).Scan(&n); err != nil {
			t.Logf("%s: %v", filepath.Base(file), err)
			return -1
		}
		return n
	}
	const person = "(SELECT person FROM person WHERE reference = $1)"
	switch a.kind {
	case "enrolment":
		if n := count(harness.RegistryDB, "SELECT count(*) FROM sealed WHERE person = "+person, a.reference); n != 2 {
			return fmt.Sprintf("the registry has %d of its sealed parts", n)
		}
	case "booking":
		if n := count(harness.RegistryDB, "SELECT count(*) FROM appointment WHERE state = 1 AND hold = $2 AND person = "+person, a.reference, a.hold); n != 1 {
			return fmt.Sprintf("the registry has %d appointments", n)
		}
	case "dose":
		if n := count(harness.RegistryDB, "SELECT count(*) FROM sealed WHERE part LIKE 'dose/%' AND person = "+person, a.reference); n != 1 {
			return fmt.Sprintf("the registry has %d sealed doses", n)
		}
	}
	if a.reference != "" {
		const mine = "SELECT count(*) FROM person WHERE instr(CAST(content AS TEXT), $1) > 0 AND instr(CAST(content AS TEXT), $2) > 0"
		knows := a.reference
		switch a.kind {
		case "booking":
			knows = a.hold
		case "dose":
			knows = `"dose/`
		}
		if n := count(harness.VaultDB, mine, a.reference, knows); n != 1 {
			return fmt.Sprintf("the vault has %d rows of the person that know it", n)
		}
	}
	for _, i := range a.entries {
		if n := count(harness.VaultDB, "SELECT count(*) FROM ledger_entry WHERE entry_index = $1", i); n != 1 {
			return fmt.Sprintf("the ledger has %d entries for a receipt", n)
		}
	}
	if n := count(harness.VaultDB, "SELECT count(*) FROM ledger_entry WHERE entry_index < (SELECT next_index FROM ledger_head)"); n < 1 || n != count(harness.VaultDB, "SELECT next_index FROM ledger_head") {
		return fmt.Sprintf("the ledger has %d entries and another head", n)
	}
	return ""
}

// starts runs the binary on a surviving disk: it needs no repair, its audit is
// clean and the last household finds its people and dose.
func starts(t *testing.T, b *harness.Builder, s *harness.Server, d *disk, last *harness.Client) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if out, err := exec.Command("cp", "-a", s.Data, data).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for path, raw := range d.content {
		name, err := filepath.Rel(s.Data, path)
		if err != nil {
			t.Fatal(err)
		}
		// Written over, not anew: the file keeps its owner and mode.
		if err := os.WriteFile(filepath.Join(data, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(data, strings.TrimSuffix(name, "-wal")+"-shm")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for dir := data; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the roles' users must get there
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Kill()
	after := harness.Start(t, b, harness.Options{Data: data})
	if p := after.Client().With(last.Bearer).Beneficiaries(); len(p) != 3 || p[0].Status != "Partially Vaccinated" {
		t.Errorf("after the power cut: %+v", p)
	}
	if out, exit := after.Command("ledger", "audit", "--data", data); exit != 0 {
		t.Errorf("audit after the power cut: exit %d\n%s", exit, out)
	}
}
