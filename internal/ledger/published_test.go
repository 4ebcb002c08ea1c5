package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

// TestPublishedCopy: what is named is all that a copy needs to be verified, and the entries read
// from it are those that were written.
func TestPublishedCopy(t *testing.T) {
	for _, n := range []int{0, 1, 256, 257, 700} {
		dir, vkey, r := build(t, n)
		text, size, err := ledger.PublishedCheckpoint(dir)
		if err != nil || size != int64(n) {
			t.Fatalf("%d entries: %d %v", n, size, err)
		}
		if again, err := ledger.CheckpointSize([]byte(text)); err != nil || again != size {
			t.Errorf("%d %v", again, err)
		}
		mirror := t.TempDir()
		files := 0
		for name := range ledger.PublishedFiles(size) {
			if _, _, ok := ledger.TilePath(name); !ok {
				t.Fatalf("%s is not served", name)
			}
			raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			must(t, err)
			to := filepath.Join(mirror, filepath.FromSlash(name))
			must(t, os.MkdirAll(filepath.Dir(to), 0o755))
			must(t, os.WriteFile(to, raw, 0o644))
			files++
		}
		must(t, os.WriteFile(filepath.Join(mirror, "checkpoint"), []byte(text), 0o644))
		if rep, err := ledger.Verify(t.Context(), mirror, vkey); err != nil || rep.Size != uint64(n) {
			t.Fatalf("%d entries in %d files: %+v %v", n, files, rep, err)
		}
		for _, first := range []int64{0, 1, 250, 255, 256, size - 20, size - 1, size} {
			if first < 0 || first > size {
				continue
			}
			got, err := ledger.PublishedEntries(mirror, size, first, 20)
			must(t, err)
			if want := min(20, size-first); int64(len(got)) != want {
				t.Fatalf("%d from %d: %d entries, want %d", n, first, len(got), want)
			}
			for i, c := range got {
				if !bytes.Equal(ledger.LeafData(c), r.all[first+int64(i)]) {
					t.Fatalf("%d: entry %d is another one", n, first+int64(i))
				}
			}
		}
		for _, bad := range [][2]int64{{-1, 1}, {size + 1, 1}, {0, -1}, {0, 257}} {
			_, err := ledger.PublishedEntries(mirror, size, bad[0], int(bad[1]))
			wantFault(t, err, fault.Invalid, "range")
		}
	}
	large := map[string]bool{}
	for name := range ledger.PublishedFiles(65536 + 300) {
		large[name] = true
	}
	for _, name := range []string{"tile/entries/000", "tile/entries/257.p/44", "tile/0/257.p/44", "tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"} {
		if !large[name] {
			t.Errorf("no %s of a large log", name)
		}
	}
	if len(large) != 2*258+2+1 {
		t.Errorf("%d files of a large log", len(large))
	}
	for _, text := range []string{"", "a\nb\nc", "a\n-1\nc", "a\n1"} {
		_, err := ledger.CheckpointSize([]byte(text))
		wantFault(t, err, fault.Integrity, "checkpoint")
	}
}
