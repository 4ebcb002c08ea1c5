package keeperdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/keeperdb"
	vaultmigrations "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
	"tikakosh/internal/vault/state"
)

// openDB makes a migrated database; it is closed at the end of the test.
func openDB(t testing.TB) (sqldb.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.db")
	if onPostgres(t) {
		path = pgtest.Shared(t).Database(t, "vault", migrateVault)
		return reopen(t, path), path
	}
	db := reopen(t, path)
	if err := sqlite.Migrate(context.Background(), db, vaultmigrations.FS); err != nil {
		t.Fatal(err)
	}
	return db, path
}

// migrateVault fills the template of the vault's databases on PostgreSQL.
func migrateVault(url string) error {
	ctx := context.Background()
	db, err := postgres.Open(ctx, pgtest.As(url, "tikakosh_migrator"), postgres.Options{})
	if err != nil {
		return err
	}
	return errors.Join(postgres.Migrate(ctx, db, vaultmigrations.Postgres()), db.Close())
}

func onPostgres(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestPostgres/") }

// reopen opens a database of openDB, or an empty one, as the vault does.
func reopen(t testing.TB, path string) sqldb.DB {
	t.Helper()
	var db sqldb.DB
	var err error
	if onPostgres(t) {
		db, err = postgres.Open(context.Background(), pgtest.As(path, "tikakosh_vault"), postgres.Options{Serial: true})
	} else {
		db, err = sqlite.Open(context.Background(), path, sqlite.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// emptyDB makes a database without tables.
func emptyDB(t testing.TB) sqldb.DB {
	t.Helper()
	if onPostgres(t) {
		return reopen(t, pgtest.Shared(t).Empty(t))
	}
	return reopen(t, filepath.Join(t.TempDir(), "bare.db"))
}

func openStore(t testing.TB) *keeperdb.Store {
	db, _ := openDB(t)
	return keeperdb.New(db, id.DefaultRealm)
}

// update and view fail the test on an error.
func update(t testing.TB, s *keeperdb.Store, fn func(state.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *keeperdb.Store, fn func(state.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s *keeperdb.Store, table state.Table, rows ...state.Stored) {
	t.Helper()
	update(t, s, func(tx state.Tx) error {
		for _, r := range rows {
			if err := tx.Put(t.Context(), table, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func row(key string, version int64) state.Stored {
	return state.Stored{Key: key, Version: version, Content: []byte(`{"v":` + fmt.Sprint(version) + `}`), MAC: []byte{1, byte(version)}, Expires: 10 * version}
}

func same(a, b state.Stored) bool {
	return a.Key == b.Key && a.Version == b.Version && bytes.Equal(a.Content, b.Content) && bytes.Equal(a.MAC, b.MAC) && a.Expires == b.Expires
}

// TestEveryTable writes, reads, replaces, scans, expires and deletes a row of
// each table, and finds nothing in the others.
func TestEveryTable(t *testing.T) {
	s := openStore(t)
	for _, table := range state.All() {
		put(t, s, table, row("a", 1), row("b", 1), row("c/d", 1))
		put(t, s, table, row("b", 2))
		view(t, s, func(tx state.Tx) error {
			got, ok, err := tx.Get(t.Context(), table, "b")
			if err != nil || !ok || !same(got, row("b", 2)) {
				t.Errorf("%s: %+v %v %v", table, got, ok, err)
			}
			if got, ok, err := tx.Get(t.Context(), table, "nothing"); ok || err != nil || got.Version != 0 {
				t.Errorf("%s: %+v %v %v", table, got, ok, err)
			}
			all, err := tx.Scan(t.Context(), table, "", 10)
			if err != nil || len(all) != 3 || !same(all[0], row("a", 1)) || !same(all[1], row("b", 2)) {
				t.Errorf("%s: %+v %v", table, all, err)
			}
			return nil
		})
		update(t, s, func(tx state.Tx) error {
			if n, err := tx.Expire(t.Context(), table, 20, 10); n != 2 || err != nil {
				t.Errorf("%s: %d expired, %v", table, n, err)
			}
			if err := tx.Delete(t.Context(), table, "b"); err != nil {
				t.Errorf("%s: %v", table, err)
			}
			return tx.Delete(t.Context(), table, "b") // nothing is no error
		})
		for _, other := range state.All() {
			view(t, s, func(tx state.Tx) error {
				if left, err := tx.Scan(t.Context(), other, "", 10); len(left) != 0 || err != nil {
					t.Errorf("%s left %+v in %s (%v)", table, left, other, err)
				}
				return nil
			})
		}
	}
	if len(state.Anchored()) == 0 || slices.Contains(state.Anchored(), state.Challenges) {
		t.Error("the anchored tables are not those that grant")
	}
}

// TestVersions: a row is written only on top of the version before it.
func TestVersions(t *testing.T) {
	s := openStore(t)
	put(t, s, state.Persons, row("a", 1), row("a", 2))
	for _, version := range []int64{1, 2, 4, 100} {
		err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Put(t.Context(), state.Persons, row("a", version)) })
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("version %d on 2: %v", version, err)
		}
	}
	err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Put(t.Context(), state.Persons, row("absent", 2)) })
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("version 2 of nothing: %v", err)
	}
	// A refused write takes its whole transaction with it.
	err = s.Update(t.Context(), func(tx state.Tx) error {
		if err := tx.Put(t.Context(), state.Persons, row("b", 1)); err != nil {
			return err
		}
		return tx.Put(t.Context(), state.Persons, row("a", 2))
	})
	if !fault.Is(err, fault.Conflict) {
		t.Fatal(err)
	}
	view(t, s, func(tx state.Tx) error {
		if _, ok, err := tx.Get(t.Context(), state.Persons, "b"); ok || err != nil {
			t.Errorf("half of a refused transaction is there (%v)", err)
		}
		return nil
	})
	put(t, s, state.Persons, state.Stored{Key: "no mac", Version: 1, Content: []byte("{}")})
}

// TestRacingWriters counts in one row from many goroutines; the losers of a
// race repeat.
func TestRacingWriters(t *testing.T) {
	s := openStore(t)
	put(t, s, state.Counters, row("n", 1))
	var wg sync.WaitGroup
	var conflicts atomic.Int64
	const writers, each = 8, 10
	for range writers {
		wg.Go(func() {
			for range each {
				for {
					err := s.Update(t.Context(), func(tx state.Tx) error {
						r, _, err := tx.Get(t.Context(), state.Counters, "n")
						if err != nil {
							return err
						}
						r.Version++
						return tx.Put(t.Context(), state.Counters, r)
					})
					if err == nil {
						break
					}
					if !fault.Is(err, fault.Conflict) {
						t.Error(err)
						return
					}
					conflicts.Add(1)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx state.Tx) error {
		r, _, err := tx.Get(t.Context(), state.Counters, "n")
		if err != nil || r.Version != 1+writers*each {
			t.Errorf("version %d (%v, %d conflicts)", r.Version, err, conflicts.Load())
		}
		return nil
	})
	// Two that read the same version: exactly one writes.
	var ok atomic.Int64
	for range 16 {
		wg.Go(func() {
			if s.Update(t.Context(), func(tx state.Tx) error { return tx.Put(t.Context(), state.Counters, row("fresh", 1)) }) == nil {
				ok.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 {
		t.Errorf("a row was made %d times", ok.Load())
	}
}

func TestScanAndExpirePages(t *testing.T) {
	s := openStore(t)
	var rows []state.Stored
	for i := range 25 {
		r := row(fmt.Sprintf("k%02d", i), 1)
		r.Expires = int64(i) // the first never expires
		rows = append(rows, r)
	}
	put(t, s, state.Quotas, rows...)
	view(t, s, func(tx state.Tx) error {
		var got []string
		for after := ""; ; {
			page, err := tx.Scan(t.Context(), state.Quotas, after, 10)
			if err != nil {
				return err
			}
			for _, r := range page {
				got = append(got, r.Key)
				after = r.Key
			}
			if len(page) < 10 {
				break
			}
		}
		if len(got) != 25 || !slices.IsSorted(got) {
			t.Errorf("%v", got)
		}
		return nil
	})
	for i, want := range []int64{7, 7, 5, 0} { // 1 … 19 are before 20
		update(t, s, func(tx state.Tx) error {
			n, err := tx.Expire(t.Context(), state.Quotas, 20, 7)
			if n != want {
				t.Errorf("round %d dropped %d, want %d", i, n, want)
			}
			return err
		})
	}
	view(t, s, func(tx state.Tx) error {
		left, err := tx.Scan(t.Context(), state.Quotas, "", 100)
		if len(left) != 6 || left[0].Key != "k00" || left[1].Key != "k20" {
			t.Errorf("left %v", left)
		}
		return err
	})
}

func entry(i int64, tag string) state.Entry {
	return state.Entry{Index: i, Leaf: []byte{byte(i)}, Sealed: []byte(fmt.Sprint("sealed ", i)), PersonTag: []byte(tag)}
}

func TestLedgerRows(t *testing.T) {
	db, _ := openDB(t)
	s, other := keeperdb.New(db, 1), keeperdb.New(db, 2)
	view(t, s, func(tx state.Tx) error {
		h, err := tx.Head(t.Context())
		if h.Next != 0 || h.Digest != nil {
			t.Errorf("the head of an empty ledger: %+v", h)
		}
		return err
	})
	update(t, s, func(tx state.Tx) error {
		for i := range int64(10) {
			e := entry(i, []string{"a", "b", ""}[i%3])
			if i == 9 {
				e.PersonTag = nil
			}
			if err := tx.Append(t.Context(), e); err != nil {
				return err
			}
		}
		return tx.SetHead(t.Context(), state.Head{Next: 10, Digest: []byte("digest"), MAC: []byte("mac")})
	})
	update(t, s, func(tx state.Tx) error {
		return tx.SetHead(t.Context(), state.Head{Next: 11, Digest: []byte("digest 2"), MAC: []byte("mac 2")})
	})
	indexes := func(es []state.Entry, err error) (out []int64) {
		if err != nil {
			t.Error(err)
		}
		for _, e := range es {
			out = append(out, e.Index)
		}
		return out
	}
	view(t, s, func(tx state.Tx) error {
		ctx := t.Context()
		h, err := tx.Head(ctx)
		if err != nil || h.Next != 11 || string(h.Digest) != "digest 2" || string(h.MAC) != "mac 2" {
			t.Errorf("%+v %v", h, err)
		}
		for _, c := range []struct {
			got, want []int64
		}{
			{indexes(tx.Entries(ctx, 0, 3)), []int64{0, 1, 2}},
			{indexes(tx.Entries(ctx, 8, 30)), []int64{8, 9}},
			{indexes(tx.Entries(ctx, 10, 3)), nil},
			{indexes(tx.ByPerson(ctx, []byte("a"), 0, 10)), []int64{6, 3, 0}},
			{indexes(tx.ByPerson(ctx, []byte("a"), 6, 10)), []int64{3, 0}},
			{indexes(tx.ByPerson(ctx, []byte("a"), -5, 1)), []int64{6}},
			{indexes(tx.ByPerson(ctx, []byte("b"), 5, 1)), []int64{4}},
			{indexes(tx.ByPerson(ctx, []byte("nobody"), 0, 10)), nil},
		} {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("entries %v, want %v", c.got, c.want)
			}
		}
		e, err := tx.Entries(ctx, 4, 1)
		if err != nil || string(e[0].Sealed) != "sealed 4" || !bytes.Equal(e[0].Leaf, []byte{4}) || string(e[0].PersonTag) != "b" {
			t.Errorf("%+v %v", e, err)
		}
		return nil
	})
	view(t, other, func(tx state.Tx) error { // another realm sees nothing of it
		h, err := tx.Head(t.Context())
		if e, eerr := tx.Entries(t.Context(), 0, 10); h.Next != 0 || len(e) != 0 || eerr != nil {
			t.Errorf("%+v %v %v", h, e, eerr)
		}
		return err
	})
	err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Append(t.Context(), entry(3, "a")) })
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("an index written twice: %v", err)
	}
}

func TestTasks(t *testing.T) {
	s := openStore(t)
	tasks := []state.Task{
		{ID: "book/h1/p", Kind: "book", Person: "p", Ref: "h1", Since: 30},
		{ID: "cancel/h2/p", Kind: "cancel", Person: "p", Ref: "h2", Since: 10},
		{ID: "seal/s1", Kind: "seal", Person: "p", Ref: "s1", Since: 5},
		{ID: "remove/q", Kind: "remove", Person: "q", Since: 20},
	}
	add := func(ts ...state.Task) {
		t.Helper()
		update(t, s, func(tx state.Tx) error {
			for _, k := range ts {
				if err := tx.AddTask(t.Context(), k); err != nil {
					return err
				}
			}
			return nil
		})
	}
	add(tasks...)
	again := tasks[0]
	again.Since = 1
	add(again) // twice is once
	list := func(p state.TaskPage) (out []string) {
		view(t, s, func(tx state.Tx) error {
			got, err := tx.ListTasks(t.Context(), p)
			for _, k := range got {
				if !slices.Contains(tasks, k) {
					t.Errorf("%+v", k)
				}
				out = append(out, k.ID)
			}
			return err
		})
		return out
	}
	second := tasks[slices.IndexFunc(tasks, func(k state.Task) bool { return k.ID == "remove/q" })]
	for _, c := range []struct {
		page state.TaskPage
		want []string
	}{
		{state.TaskPage{Before: 100, Limit: 10}, []string{"cancel/h2/p", "remove/q", "book/h1/p"}}, // no seals
		{state.TaskPage{Before: 100, Limit: 2}, []string{"cancel/h2/p", "remove/q"}},
		{state.TaskPage{Before: 20, Limit: 10}, []string{"cancel/h2/p"}},
		{state.TaskPage{Before: 0, Limit: 10}, nil},
		{state.TaskPage{Kind: "book", Before: 100, Limit: 1}, []string{"book/h1/p"}},
		{state.TaskPage{Kind: "seal", Before: 100, Limit: 1}, nil},
		{state.TaskPage{Before: 100, Since: second.Since, ID: second.ID, Limit: 10}, []string{"book/h1/p"}},
	} {
		if got := list(c.page); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c.page, got)
		}
	}
	update(t, s, func(tx state.Tx) error {
		for _, k := range tasks {
			got, ok, err := tx.GetTask(t.Context(), k.ID)
			if err != nil || !ok || got != k {
				t.Errorf("%+v %v %v", got, ok, err)
			}
		}
		if err := tx.EndTask(t.Context(), "remove/q"); err != nil {
			return err
		}
		if _, ok, err := tx.GetTask(t.Context(), "remove/q"); ok || err != nil {
			t.Errorf("an ended task is there (%v)", err)
		}
		return tx.EndTask(t.Context(), "remove/q")
	})
}

// TestFailures gives each operation a store that cannot serve it; the error has
// a kind and tells no value.
func TestFailures(t *testing.T) {
	ops := map[string]func(ctx context.Context, tx state.Tx) error{
		"get": func(ctx context.Context, tx state.Tx) error {
			_, _, err := tx.Get(ctx, state.Persons, "secret")
			return err
		},
		"put":     func(ctx context.Context, tx state.Tx) error { return tx.Put(ctx, state.Persons, row("secret", 1)) },
		"replace": func(ctx context.Context, tx state.Tx) error { return tx.Put(ctx, state.Persons, row("secret", 2)) },
		"delete":  func(ctx context.Context, tx state.Tx) error { return tx.Delete(ctx, state.Persons, "secret") },
		"scan":    func(ctx context.Context, tx state.Tx) error { _, err := tx.Scan(ctx, state.Persons, "", 1); return err },
		"expire": func(ctx context.Context, tx state.Tx) error {
			_, err := tx.Expire(ctx, state.Persons, 1, 1)
			return err
		},
		"head": func(ctx context.Context, tx state.Tx) error { _, err := tx.Head(ctx); return err },
		"set head": func(ctx context.Context, tx state.Tx) error {
			return tx.SetHead(ctx, state.Head{Digest: []byte{1}, MAC: []byte{1}})
		},
		"append":  func(ctx context.Context, tx state.Tx) error { return tx.Append(ctx, entry(0, "secret")) },
		"entries": func(ctx context.Context, tx state.Tx) error { _, err := tx.Entries(ctx, 0, 1); return err },
		"by person": func(ctx context.Context, tx state.Tx) error {
			_, err := tx.ByPerson(ctx, []byte("secret"), 0, 1)
			return err
		},
		"add task": func(ctx context.Context, tx state.Tx) error { return tx.AddTask(ctx, state.Task{ID: "secret"}) },
		"get task": func(ctx context.Context, tx state.Tx) error { _, _, err := tx.GetTask(ctx, "secret"); return err },
		"end task": func(ctx context.Context, tx state.Tx) error { return tx.EndTask(ctx, "secret") },
		"list": func(ctx context.Context, tx state.Tx) error {
			_, err := tx.ListTasks(ctx, state.TaskPage{Before: 1, Limit: 1})
			return err
		},
	}
	db, _ := openDB(t)
	s := keeperdb.New(db, id.DefaultRealm)
	gone, stop := context.WithCancel(t.Context())
	stop()
	for name, op := range ops {
		err := s.Update(t.Context(), func(tx state.Tx) error { return op(gone, tx) })
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
	// What was never migrated has no tables: a bug, not a reason to retry.
	bare := emptyDB(t)
	for name, op := range ops {
		err := keeperdb.New(bare, 1).Update(t.Context(), func(tx state.Tx) error { return op(t.Context(), tx) })
		if !fault.Is(err, fault.Internal) || bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%s without tables: %v", name, err)
		}
	}
	if err := s.View(t.Context(), func(tx state.Tx) error { return tx.Put(t.Context(), state.Persons, row("x", 1)) }); err == nil {
		t.Error("a view wrote")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(state.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a closed database: %v", err)
	}
}

// TestDurable reopens the file.
func TestDurable(t *testing.T) {
	db, path := openDB(t)
	put(t, keeperdb.New(db, 1), state.StaffKeys, row("a", 1))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, path)
	view(t, keeperdb.New(again, 1), func(tx state.Tx) error {
		got, ok, err := tx.Get(t.Context(), state.StaffKeys, "a")
		if !ok || !same(got, row("a", 1)) {
			t.Errorf("%+v %v", got, ok)
		}
		return err
	})
}
