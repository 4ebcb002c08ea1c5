package backup

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// fresh makes two empty databases and returns the flags that make a restore fill
// them, as their owner.
func fresh(t *testing.T, pg *pgtest.Server) (registry, vault string, flags []string) {
	t.Helper()
	registry, vault = pg.Empty(t), pg.Empty(t)
	return registry, vault, []string{"--db", pgtest.As(registry, "tikakosh_migrator"), "--vault-db", pgtest.As(vault, "tikakosh_migrator")}
}

// into is what makes a restore fill new databases where the server is on PostgreSQL;
// with use, the server then goes on with them.
func into(t *testing.T, s *harness.Server, use bool) []string {
	t.Helper()
	pg := s.Postgres()
	if pg == nil {
		return nil
	}
	registry, vault, flags := fresh(t, pg)
	if use {
		s.Use(pg, registry, vault)
	}
	return flags
}

// refuses starts a server that must not serve: its vault ends with these words, and
// the others with it. On PostgreSQL the vault may count as started while it waits for
// its lease, so the refusal can come after the start.
func refuses(t *testing.T, s *harness.Server, texts ...string) {
	t.Helper()
	from := len(s.Log())
	err := s.TryUp()
	for range 600 {
		if strings.Contains(s.Log()[from:], "a role refuses to run") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	log := s.Log()[from:]
	for _, text := range append(texts, "a role refuses to run") {
		if !strings.Contains(log, text) {
			t.Errorf("a start that must be refused (%v) did not say %q:\n%s", err, text, log)
		}
	}
	s.Kill()
}

// TestPostgresGap: a set behind the ledger, on PostgreSQL; and what becomes of members of
// staff and of departments.
func TestPostgresGap(t *testing.T) {
	harness.Again(t, "^(TestGap|TestMembersEnded|TestDepartmentAfterRestore)$")
}

// settled checks what a restore has to leave besides the rows: the feed's counters,
// and who may enter.
func settled(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, table := range []string{"session", "centre"} {
		if got := s.Cell(harness.RegistryDB, "SELECT seq - (SELECT max(changed) FROM "+table+") FROM feed WHERE name = $1", table); got != "0" {
			t.Errorf("the feed of %s is %s off", table, got)
		}
	}
	for _, name := range []string{harness.RegistryDB, harness.VaultDB} {
		if n := s.Cell(name, "SELECT count(*) FROM pg_tables WHERE tablename = 'restoring'"); n != "0" {
			t.Error("the restore's mark is still there")
		}
		if n := s.Cell(name, "SELECT count(*) FROM pg_database WHERE datname = current_database() AND datacl::text ~ '[{,]='"); n != "0" {
			t.Errorf("everybody may connect to %s", name)
		}
	}
	if n := s.Cell(harness.VaultDB, "SELECT count(*) FROM pg_roles WHERE rolname IN ('tikakosh_web', 'tikakosh_worker') AND has_database_privilege(rolname, current_database(), 'CONNECT')"); n != "0" {
		t.Error("web or worker may enter the vault's database")
	}
}

// TestPostgresRestore: a set that was made under load on PostgreSQL fills two new
// databases; everything is there, and the ledger goes on. What is not empty, or half
// full, is refused.
func TestPostgresRestore(t *testing.T) {
	if !pgtest.On() {
		return
	}
	t.Parallel()
	pg := pgtest.Shared(t)
	s := harness.Start(t, &builder, harness.Options{Engine: pg, Args: []string{"--no-booking-bounds", "--no-limits"}})
	dir := place(t)
	to, identity := ageKey(t, dir)
	c, mobile := s.Holder()
	asha, ravi := c.Enrol("Asha Test"), c.Enrol("Ravi Test")
	s.Vaccinate(c, mobile, asha)
	booked := s.Later()[0]
	if no, a := c.Book(booked, 1, ravi); no == "" {
		t.Fatal(a.Text())
	}
	before := c.Beneficiaries()
	var l life
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		l.live(s, stop, &wg)
	}
	var path string
	for begun := time.Now(); l.done.Load() < 100 && time.Since(begun) < time.Minute || path == ""; {
		path = setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	}
	close(stop)
	wg.Wait()
	if l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed while backups were made, the first with %v", l.failed.Load(), l.done.Load(), l.first.Load())
	}
	path = setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	keys := filepath.Join(s.Data, "vault", "keys")
	out := must(t, s, "restore", "--verify", "--from", path, "--identity", identity, "--key-files", keys, "--ledger", filepath.Join(s.Data, "ledger"))
	if !strings.Contains(out, " 0 findings") {
		t.Errorf("drill: %s", out)
	}
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	with := []string{"restore", "--from", path, "--data", s.Data, "--identity", identity, "--key-files", filepath.Join(old, "vault", "keys"), "--ledger", published}
	used := []string{"--db", pgtest.As(s.DatabaseURL(harness.RegistryDB), "tikakosh_migrator"), "--vault-db", pgtest.As(s.DatabaseURL(harness.VaultDB), "tikakosh_migrator")}
	refused(t, s, "is not empty", append(with, used...)...)
	none, _, empty := fresh(t, pg)
	refused(t, s, "go together", append(with, empty[:2]...)...)
	refused(t, s, "is not empty", append(with, "--db", empty[1], "--vault-db", used[3])...)
	refused(t, s, "same database", append(with, "--db", empty[1], "--vault-db", empty[1])...)
	refused(t, s, "as its owner", append(with, "--db", pgtest.As(none, "tikakosh_web"), "--vault-db", empty[3])...)
	halfway(t, s, pg, with)
	registry, vault, flags := fresh(t, pg)
	must(t, s, append(with, flags...)...)
	refused(t, s, "is not empty", append(with, flags...)...)
	s.Use(pg, registry, vault)
	settled(t, s)
	borrow(t, old, s.Data)
	s.Up()
	if a := c.Must("GET", "/v2/appointment/beneficiaries", nil); a.Status != 401 {
		t.Errorf("a session of before the restore: %d", a.Status)
	}
	c = s.Client().SignIn(mobile)
	after := c.Beneficiaries()
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%+v, want %+v", after, before)
	}
	if a := c.Certificate(asha); !a.OK() {
		t.Errorf("certificate: %s", a.Text())
	}
	if no, a := c.Book(s.Later()[1], 1, ravi); no == "" && a.Status != 409 && a.Status != 400 {
		t.Errorf("a booking after the restore: %s", a.Text())
	}
	time.Sleep(1500 * time.Millisecond)
	goesOn(t, s, old)
	settled(t, s)
}

