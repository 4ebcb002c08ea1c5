package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
)

// engine is the PostgreSQL server to measure on; nil is SQLite.
type engine struct {
	server *pgtest.Server
	url    map[string]string // of the databases registry, vault and raw, for the administrator
	undo   []func()

	counter sqldb.DB // where the server's statements are counted, or nil
	counted string   // the name of that database
}

// Helper implements pgtest.TB.
func (*engine) Helper() {}

// Fatalf implements pgtest.TB; newEngine turns it into an error.
func (*engine) Fatalf(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

// Cleanup implements pgtest.TB.
func (e *engine) Cleanup(f func()) { e.undo = append(e.undo, f) }

// newEngine starts a PostgreSQL server of the system's binaries, with its usual
// settings of durability, and migrates two databases with the binary under test.
func newEngine(ctx context.Context, bin string, statements bool) (e *engine, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fmt.Errorf("PostgreSQL: %v", p)
		}
	}()
	e = &engine{url: map[string]string{}}
	settings := []string{"max_wal_size=4GB"}
	if statements {
		settings = append(settings, counting)
	}
	if e.server, err = pgtest.Start(settings...); err != nil {
		return nil, err
	}
	for _, name := range []string{"registry", "vault", "raw"} {
		e.url[name] = e.server.Empty(e)
	}
	if statements {
		if err := pgtest.Do(e.url["raw"], countingSQL); err != nil {
			return nil, err
		}
		if e.counter, err = e.open(ctx, "raw"); err != nil {
			return nil, err
		}
		e.counted = path.Base(e.url["raw"])
	}
	cmd := exec.CommandContext(ctx, bin, "migrate")
	cmd.Env = append(os.Environ(), "TIKAKOSH_DB="+pgtest.As(e.url["registry"], "tikakosh_migrator"), "TIKAKOSH_VAULT_DB="+pgtest.As(e.url["vault"], "tikakosh_migrator"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("migrate: %w\n%s", err, out)
	}
	return e, nil
}

func (e *engine) stop() {
	if e != nil {
		if e.counter != nil {
			_ = e.counter.Close()
		}
		e.server.Stop()
	}
}

// environment names the databases for the program, each with its role's user.
func (e *engine) environment() []string {
	if e == nil {
		return nil
	}
	return []string{"TIKAKOSH_DB=" + pgtest.As(e.url["registry"], "tikakosh_web"), "TIKAKOSH_WORKER_DB=" + pgtest.As(e.url["registry"], "tikakosh_worker"),
		"TIKAKOSH_VAULT_DB=" + pgtest.As(e.url["vault"], "tikakosh_vault")}
}

// open opens one of the databases.
func (e *engine) open(ctx context.Context, name string) (sqldb.DB, error) {
	return postgres.Open(ctx, e.url[name], postgres.Options{Name: "bench"})
}

// openRaw makes the table that the baseline is measured on.
func (e *engine) openRaw(ctx context.Context) (sqldb.DB, error) {
	db, err := e.open(ctx, "raw")
	if err != nil {
		return nil, err
	}
	err = db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE raw (id BIGINT NOT NULL PRIMARY KEY, body BYTEA NOT NULL)")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// processorTime is what the server and its sessions have used, those that ended
// too.
func (e *engine) processorTime() (time.Duration, error) {
	own, _, err := ticks(e.server.PID(), 4)
	if err != nil {
		return 0, err
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if n, parent, err := ticks(pid, 2); err == nil && parent == e.server.PID() {
			own += n
		}
	}
	return time.Duration(own) * tick, nil
}

// ticks sums the first so many of a process's four counters: user, system, and
// those of its ended children.
func ticks(pid, counters int) (sum int64, parent int, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(f) < 15 {
		return 0, 0, errors.New("no processor time")
	}
	for _, text := range f[11 : 11+counters] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		sum += n
	}
	parent, err = strconv.Atoi(f[1])
	return sum, parent, err
}
