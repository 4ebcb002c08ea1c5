package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/sqldb"
)

func pause() { time.Sleep(100 * time.Microsecond) }

func TestGroupCommitKeepsEveryAddition(t *testing.T) {
	var commits atomic.Int64
	db := open(t, Options{Hook: func(step string) error {
		if step == StepAfterCommit {
			commits.Add(1)
		}
		return nil
	}})
	must(t, put(db, 1, 0))
	before := commits.Load()
	const callers, each = 64, 20
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				err := db.Update(t.Context(), func(tx sqldb.Tx) error {
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
	if _, total := sum(t, db); total != callers*each {
		t.Errorf("sum = %d, want %d", total, callers*each)
	}
	if n := commits.Load() - before; n > callers*each/2 {
		t.Errorf("%d commits for %d calls: not grouped", n, callers*each)
	}
}

// TestGroup runs one group of calls of every kind: only the good ones stay,
// each caller gets its own result, in order of arrival.
func TestGroup(t *testing.T) {
	var logged bytes.Buffer
	db := open(t, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	own := errors.New("own error")
	calls := []struct {
		name string
		fn   func(tx sqldb.Tx) error
		want func(error) bool
	}{
		{"good", func(tx sqldb.Tx) error { return insert(tx, 1, 1) }, func(err error) bool { return err == nil }},
		{"own error", func(tx sqldb.Tx) error { return errors.Join(insert(tx, 2, 1), own) }, func(err error) bool { return errors.Is(err, own) }},
		{"panic", func(tx sqldb.Tx) error { _ = insert(tx, 3, 1); panic("0123456789") }, isKind(fault.Internal)},
		{"duplicate", func(tx sqldb.Tx) error { return insert(tx, 1, 1) }, sqldb.IsUnique},
		{"ignored failure", func(tx sqldb.Tx) error { _ = insert(tx, 4, 1); _ = insert(tx, 4, 1); return nil }, isKind(fault.Conflict)},
		{"failure, then more", func(tx sqldb.Tx) error { _ = insert(tx, 1, 1); return insert(tx, 5, 1) }, sqldb.IsUnique},
		{"bad statement", func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), "INSERT INTO nowhere VALUES (1)"); return err }, func(err error) bool { return err != nil }},
		{"good after all that", func(tx sqldb.Tx) error { return insert(tx, 6, 1) }, func(err error) bool { return err == nil }},
	}
	release := blocked(t, db)
	results := make([]error, len(calls))
	var order []int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() {
			results[i] = db.Update(t.Context(), func(tx sqldb.Tx) error {
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				return c.fn(tx)
			})
		})
		queued(db, i+1)
	}
	release()
	wg.Wait()
	for i, c := range calls {
		if !c.want(results[i]) {
			t.Errorf("%s: %v", c.name, results[i])
		}
	}
	// The first failure after a write has what ran before it run again.
	if fmt.Sprint(order) != "[0 1 0 2 3 4 5 6 7]" {
		t.Errorf("order of running: %v", order)
	}
	wantRows(t, db, 2)
	if s := logged.String(); !strings.Contains(s, "writer_test.go") || strings.Contains(s, "0123456789") {
		t.Errorf("the log must hold the stack and not the value: %s", s)
	}
}

func isKind(k fault.Kind) func(error) bool {
	return func(err error) bool { return fault.Is(err, k) }
}

// TestAlone runs what TestGroup runs without a savepoint.
func TestAlone(t *testing.T) {
	db := open(t, Options{})
	must(t, put(db, 1, 1))
	if err := put(db, 1, 1); !sqldb.IsUnique(err) {
		t.Errorf("duplicate: %v", err)
	}
	if err := db.Update(t.Context(), func(tx sqldb.Tx) error { _ = insert(tx, 2, 1); panic(1) }); !fault.Is(err, fault.Internal) {
		t.Errorf("panic: %v", err)
	}
	if err := db.Update(t.Context(), func(tx sqldb.Tx) error { _ = insert(tx, 2, 1); _ = insert(tx, 1, 1); return nil }); !fault.Is(err, fault.Conflict) {
		t.Errorf("ignored failure: %v", err)
	}
	wantRows(t, db, 1)
}

