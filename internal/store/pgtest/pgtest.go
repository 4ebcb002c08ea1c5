// Package pgtest gives tests databases on a PostgreSQL server: one that it
// starts from the system's binaries in a temporary folder and ends with the
// test process, or the one that TIKAKOSH_PG_URL names (any engine that speaks
// its protocol and lets this user create databases and roles). Where databases
// are not made in passing, as on a cluster, TIKAKOSH_PG_REGISTRY_URL and
// TIKAKOSH_PG_VAULT_URL name a migrated one of each kind for its administrator;
// the stores' suites then empty it before each test.
//
// Tests that need it have Postgres in their names and run where TIKAKOSH_PG=1;
// they fail there, never skip, when no server can be had.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

// TB is what this package needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// On reports whether tests on PostgreSQL are to run.
func On() bool { return os.Getenv("TIKAKOSH_PG") == "1" }

// Roles are the users that the product knows (ADR 22).
func Roles() []string {
	return []string{"tikakosh_migrator", "tikakosh_web", "tikakosh_worker", "tikakosh_vault"}
}

// Server is a PostgreSQL server. It is safe for concurrent use.
type Server struct {
	base url.URL // of its administrator

	turn      sync.Mutex // of the databases that the environment names
	mu        sync.Mutex
	templates map[string]string
	emptied   map[string][]string // databases by kind, as their template
	stop      func()
	place     *place // nil for a server that others run
}

// shared is the server of this process.
var shared = sync.OnceValues(func() (*Server, error) {
	if text := os.Getenv("TIKAKOSH_PG_URL"); text != "" {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("TIKAKOSH_PG_URL is malformed")
		}
		return ready(&Server{base: *u, stop: func() {}})
	}
	return Start("fsync=off", "full_page_writes=off")
})

// Shared returns the server that all tests of this process use; it forgets
// everything in a power cut, which no test here makes.
func Shared(t TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("TIKAKOSH_PG=1, but no PostgreSQL server: %v", err)
	}
	return s
}

// binaries is the newest folder of the server's programs.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // its folder has the other programs too
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no initdb: install postgresql-15, or name a server in TIKAKOSH_PG_URL")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// place is where a server that this process runs is, and as whom.
type place struct {
	bin, dir string
	port     int
	who      *syscall.Credential // nil: as this user
}

func newPlace() (*place, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tikakosh-pg-")
	if err != nil {
		return nil, err
	}
	p := &place{bin: bin, dir: dir}
	if os.Geteuid() == 0 { // the server refuses to run as root
		if p.who, err = ordinary(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(p.who.Uid), int(p.who.Gid)); err != nil {
			return nil, err
		}
	}
	p.port, err = freePort()
	return p, err
}

// command of the server's programs.
func (p *place) command(name string, args ...string) *exec.Cmd {
	if !strings.HasPrefix(name, "/") {
		name = filepath.Join(p.bin, name)
	}
	c := exec.Command(name, args...)
	c.Dir = p.dir
	if p.who != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: p.who}
	}
	return c
}

// configure adds settings to the server's file.
func (p *place) configure(settings []string) error {
	conf := append([]string{"listen_addresses='127.0.0.1'", "port=" + strconv.Itoa(p.port), "unix_socket_directories=''", "max_connections=1000",
		"shared_buffers=64MB", "jit=off", "log_min_messages=warning", "deadlock_timeout=200ms"}, settings...)
	f, err := os.OpenFile(p.dir+"/data/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, "\n"+strings.Join(conf, "\n")+"\n")
	return errors.Join(err, f.Close())
}

// run starts the server.
func (p *place) run() (*Server, error) {
	c := p.command("/bin/sh", "-c", keeper, "sh", p.bin, p.dir)
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, err
	}
	var once sync.Once
	return &Server{base: url.URL{Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: "/postgres"},
		place: p, stop: func() { once.Do(func() { _ = in.Close(); _ = c.Wait() }) }}, nil
}

// keeper runs the server until its standard input ends, which it does when the
// process of the tests has ended, however that was.
const keeper = `"$1/pg_ctl" -D "$2/data" -l "$2/log" -w start >/dev/null || exit 1
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1
rm -rf "$2"`

// Start starts a server of its own with further settings, for as long as this
// process lives or until Stop.
func Start(settings ...string) (*Server, error) {
	p, err := newPlace()
	if err != nil {
		return nil, err
	}
	out, err := p.command("initdb", "-D", p.dir+"/data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := p.configure(settings); err != nil {
		return nil, err
	}
	s, err := p.run()
	if err != nil {
		return nil, err
	}
	return ready(s)
}

