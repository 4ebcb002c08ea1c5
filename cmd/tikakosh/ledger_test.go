package main

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/internal/ledger"
)

// leaves is a database of a ledger's leaves.
type leaves [][]byte

// Leaves implements ledger.Source.
func (l leaves) Leaves(_ context.Context, from uint64, limit int) ([][]byte, error) {
	if from >= uint64(len(l)) {
		return nil, nil
	}
	return l[from:min(uint64(len(l)), from+uint64(limit))], nil
}

// TestLedgerExitCode: a script gets from `ledger verify` what its help says: 0, and 1 with what
// is wrong for files that were changed or are not there; never the 78 of a role.
func TestLedgerExitCode(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	signer, vkey, err := ledger.NoteKeys("test.example/ledger", ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	var db leaves
	for i := range 5 {
		db = append(db, ledger.LeafData(ledger.Commit([32]byte{byte(i)}, []byte("entry"))))
	}
	l, err := ledger.Open(ctx, ledger.Options{Dir: dir, Signer: signer}, db)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Integrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	if err := l.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	c := ledgerVerifyCmd{Dir: dir, Key: vkey}
	if err := c.Run(); err != nil {
		t.Fatalf("good files: %v", err)
	}
	entries := filepath.Join(dir, "tile", "entries", "000.p", "5")
	raw, err := os.ReadFile(entries)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(entries, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(); err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), "entr") {
		t.Fatalf("a changed entry ends with %d: %v", exitCode(err), err)
	}
	c.Dir = t.TempDir()
	if err := c.Run(); err == nil || exitCode(err) != exitFailed {
		t.Fatalf("no files end with %d: %v", exitCode(err), err)
	}
	audit := ledgerAuditCmd{Data: t.TempDir(), DB: "mysql://x"}
	if err := audit.Run(); err == nil || exitCode(err) != exitFailed {
		t.Fatalf("an audit that cannot be done ends with %d: %v", exitCode(err), err)
	}
}
