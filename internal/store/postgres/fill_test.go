package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/sqldb"
)

// TestPostgresFill: of two that want to fill a database one gets it; nobody but the
// owner enters until it is admitted, and no role takes it for a migrated one.
func TestPostgresFill(t *testing.T) {
	if !pgtest.On() {
		return
	}
	ctx := t.Context()
	url := pgtest.Shared(t).Empty(t)
	db := open1(t, pgtest.As(url, "tikakosh_migrator"), Options{})
	if err := Empty(ctx, db); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = Claim(ctx, db) })
	}
	wg.Wait()
	got := 0
	for _, err := range errs {
		if err == nil {
			got++
		} else if fault.CodeOf(err) != CodeFilling || !strings.Contains(err.Error(), "DROP DATABASE") {
			t.Errorf("a second claim: %v", err)
		}
	}
	if got != 1 {
		t.Fatalf("%d of 8 claims", got)
	}
	web := pgtest.As(url, "tikakosh_web")
	enters := func() bool { return pgtest.Do(web, "SELECT 1") == nil }
	roles := []string{"tikakosh_web", "tikakosh_worker"}
	if enters() {
		t.Error("a role enters a claimed database")
	}
	if err := MigrateTo(ctx, db, registry.Postgres(), 10); err != nil {
		t.Fatal(err)
	}
	if err := MigrateTo(ctx, db, registry.Postgres(), 0); err != nil {
		t.Fatal(err)
	}
	if !enters() {
		t.Error("a migration grants the right to connect")
	}
	if err := Check(ctx, db, registry.Postgres()); fault.CodeOf(err) != CodeFilling {
		t.Errorf("a role starts on a database that is being filled: %v", err)
	}
	if err := Shut(ctx, db, roles); err != nil || enters() {
		t.Errorf("a role enters a shut database: %v", err)
	}
	if err := Admit(ctx, db, roles); err != nil || !enters() {
		t.Errorf("not admitted: %v", err)
	}
	if err := Check(ctx, db, registry.Postgres()); err != nil {
		t.Error(err)
	}
	if err := Empty(ctx, db); fault.CodeOf(err) != "not-empty" {
		t.Errorf("a filled database: %v", err)
	}
	if err := Claim(ctx, db); fault.CodeOf(err) != "not-empty" {
		t.Errorf("a claim on a filled database: %v", err)
	}
}

// TestPostgresInsert: all rows of a batch are stored, or none, and a refusal leaves
// the connection usable.
func TestPostgresInsert(t *testing.T) {
	if !pgtest.On() {
		return
	}
	ctx := t.Context()
	db := open1(t, pgtest.Shared(t).Empty(t), Options{Connections: 2})
	err := db.Update(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT, b BYTEA)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bulk := db.(sqldb.Bulk)
	columns := []string{"id", "n", "b"}
	if err := bulk.Insert(ctx, "counter", columns, [][]any{{int64(1), int64(5), []byte{0, 255}}, {int64(2), nil, []byte{}}}); err != nil {
		t.Fatal(err)
	}
	err = bulk.Insert(ctx, "counter", columns, [][]any{{int64(3), nil, nil}, {int64(1), nil, nil}})
	if !sqldb.IsConstraint(err) {
		t.Errorf("a row that is there: %v", err)
	}
	if err := bulk.Insert(ctx, "counter", columns, [][]any{{"text", nil, nil}}); err == nil {
		t.Error("a text in a column of numbers was stored")
	}
	for range 5 { // more often than there are connections
		if err := bulk.Insert(ctx, "counter", columns, [][]any{{nil, nil, nil}}); !sqldb.IsConstraint(err) {
			t.Errorf("NULL in a key: %v", err)
		}
	}
	if n, sum := rows(t, db); n != 2 || sum != 5 {
		t.Errorf("%d rows, sum %d", n, sum)
	}
	read := open1(t, pgtest.Shared(t).Empty(t), Options{ReadOnly: true})
	if err := read.(sqldb.Bulk).Insert(ctx, "counter", columns, nil); !fault.Is(err, fault.Forbidden) {
		t.Errorf("on a handle for reading: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := bulk.Insert(ctx, "counter", columns, nil); err == nil || errors.Is(err, errNotOpen) {
		t.Errorf("on a closed handle: %v", err)
	}
}
