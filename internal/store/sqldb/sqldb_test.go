package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

// lite and pg are errors as the two drivers make them.
type lite int

func (e lite) Error() string { return fmt.Sprintf("sqlite error %d", int(e)) }
func (e lite) Code() int     { return int(e) }

type pg string

func (e pg) Error() string    { return "invalid input: \"0123456789\" (" + string(e) + ")" }
func (e pg) SQLState() string { return string(e) }

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err                      error
		kind                     fault.Kind
		unique, constraint, busy bool
	}{
		{lite(1555), fault.Conflict, true, true, false},
		{lite(2067), fault.Conflict, true, true, false},
		{lite(2579), fault.Conflict, true, true, false},
		{lite(275), fault.Internal, false, true, false},  // CHECK
		{lite(787), fault.Internal, false, true, false},  // foreign key
		{lite(1811), fault.Internal, false, true, false}, // trigger
		{lite(5), fault.Unavailable, false, false, true},
		{lite(261), fault.Unavailable, false, false, true}, // busy: recovery
		{lite(517), fault.Unavailable, false, false, true}, // busy: snapshot
		{lite(6), fault.Unavailable, false, false, true},
		{lite(10), fault.Unavailable, false, false, false},
		{lite(13), fault.Unavailable, false, false, false},
		{lite(14), fault.Unavailable, false, false, false},
		{lite(11), fault.Integrity, false, false, false},
		{lite(26), fault.Integrity, false, false, false},
		{lite(8), fault.Internal, false, false, false},
		{lite(1), fault.Internal, false, false, false},
		{pg("23505"), fault.Conflict, true, true, false},
		{pg("23503"), fault.Internal, false, true, false},
		{pg("40001"), fault.Unavailable, false, false, true},
		{pg("40P01"), fault.Unavailable, false, false, true},
		{pg("55P03"), fault.Unavailable, false, false, true},
		{pg("57P01"), fault.Unavailable, false, false, true},
		{pg("08006"), fault.Unavailable, false, false, true},
		{pg("53300"), fault.Unavailable, false, false, false},
		{pg("25006"), fault.Internal, false, false, false},
		{pg("XX001"), fault.Integrity, false, false, false},
		{pg("42601"), fault.Internal, false, false, false},
		{pg("22P02"), fault.Internal, false, false, false},
		{driver.ErrBadConn, fault.Unavailable, false, false, false},
		{context.Canceled, fault.Unavailable, false, false, false},
		{sql.ErrNoRows, fault.Internal, false, false, false},
		{errors.New("other"), fault.Internal, false, false, false},
	} {
		err := fmt.Errorf("around: %w", c.err)
		if sqldb.IsUnique(err) != c.unique || sqldb.IsConstraint(err) != c.constraint || sqldb.IsBusy(err) != c.busy {
			t.Errorf("%v: unique %v, constraint %v, busy %v", c.err, sqldb.IsUnique(err), sqldb.IsConstraint(err), sqldb.IsBusy(err))
		}
		got := sqldb.Classify(err, "step")
		if !fault.Is(got, c.kind) || !errors.Is(got, c.err) || !strings.Contains(got.Error(), "step") {
			t.Errorf("%v: classified as %v", c.err, got)
		}
		if (fault.RetryAfter(got) > 0) != (c.kind == fault.Unavailable) {
			t.Errorf("%v: retry after %v", c.err, fault.RetryAfter(got))
		}
		for _, e := range []error{got, sqldb.Conflict(err, "taken", "it is taken"), sqldb.Unknown(err)} {
			if isPG := errors.As(c.err, new(pg)); isPG && strings.Contains(e.Error(), "0123456789") {
				t.Errorf("a value is told: %v", e)
			}
		}
		want := "database"
		if c.unique {
			want = "taken"
		}
		if got := sqldb.Conflict(err, "taken", "it is taken"); !fault.Is(got, c.kind) || fault.CodeOf(got) != want {
			t.Errorf("%v: conflict is %v", c.err, got)
		}
		if got := sqldb.Unknown(err); !fault.Is(got, fault.Unknown) {
			t.Errorf("%v: unknown is %v", c.err, got)
		}
	}
	if sqldb.Classify(nil, "x") != nil || sqldb.Conflict(nil, "x", "x") != nil || sqldb.IsBusy(nil) || sqldb.IsUnique(nil) {
		t.Error("nil is not an error")
	}
	own := fault.New(fault.Full, "own", "own")
	if got := sqldb.Classify(own, "x"); !fault.Is(got, fault.Full) || fault.CodeOf(got) != "own" {
		t.Errorf("a fault changes its kind: %v", got)
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sqldb.Backoff{First: time.Millisecond, Max: 8 * time.Millisecond, Total: 100 * time.Millisecond}
		start, calls := time.Now(), 0
		err := b.Do(t.Context(), func() error { calls++; return lite(5) })
		if took := time.Since(start); !sqldb.IsBusy(err) || took != b.Total || calls < 12 || calls > 30 {
			t.Errorf("%v after %v and %d calls", err, took, calls)
		}
		calls = 0
		if err := b.Do(t.Context(), func() error {
			if calls++; calls < 3 {
				return lite(5)
			}
			return nil
		}); err != nil || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
		own := errors.New("own")
		start, calls = time.Now(), 0
		if err := b.Do(t.Context(), func() error { calls++; return own }); !errors.Is(err, own) || calls != 1 || time.Since(start) != 0 {
			t.Errorf("%v after %d calls", err, calls)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		start = time.Now()
		if err := b.Do(ctx, func() error { return lite(5) }); !sqldb.IsBusy(err) || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := (sqldb.Backoff{}).Do(t.Context(), func() error { return lite(5) }); !sqldb.IsBusy(err) {
			t.Errorf("zero: %v", err)
		}
	})
}

