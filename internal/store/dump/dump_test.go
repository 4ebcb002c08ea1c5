package dump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/dump"
	"tikakosh/internal/store/migrations/registry"
	vault "tikakosh/internal/store/migrations/vault"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/store/sqlite"
)

func open(t *testing.T, files fs.FS) sqldb.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{SyncOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := sqlite.Migrate(t.Context(), db, files); err != nil {
		t.Fatal(err)
	}
	return db
}

// TestTables: no table of a schema is left out of a copy.
func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		files  fs.FS
		tables []string
	}{"registry": {registry.SQLite, dump.RegistryTables()}, "vault": {vault.FS, dump.VaultTables()}} {
		db := open(t, c.files)
		var have []string
		err := db.View(t.Context(), func(tx sqldb.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'migration%' AND name <> 'lease'")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var n string
				if err := rows.Scan(&n); err != nil {
					return err
				}
				have = append(have, n)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(c.tables))
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Errorf("%s: the schema has %v, a copy takes %v: add the table to internal/store/dump/tables.go", name, have, want)
		}
	}
}

func fill(t *testing.T, db sqldb.DB, n int) {
	t.Helper()
	err := db.Update(t.Context(), func(tx sqldb.Tx) error {
		for i := range n {
			if _, err := tx.Exec(t.Context(), "INSERT INTO person (person, reference, household, slot, state, since, bucket) VALUES ($1, $2, 'h', 1, 1, $3, 7)",
				fmt.Sprintf("p%d", i), fmt.Sprintf("%014d", i), -int64(i)<<40); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "INSERT INTO sealed (person, seq, part, version, hash, body, stored_at, until, bucket) VALUES ($1, 1, 'identity', 1, $2, $3, 5, $4, 7)",
				fmt.Sprintf("p%d", i), bytes.Repeat([]byte{byte(i)}, 32), bytes.Repeat([]byte{0, byte(i)}, i*500), any(nil)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, db sqldb.DB) []byte {
	t.Helper()
	var out bytes.Buffer
	err := db.View(t.Context(), func(tx sqldb.Tx) error {
		out.Reset()
		v, err := sqldb.SchemaVersion(t.Context(), tx)
		if err != nil {
			return err
		}
		return dump.Write(t.Context(), tx, dump.Head{Database: "registry", Version: v}, dump.RegistryTables(), &out)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestThereAndBack: a copy of a copy has the same bytes.
func TestThereAndBack(t *testing.T) {
	db := open(t, registry.SQLite)
	fill(t, db, 40)
	first := write(t, db)
	h, err := dump.Peek(bytes.NewReader(first))
	if err != nil || h.Database != "registry" || h.Version < 10 {
		t.Fatalf("%+v %v", h, err)
	}
	again := open(t, registry.SQLite)
	if _, err := dump.Load(t.Context(), again, dump.RegistryTables(), bytes.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	if second := write(t, again); !bytes.Equal(first, second) {
		t.Errorf("%d bytes, then %d", len(first), len(second))
	}
	if _, err := dump.Load(t.Context(), again, dump.RegistryTables(), bytes.NewReader(first), nil); !fault.Is(err, fault.Integrity) {
		t.Errorf("into a database that is not empty: %v", err)
	}
}

// TestCutOff: no beginning of a copy is taken for a whole one.
func TestCutOff(t *testing.T) {
	db := open(t, registry.SQLite)
	fill(t, db, 3)
	whole := write(t, db)
	discard := discardDB{}
	for n := range len(whole) {
		if _, err := dump.Load(t.Context(), discard, dump.RegistryTables(), bytes.NewReader(whole[:n]), nil); !fault.Is(err, fault.Integrity) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
	for _, more := range []string{"x", "E\x00", "R"} {
		if _, err := dump.Load(t.Context(), discard, dump.RegistryTables(), strings.NewReader(string(whole)+more), nil); !fault.Is(err, fault.Integrity) {
			t.Errorf("followed by %q: %v", more, err)
		}
	}
	if _, err := dump.Load(t.Context(), discard, []string{"person"}, bytes.NewReader(whole), nil); !fault.Is(err, fault.Integrity) {
		t.Errorf("a table that is not expected: %v", err)
	}
	broken := errors.New("broken")
	if _, err := dump.Load(t.Context(), discard, dump.RegistryTables(), bytes.NewReader(whole), func(string, []string, []any) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("seen's error: %v", err)
	}
}

// discardDB takes every row.
type discardDB struct{}

// Update implements sqldb.DB.
func (discardDB) Update(_ context.Context, fn func(sqldb.Tx) error) error { return fn(discardTx{}) }

// View implements sqldb.DB.
func (discardDB) View(context.Context, func(sqldb.Tx) error) error { return nil }

// Close implements sqldb.DB.
func (discardDB) Close() error { return nil }

type discardTx struct{ sqldb.Tx }

// Exec implements sqldb.Tx.
func (discardTx) Exec(context.Context, string, ...any) (int64, error) { return 1, nil }

// FuzzLoad: a stream of any origin is loaded or refused, without a panic and
// without memory that only a length promised.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("tikakosh rows 1\n\x10registry\x14E\x00"))
	f.Add([]byte("tikakosh rows 1\n\x10registry\x14T\x0cperson\x02\x0cpersonRt\x02pE\x02"))
	f.Add([]byte("tikakosh rows 1\n\x10registry\x14T\x0cperson\x02\x0cpersonRb\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := dump.Load(t.Context(), discardDB{}, dump.RegistryTables(), bytes.NewReader(b), nil); err != nil && !fault.Is(err, fault.Integrity) {
			t.Errorf("%v", err)
		}
	})
}
