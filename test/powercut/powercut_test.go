//go:build powercut

package powercut

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"tikakosh/test/harness"
)

// recorded are the files whose survival is replayed.
var recorded = [...]string{harness.RegistryDB, harness.RegistryDB + "-wal", harness.VaultDB, harness.VaultDB + "-wal"}

// ack is one acknowledged registration: when its answer came, its reference id,
// and what the ledger must hold by then.
type ack struct {
	at        float64
	reference string
}

// TestPowerCut: with every control on, nothing acknowledged is lost; with
// db-sync off, something is.
func TestPowerCut(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	t.Run("with", func(t *testing.T) {
		if lost, of := cut(t, &b, harness.Options{}); lost > 0 {
			t.Fatalf("power cut: %d of %d acknowledged registrations lost", lost, of)
		} else {
			t.Logf("power cut: none of %d acknowledged registrations lost", of)
		}
	})
	t.Run("without db-sync", func(t *testing.T) {
		lost, of := cut(t, &b, harness.Options{Tags: harness.Ablation, Ablate: []string{"db-sync"}})
		if lost == 0 {
			t.Fatal("without syncing nothing was lost, so the test proves nothing")
		}
		t.Logf("power cut: without syncing %d of %d lost", lost, of)
	})
}

func cut(t *testing.T, b *harness.Builder, o harness.Options) (lost, of int) {
	t.Helper()
	s := harness.Start(t, b, o)
	c, _ := s.Holder()
	time.Sleep(2 * time.Second) // the demo's last writes
	dir := t.TempDir()
	files := map[string]string{}
	for _, name := range recorded {
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := harness.CopyFile(filepath.Join(s.Data, name), copied); err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(s.Data, name)] = copied
	}
	trace, stop := record(t, dir, s.Role(harness.RoleVault), s.Role(harness.RoleWeb))
	var acks []ack
	for i := range 24 {
		if i%6 == 0 && i > 0 {
			c, _ = s.Holder()
		}
		ref := c.Enrol("Asha Test")
		acks = append(acks, ack{at: float64(time.Now().UnixNano()) / 1e9, reference: ref})
	}
	stop()
	raw, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	events, err := parse(raw)
	if err != nil || len(events) == 0 {
		t.Fatalf("%d events recorded, %v", len(events), err)
	}
	d, err := newDisk(files)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, a := range acks {
		for next < len(events) && events[next].at <= a.at {
			d.apply(events[next])
			next++
		}
		if why := missing(t, d, a); why != "" {
			t.Logf("after %s: %s (%s)", a.reference[:2]+"…", why, d)
			lost++
		}
	}
	return lost, len(acks)
}

// record attaches strace to the roles and returns the file and how to stop.
func record(t *testing.T, dir string, pids ...int) (file string, stop func()) {
	t.Helper()
	file = filepath.Join(dir, "trace")
	args := []string{"-f", "-ttt", "-y", "-xx", "-s", "1000000", "-e", "trace=pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat", "-o", file}
	for _, p := range pids {
		args = append(args, "-p", strconv.Itoa(p))
	}
	cmd := exec.Command("strace", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("strace is needed: %v", err)
	}
	time.Sleep(time.Second)
	return file, func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	}
}

// missing says what of an acknowledged registration the power cut took.
func missing(t *testing.T, d *disk, a ack) string {
	t.Helper()
	dir := t.TempDir()
	if err := d.save(dir); err != nil {
		t.Fatal(err)
	}
	count := func(file, query string, args ...any) (n int) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow(query, args...).Scan(&n); err != nil {
			t.Logf("%s: %v", file, err)
			return -1
		}
		return n
	}
	reg := filepath.Base(harness.RegistryDB)
	if n := count(reg, "SELECT count(*) FROM sealed WHERE person = (SELECT person FROM person WHERE reference = $1)", a.reference); n < 2 {
		return fmt.Sprintf("the registry has %d of its sealed parts", n)
	}
	vault := filepath.Base(harness.VaultDB)
	if n := count(vault, "SELECT count(*) FROM person WHERE instr(CAST(content AS TEXT), $1) > 0", a.reference); n != 1 {
		return fmt.Sprintf("the vault has %d rows of the person", n)
	}
	if n := count(vault, "SELECT count(*) FROM ledger_entry WHERE entry_index < (SELECT next_index FROM ledger_head)"); n < 1 || n != count(vault, "SELECT next_index FROM ledger_head") {
		return fmt.Sprintf("the ledger has %d entries and another head", n)
	}
	return ""
}
