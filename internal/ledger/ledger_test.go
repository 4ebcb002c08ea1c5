package ledger_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

// rows is a database of leaves.
type rows struct {
	mu   sync.Mutex
	all  [][]byte
	wake chan struct{}
}

func (r *rows) Leaves(_ context.Context, from uint64, limit int) ([][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from >= uint64(len(r.all)) {
		return nil, nil
	}
	return r.all[from:min(uint64(len(r.all)), from+uint64(limit))], nil
}

func (r *rows) add(n int) {
	r.mu.Lock()
	for range n {
		c := ledger.Commit([32]byte{1}, fmt.Appendf(nil, "entry %d", len(r.all)))
		r.all = append(r.all, ledger.LeafData(c))
	}
	r.mu.Unlock()
}

var testKey = ed25519.NewKeyFromSeed(make([]byte, 32))

func open(t *testing.T, dir string, r *rows) (*ledger.Log, string, error) {
	t.Helper()
	signer, vkey, err := ledger.NoteKeys("test.example/ledger", testKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(context.Background(), ledger.Options{Dir: dir, Signer: signer, CheckpointEvery: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, r)
	return l, vkey, err
}

func build(t *testing.T, n int) (dir, vkey string, r *rows) {
	t.Helper()
	dir, r = t.TempDir(), &rows{}
	for _, part := range []int{n / 3, n - n/3} { // twice opened
		r.add(part)
		l, v, err := open(t, dir, r)
		if err != nil {
			t.Fatal(err)
		}
		vkey = v
		if err := l.Integrate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return dir, vkey, r
}

func TestVerify(t *testing.T) {
	dir, vkey, _ := build(t, 700)
	rep, err := ledger.Verify(t.Context(), dir, vkey)
	if err != nil || rep.Size != 700 || rep.Origin != "test.example/ledger" {
		t.Fatalf("%+v %v", rep, err)
	}
	damage := map[string]func(t *testing.T, dir string){
		"changed entry": func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/entries/000"), 40) },
		"changed tile":  func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/0/001"), 40) },
		"truncated":     func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tile/entries/001"), 900)) },
		"missing":       func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "tile/entries/000"))) },
		"unsigned":      func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "checkpoint"), 30) },
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			dir, vkey, _ := build(t, 600)
			do(t, dir)
			if _, err := ledger.Verify(t.Context(), dir, vkey); !fault.Is(err, fault.Integrity) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[at] ^= 1
	must(t, os.WriteFile(path, b, 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesAheadOrDifferent(t *testing.T) {
	dir, _, r := build(t, 300)
	older := &rows{all: r.all[:290]}
	if _, _, err := open(t, dir, older); !fault.Is(err, fault.Integrity) {
		t.Fatalf("an older database was accepted: %v", err)
	}
	other := &rows{all: append([][]byte{}, r.all...)}
	other.all[299] = ledger.LeafData(ledger.Commit([32]byte{2}, nil))
	if _, _, err := open(t, dir, other); !fault.Is(err, fault.Integrity) {
		t.Fatalf("a different database was accepted: %v", err)
	}
	l, _, err := open(t, dir, r)
	if err != nil {
		t.Fatal(err)
	}
	must(t, l.Close(context.Background()))
}

func TestReceipt(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	r := ledger.Receipt{Origin: "a", Realm: 7, Index: 9, Commitment: ledger.Commit([32]byte{3}, []byte("x")), TimeMillis: 1234}
	text := ledger.SignReceipt(r, testKey)
	got, err := ledger.OpenReceipt(text, pub)
	if err != nil || got != r {
		t.Fatalf("%+v %v", got, err)
	}
	for i := range text {
		b := []byte(text)
		b[i] = 'A' + (b[i]+1)%26
		if string(b) == text {
			continue
		}
		if g, err := ledger.OpenReceipt(string(b), pub); err == nil && g != r {
			t.Fatalf("a receipt changed at %d was accepted", i)
		}
	}
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
	if _, err := ledger.OpenReceipt(ledger.SignReceipt(r, other), pub); !fault.Is(err, fault.Integrity) {
		t.Fatal("a forged receipt was accepted")
	}
}

func TestTilePath(t *testing.T) {
	for path, want := range map[string]bool{"checkpoint": true, "tile/0/x001/234.p/7": true, "tile/entries/000.p/255": true,
		"tile/../vault.db": false, "tile/0/": false, ".state/x": false, "tile/entries/x1/000": false, "": false, "tile/0/000/": false} {
		if _, _, ok := ledger.TilePath(path); ok != want {
			t.Errorf("%q: %v", path, ok)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	pub := testKey.Public().(ed25519.PublicKey)
	f.Add(ledger.SignReceipt(ledger.Receipt{Origin: "a"}, testKey))
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ledger.OpenReceipt(s, pub); err == nil && ledger.SignReceipt(r, testKey) != s {
			t.Fatal("a receipt that was never signed was accepted")
		}
	})
}

func FuzzLeaf(f *testing.F) {
	f.Add(ledger.LeafData(ledger.Commitment{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ledger.ParseLeaf(b); err == nil && string(ledger.LeafData(c)) != string(b) {
			t.Fatal("a leaf does not round-trip")
		}
	})
}

func FuzzTilePath(f *testing.F) {
	f.Add("tile/entries/x001/234.p/7")
	f.Fuzz(func(t *testing.T, s string) {
		if clean, _, ok := ledger.TilePath(s); ok && (strings.Contains(clean, "..") || filepath.IsAbs(clean)) {
			t.Fatal(clean)
		}
	})
}