func TestGoexitDoesNotStopTheWriter(t *testing.T) {
	db := open(t, Options{})
	release := blocked(t, db)
	results := make([]error, 3)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			results[i] = db.Update(t.Context(), func(tx sqldb.Tx) error {
				if err := insert(tx, i, 1); err != nil {
					return err
				}
				if i == 1 {
					runtime.Goexit()
				}
				return nil
			})
		})
		queued(db, i+1)
	}
	release()
	wg.Wait()
	if results[0] != nil || results[2] != nil || !fault.Is(results[1], fault.Internal) {
		t.Errorf("results: %v", results)
	}
	wantRows(t, db, 2)
}

// TestHookSteps makes each step of a group fail for all its callers.
func TestHookSteps(t *testing.T) {
	for _, c := range []struct {
		step   string
		kind   fault.Kind
		stored bool
	}{
		{StepBegin, fault.Unavailable, false},
		{StepBeforeCommit, fault.Unknown, false},
		{StepAfterCommit, fault.Unknown, true},
	} {
		t.Run(c.step, func(t *testing.T) {
			const callers = 4
			var passes atomic.Int64 // how often the step passes before it fails
			passes.Store(1 << 40)
			db := open(t, Options{Hook: func(step string) error {
				if step == c.step && passes.Add(-1) == -1 {
					return errors.New("injected")
				}
				return nil
			}})
			release := blocked(t, db)
			results := make([]error, callers)
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() { results[i] = put(db, i, 1) })
				queued(db, i+1)
			}
			// The call that blocks the writer has begun, but not ended. Its
			// transaction is empty and is committed like any other.
			if c.step == StepBegin {
				passes.Store(0)
			} else {
				passes.Store(1)
			}
			release()
			wg.Wait()
			for i, err := range results {
				if !fault.Is(err, c.kind) {
					t.Errorf("caller %d: %v, want %s", i, err, c.kind)
				}
			}
			want := 0
			if c.stored {
				want = callers
			}
			wantRows(t, db, want)
			must(t, put(db, 10, 1)) // the writer goes on
		})
	}
}

// TestFailedCommit makes COMMIT itself fail, for one caller of a group: a
// deferred constraint is checked only then.
func TestFailedCommit(t *testing.T) {
	db := open(t, Options{})
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), `CREATE TABLE child (id INTEGER PRIMARY KEY, of INTEGER NOT NULL
			REFERENCES counter (id) DEFERRABLE INITIALLY DEFERRED) STRICT`)
		return err
	}))
	release := blocked(t, db)
	results := make([]error, 3)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			results[i] = db.Update(t.Context(), func(tx sqldb.Tx) error {
				if i == 1 {
					_, err := tx.Exec(t.Context(), "INSERT INTO child (id, of) VALUES ($1, $2)", 1, 99)
					return err
				}
				return insert(tx, i, 1)
			})
		})
		queued(db, i+1)
	}
	release()
	wg.Wait()
	if results[0] != nil || !fault.Is(results[1], fault.Internal) || results[2] != nil {
		t.Errorf("results: %v", results)
	}
	wantRows(t, db, 2)
}

// TestBrokenTransaction ends the group's transaction underneath it, as SQLite
// does when the disk is full: the others run again and are stored.
func TestBrokenTransaction(t *testing.T) {
	db := open(t, Options{})
	release := blocked(t, db)
	results := make([]error, 3)
	runs := make([]int, 3)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			results[i] = db.Update(t.Context(), func(tx sqldb.Tx) error {
				runs[i]++
				if err := insert(tx, i, 1); err != nil {
					return err
				}
				if i == 1 {
					_, err := db.(*database).writer.conn.ExecContext(t.Context(), "ROLLBACK")
					return errors.Join(err, errors.New("disk full"))
				}
				return nil
			})
		})
		queued(db, i+1)
	}
	release()
	wg.Wait()
	if results[0] != nil || results[1] == nil || results[2] != nil || runs[0] != 2 || runs[1] != 1 || runs[2] != 1 {
		t.Errorf("results %v, runs %v", results, runs)
	}
	wantRows(t, db, 2)
}