func TestScatter(t *testing.T) {
	if sqldb.IsScatter(t.Context()) || !sqldb.IsScatter(sqldb.Scatter(t.Context())) {
		t.Error("the mark is wrong")
	}
}

const first, second = "-- +goose Up\nCREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;\n", "-- +goose Up\nCREATE TABLE b (id INTEGER PRIMARY KEY) STRICT;\n"

const third = "-- +goose Up\nCREATE TABLE c (id INTEGER PRIMARY KEY) STRICT;\n"

func files(content ...string) fs.FS {
	m := fstest.MapFS{"doc.go": {Data: []byte("package doc")}}
	for i, c := range content {
		m[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(c)}
	}
	return m
}

func handle(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestMigrate(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, now fs.FS
		kind        fault.Kind
		code        string
	}{
		{"new database", nil, files(first, second), "", ""},
		{"one more", files(first), files(first, second), "", ""},
		{"the same", files(first, second), files(first, second), "", ""},
		{"one merged after a higher number", fstest.MapFS{"00001_step.sql": {Data: []byte(first)}, "00003_step.sql": {Data: []byte(third)}},
			fstest.MapFS{"00001_step.sql": {Data: []byte(first)}, "00002_step.sql": {Data: []byte(second)}, "00003_step.sql": {Data: []byte(third)}}, "", ""},
		{"newer than the program", files(first, second), files(first), fault.Conflict, sqldb.CodeNewer},
		{"changed", files(first, second), files(first+"-- a word\n", second), fault.Integrity, sqldb.CodeChanged},
		{"does not run", files(first), files(first, "-- +goose Up\nCREATE TABLE (;\n"), fault.Internal, "database"},
		{"gone", files(first, second), fstest.MapFS{"00002_step.sql": {Data: []byte(second)}}, fault.Integrity, sqldb.CodeChanged},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := handle(t, filepath.Join(t.TempDir(), "test.db"))
			if c.before != nil {
				if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, c.before, ""); err != nil {
					t.Fatal(err)
				}
			}
			err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, c.now, "")
			if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s %s", err, c.kind, c.code)
			}
			if c.kind == "" {
				if _, err := db.Exec("INSERT INTO b (id) VALUES (1)"); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestMigrateAfterFailure: a file that never ran may be corrected.
func TestMigrateAfterFailure(t *testing.T) {
	db := handle(t, filepath.Join(t.TempDir(), "test.db"))
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first, "-- +goose Up\nCREATE;\n"), "steps"); err == nil {
		t.Fatal("it ran")
	}
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first, second), "steps"); err != nil {
		t.Error(err)
	}
}

func TestMigrateWithoutSum(t *testing.T) {
	db := handle(t, filepath.Join(t.TempDir(), "test.db"))
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM migration_sum"); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first), ""); fault.CodeOf(err) != sqldb.CodeChanged {
		t.Errorf("got %v", err)
	}
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first), "a; DROP TABLE a"); !fault.Is(err, fault.Internal) {
		t.Errorf("table name: %v", err)
	}
}

func TestMigrateRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	var wg sync.WaitGroup
	for range 4 {
		db := handle(t, path)
		wg.Go(func() {
			if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, files(first, second), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := handle(t, path).QueryRow("SELECT count(*) FROM migration WHERE version_id > 0").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d versions applied: %v", n, err)
	}
}
