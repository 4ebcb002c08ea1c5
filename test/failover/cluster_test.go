package failover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// on reports whether the tests of this package are to run.
func on() bool { return os.Getenv("TIKAKOSH_HA") == "1" }

// member is one PostgreSQL server of the cluster with its Patroni.
type member struct {
	name       string
	port, rest int // PostgreSQL's and Patroni's
	data       string
	patroni    *process
}

// cluster is three PostgreSQL servers under Patroni and one etcd, in a temporary
// folder, as an ordinary user.
type cluster struct {
	t       *testing.T
	dir     string
	bin     string // of PostgreSQL
	who     *syscall.Credential
	members []*member
}

// config is the recipe: the leader refuses writes rather than run without a
// synchronous copy; who shows no sign of life for 20 s is followed.
const config = `scope: reg
name: %[1]s
restapi: {listen: "127.0.0.1:%[2]d", connect_address: "127.0.0.1:%[2]d"}
etcd3: {host: "127.0.0.1:%[3]d"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 5
    retry_timeout: 5
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {wal_level: replica, wal_log_hints: 'on', max_connections: 200, shared_buffers: 64MB, jit: 'off'}
  initdb: [encoding: UTF8, data-checksums, locale: C.UTF-8]
  pg_hba: [host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
postgresql:
  listen: "127.0.0.1:%[4]d"
  connect_address: "127.0.0.1:%[4]d"
  data_dir: %[5]s
  bin_dir: %[6]s
  pgpass: %[5]s.pass
  parameters: {unix_socket_directories: ''}
  basebackup: [{checkpoint: fast}]
  authentication: {superuser: {username: postgres, password: x}, replication: {username: repl, password: x}}
`

// startCluster starts etcd and the servers and waits until one leads and another
// confirms what it commits.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	for _, name := range []string{"etcd", "patroni"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("TIKAKOSH_HA=1, but %v: apt-get install postgresql-15 patroni etcd-server", err)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("TIKAKOSH_HA=1, but no PostgreSQL: apt-get install postgresql-15")
	}
	c := &cluster{t: t, bin: filepath.Dir(found[len(found)-1])}
	if c.dir, err = os.MkdirTemp("", "tikakosh-ha-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(c.dir) })
	c.ordinary()
	etcd, peer := freePort(t), freePort(t)
	at := "http://127.0.0.1:" + strconv.Itoa(etcd)
	c.start("etcd", "etcd", "--data-dir", c.dir+"/etcd", "--listen-client-urls", at, "--advertise-client-urls", at,
		"--listen-peer-urls", "http://127.0.0.1:"+strconv.Itoa(peer))
	for _, name := range []string{"n1", "n2", "n3"} {
		m := &member{name: name, port: freePort(t), rest: freePort(t), data: c.dir + "/" + name}
		file := m.data + ".yml"
		if err := os.WriteFile(file, fmt.Appendf(nil, config, m.name, m.rest, etcd, m.port, m.data, c.bin), 0o644); err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, m)
		t.Cleanup(func() { c.end(m) })
		m.patroni = c.start(m.name, "patroni", file)
	}
	c.await("a leader, a synchronous standby and a third", 3*time.Minute, func(s map[string]string) bool {
		return len(s) == 3 && count(s, "leader") == 1 && count(s, "sync_standby") == 1
	})
	return c
}

// ordinary makes the folder that of an ordinary user when the tests run as root:
// PostgreSQL refuses to be started by root.
func (c *cluster) ordinary() {
	c.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		c.t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(c.dir, int(uid), int(gid))); err != nil {
		c.t.Fatal(err)
	}
	c.who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// process is a program below a shell that ends it when the test process is gone.
type process struct {
	pid  int // of the program
	stop func()
}

// keeper runs a program until its own standard input ends.
const keeper = `log="$1"; shift
"$@" >>"$log" 2>&1 </dev/null &
echo $!
cat >/dev/null
kill -9 $! 2>/dev/null; exit 0`

func (c *cluster) start(name string, args ...string) *process {
	c.t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "sh", c.dir + "/" + name + ".log"}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	if c.who != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.who}
	}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		c.t.Fatal(err)
	}
	p := &process{stop: func() { _ = in.Close(); _ = cmd.Wait() }}
	c.t.Cleanup(p.stop)
	if _, err := fmt.Fscan(out, &p.pid); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// end ends a member's Patroni and server.
func (c *cluster) end(m *member) {
	if m.patroni != nil {
		m.patroni.stop()
	}
	cmd := exec.Command(c.bin+"/pg_ctl", "-D", m.data, "-m", "immediate", "stop")
	if c.who != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.who}
	}
	_ = cmd.Run()
}

// roles are the members' roles, of those that run, as the cluster has them.
func (c *cluster) roles() map[string]string {
	client := http.Client{Timeout: 3 * time.Second}
	for _, m := range c.members {
		res, err := client.Get("http://127.0.0.1:" + strconv.Itoa(m.rest) + "/cluster")
		if err != nil {
			continue
		}
		var got struct {
			Members []struct{ Name, Role, State string }
		}
		err = json.NewDecoder(res.Body).Decode(&got)
		_ = res.Body.Close()
		if err != nil {
			continue
		}
		out := map[string]string{}
		for _, m := range got.Members {
			if m.State == "running" || m.State == "streaming" {
				out[m.Name] = m.Role
			}
		}
		return out
	}
	return nil
}

func count(roles map[string]string, role string) int {
	n := 0
	for _, r := range roles {
		if r == role {
			n++
		}
	}
	return n
}

// await waits until the cluster's roles are as wanted.
func (c *cluster) await(what string, wait time.Duration, fits func(map[string]string) bool) map[string]string {
	c.t.Helper()
	begin := time.Now()
	for {
		got := c.roles()
		if fits(got) {
			c.t.Logf("%s after %v: %v", what, time.Since(begin).Round(time.Second), got)
			return got
		}
		if time.Since(begin) > wait {
			c.t.Fatalf("%s: not in %v: %v\n%s", what, wait, got, c.logs())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// logs are the ends of the programs' logs.
func (c *cluster) logs() string {
	var b strings.Builder
	for _, name := range []string{"etcd", "n1", "n2", "n3"} {
		raw, err := os.ReadFile(c.dir + "/" + name + ".log")
		if err == nil {
			fmt.Fprintf(&b, "== %s\n%s\n", name, raw[max(0, len(raw)-3000):])
		}
	}
	return b.String()
}

// url names all members; who connects finds the one that takes writes.
func (c *cluster) url() string {
	var hosts []string
	for _, m := range c.members {
		hosts = append(hosts, "127.0.0.1:"+strconv.Itoa(m.port))
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/postgres?target_session_attrs=read-write&connect_timeout=3&sslmode=disable"
}

// leader is the member that leads.
func (c *cluster) leader() *member {
	c.t.Helper()
	roles := c.roles()
	for _, m := range c.members {
		if roles[m.name] == "leader" {
			return m
		}
	}
	c.t.Fatalf("nobody leads: %v", roles)
	return nil
}

// kill ends a member's Patroni and its server at once, without a word to anybody.
func (c *cluster) kill(m *member) {
	c.t.Helper()
	f, err := os.Open(m.data + "/postmaster.pid")
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		c.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	server, err := strconv.Atoi(first)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := errors.Join(syscall.Kill(m.patroni.pid, syscall.SIGKILL), syscall.Kill(server, syscall.SIGKILL)); err != nil {
		c.t.Fatal(err)
	}
}
