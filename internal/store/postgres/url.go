package postgres

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tikakosh/internal/fault"
)

// IsURL reports whether a text names a PostgreSQL database.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// HasPassword reports whether a URL holds a password, which then stands in the
// list of processes if the URL is an argument.
func HasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@") // several hosts with ports do not parse as one; be careful
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// SameDatabase reports whether two URLs name the same database of a common host.
func SameDatabase(a, b string) bool {
	x, err1 := pgconn.ParseConfig(a)
	y, err2 := pgconn.ParseConfig(b)
	if err1 != nil || err2 != nil || x.Database != y.Database {
		return false
	}
	hosts := map[string]bool{}
	for _, h := range hostsOf(x) {
		hosts[h] = true
	}
	return slices.ContainsFunc(hostsOf(y), func(h string) bool { return hosts[h] })
}

func hostsOf(c *pgconn.Config) []string {
	out := []string{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	for _, f := range c.Fallbacks {
		out = append(out, net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))))
	}
	return out
}

func invalid(text string) error { return fault.New(fault.Invalid, "database_url", text) }

// poolParameter, in a URL, bounds the connections of a process; the pools of
// pgx know it by the same name.
const poolParameter = "pool_max_conns"

// connections is the number that a URL gives, else other.
func connections(params map[string]string, other int) (int, error) {
	text, ok := params[poolParameter]
	delete(params, poolParameter) // the server does not know it
	if !ok {
		return other, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 2 || n > 1000 {
		return 0, invalid("pool_max_conns in the database URL is not a number from 2 to 1000")
	}
	return n, nil
}

// config reads the URL and puts every setting of a session into the start of
// its connection, where it holds from the first statement on.
func config(text string, o *Options) (*pgx.ConnConfig, error) {
	if !IsURL(text) {
		return nil, invalid("a database URL begins with postgres://")
	}
	cfg, err := pgx.ParseConfig(text)
	if err != nil { // the parser's text may quote the URL with its password
		return nil, invalid("the database URL is malformed; it reads postgres://user:password@host1,host2/database?sslmode=verify-full&sslrootcert=FILE")
	}
	if err := guarded(text, &cfg.Config); err != nil {
		return nil, err
	}
	if o.Connections, err = connections(cfg.RuntimeParams, o.Connections); err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = DefaultConnectTimeout
	}
	if cfg.ValidateConnect == nil && !o.ReadOnly {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	dialer := &net.Dialer{Control: noticeVanished, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 3 * time.Second, Count: 3}}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if network == "unix" {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		return dialer.DialContext(ctx, network, addr)
	}
	cfg.OnNotice = noteWarning
	p := cfg.RuntimeParams
	p["application_name"] = strings.TrimSuffix("tikakosh/"+o.Name, "/")
	p["client_encoding"] = "UTF8"
	p["timezone"] = "UTC"
	p["search_path"] = "public"
	p["default_transaction_isolation"] = "read committed"
	p["statement_timeout"] = millis(o.StatementTimeout)
	p["lock_timeout"] = millis(o.LockTimeout)
	p["idle_in_transaction_session_timeout"] = millis(o.IdleTimeout)
	if p["synchronous_commit"] != "remote_apply" { // the only stricter one
		p["synchronous_commit"] = "on"
	}
	return cfg, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// guarded refuses a connection that leaves the machine and could silently be in
// the clear. sslmode=disable says it aloud and is let through, for a tunnel.
func guarded(text string, cfg *pgconn.Config) error {
	if strings.Contains(text, "sslmode=disable") {
		return nil
	}
	ends := []*pgconn.FallbackConfig{{Host: cfg.Host, TLSConfig: cfg.TLSConfig}}
	for _, f := range append(ends, cfg.Fallbacks...) {
		if strings.HasPrefix(f.Host, "/") || strings.HasPrefix(f.Host, "@") || loopback(f.Host) {
			continue
		}
		if f.TLSConfig == nil || (f.TLSConfig.InsecureSkipVerify && f.TLSConfig.VerifyPeerCertificate == nil) {
			return invalid("the database is on another machine: add sslmode=verify-full (and sslrootcert=FILE) to its URL, or sslmode=disable where a tunnel protects the connection")
		}
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
