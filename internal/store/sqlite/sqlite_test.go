package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("SQLITE_TEST_CHILD"); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child inserts rows until it is killed and says which ones were acknowledged.
func child(path string) {
	ctx := context.Background()
	first, _ := strconv.Atoi(os.Getenv("SQLITE_TEST_FIRST"))
	db, err := Open(ctx, path, Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := first + g; ; i += 8 {
				if err := put(db, i, 1); err != nil {
					fmt.Println("error", err)
					return
				}
				mu.Lock()
				_, _ = fmt.Println("ack", i) // one write, whole or not at all
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a writing process again and again: each time the file opens
// as it is, holds every acknowledged row and is sound.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	must(t, openAt(t, path, Options{}).Close())
	acked := map[int]bool{}
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "SQLITE_TEST_CHILD="+path, "SQLITE_TEST_FIRST="+strconv.Itoa(round*1_000_000))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var i int
			if _, err := fmt.Sscanf(lines.Text(), "ack %d", &i); err != nil {
				t.Fatalf("child said %q", lines.Text())
			}
			acked[i] = true
			if n++; n == 50+37*round {
				must(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait()
		if n == 0 {
			t.Fatal("the child wrote nothing")
		}
		db := openAt(t, path, Options{})
		have := map[int]bool{}
		must(t, db.View(t.Context(), func(tx sqldb.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT id FROM counter")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var i int
				if err := rows.Scan(&i); err != nil {
					return err
				}
				have[i] = true
			}
			return rows.Err()
		}))
		for i := range acked {
			if !have[i] {
				t.Errorf("round %d: acknowledged row %d is missing", round, i)
			}
		}
		var sound string
		must(t, db.(*database).readers.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&sound))
		if sound != "ok" {
			t.Errorf("round %d: %s", round, sound)
		}
		must(t, db.Close())
	}
	t.Logf("%d acknowledged rows, all there", len(acked))
}

func TestTwoWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	dbs := []sqldb.DB{openAt(t, path, Options{}), openAt(t, path, Options{})}
	must(t, put(dbs[0], 1, 0))
	const callers, each = 4, 40
	var wg sync.WaitGroup
	for i := range 2 * callers {
		wg.Go(func() {
			for range each {
				err := dbs[i%2].Update(t.Context(), func(tx sqldb.Tx) error {
					var n int
					if err := tx.QueryRow(t.Context(), "SELECT n FROM counter WHERE id = $1", 1).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), "UPDATE counter SET n = $1 WHERE id = $2", n+1, 1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, db := range dbs {
		if _, total := sum(t, db); total != 2*callers*each {
			t.Errorf("sum = %d, want %d", total, 2*callers*each)
		}
	}
}

// TestLockedOut: another process's long transaction is an answer, not a hang.
func TestLockedOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	one := openAt(t, path, Options{})
	two := openAt(t, path, Options{BusyTimeout: 30 * time.Millisecond})
	release := blocked(t, one)
	err := put(two, 1, 1)
	if !fault.Is(err, fault.Unavailable) || !sqldb.IsBusy(err) || fault.RetryAfter(err) <= 0 {
		t.Errorf("locked out: %v", err)
	}
	wantRows(t, two, 0) // reading goes on
	release()
	must(t, put(two, 1, 1))
	wantRows(t, one, 1)
}

// TestSettings holds every connection of a pool open at once and asks each.
func TestSettings(t *testing.T) {
	db := open(t, Options{MaxReaders: 5}).(*database)
	want := map[string]string{"foreign_keys": "1", "synchronous": "2", "query_only": "1", "journal_mode": "wal", "busy_timeout": "10000", "trusted_schema": "0"}
	var conns []*sql.Conn
	for range 5 {
		c, err := db.readers.Conn(t.Context())
		must(t, err)
		defer c.Close()
		conns = append(conns, c)
	}
	check := func(c *sql.Conn, want map[string]string) {
		t.Helper()
		for name, value := range want {
			var got string
			must(t, c.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
			if got != value {
				t.Errorf("%s = %s, want %s", name, got, value)
			}
		}
	}
	for _, c := range conns {
		check(c, want)
	}
	want["query_only"], want["busy_timeout"] = "0", "1"
	writer := func(d *database, want map[string]string) {
		must(t, d.group.Maintain(t.Context(), func() error {
			return d.writer.maintain(func(_ context.Context, c *sql.Conn) error {
				check(c, want)
				return nil
			})
		}))
	}
	writer(db, want)
	db.writer.Discard() // nothing is queued: the goroutine is idle
	writer(db, want)
	writer(open(t, Options{SyncOff: true}).(*database), map[string]string{"synchronous": "0"})
}

func TestViewCannotWrite(t *testing.T) {
	db := open(t, Options{})
	err := db.View(t.Context(), func(tx sqldb.Tx) error { return insert(tx, 1, 1) })
	if sqldb.Classify(err, "x") == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("a write in a View: %v", err)
	}
	wantRows(t, db, 0)
}

func TestViewIsASnapshot(t *testing.T) {
	db := open(t, Options{})
	must(t, db.View(t.Context(), func(tx sqldb.Tx) error {
		var before, after int
		count := func(n *int) error {
			return tx.QueryRow(t.Context(), "SELECT count(*) FROM counter").Scan(n)
		}
		err := count(&before)
		err = errors.Join(err, put(db, 1, 1), count(&after))
		if before != 0 || after != 0 {
			t.Errorf("before %d, after %d", before, after)
		}
		return err
	}))
	wantRows(t, db, 1)
}

func TestViewEnds(t *testing.T) {
	db := open(t, Options{MaxReaders: 1})
	own := errors.New("own")
	for range 3 { // a connection that is not given back would block
		if err := db.View(t.Context(), func(sqldb.Tx) error { return own }); !errors.Is(err, own) {
			t.Error(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a panic does not pass through")
				}
			}()
			_ = db.View(t.Context(), func(sqldb.Tx) error { panic("x") })
		}()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.View(gone, func(sqldb.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	slow, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := db.View(slow, func(tx sqldb.Tx) error {
		var n int
		return tx.QueryRow(slow, "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c").Scan(&n)
	})
	if err == nil {
		t.Error("a read without end came to an end")
	}
	wantRows(t, db, 0)
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?c#d.db")
	db := openAt(t, path, Options{})
	must(t, put(db, 1, 7))
	ro := openAt(t, path, Options{ReadOnly: true})
	if err := put(ro, 2, 7); !fault.Is(err, fault.Forbidden) {
		t.Errorf("Update: %v", err)
	}
	if _, total := sum(t, ro); total != 7 {
		t.Errorf("sum = %d", total)
	}
	if _, err := ro.(*database).readers.ExecContext(t.Context(), "PRAGMA query_only = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := ro.(*database).readers.ExecContext(t.Context(), "DELETE FROM counter"); err == nil {
		t.Error("the file itself can be written")
	}
	for _, err := range []error{Checkpoint(t.Context(), ro), Migrate(t.Context(), ro, fstest.MapFS{})} {
		if fault.CodeOf(err) != "readonly" {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the file has another name:", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none.db"), Options{ReadOnly: true}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.db")
	must(t, os.WriteFile(junk, []byte(strings.Repeat("not a database ", 100)), 0o600))
	for path, kind := range map[string]fault.Kind{junk: fault.Integrity, filepath.Join(dir, "no", "folder.db"): fault.Unavailable, dir: fault.Unavailable} {
		if db, err := Open(t.Context(), path, Options{}); !fault.Is(err, kind) {
			t.Errorf("%s: %v, want %s", path, err, kind)
			if err == nil {
				db.Close()
			}
		}
	}
}

func TestFileModeAndCleanClose(t *testing.T) {
	dir := t.TempDir()
	for mode, name := range map[fs.FileMode]string{0: "default.db", 0o660: "group.db"} {
		path := filepath.Join(dir, name)
		db := openAt(t, path, Options{FileMode: mode})
		must(t, put(db, 1, 1))
		want := mode
		if want == 0 {
			want = DefaultFileMode
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(path + suffix)
			must(t, err)
			if info.Mode().Perm() != want {
				t.Errorf("%s%s has mode %o, want %o", name, suffix, info.Mode().Perm(), want)
			}
		}
		must(t, Checkpoint(t.Context(), db))
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
			t.Errorf("the log after a checkpoint: %v, %v", info, err)
		}
		must(t, put(db, 2, 1))
		must(t, db.Close())
		for _, suffix := range []string{"-wal", "-shm"} {
			if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s%s is left: %v", name, suffix, err)
			}
		}
	}
}

func TestMigrate(t *testing.T) {
	db := open(t, Options{})
	files := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;\n")}}
	for range 2 {
		must(t, Migrate(t.Context(), db, files))
	}
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO a (id) VALUES ($1)", 1)
		return err
	}))
}

// TestRowsReadLater: two rows of one statement, read after both were asked for.
func TestRowsReadLater(t *testing.T) {
	db := open(t, Options{})
	must(t, errors.Join(put(db, 1, 10), put(db, 2, 20)))
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		const q = "SELECT n FROM counter WHERE id = $1"
		var a, b int
		one, two := tx.QueryRow(t.Context(), q, 1), tx.QueryRow(t.Context(), q, 2)
		if err := errors.Join(one.Scan(&a), two.Scan(&b)); err != nil || a != 10 || b != 20 {
			t.Errorf("%d, %d: %v", a, b, err)
		}
		return nil
	}))
}
