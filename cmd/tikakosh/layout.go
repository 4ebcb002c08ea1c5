package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// layout names the places of a data folder.
type layout struct{ root string }

func (l layout) registry() string     { return filepath.Join(l.root, "registry") }
func (l layout) registryDB() string   { return filepath.Join(l.registry(), "registry.db") }
func (l layout) vault() string        { return filepath.Join(l.root, "vault") }
func (l layout) vaultDB() string      { return filepath.Join(l.vault(), "vault.db") }
func (l layout) keys() string         { return filepath.Join(l.vault(), "keys") }
func (l layout) adminSocket() string  { return filepath.Join(l.vault(), "admin.sock") }
func (l layout) anchors() string      { return filepath.Join(l.vault(), "anchors") }
func (l layout) vaultLock() string    { return filepath.Join(l.vault(), "lock") }
func (l layout) leaseHolder() string  { return filepath.Join(l.vault(), "holder") }
func (l layout) ledgerMade() string   { return filepath.Join(l.vault(), "ledger-made") }
func (l layout) ledger() string       { return filepath.Join(l.root, "ledger") }
func (l layout) vkey() string         { return filepath.Join(l.ledger(), "vkey") }
func (l layout) demoMark() string     { return filepath.Join(l.registry(), "demo.json") }
func (l layout) logs() string         { return filepath.Join(l.root, "logs") }
func (l layout) backupStatus() string { return filepath.Join(l.root, "status", "backup.json") }
func (l layout) demoLog() string      { return filepath.Join(l.root, "log.jsonl") }
func (l layout) restoreOrder() string { return filepath.Join(l.vault(), "restore.json") }
func (l layout) staff() string        { return filepath.Join(l.root, "staff") }

// fdsVariable tells a role which inherited descriptor is which:
// "name=number,name=number". Identity is the descriptor, not the name.
const fdsVariable = "TIKAKOSH_FDS"

// inherited returns the inherited descriptor of that name.
func inherited(name string) (*os.File, error) {
	f, ok := inheritedIf(name)
	if !ok {
		return nil, badConfig("this role is started by `tikakosh run` or `tikakosh demo`, which hand it its sockets (no %q in %s)", name, fdsVariable)
	}
	return f, nil
}

func inheritedIf(name string) (*os.File, bool) {
	for _, pair := range strings.Split(os.Getenv(fdsVariable), ",") {
		n, v, ok := strings.Cut(pair, "=")
		if !ok || n != name {
			continue
		}
		fd, err := strconv.Atoi(v)
		if err != nil || fd < 3 {
			return nil, false
		}
		return os.NewFile(uintptr(fd), name), true
	}
	return nil, false
}

// fdList is the value of fdsVariable for descriptors 3, 4, … in order.
func fdList(names []string) string {
	var parts []string
	for i, n := range names {
		parts = append(parts, fmt.Sprintf("%s=%d", n, i+3))
	}
	return strings.Join(parts, ",")
}
