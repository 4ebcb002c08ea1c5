package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// both runs a test on both kinds of database, where PostgreSQL is there.
func both(t *testing.T, o Options, fn func(t *testing.T, db sqldb.DB, url string)) {
	t.Helper()
	if !pgtest.On() {
		return
	}
	for _, serial := range []bool{false, true} {
		t.Run(fmt.Sprintf("serial=%v", serial), func(t *testing.T) {
			o := o
			o.Serial = serial
			url := pgtest.Shared(t).Database(t, "counter", func(url string) error {
				db, err := sql.Open("pgx", url)
				if err != nil {
					return err
				}
				_, err = db.Exec("CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL CHECK (n < 1000000))")
				return errors.Join(err, db.Close())
			})
			fn(t, open1(t, url, o), url)
		})
	}
}

func open1(t *testing.T, url string, o Options) sqldb.DB {
	t.Helper()
	db, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return db
}

func put(db sqldb.DB, id, n int) error {
	return db.Update(context.Background(), func(tx sqldb.Tx) error { return insert(tx, id, n) })
}

func insert(tx sqldb.Tx, id, n int) error {
	_, err := tx.Exec(context.Background(), "INSERT INTO counter (id, n) VALUES ($1, $2)", id, n)
	return err
}

func rows(t *testing.T, db sqldb.DB) (n, total int) {
	t.Helper()
	err := db.View(context.Background(), func(tx sqldb.Tx) error {
		return tx.QueryRow(context.Background(), "SELECT count(*), COALESCE(SUM(n), 0) FROM counter").Scan(&n, &total)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, total
}

// TestPostgresUpdates: many callers, some of whom fail in each way; exactly the
// others are stored, and each hears what happened to it.
func TestPostgresUpdates(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		own := errors.New("own")
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				switch i % 6 {
				case 0: // its own error after a write
					err := db.Update(t.Context(), func(tx sqldb.Tx) error { return errors.Join(insert(tx, i, 1), own) })
					if !errors.Is(err, own) {
						t.Errorf("%v", err)
					}
				case 1: // a statement that fails, and is ignored
					err := db.Update(t.Context(), func(tx sqldb.Tx) error {
						_ = insert(tx, i, 1)
						_ = insert(tx, 1000+i, 2000000)
						return nil
					})
					if !fault.Is(err, fault.Internal) {
						t.Errorf("a violated check: %v", err)
					}
				case 2:
					err := db.Update(t.Context(), func(tx sqldb.Tx) error { _ = insert(tx, i, 1); panic("oh") })
					if fault.CodeOf(err) != "panic" {
						t.Errorf("a panic: %v", err)
					}
				case 3: // refused before it wrote
					if err := db.Update(t.Context(), func(sqldb.Tx) error { return own }); !errors.Is(err, own) {
						t.Errorf("%v", err)
					}
				default:
					if err := put(db, i, 1); err != nil {
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		if n, _ := rows(t, db); n != 20 {
			t.Errorf("%d rows, want 20", n)
		}
		if err := put(db, 4, 1); !fault.Is(sqldb.Classify(err, "x"), fault.Conflict) || !sqldb.IsUnique(err) {
			t.Errorf("a taken key: %v", err)
		}
	})
}

// TestPostgresMistakes of programs are refused, whatever the engine would do.
func TestPostgresMistakes(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		ctx := t.Context()
		for i := range 5 {
			if err := put(db, i, i); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range []string{"COMMIT", "ROLLBACK", "SET synchronous_commit = off", "SELECT 1; SELECT 2", "LISTEN x", "BEGIN"} {
			if err := db.Update(ctx, func(tx sqldb.Tx) error { _, err := tx.Exec(ctx, q); return err }); fault.CodeOf(err) != "statement" {
				t.Errorf("%s: %v", q, err)
			}
		}
		var kept sqldb.Tx
		if err := db.Update(ctx, func(tx sqldb.Tx) error { kept = tx; return nil }); err != nil {
			t.Error(err)
		}
		if _, err := kept.Exec(ctx, "SELECT 1"); !fault.Is(err, fault.Internal) {
			t.Errorf("after its end: %v", err)
		}
		if err := db.View(ctx, func(tx sqldb.Tx) error { return insert(tx, 9, 9) }); !fault.Is(sqldb.Classify(err, "x"), fault.Internal) {
			t.Errorf("a view wrote: %v", err)
		}
		if err := db.Update(ctx, func(sqldb.Tx) error { return put(db, 8, 8) }); fault.CodeOf(err) != "nested" {
			t.Errorf("nested: %v", err)
		}
		err := db.View(ctx, func(tx sqldb.Tx) error {
			r, err := tx.Query(ctx, "SELECT id FROM counter ORDER BY id LIMIT 5")
			if err != nil {
				return err
			}
			defer r.Close()
			r.Next()
			var n int
			return tx.QueryRow(ctx, "SELECT count(*) FROM counter").Scan(&n)
		})
		if fault.CodeOf(err) != "statement" {
			t.Errorf("two results at once: %v", err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := db.Update(gone, func(sqldb.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
		if n, _ := rows(t, db); n != 5 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestPostgresSnapshot: a View sees one state, and an Update what was committed
// before its statement.
func TestPostgresSnapshot(t *testing.T) {
	both(t, Options{}, func(t *testing.T, db sqldb.DB, _ string) {
		err := db.View(t.Context(), func(tx sqldb.Tx) error {
			var before, after int
			if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM counter").Scan(&before); err != nil {
				return err
			}
			if err := put(db, 1, 1); err != nil {
				return err
			}
			err := tx.QueryRow(t.Context(), "SELECT count(*) FROM counter").Scan(&after)
			if before != after {
				t.Errorf("%d, then %d", before, after)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestPostgresSteps fails at each step of a commit: what callers hear agrees
// with what is stored.
func TestPostgresSteps(t *testing.T) {
	for step, want := range map[string]struct {
		kind fault.Kind
		rows int
	}{StepBegin: {fault.Unavailable, 0}, StepBeforeCommit: {fault.Unknown, 0}, StepAfterCommit: {fault.Unknown, 1}} {
		var armed atomic.Bool
		hook := func(at string) error {
			if at == step && armed.CompareAndSwap(true, false) {
				return errors.New("cut")
			}
			return nil
		}
		both(t, Options{Hook: hook}, func(t *testing.T, db sqldb.DB, _ string) {
			armed.Store(true)
			if err := put(db, 1, 1); !fault.Is(err, want.kind) {
				t.Errorf("%s: %v", step, err)
			}
			if n, _ := rows(t, db); n != want.rows {
				t.Errorf("%s: %d rows", step, n)
			}
			if err := put(db, 2, 1); err != nil {
				t.Errorf("after %s: %v", step, err)
			}
		})
	}
}

// TestPostgresConflicts: deadlocks and lost connections in the middle are run
// again; nothing is stored twice.
func TestPostgresConflicts(t *testing.T) {
	both(t, Options{Name: "conflict"}, func(t *testing.T, db sqldb.DB, url string) {
		for i := range 2 {
			if err := put(db, i, 0); err != nil {
				t.Fatal(err)
			}
		}
		add := func(tx sqldb.Tx, id int) error {
			_, err := tx.Exec(context.Background(), "UPDATE counter SET n = n + 1 WHERE id = $1", id)
			return err
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for range 10 {
					err := db.Update(t.Context(), func(tx sqldb.Tx) error {
						if err := add(tx, w%2); err != nil {
							return err
						}
						return add(tx, 1-w%2)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if _, total := rows(t, db); total != 80 {
			t.Errorf("%d, want 80", total)
		}
		killed := false
		err := db.Update(t.Context(), func(tx sqldb.Tx) error {
			if err := insert(tx, 7, 7); err != nil {
				return err
			}
			if !killed {
				killed = true
				terminate(t, url)
			}
			return insert(tx, 8, 8)
		})
		if err != nil {
			t.Errorf("the connection ended in the middle: %v", err)
		}
		terminate(t, url) // all idle ones too
		if n, total := rows(t, db); n != 4 || total != 95 {
			t.Errorf("%d rows, %d", n, total)
		}
		terminate(t, url)
		if err := put(db, 9, 9); err != nil {
			t.Errorf("after every connection ended: %v", err)
		}
	})
}

// TestPostgresHungServer: a server that neither answers nor ends holds nobody
// for longer than a transaction may last.
func TestPostgresHungServer(t *testing.T) {
	if os.Getenv("TIKAKOSH_PG_URL") != "" {
		return // its processes are not ours to stop
	}
	both(t, Options{StatementTimeout: 500 * time.Millisecond}, func(t *testing.T, db sqldb.DB, _ string) {
		hung := 0
		begin := time.Now()
		err := db.Update(t.Context(), func(tx sqldb.Tx) error {
			if hung == 0 {
				if err := tx.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&hung); err != nil {
					return err
				}
				if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
					t.Error(err)
				}
			}
			return insert(tx, 1, 1)
		})
		if hung > 0 {
			_ = syscall.Kill(hung, syscall.SIGCONT)
		}
		if err != nil || time.Since(begin) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin)) // it ran again on another connection
		}
		if n, _ := rows(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

// terminate ends every session of the package's in a database.
func terminate(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if err != nil {
		t.Fatal(err)
	}
}

// TestPostgresGuard: a guard that refuses ends every write, and only writes.
func TestPostgresGuard(t *testing.T) {
	if !pgtest.On() {
		return
	}
	var refuse atomic.Bool
	db := open1(t, pgtest.Shared(t).Empty(t), Options{Serial: true, Guard: func(ctx context.Context, tx sqldb.Tx) error {
		if refuse.Load() {
			return fault.New(fault.Unavailable, "lease", "not the holder")
		}
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	}})
	ddl := func() error {
		return db.Update(t.Context(), func(tx sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
			return err
		})
	}
	if err := ddl(); err != nil {
		t.Fatal(err)
	}
	refuse.Store(true)
	if err := put(db, 1, 1); fault.CodeOf(err) != "lease" {
		t.Errorf("%v", err)
	}
	if n, _ := rows(t, db); n != 0 {
		t.Error("stored behind the guard")
	}
	refuse.Store(false)
	if err := put(db, 1, 1); err != nil {
		t.Error(err)
	}
}

// TestPostgresServerGone: a server that ends is said to be away at once, and used
// again when it is back, without a new Open.
func TestPostgresServerGone(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	url := s.Empty(t)
	for _, serial := range []bool{false, true} {
		db := open1(t, url, Options{Serial: serial})
		err := db.Update(t.Context(), func(tx sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Down(t)
		from := time.Now()
		for range 3 {
			if err := put(db, 1, 1); !fault.Is(err, fault.Unavailable) || fault.RetryAfter(err) == 0 {
				t.Errorf("no server: %v", err)
			}
			err := db.View(t.Context(), func(tx sqldb.Tx) error { return tx.QueryRow(t.Context(), "SELECT 1").Scan(new(int)) })
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("no server: %v", err)
			}
		}
		if took := time.Since(from); took > 5*time.Second {
			t.Errorf("it took %v to say so", took)
		}
		s.Up(t)
		if err := put(db, 10, 1); err != nil {
			t.Errorf("the server is back: %v", err)
		}
		if err := db.Update(t.Context(), func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), "DELETE FROM counter"); return err }); err != nil {
			t.Error(err)
		}
	}
}

func TestURLs(t *testing.T) {
	for url, code := range map[string]string{
		"mysql://x":                                                           "database_url",
		"postgres://u:secret@[::1/d":                                          "database_url",
		"postgres://u:secret@db.one/d":                                        "database_url",
		"postgres://u:secret@db.one/d?sslmode=require":                        "database_url",
		"postgres://u:secret@127.0.0.1,db.two/d?sslmode=prefer":               "database_url",
		"postgres://u:secret@db.one,db.two/d?sslmode=verify-full":             "",
		"postgres://u:secret@db.one/d?sslmode=disable":                        "",
		"postgres://u@127.0.0.1:5433,localhost:5434/d":                        "",
		"postgres:///d?host=/var/run/postgresql&user=u":                       "",
		"postgres://u@127.0.0.1/d?synchronous_commit=off&statement_timeout=0": "",
	} {
		o := Options{}.withDefaults()
		cfg, err := config(url, &o)
		if fault.CodeOf(err) != code {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is told: %v", err)
			}
			continue
		}
		if cfg.RuntimeParams["synchronous_commit"] != "on" || cfg.RuntimeParams["statement_timeout"] != "30000" || cfg.ValidateConnect == nil || cfg.ConnectTimeout != DefaultConnectTimeout {
			t.Errorf("%s: %v", url, cfg.RuntimeParams)
		}
	}
	for url, want := range map[string]int{"postgres://u@127.0.0.1/d?pool_max_conns=16": 16, "postgres://u@127.0.0.1/d": 8, "postgres://u@127.0.0.1/d?pool_max_conns=1": 0} {
		o := Options{Connections: 8}
		cfg, err := config(url, &o)
		if (err == nil) != (want > 0) || (err == nil && (o.Connections != want || cfg.RuntimeParams[poolParameter] != "")) {
			t.Errorf("%s: %d connections, %v", url, o.Connections, err)
		}
	}
	if !HasPassword("postgres://u:p@h/d") || !HasPassword("postgres://u@h/d?password=x") || HasPassword("postgres://u@h/d") {
		t.Error("passwords in URLs")
	}
	if !SameDatabase("postgres://a@127.0.0.1:1,127.0.0.1:2/d", "postgres://b@127.0.0.1:2/d") || SameDatabase("postgres://a@127.0.0.1/d", "postgres://a@127.0.0.1/e") {
		t.Error("same database")
	}
}

// TestPostgresOpen: what is wrong with a database is said when it is opened.
func TestPostgresOpen(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s := pgtest.Shared(t)
	s.Exec(t, "CREATE DATABASE by_language TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
	t.Cleanup(func() { s.Exec(t, "DROP DATABASE by_language WITH (FORCE)") })
	good := s.Empty(t)
	other := func(name string) string {
		return strings.Replace(good, good[strings.LastIndexByte(good, '/'):], "/"+name, 1)
	}
	for url, code := range map[string]string{good: "", other("by_language"): "collation", other("nothing_here"): "database_name",
		pgtest.As(good, "nobody_known"): "database_login", "postgres://u@127.0.0.1:1/d": "database"} {
		db, err := Open(t.Context(), url, Options{})
		if fault.CodeOf(err) != code {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			_ = db.Close()
		}
	}
	ro := open1(t, good, Options{ReadOnly: true})
	if err := ro.Update(t.Context(), func(sqldb.Tx) error { return nil }); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}

const first, second = "-- +goose Up\nCREATE TABLE a (id BIGINT PRIMARY KEY);\n", "-- +goose Up\nCREATE TABLE b (id BIGINT PRIMARY KEY);\n"

func files(content ...string) fs.FS {
	m := fstest.MapFS{}
	for i, c := range content {
		m[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(c)}
	}
	return m
}

// TestPostgresMigrate: forward, by several at once, and what Check says before,
// after and on changed files.
func TestPostgresMigrate(t *testing.T) {
	if !pgtest.On() {
		return
	}
	ctx, url := t.Context(), pgtest.Shared(t).Empty(t)
	db := open1(t, url, Options{})
	if err := Check(ctx, db, files(first)); fault.CodeOf(err) != sqldb.CodeOlder {
		t.Errorf("empty: %v", err)
	}
	if steps, err := Pending(ctx, db, files(first, second)); err != nil || len(steps) != 2 || steps[1].SQL != second || steps[0].Name != "00001_step.sql" {
		t.Errorf("%v %v", steps, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := Migrate(ctx, open1(t, url, Options{}), files(first)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, c := range []struct {
		files fs.FS
		code  string
	}{{files(first), ""}, {files(first, second), sqldb.CodeOlder}, {files(first + "--\n"), sqldb.CodeChanged}} {
		if err := Check(ctx, db, c.files); fault.CodeOf(err) != c.code {
			t.Errorf("want %q: %v", c.code, err)
		}
	}
	if err := Migrate(ctx, db, files(first, second)); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, db, files(first)); fault.CodeOf(err) != sqldb.CodeNewer {
		t.Errorf("newer: %v", err)
	}
	if err := Migrate(ctx, db, files(first)); fault.CodeOf(err) != sqldb.CodeNewer {
		t.Errorf("newer: %v", err)
	}
}
