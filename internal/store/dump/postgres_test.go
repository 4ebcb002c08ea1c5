package dump_test

import (
	"bytes"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/dump"
	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/pgtest"
	"tikakosh/internal/store/postgres"
)

// TestPostgresThereAndBack: what SQLite holds, loaded into PostgreSQL and copied from
// there, is the same bytes; what does not fit is refused.
func TestPostgresThereAndBack(t *testing.T) {
	if !pgtest.On() {
		return
	}
	lite := open(t, registry.SQLite)
	fill(t, lite, 90)
	first := write(t, lite)
	db, err := postgres.Open(t.Context(), pgtest.Shared(t).Empty(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := postgres.Migrate(t.Context(), db, registry.Postgres()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := dump.Load(t.Context(), db, dump.RegistryTables(), bytes.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %v", len(first), time.Since(begin))
	if again := write(t, db); !bytes.Equal(first, again) {
		t.Errorf("%d bytes, then %d", len(first), len(again))
	}
	if _, err := dump.Load(t.Context(), db, dump.RegistryTables(), bytes.NewReader(first), nil); !fault.Is(err, fault.Integrity) {
		t.Errorf("into a database that is not empty: %v", err)
	}
}
