package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/store/migrations/registry"
	"tikakosh/internal/store/pgtest"
)

// TestPostgresDistribute: the statements for Citus, and that a plain server
// says clearly that it cannot run them and changes nothing.
func TestPostgresDistribute(t *testing.T) {
	if !pgtest.On() {
		return
	}
	s := pgtest.Shared(t)
	empty := open1(t, s.Empty(t), Options{})
	if _, err := Distribute(t.Context(), empty, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("an empty database: %v", err)
	}
	db := open1(t, pgtest.As(s.Database(t, "registry", migratedBy(registry.Postgres())), "tikakosh_migrator"), Options{})
	all, err := Distribute(t.Context(), db, false)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.Index(all, "SELECT create_distributed_table('person', 'bucket', shard_count := 256)")
	for _, want := range []string{
		"SET citus.enable_unsafe_triggers TO on",
		"DROP TRIGGER session_changes ON session",
		"ALTER TABLE sealed DROP CONSTRAINT sealed_person_bucket_fkey",
		"SELECT create_distributed_table('sealed', 'bucket', colocate_with := 'person')",
		"SELECT create_distributed_table('outbox', 'bucket', colocate_with := 'person')",
		"ALTER TABLE sealed ADD CONSTRAINT sealed_person_bucket_fkey FOREIGN KEY (person, bucket) REFERENCES person(person, bucket)",
	} {
		at := slices.Index(all, want)
		if at < 0 || first < 0 || (strings.Contains(want, "DROP") && at > first) || (strings.Contains(want, "colocate") && at < first) || (strings.Contains(want, "ADD") && at < first) {
			t.Errorf("missing or out of order: %s", want)
		}
	}
	n := 0
	for _, q := range all {
		if strings.Contains(q, "feed'") || strings.Contains(q, "migration") || strings.Contains(q, "_no_") {
			t.Errorf("not to be touched: %s", q)
		}
		if strings.HasPrefix(q, "SELECT create_distributed_table(") {
			n++
		}
	}
	var tables, distributed string
	handle := db.(*database).handle
	if err := handle.QueryRow("SELECT count(*) - 3 FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil || tables != fmt.Sprint(n) {
		t.Errorf("%d of %s tables with a bucket are distributed, %v", n, tables, err)
	}
	before := strings.Join(all, "\n")
	if _, err := Distribute(t.Context(), db, true); fault.CodeOf(err) != "not_citus" || !strings.Contains(err.Error(), "CREATE EXTENSION citus") {
		t.Errorf("a plain server: %v", err)
	}
	all, err = Distribute(t.Context(), db, false)
	if distributed = strings.Join(all, "\n"); err != nil || distributed != before {
		t.Error("the refusal changed the schema")
	}
}
