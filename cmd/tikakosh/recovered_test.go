package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/internal/vault/keeper"
)

// TestRecoveredComparesTheNewest: a database is not compared with older files than
// those that the data folder itself has published.
func TestRecoveredComparesTheNewest(t *testing.T) {
	at := func(size string) string {
		dir := t.TempDir()
		if size != "" {
			if err := os.WriteFile(filepath.Join(dir, "checkpoint"), []byte("origin\n"+size+"\nroot\n\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for _, c := range []struct {
		own, given string
		refused    bool
	}{{"10", "9", true}, {"10", "10", false}, {"10", "11", false}, {"", "9", false}} {
		err := newerThan(at(c.own), at(c.given))
		if (err != nil) != c.refused || (c.refused && !strings.Contains(err.Error(), "Leave --ledger out")) {
			t.Errorf("own %q, given %q: %v", c.own, c.given, err)
		}
	}
	// The command asks before anything else.
	data := t.TempDir()
	if err := os.Rename(at("10"), layout{data}.ledger()); err != nil {
		t.Fatal(err)
	}
	c := recoveredCmd{Data: data, Ledger: at("9"), VaultDB: "postgres://nobody@127.0.0.1:1/none", Unpublished: true}
	if err := c.Run(); err == nil || !strings.Contains(err.Error(), "older than the data folder's own") {
		t.Errorf("the command: %v", err)
	}
}

// TestRecoveredSaysWhatIsGivenUp: entries that no checkpoint covers are counted in
// the order, which goes on the ledger, also where their leaves cannot be read.
func TestRecoveredSaysWhatIsGivenUp(t *testing.T) {
	l := layout{t.TempDir()}
	for _, c := range []struct {
		own  uint64
		gap  *keeper.Gap
		want string
	}{{7, nil, "ledger"}, {9, nil, "ledger, without 2 unpublished entries"}, {9, &keeper.Gap{Lost: make([][]byte, 1)}, "ledger, without 1 unpublished entries"}, {8, &keeper.Gap{Lost: make([][]byte, 1)}, "ledger"}} {
		o := keeper.RestoreOrder{Ledger: 7, Known: "ledger", Gap: c.gap}
		if beyond(l, c.own, &o); o.Known != c.want {
			raw, _ := json.Marshal(o)
			t.Errorf("files of %d entries: %s", c.own, raw)
		}
	}
}
