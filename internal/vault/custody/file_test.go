package custody

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := OpenFile(dir, false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no folder: %v", err)
	}
	p, err := OpenFile(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root-1.key", "idtag-1.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", info.Mode(), err)
	}
	blob, err := p.Wrap("a", []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Unwrap("a", blob); err != nil || string(got) != "key" {
		t.Errorf("%q %v", got, err)
	}
	_, err = p.Unwrap("b", blob)
	if !fault.Is(err, fault.Integrity) {
		t.Errorf("another name: %v", err)
	}
	tag, err := p.Tag(1, []byte("x"))
	if err != nil || len(tag) != 32 {
		t.Errorf("%d %v", len(tag), err)
	}
	again, err := OpenFile(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Unwrap("a", blob); err != nil || string(got) != "key" {
		t.Errorf("opened again: %q %v", got, err)
	}
	if second, err := again.Tag(1, []byte("x")); err != nil || !slices.Equal(tag, second) {
		t.Errorf("the tag changed (%v)", err)
	}
	for name, content := range map[string]string{"empty": "", "short": "abcd", "not hex": strings.Repeat("x", 64), "long": strings.Repeat("ab", 33)} {
		if err := os.WriteFile(filepath.Join(dir, "root-1.key"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(dir, true); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "root-1.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(dir, false); !fault.Is(err, fault.Integrity) {
		t.Errorf("a missing key: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the key folder holds %v (%v)", left, err)
	}
}