// Standby starts a server that follows s and confirms what s commits: from then
// on a COMMIT of s returns when both have it.
func (s *Server) Standby(t TB) *Server {
	t.Helper()
	p, err := newPlace()
	if err != nil {
		t.Fatalf("%v", err)
	}
	out, err := p.command("pg_basebackup", "-D", p.dir+"/data", "-d", s.base.String(), "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput()
	if err == nil {
		err = p.configure(nil)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := p.run()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(b.Stop)
	for range 300 {
		if err = b.exec("SELECT 1"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err == nil {
		err = s.exec("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	}
	if err != nil {
		t.Fatalf("the standby: %v", err)
	}
	return b
}

// Promote makes a standby the server that takes writes.
func (s *Server) Promote(t TB) {
	t.Helper()
	if out, err := s.ctl("promote").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Both is a URL that names a database on two servers.
func Both(text string, other *Server) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Host += "," + other.base.Host
	return u.String()
}

// ctl is pg_ctl on the server's data.
func (s *Server) ctl(args ...string) *exec.Cmd {
	return s.place.command("pg_ctl", append([]string{"-D", s.place.dir + "/data", "-w", "-l", s.place.dir + "/log"}, args...)...)
}

// ordinary is the user a server runs as when the tests run as root.
func ordinary() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("no user postgres or nobody to run the server as")
}

func freePort() (int, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// ready waits until the server answers and makes the product's roles.
func ready(s *Server) (*Server, error) {
	s.templates, s.emptied = map[string]string{}, map[string][]string{}
	var err error
	for range 300 {
		if err = s.exec("SELECT 1"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	for _, role := range Roles() {
		// Other test processes may make it at the same time.
		for range 5 {
			err = s.exec("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '" + role + "') THEN CREATE ROLE " + role + " LOGIN; END IF; END $$")
			if err == nil {
				break
			}
		}
		if err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// PID is the process id of a server that Start made, 0 when it does not run.
func (s *Server) PID() int {
	raw, err := os.ReadFile(s.place.dir + "/data/postmaster.pid")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return pid
}

// Stop ends a server that Start made.
func (s *Server) Stop() { s.stop() }

func (s *Server) exec(statements ...string) error {
	db, err := sql.Open("pgx", s.base.String())
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			return fmt.Errorf("%w\n%s", err, q)
		}
	}
	return nil
}

// Do runs statements in the database of a URL.
func Do(text string, statements ...string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	return (&Server{base: *u}).exec(statements...)
}

// Exec runs statements as the server's administrator in its own database.
func (s *Server) Exec(t TB, statements ...string) {
	t.Helper()
	if err := s.exec(statements...); err != nil {
		t.Fatalf("%v", err)
	}
}

// As returns a URL with another user.
func As(text, role string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.User = url.User(role)
	return u.String()
}

func (s *Server) url(database string) string {
	u := s.base
	u.Path = "/" + database
	return u.String()
}

// create makes a database; template "" is an empty one.
func (s *Server) create(name, template string) error {
	if template == "" {
		return s.exec("CREATE DATABASE " + name + " OWNER tikakosh_migrator TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
	}
	return s.exec("CREATE DATABASE " + name + " OWNER tikakosh_migrator TEMPLATE " + template)
}

func fresh(prefix string) string { return prefix + "_" + strings.ToLower(rand.Text()[:12]) }

// Empty makes an empty database and returns its URL for the administrator; it
// is dropped at the end of the test.
func (s *Server) Empty(t TB) string {
	t.Helper()
	name := fresh("t")
	if err := s.create(name, ""); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	return s.url(name)
}

// Database gives a database as fill left one, and returns its URL for the
// administrator. fill runs once for each kind and process and leaves nothing
// but tables without rows. At the end of the test the database is emptied for
// the next one, which costs a tenth of making it; a test that changes the schema
// or who may do what migrates an Empty one.
func (s *Server) Database(t TB, kind string, fill func(url string) error) string {
	t.Helper()
	if text := os.Getenv("TIKAKOSH_PG_" + strings.ToUpper(kind) + "_URL"); text != "" {
		return s.given(t, text)
	}
	template := s.template(t, kind, fill)
	s.mu.Lock()
	var name string
	if n := len(s.emptied[kind]); n > 0 {
		name = s.emptied[kind][n-1]
		s.emptied[kind] = s.emptied[kind][:n-1]
	}
	s.mu.Unlock()
	if name == "" {
		name = fresh("t")
		if err := s.create(name, template); err != nil {
			t.Fatalf("%v", err)
		}
	}
	t.Cleanup(func() {
		if s.empty(name) != nil {
			_ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.emptied[kind] = append(s.emptied[kind], name)
	})
	return s.url(name)
}

// given gives the one database of a kind that the environment names, migrated and
// perhaps distributed over a cluster, to one test at a time.
func (s *Server) given(t TB, text string) string {
	t.Helper()
	s.turn.Lock()
	t.Cleanup(s.turn.Unlock)
	if err := emptied(text); err != nil {
		t.Fatalf("%v", err)
	}
	return text
}

func (s *Server) template(t TB, kind string, fill func(url string) error) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.templates[kind] != "" {
		return s.templates[kind]
	}
	template := fresh("template_" + kind)
	err := s.create(template, "")
	if err == nil {
		err = fill(s.url(template))
	}
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
		return ""
	}
	s.templates[kind] = template
	return template
}

// empty deletes every row but those that migrations stored.
func (s *Server) empty(name string) error { return emptied(s.url(name)) }

func emptied(text string) error {
	db, err := sql.Open("pgx", text)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`DO $$ DECLARE names TEXT; BEGIN
		PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
		SELECT string_agg(quote_ident(tablename), ', ') INTO names FROM pg_tables
			WHERE schemaname = 'public' AND tablename NOT IN ('migration', 'migration_sum', 'feed');
		EXECUTE 'TRUNCATE ' || names;
		IF EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename = 'feed') THEN UPDATE feed SET seq = 0; END IF;
	END $$`)
	return err
}

// Down ends a server that Start made, at once, as a crash would.
func (s *Server) Down(t TB) {
	t.Helper()
	if out, err := s.ctl("stop", "-m", "immediate").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Up starts it again on its data.
func (s *Server) Up(t TB) {
	t.Helper()
	if err := s.ctl("start").Run(); err != nil { // its output stays open as long as the server runs
		t.Fatalf("%v", err)
	}
}