type busyError struct{}

func (busyError) Error() string { return "busy" }
func (busyError) Code() int     { return 517 } // SQLITE_BUSY_SNAPSHOT

func TestBusyFunctionRunsAgain(t *testing.T) {
	db := open(t, Options{})
	runs := 0
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		if runs++; runs < 3 {
			return errors.Join(insert(tx, runs, 1), busyError{})
		}
		return insert(tx, 9, 1)
	}))
	wantRows(t, db, 1)
	runs = 0
	if err := db.Update(t.Context(), func(sqldb.Tx) error { runs++; return busyError{} }); !sqldb.IsBusy(err) || runs != sqldb.WriterTries {
		t.Errorf("always busy: %v after %d runs", err, runs)
	}
}

func TestContext(t *testing.T) {
	db := open(t, Options{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Update(gone, func(sqldb.Tx) error { t.Error("ran"); return nil }); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the call: %v", err)
	}

	release := blocked(t, db)
	waitingCtx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		result <- db.Update(waitingCtx, func(sqldb.Tx) error { t.Error("ran"); return nil })
	}()
	queued(db, 1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) { // before the writer is free
		t.Errorf("cancelled while waiting: %v", err)
	}
	release()

	running, cancel := context.WithCancel(t.Context())
	err := db.Update(running, func(tx sqldb.Tx) error {
		if err := insert(tx, 1, 1); err != nil {
			return err
		}
		cancel()
		var n int
		return tx.QueryRow(running, "SELECT 1").Scan(&n)
	})
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while running: %v", err)
	}
	wantRows(t, db, 0)

	late, cancel := context.WithCancel(t.Context())
	must(t, db.Update(late, func(tx sqldb.Tx) error { defer cancel(); return insert(tx, 2, 1) }))
	wantRows(t, db, 1)
}

func TestFullQueue(t *testing.T) {
	db := open(t, Options{QueueMax: 2})
	release := blocked(t, db)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			if err := put(db, i, 1); err != nil {
				t.Error(err)
			}
		})
		queued(db, i+1)
	}
	if err := put(db, 9, 1); !fault.Is(err, fault.Unavailable) || fault.RetryAfter(err) <= 0 {
		t.Errorf("full queue: %v", err)
	}
	release()
	wg.Wait()
	wantRows(t, db, 2)
}

func TestNestedUpdate(t *testing.T) {
	db, other := open(t, Options{}), open(t, Options{})
	for name, inner := range map[string]sqldb.DB{"same": db, "other": other} {
		done := make(chan error, 1)
		go func() {
			done <- db.Update(t.Context(), func(sqldb.Tx) error { return put(inner, 1, 1) })
		}()
		select {
		case err := <-done:
			if fault.CodeOf(err) != "nested" {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: deadlock", name)
		}
	}
	must(t, db.View(t.Context(), func(sqldb.Tx) error { return put(db, 2, 1) }))
}

func TestTxAfterItsEnd(t *testing.T) {
	db := open(t, Options{})
	var kept sqldb.Tx
	keep := func(tx sqldb.Tx) error { kept = tx; return nil }
	for name, run := range map[string]func(context.Context, func(sqldb.Tx) error) error{"update": db.Update, "view": db.View} {
		must(t, run(t.Context(), keep))
		if err := insert(kept, 1, 1); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: Exec: %v", name, err)
		}
		if rows, err := kept.Query(t.Context(), "SELECT 1"); err == nil {
			rows.Close()
			t.Errorf("%s: Query passed", name)
		}
		var n int
		if err := kept.QueryRow(t.Context(), "SELECT 1").Scan(&n); err == nil {
			t.Errorf("%s: QueryRow passed", name)
		}
	}
	wantRows(t, db, 0)
}

