package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestPostgresPointInTime: both databases are lost with their server and recovered
// from a base backup and the archived log. At the archive's end nothing is missing
// that was acknowledged, and the vault starts. At an earlier point the vault refuses
// until two custodians have approved; then the ledger stays one log, and who was
// erased since is so again.
func TestPostgresPointInTime(t *testing.T) {
	if !pgtest.On() {
		return
	}
	t.Parallel()
	archive, settings := pgtest.Archive(t)
	pg, err := pgtest.Start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	s := harness.Start(t, &builder, harness.Options{Engine: pg, Args: []string{"--house-every", "100ms", "--leave-keep", "168h", "--no-limits", "--no-booking-bounds"}})
	dir := place(t)
	for who, name := range map[string]string{"one": "Custodian One", "two": "Custodian Two"} {
		must(t, s, "staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", filepath.Join(dir, who+".json"))
	}
	growing := grow(s)
	base := pg.Base(t) // while people register and book
	c, mobile := s.Holder()
	asha := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, asha)
	d, mobile2 := s.Holder()
	meena := d.Enrol("Meena Test")
	s.Vaccinate(d, mobile2, meena)
	before := d.Beneficiaries()
	time.Sleep(1500 * time.Millisecond)
	pg.Point(t, "early")
	gone := leaving(c, asha).Field("tracking_number")
	s.SetClock(8 * day)
	await(t, "erased", func() bool { return statusOf(c, gone) == "erased" })
	d = d.SignIn(mobile2)
	late := d.Enrol("Late Test")
	if no, a := d.Book(s.Later()[0], 1, late); no == "" {
		t.Fatal(a.Text())
	}
	known := d.Beneficiaries()
	if a := d.Certificate(meena); !a.OK() {
		t.Fatal(a.Text())
	}
	told := growing()
	s.Kill()            // first: the vault writes entries of its own at any time
	pg.Point(t, "last") // the archive has what was acknowledged
	pg.Down(t)
	pg.Stop()

	end := pg.Recovered(t, base, archive, "")
	unpublished(t, s)
	elsewhere(t, s)
	if out := must(t, s, "recovered", "--data", s.Data); !strings.Contains(out, "everything that is known") {
		t.Errorf("%s", out)
	}
	s.Up()
	d = d.SignIn(mobile2)
	if now := d.Beneficiaries(); fmt.Sprint(now) != fmt.Sprint(known) {
		t.Errorf("at the end of the archive: %+v, want %+v", now, known)
	}
	if a := d.Certificate(meena); !a.OK() {
		t.Errorf("certificate: %s", a.Text())
	}
	if st := statusOf(d, gone); st != "erased" {
		t.Errorf("erased before the recovery, now %q", st)
	}
	allBooked(t, s, told)
	time.Sleep(1500 * time.Millisecond)
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %s", out)
	}
	s.Stop()
	must(t, s, "ledger", "verify", filepath.Join(s.Data, "ledger"))
	end.Down(t)
	end.Stop()

	pg.Recovered(t, base, archive, "early")
	earlier(t, s, dir)
	c, d = c.SignIn(mobile), d.SignIn(mobile2)
	if people := c.Beneficiaries(); len(people) != 0 {
		t.Errorf("an erased person is back: %+v", people)
	}
	if now := d.Beneficiaries(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("at the earlier point: %+v, want %+v", now, before)
	}
	if p := rowOf(t, s, asha); p.Wrapped != nil {
		t.Error("an erased key is back")
	}
	time.Sleep(1500 * time.Millisecond)
	old, err := filepath.Glob(filepath.Join(s.Data, "ledger.before-recovery-*"))
	if err != nil || len(old) != 1 {
		t.Fatalf("%v %v", old, err)
	}
	continues(t, s, old[0])
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: %s", out)
	}
	s.Stop()
	must(t, s, "ledger", "verify", filepath.Join(s.Data, "ledger"))
}

