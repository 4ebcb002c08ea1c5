// Package upgrade starts the current binary on data that older versions left in
// testdata/upgrade and looks whether everything is still there and goes on.
//
//	go test ./test/upgrade -make sets/v0.5
//
// first makes that folder anew with the current binary.
package upgrade

import (
	"encoding/json"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault/custody"
	"tikakosh/internal/vault/keeper"
	"tikakosh/test/harness"
)

var (
	makeVersion = flag.String("make", "", "make testdata/upgrade/VERSION anew with the current binary")
	builder     harness.Builder
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &builder)) }

// fixtures is testdata/upgrade.
func fixtures(t *testing.T) string {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "testdata", "upgrade")
}

func TestUpgrade(t *testing.T) {
	dir := fixtures(t)
	if *makeVersion != "" {
		makeFixture(t, &builder, filepath.Join(dir, *makeVersion))
	}
	for _, v := range versions(t) {
		t.Run(filepath.Base(v), func(t *testing.T) { upgrade(t, v) })
	}
}

// versions are the folders of old versions, those with backup sets included.
func versions(t *testing.T) []string {
	t.Helper()
	dir := fixtures(t)
	alone, err1 := filepath.Glob(filepath.Join(dir, "v*"))
	sets, err2 := filepath.Glob(filepath.Join(dir, "sets", "v*"))
	if err1 != nil || err2 != nil || len(alone) == 0 || len(sets) == 0 {
		t.Fatalf("%d and %d fixtures in %s (%v %v)", len(alone), len(sets), dir, err1, err2)
	}
	return append(alone, sets...)
}

func factsOf(t *testing.T, dir string) (f facts) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// upgrade opens one old version's data an hour after it was left.
func upgrade(t *testing.T, dir string) {
	f := factsOf(t, dir)
	data := room(t)
	unpack(t, filepath.Join(dir, "data"), data)
	served(t, at(t, &builder, data, f.MadeAt.Add(time.Hour)), f)
}

// served looks whether everything is still there, and goes on.
func served(t *testing.T, s *harness.Server, f facts) {
	t.Helper()
	migrated(t, s)
	if a := s.Client().Must("GET", "/v3/keys", nil); !a.OK() {
		t.Errorf("keys: %s", a.Text())
	} else {
		oldCertificate(t, a.Body, f)
	}
	c := s.Client().SignIn(f.Mobile)
	samePeople(t, c, f)
	sameOpenings(t, c, f)
	recounted(t, s)
	sameOthers(t, s, f)
	sameStaff(t, s, f.Staff)
	goesOn(t, s, c, f)
	if out, exit := s.Command("ledger", "audit", "--data", s.Data); exit != 0 {
		t.Errorf("audit: exit %d\n%s", exit, out)
	}
	s.Stop()
	if now := ledgerSize(t, s, s.Data); now <= f.LedgerSize {
		t.Errorf("the ledger has %d entries, %d before", now, f.LedgerSize)
	}
}

// recounted waits until the vault has counted who was there before the dashboard's
// counters: people and doses of the old data.
func recounted(t *testing.T, s *harness.Server) {
	t.Helper()
	for begin := time.Now(); len(s.Column(harness.VaultDB, "SELECT key FROM stat WHERE key = 'recounted'")) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("the old data is not counted\n%s", s.Log())
		}
	}
	want := s.Column(harness.RegistryDB, "SELECT count(DISTINCT person) FROM sealed WHERE part = 'identity'")
	count := "json_extract(CAST(content AS TEXT), '$.N')"
	if s.Postgres() != nil {
		count = "(convert_from(content, 'UTF8')::json ->> 'N')::bigint"
	}
	got := s.Column(harness.VaultDB, "SELECT sum("+count+") FROM stat WHERE key LIKE 'registered/%'")
	if len(got) != 1 || got[0] != want[0] {
		t.Errorf("%v registrations are counted, %v people are there", got, want)
	}
	if doses := s.Column(harness.VaultDB, "SELECT key FROM stat WHERE key LIKE 'dose/%/1/%'"); len(doses) == 0 {
		t.Error("no first dose is counted")
	}
}