// TestOpenRows: rows left open do not hold a snapshot, so that the log can be
// emptied; rows of one statement may be open twice.
func TestOpenRows(t *testing.T) {
	db := open(t, Options{})
	for i := range 10 {
		must(t, put(db, i, 1))
	}
	leave := func(tx sqldb.Tx) error {
		for range 2 {
			rows, err := tx.Query(t.Context(), "SELECT id FROM counter ORDER BY id LIMIT $1", 10)
			if err != nil {
				return err
			}
			if !rows.Next() {
				return errors.New("no row")
			}
		}
		tx.QueryRow(t.Context(), "SELECT id FROM counter ORDER BY id LIMIT $1", 10)
		return nil
	}
	must(t, db.Update(t.Context(), leave))
	must(t, db.View(t.Context(), leave))
	must(t, put(db, 20, 1))
	must(t, Checkpoint(t.Context(), db))
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		rows, err := tx.Query(t.Context(), "SELECT id FROM counter ORDER BY id LIMIT $1", 100)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, n int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "UPDATE counter SET n = n + $1 WHERE id = $2", 1, id); err != nil {
				return err
			}
			if err := tx.QueryRow(t.Context(), "SELECT n FROM counter WHERE id = $1", id).Scan(&n); err != nil || n != 2 {
				return fmt.Errorf("n = %d: %w", n, err)
			}
		}
		return rows.Err()
	}))
}

func TestStatements(t *testing.T) {
	db := open(t, Options{})
	for _, q := range []string{"COMMIT", " rollback", "SAVEPOINT x", "RELEASE job", "BEGIN", "PRAGMA synchronous = OFF", "PRAGMA query_only = 0",
		"ATTACH 'x' AS y", "VACUUM", "INSERT INTO counter (id, n) VALUES (1, 1); COMMIT", "", "-- x\nCOMMIT", "/* */ COMMIT"} {
		fn := func(tx sqldb.Tx) error { _, err := tx.Exec(t.Context(), q); return err }
		if err := db.Update(t.Context(), fn); fault.CodeOf(err) != "statement" {
			t.Errorf("Update passed %q: %v", q, err)
		}
		if err := db.View(t.Context(), fn); fault.CodeOf(err) != "statement" {
			t.Errorf("View passed %q: %v", q, err)
		}
	}
	must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "\n\tINSERT INTO counter (id, n) VALUES (1, 1);\n")
		return err
	}))
	none := db.View(t.Context(), func(tx sqldb.Tx) error {
		var n int
		return tx.QueryRow(t.Context(), "SELECT n FROM counter WHERE id = $1", 5).Scan(&n)
	})
	if !errors.Is(none, sql.ErrNoRows) {
		t.Errorf("no rows: %v", none)
	}
	for i := range maxStatements + 50 { // more texts than are kept
		must(t, db.Update(t.Context(), func(tx sqldb.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), fmt.Sprintf("SELECT n + %d FROM counter WHERE id = $1", i), 1).Scan(&n)
		}))
	}
}

func TestCloseLetsTheQueueFinish(t *testing.T) {
	db := open(t, Options{})
	release := blocked(t, db)
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if err := put(db, i, 1); err != nil {
				t.Error(err)
			}
		})
		queued(db, i+1)
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	release()
	wg.Wait()
	must(t, <-closed)
	must(t, db.Close())
	if err := put(db, 9, 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Update after Close: %v", err)
	}
	if err := db.View(t.Context(), func(sqldb.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("View after Close: %v", err)
	}
	again := openAt(t, db.(*database).path, Options{})
	wantRows(t, again, 5)
}
