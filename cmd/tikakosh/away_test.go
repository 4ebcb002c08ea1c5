package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"

	"tikakosh/internal/vault"
)

// TestKeptKeys: the web role starts with the keys that it kept itself, and with no
// others: the worker can put a file into the same folder.
func TestKeptKeys(t *testing.T) {
	l := layout{t.TempDir()}
	if err := os.MkdirAll(l.registry(), 0o770); err != nil {
		t.Fatal(err)
	}
	kept := vault.Keys{Realm: 1, Inbox: []byte{1}, BearerJWK: json.RawMessage(`{}`)}
	saveKeys(l, kept, slog.New(slog.DiscardHandler))
	if got, err := keptKeys(l); err != nil || string(got.Inbox) != string(kept.Inbox) {
		t.Fatalf("its own: %+v %v", got, err)
	}
	for name, change := range map[string]func() error{
		"others may write": func() error { return os.Chmod(l.lastKeys(), 0o660) },
		"another's": func() error {
			if os.Geteuid() != 0 { // only root gives files away
				return os.Chmod(l.lastKeys(), 0o602)
			}
			return os.Chown(l.lastKeys(), 64301, 64301)
		},
		"a link": func() error {
			if err := os.Rename(l.lastKeys(), l.lastKeys()+".other"); err != nil {
				return err
			}
			return os.Symlink(l.lastKeys()+".other", l.lastKeys())
		},
		"half": func() error { return os.WriteFile(l.lastKeys(), []byte(`{"realm":1}`), 0o600) },
		"none": func() error { return nil },
	} {
		if err := os.RemoveAll(l.lastKeys()); err != nil {
			t.Fatal(err)
		}
		if name != "none" {
			saveKeys(l, kept, slog.New(slog.DiscardHandler))
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got, err := keptKeys(l); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