// migrated compares the schema versions of both databases with the files.
func migrated(t *testing.T, s *harness.Server) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	for db, folder := range map[string]string{harness.RegistryDB: "registry", harness.VaultDB: "vault"} {
		files, err := filepath.Glob(filepath.Join(root, "internal/store/migrations", folder, "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		applied := "is_applied = 1"
		if s.Postgres() != nil {
			applied = "is_applied"
		}
		got := s.Column(db, "SELECT max(version_id) FROM migration WHERE "+applied)
		newest := 0 // numbers may have gaps
		for _, f := range files {
			n, err := strconv.Atoi(strings.SplitN(filepath.Base(f), "_", 2)[0])
			if err != nil {
				t.Fatal(err)
			}
			newest = max(newest, n)
		}
		if newest == 0 || !slices.Equal(got, []string{strconv.Itoa(newest)}) {
			t.Errorf("%s is at schema %v, the newest is %d", db, got, newest)
		}
	}
}

// oldCertificate verifies what the old version signed under the keys served now.
func oldCertificate(t *testing.T, keys []byte, f facts) {
	t.Helper()
	var served struct {
		Certificates json.RawMessage `json:"certificates"`
	}
	if err := json.Unmarshal(keys, &served); err != nil {
		t.Fatal(err)
	}
	set, err := encode.ParseKeySet(served.Certificates)
	if err != nil {
		t.Fatal(err)
	}
	r, err := certificate.Verify([]byte(f.Certificate), set, f.MadeAt.Add(time.Hour))
	if err != nil || !r.Genuine || !strings.Contains(strings.Join(r.Lines(), "\n"), f.Name) {
		t.Errorf("the old certificate: %v\n%s", err, strings.Join(r.Lines(), "\n"))
	}
}

// view is what the booking view says of one person.
type view struct {
	Reference string `json:"beneficiary_reference_id"`
	Name      string `json:"name"`
	Status    string `json:"vaccination_status"`
	Vaccine   string `json:"vaccine"`
	Dose1     string `json:"dose1_date"`
}

func samePeople(t *testing.T, c *harness.Client, f facts) {
	t.Helper()
	people, a := c.TryBeneficiaries()
	var got struct {
		Beneficiaries []view `json:"beneficiaries"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || len(people) != 2 {
		t.Fatalf("%v: %s", err, a.Text())
	}
	want := view{f.Reference, f.Name, "Partially Vaccinated", f.Vaccine, f.Dose1}
	if got.Beneficiaries[0] != want {
		t.Errorf("the person is %+v, was %+v", got.Beneficiaries[0], want)
	}
	if len(people[1].Appointments) != 1 || people[1].Status != "Not Vaccinated" {
		t.Errorf("the second person's booking: %+v", people[1])
	}
}

// sameOpenings finds the whole old history under the new one.
func sameOpenings(t *testing.T, c *harness.Client, f facts) {
	t.Helper()
	var old []string
	for _, o := range slices.Backward(c.Openings()) {
		if o.Index <= f.LastIndex {
			old = append(old, o.Kind+": "+o.View)
		}
	}
	if !slices.Equal(old, f.Openings) {
		t.Errorf("the history is\n%v, was\n%v", old, f.Openings)
	}
}

// TestAnchorsCompared proves that the fixture's rows are compared with its
// ledger at start: the untouched vault opens, an edited one does not.
func TestAnchorsCompared(t *testing.T) {
	for name, c := range map[string]struct {
		change string
		want   fault.Kind
	}{
		"untouched":   {"", ""},
		"row edited":  {"UPDATE staff SET content = CAST(replace(CAST(content AS TEXT), 'manager', 'manageR') AS BLOB)", fault.Integrity},
		"row missing": {"DELETE FROM open_session", fault.Integrity},
		"entry gone":  {"UPDATE ledger_head SET next_index = next_index - 1", fault.Integrity},
	} {
		t.Run(name, func(t *testing.T) {
			data := room(t)
			if err := os.CopyFS(data, os.DirFS(filepath.Join(fixtures(t), "v0.1", "data"))); err != nil {
				t.Fatal(err)
			}
			for path, mode := range map[string]fs.FileMode{"vault/keys": 0o700, "vault/keys/root-1.key": 0o600, "vault/keys/idtag-1.key": 0o600} {
				if err := os.Chmod(filepath.Join(data, path), mode); err != nil {
					t.Fatal(err)
				}
			}
			if err := openVault(t, data, c.change); fault.KindOf(err) != c.want {
				t.Errorf("opening the vault: %v, want %q", err, c.want)
			}
		})
	}
}

// openVault opens the vault of a data folder in this process, after a change.
func openVault(t *testing.T, data, change string) error {
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(data, harness.VaultDB), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := sqlite.Migrate(ctx, db, vaultmigrations.FS); err != nil {
		t.Fatal(err)
	}
	if change != "" {
		if err := db.Update(ctx, func(tx sqldb.Tx) error { _, err := tx.Exec(ctx, change); return err }); err != nil {
			t.Fatal(err)
		}
	}
	p, err := custody.OpenFile(filepath.Join(data, "vault", "keys"), false)
	if err != nil {
		t.Fatal(err)
	}
	cfg := keeper.Config{Realm: id.DefaultRealm, Origin: "tikakosh.local/ledger/1"}
	_, err = keeper.Open(ctx, cfg, keeperdb.New(db, id.DefaultRealm), p, nil, func() time.Time { return madeAt }, slog.New(slog.DiscardHandler))
	return err
}

// goesOn writes with every role the old data knows: the household enrols,
// cancels, books; the old staff keys open a session and record a dose; the
// vaccinated person gets a new certificate, and a dose is corrected.
func goesOn(t *testing.T, s *harness.Server, c *harness.Client, f facts) {
	t.Helper()
	second := c.Beneficiaries()[1]
	if a := c.Cancel(second.Appointments[0].ID, second.Reference); a.Status != 204 {
		t.Errorf("cancel the old booking: %s", a.Text())
	}
	s.Vaccinate(c, f.Mobile, second.Reference)
	third := c.Enrol("Meera Test")
	people := c.Beneficiaries()
	if len(people) != 3 || people[1].Status == "Not Vaccinated" || people[2].Reference != third {
		t.Errorf("after the upgrade: %+v", people)
	}
	for _, ref := range []string{f.Reference, second.Reference} {
		if a := c.Certificate(ref); !a.OK() || len(hc1(t, a.Body)) < 100 {
			t.Errorf("certificate: %s", a.Text())
		}
	}
	// A correction by the old keys: who works at the centre is found from them.
	var event string
	for _, d := range c.Doses() {
		if d.Reference == second.Reference {
			event = d.Event
		}
	}
	if a := s.Correct(s.StaffKey("vaccinator"), "correct", event, second.Reference, map[string]any{"vaccine_batch": "TEST-2"}); a.Status != 204 && a.Field("errorCode") != "wait" {
		t.Errorf("a correction by the old keys: %s", a.Text())
	}
}

// room is a folder that roles with users of their own can reach.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tikakosh-upgrade-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unpack copies a kept folder with the modes an installation has; version
// control keeps none. As root, files belong to the users of their roles.
func unpack(t *testing.T, src, dst string) {
	t.Helper()
	if err := os.CopyFS(dst, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	owners := map[string][2]int{"vault": {64301, 64301}, "ledger": {64301, 64301}, "registry": {64303, 64305}, "staff": {0, 0}}
	err := filepath.WalkDir(dst, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dst {
			return err
		}
		part, _, _ := strings.Cut(strings.TrimPrefix(path, dst+"/"), "/")
		mode := fs.FileMode(0o600)
		switch {
		case part == "ledger" && d.IsDir():
			mode = 0o755
		case part == "ledger":
			mode = 0o644
		case part == "registry" && d.IsDir():
			mode = fs.ModeSetgid | 0o770
		case part == "registry":
			mode = 0o660
		case d.IsDir():
			mode = 0o700
		}
		if err := os.Chmod(path, mode); err != nil || os.Geteuid() != 0 {
			return err
		}
		return os.Chown(path, owners[part][0], owners[part][1])
	})
	if err != nil {
		t.Fatal(err)
	}
}

var size = regexp.MustCompile(`(\d+) entries`)

// ledgerSize verifies the ledger's files alone and returns how many entries
// they hold.
func ledgerSize(t *testing.T, s *harness.Server, data string) int {
	t.Helper()
	out, exit := s.Command("ledger", "verify", filepath.Join(data, "ledger"))
	found := size.FindStringSubmatch(out)
	if exit != 0 || found == nil {
		t.Fatalf("verify: exit %d\n%s", exit, out)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hc1 is the certificate's text in a page.
func hc1(t *testing.T, pdf []byte) string {
	t.Helper()
	text, err := encode.HC1FromPDF(pdf)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
