package harness

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tikakosh/internal/store/pgtest"
)

// engineVariable makes every server of a test process keep its data on
// PostgreSQL.
const engineVariable = "TIKAKOSH_TEST_ENGINE"

// OnPostgres reports whether this process's servers are on PostgreSQL.
func OnPostgres() bool { return os.Getenv(engineVariable) == "postgres" }

// Again runs tests of this package once more in a process whose servers are on
// PostgreSQL: those that the expression matches, as `go test -run` would. It
// fails when one fails, is skipped, or none runs, and does nothing without
// TIKAKOSH_PG=1. args go to the test binary.
func Again(t *testing.T, expression string, args ...string) {
	t.Helper()
	if !pgtest.On() || OnPostgres() {
		return
	}
	cmd := exec.Command(os.Args[0], append([]string{"-test.run", expression, "-test.v", "-test.timeout", "20m"}, args...)...)
	cmd.Env = append(os.Environ(), engineVariable+"=postgres")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("--- SKIP")) || !bytes.Contains(out, []byte("--- PASS")) {
		t.Fatalf("on PostgreSQL: %v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "--- PASS") {
			t.Log(line)
		}
	}
}

// databases of a server on PostgreSQL: URLs for the administrator.
type databases struct {
	server *pgtest.Server
	url    map[string]string // by RegistryDB and VaultDB
	pool   int

	replica *pgtest.Server // nil: none
	via     string         // address through which the vault reaches its own; empty: straight
}

// over returns the same databases with the vault's reached through an address.
func (d *databases) over(via string) *databases {
	if d == nil {
		return nil
	}
	other := *d
	other.via = via
	return &other
}

// vault is the URL of the vault's database as the vault reaches it.
func (d *databases) vault(text string) string {
	u, err := url.Parse(text)
	if err != nil || d.via == "" {
		return text
	}
	u.Host = d.via
	return u.String()
}

// newDatabases makes two empty databases and lets the binary migrate them as
// their owner.
func newDatabases(tb TB, s *pgtest.Server, binary string, pool int, fill func(name, url string) error) *databases {
	tb.Helper()
	d := &databases{server: s, pool: pool, url: map[string]string{RegistryDB: s.Empty(tb), VaultDB: s.Empty(tb)}}
	for _, name := range []string{RegistryDB, VaultDB} {
		if fill == nil {
			break
		}
		if err := fill(name, d.url[name]); err != nil {
			tb.Fatalf("fill %s: %v", name, err)
		}
	}
	cmd := exec.Command(binary, "migrate")
	cmd.Env = append(os.Environ(), "TIKAKOSH_DB="+pgtest.As(d.url[RegistryDB], "tikakosh_migrator"), "TIKAKOSH_VAULT_DB="+pgtest.As(d.url[VaultDB], "tikakosh_migrator"))
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("migrate: %v\n%s", err, out)
	}
	return d
}

// environment names the databases for the command line, each with the least of
// the users who can do the role's work.
func (d *databases) environment() []string {
	if d == nil {
		return nil
	}
	as := func(name, user string) string {
		if d.pool > 0 {
			return fmt.Sprint(pgtest.As(d.url[name], user), "?pool_max_conns=", d.pool)
		}
		return pgtest.As(d.url[name], user)
	}
	env := []string{"TIKAKOSH_DB=" + as(RegistryDB, webUser), "TIKAKOSH_WORKER_DB=" + as(RegistryDB, workerUser), "TIKAKOSH_VAULT_DB=" + d.vault(as(VaultDB, vaultUser))}
	if d.replica != nil {
		env = append(env, "TIKAKOSH_READ_DB="+d.replica.Its(as(RegistryDB, webUser)))
	}
	return env
}

const (
	webUser    = "tikakosh_web"
	workerUser = "tikakosh_worker"
	vaultUser  = "tikakosh_vault"
)

// DatabaseURL is a database's URL for its administrator; the test fails on SQLite.
func (s *Server) DatabaseURL(name string) string {
	s.tb.Helper()
	if s.pg == nil {
		s.tb.Fatal("not on PostgreSQL")
	}
	return s.pg.url[name]
}

// Use makes the next start, commands and questions use these databases of a
// PostgreSQL server, named by their administrator's URLs: those of a restore.
func (s *Server) Use(server *pgtest.Server, registry, vault string) {
	s.pg = &databases{server: server, url: map[string]string{RegistryDB: registry, VaultDB: vault}}
}

// Postgres is the PostgreSQL server below, nil on SQLite.
func (s *Server) Postgres() *pgtest.Server {
	if s.pg == nil {
		return nil
	}
	return s.pg.server
}

// catalogue picks the question about a database's tables and triggers.
func (s *Server) catalogue(lite, pg string) string {
	if s.pg == nil {
		return lite
	}
	return pg
}

// Text is a column of bytes as text, in SQL.
func (s *Server) Text(column string) string {
	return s.catalogue("CAST("+column+" AS TEXT)", "convert_from("+column+", 'UTF8')")
}

// Hex is a column of bytes as hexadecimal digits, in SQL.
func (s *Server) Hex(column string) string {
	return s.catalogue("hex("+column+")", "encode("+column+", 'hex')")
}

// Bytes are hexadecimal digits as bytes, in SQL.
func (s *Server) Bytes(hex string) string {
	return s.catalogue("x'"+hex+"'", `'\x`+hex+`'::bytea`)
}