// earlier starts a vault whose databases are behind its ledger: refused, until two
// custodians have signed.
func earlier(t *testing.T, s *harness.Server, dir string) {
	t.Helper()
	published := filepath.Join(s.Data, "ledger")
	refuses(t, s, "an older database was put back", "tikakosh recovered")
	out, exit := s.Command("recovered", "--data", s.Data)
	if !strings.Contains(out, "the recovered database has") {
		t.Errorf("%s", out)
	}
	_, after, ok := strings.Cut(out, "--recovered ")
	if exit == 0 || !ok {
		t.Fatalf("exit %d: %s", exit, out)
	}
	have := strings.Fields(after)[0]
	n, err := strconv.Atoi(have)
	if err != nil {
		t.Fatal(err)
	}
	approve := func(who, entries string) string {
		file := filepath.Join(dir, who+"-"+entries+".approval")
		must(t, s, "restore-approve", "--key", filepath.Join(dir, who+".json"), "--recovered", entries, "--ledger", published, "--out", file)
		return file
	}
	one, two := approve("one", have), approve("two", have)
	other := approve("two", strconv.Itoa(n-1))
	refused(t, s, "not behind", "restore-approve", "--key", filepath.Join(dir, "one.json"), "--recovered", "1000000", "--ledger", published, "--out", filepath.Join(dir, "none"))
	for _, files := range [][]string{{one, other}, {one, one}} { // for another point, one key twice
		must(t, s, "recovered", "--data", s.Data, "--gap-approval", files[0], "--gap-approval", files[1])
		refused(t, s, "an order for the next start already", "recovered", "--data", s.Data, "--gap-approval", one, "--gap-approval", two)
		refuses(t, s, "two different custodians")
		putBack(t, s, have)
	}
	must(t, s, "recovered", "--data", s.Data, "--gap-approval", one, "--gap-approval", two)
	if err := s.TryUp(); err != nil {
		t.Fatalf("%v\n%s", err, s.Log())
	}
}

// putBack undoes what `recovered` did to a data folder.
func putBack(t *testing.T, s *harness.Server, have string) {
	t.Helper()
	live := filepath.Join(s.Data, "ledger")
	for _, path := range []string{live, filepath.Join(s.Data, "vault", "restore.json")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(live+".before-recovery-"+have, live); err != nil {
		t.Fatal(err)
	}
}

// allBooked: who was acknowledged to be registered and booked is, once.
func allBooked(t *testing.T, s *harness.Server, told []string) {
	t.Helper()
	for _, ref := range told {
		if n := s.Cell(harness.RegistryDB, "SELECT count(*) FROM reference r JOIN appointment a ON a.person = r.person WHERE r.reference = $1 AND a.state < 9", ref); n != "1" {
			t.Errorf("%s was registered and booked, and has %s appointments", ref, n)
		}
	}
	if len(told) < 10 {
		t.Errorf("only %d people were registered and booked", len(told))
	}
}

// grow registers and books people until its result is called, which says who was
// acknowledged to be both.
func grow(s *harness.Server) (end func() []string) {
	var told []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	stop := make(chan struct{})
	day := s.Later()[0]
	s.Exec(harness.RegistryDB, "UPDATE session SET cap1 = taken1 + 1000")
	for range 6 {
		c, _ := s.Holder()
		wg.Go(func() {
			for n := range 6 {
				select {
				case <-stop:
					return
				default:
				}
				ref, a := c.TryEnrol(harness.Person{Name: "Growing " + strconv.Itoa(n)})
				if !a.OK() {
					return
				}
				if no, _ := c.Book(day, 1, ref); no != "" {
					mu.Lock()
					told = append(told, ref)
					mu.Unlock()
				}
			}
		})
	}
	return func() []string {
		close(stop)
		wg.Wait()
		return told
	}
}

// elsewhere makes the data folder that of a new machine: root's, with the key files, a
// copy of the published ledger, and what a demo has of its own.
func elsewhere(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, name := range []string{"lock", "holder", "ledger-made", "admin.sock"} {
		if err := os.RemoveAll(filepath.Join(s.Data, "vault", name)); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(filepath.Join(s.Data, "vault"), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, 0, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unpublished: entries that only the folder's own files hold are not given up unsaid.
func unpublished(t *testing.T, s *harness.Server) {
	t.Helper()
	file := filepath.Join(s.Data, "ledger", ".state", "treeState")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"size":100000,"root":""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, s, "--accept-unpublished", "recovered", "--data", s.Data)
	if err := os.WriteFile(file, before, 0o600); err != nil { // it kept its owner
		t.Fatal(err)
	}
}
