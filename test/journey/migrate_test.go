package journey

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/internal/store/pgtest"
	"tikakosh/test/harness"
)

// TestPostgresMigrate: the command that brings databases up to date, what it
// refuses, and that nothing serves a database of another version.
func TestPostgresMigrate(t *testing.T) {
	if !pgtest.On() || harness.OnPostgres() {
		return
	}
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	bin, err := b.Path(harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	engine, dir := pgtest.Shared(t), t.TempDir()
	registry, vault := engine.Empty(t), engine.Empty(t)
	owner := func(url string) string { return pgtest.As(url, "tikakosh_migrator") }
	file := func(name, url string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(url+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return "@" + path
	}
	sheet := filepath.Join("..", "..", "examples", "centres.csv")
	serves := []string{"import", "centres", sheet, "--data", dir, "--db", pgtest.As(registry, "tikakosh_web")}
	for _, c := range []struct {
		args []string
		exit int
		says string
		then string // statement in the registry afterwards
	}{
		{[]string{"migrate"}, 78, "--db", ""},
		{[]string{"migrate", "--db", "mysql://x"}, 78, "postgres://", ""},
		{[]string{"migrate", "--db", registry, "--vault-db", owner(registry)}, 78, "same database", ""},
		{[]string{"migrate", "--db", file("open.url", owner(registry), 0o644)}, 78, "chmod", ""},
		{serves, 78, "run `tikakosh migrate`", ""},
		{[]string{"migrate", "--dry-run", "--db", owner(registry), "--vault-db", owner(vault)}, 3, "CREATE TABLE person", ""},
		{[]string{"migrate", "--dry-run", "--db", owner(registry)}, 3, "CREATE TABLE person", ""}, // it changed nothing
		{[]string{"migrate", "--distribute", "--dry-run", "--db", owner(registry)}, 78, "run `tikakosh migrate` first", ""},
		{[]string{"migrate", "--db", file("registry.url", owner(registry), 0o600), "--vault-db", file("vault.url", owner(vault), 0o600)}, 0, "00020_grants.sql", ""},
		{[]string{"migrate", "--dry-run", "--db", owner(registry), "--vault-db", owner(vault)}, 0, "up to date", ""},
		{append(serves, "--apply"), 0, "written: 2", ""}, // the web role's user adds and changes
		{[]string{"migrate", "--db", pgtest.As(registry, "tikakosh_vault")}, 78, "does not let this user in", ""},
		{[]string{"migrate", "--distribute", "--dry-run", "--db", owner(registry)}, 0, "create_distributed_table('person'", ""},
		{[]string{"migrate", "--distribute", "--db", owner(registry)}, 1, "CREATE EXTENSION citus", "DELETE FROM migration WHERE version_id = 20"},
		{serves, 78, "run `tikakosh migrate`", "INSERT INTO migration (version_id, is_applied) VALUES (20, true), (99999, true)"},
		{serves, 78, "start a newer program", "DELETE FROM migration WHERE version_id = 99999; UPDATE migration_sum SET sha256 = 'x' WHERE version = 20"},
		{serves, 78, "another content", ""},
	} {
		cmd := exec.Command(bin, c.args...)
		out, _ := cmd.CombinedOutput()
		if exit := cmd.ProcessState.ExitCode(); exit != c.exit || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s", c.args, exit, c.exit, c.says, out[:min(len(out), 2000)])
		}
		if c.then != "" {
			if err := pgtest.Do(registry, c.then); err != nil {
				t.Fatal(err)
			}
		}
	}
}