// halfway: a restore that breaks off leaves databases that nobody may enter, and says
// how to make them anew.
func halfway(t *testing.T, s *harness.Server, pg *pgtest.Server, with []string) {
	t.Helper()
	registry, vault, flags := fresh(t, pg)
	// What follows the databases fails: the new folder cannot take its place.
	if err := os.MkdirAll(filepath.Join(s.Data+".keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(s.Data + ".keys")
	broken := append([]string(nil), with...)
	for i, a := range broken {
		if a == "--key-files" { // another installation's
			broken[i+1] = s.Data + ".keys"
		}
	}
	out, exit := s.Command(append(broken, flags...)...)
	if exit == 0 || !strings.Contains(out, "broke off") || !strings.Contains(out, "DROP DATABASE") {
		t.Errorf("exit %d: %s", exit, out)
	}
	refused(t, s, "is under way, or broke off", append(with, flags...)...)
	for user, text := range map[string]string{"tikakosh_web": registry, "tikakosh_worker": registry, "tikakosh_vault": vault} {
		if err := pgtest.Do(pgtest.As(text, user), "SELECT 1"); err == nil {
			t.Errorf("%s may enter a database that is half full", user)
		}
	}
	if _, err := os.Stat(s.Data); !os.IsNotExist(err) {
		t.Error("there is a data folder after a restore that broke off")
	}
	u, err := url.Parse(registry)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if !strings.Contains(out, `DROP DATABASE "`+name+`"`) {
		t.Errorf("the text does not name %s: %s", name, out)
	}
}

// TestPostgresClimb: the way of a clinic up the ladder: the set of an installation on
// SQLite files fills PostgreSQL databases, and the ledger stays one log.
func TestPostgresClimb(t *testing.T) {
	if !pgtest.On() {
		return
	}
	t.Parallel()
	pg := pgtest.Shared(t)
	s := harness.Start(t, &builder, harness.Options{})
	dir := place(t)
	to, identity := ageKey(t, dir)
	c, mobile := s.Holder()
	asha := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, asha)
	before := c.Beneficiaries()
	time.Sleep(1500 * time.Millisecond)
	path := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	registry, vault, flags := fresh(t, pg)
	must(t, s, append([]string{"restore", "--from", path, "--data", s.Data, "--identity", identity, "--key-files", filepath.Join(old, "vault", "keys"), "--ledger", filepath.Join(old, "ledger")}, flags...)...)
	s.Use(pg, registry, vault)
	settled(t, s)
	borrow(t, old, s.Data)
	s.Up()
	c = s.Client().SignIn(mobile)
	if after := c.Beneficiaries(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%+v, want %+v", after, before)
	}
	if a := c.Certificate(asha); !a.OK() {
		t.Errorf("certificate: %s", a.Text())
	}
	time.Sleep(1500 * time.Millisecond)
	goesOn(t, s, old)
	if _, err := os.Stat(filepath.Join(s.Data, harness.VaultDB)); !os.IsNotExist(err) {
		t.Errorf("there is a vault's file beside its database: %v", err)
	}
	// Only the ledger's files are lost: the database has all of them.
	if err := os.RemoveAll(filepath.Join(s.Data, "ledger")); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, "ledger rebuild")
	must(t, s, "ledger", "rebuild", "--data", s.Data)
	s.Up()
	time.Sleep(1500 * time.Millisecond)
	goesOn(t, s, old)
}
