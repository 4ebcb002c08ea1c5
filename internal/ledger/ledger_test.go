package ledger_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

const origin = "test.example/ledger"

// rows is a database of leaves.
type rows struct {
	mu  sync.Mutex
	all [][]byte
}

func (r *rows) Leaves(_ context.Context, from uint64, limit int) ([][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from >= uint64(len(r.all)) {
		return nil, nil
	}
	return r.all[from:min(uint64(len(r.all)), from+uint64(limit))], nil
}

func leafAt(i int) []byte {
	return ledger.LeafData(ledger.Commit([32]byte{1}, fmt.Appendf(nil, "entry %d", i)))
}

func (r *rows) add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		r.all = append(r.all, leafAt(len(r.all)))
	}
}

var testKey = ed25519.NewKeyFromSeed(make([]byte, 32))

func options(t testing.TB, dir string) (ledger.Options, string) {
	t.Helper()
	signer, vkey, err := ledger.NoteKeys(origin, testKey)
	must(t, err)
	return ledger.Options{Dir: dir, Signer: signer}, vkey
}

// open opens with an interval of a minute: nothing is published on its own.
func open(t testing.TB, dir string, src ledger.Source) (*ledger.Log, string, error) {
	t.Helper()
	o, vkey := options(t, dir)
	l, err := ledger.Open(context.Background(), o, src)
	return l, vkey, err
}

// build makes files of n leaves, opened twice.
func build(t testing.TB, n int) (dir, vkey string, r *rows) {
	t.Helper()
	dir, r = t.TempDir(), &rows{}
	for _, part := range []int{n / 3, n - n/3} {
		r.add(part)
		vkey = grow(t, dir, r)
	}
	return dir, vkey, r
}

func grow(t testing.TB, dir string, r *rows) string {
	t.Helper()
	l, vkey, err := open(t, dir, r)
	must(t, err)
	must(t, l.Integrate(context.Background(), r))
	must(t, l.Close(context.Background()))
	return vkey
}

func flip(t testing.TB, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[at] ^= 1
	must(t, os.WriteFile(path, b, 0o644))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFault(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || (code != "" && fault.CodeOf(err) != code) {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}

func TestStartRefuses(t *testing.T) {
	for _, c := range []struct {
		name, code string
		do         func(t *testing.T, dir string, r *rows)
	}{
		{"older database", "ahead", func(_ *testing.T, _ string, r *rows) { r.all = r.all[:690] }},
		{"much older database", "ahead", func(_ *testing.T, _ string, r *rows) { r.all = r.all[:10] }},
		{"empty database", "ahead", func(_ *testing.T, _ string, r *rows) { r.all = nil }},
		{"changed first row", "differs", func(_ *testing.T, _ string, r *rows) { r.all[0] = leafAt(7777) }},
		{"changed last row", "differs", func(_ *testing.T, _ string, r *rows) { r.all[699] = leafAt(7777) }},
		{"swapped rows", "differs", func(_ *testing.T, _ string, r *rows) { r.all[300], r.all[301] = r.all[301], r.all[300] }},
		{"changed entry file", "differs", func(t *testing.T, dir string, _ *rows) { flip(t, filepath.Join(dir, "tile/entries/001"), 40) }},
		{"changed tile", "root", func(t *testing.T, dir string, _ *rows) { flip(t, filepath.Join(dir, "tile/1/000.p/2"), 40) }},
		{"truncated tile", "", func(t *testing.T, dir string, _ *rows) {
			must(t, os.Truncate(filepath.Join(dir, "tile/0/002.p/188"), 64))
		}},
		{"missing entries", "missing", func(t *testing.T, dir string, _ *rows) { must(t, os.Remove(filepath.Join(dir, "tile/entries/000"))) }},
		{"lost state", "state", func(t *testing.T, dir string, _ *rows) { must(t, os.Remove(filepath.Join(dir, ".state/treeState"))) }},
		{"older state", "state", func(t *testing.T, dir string, r *rows) {
			other := t.TempDir()
			grow(t, other, &rows{all: r.all[:300]})
			raw, err := os.ReadFile(filepath.Join(other, ".state/treeState"))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, ".state/treeState"), raw, 0o644))
		}},
		{"changed checkpoint", "checkpoint", func(t *testing.T, dir string, _ *rows) { flip(t, filepath.Join(dir, "checkpoint"), 30) }},
		{"checkpoint of another key", "checkpoint", func(t *testing.T, dir string, r *rows) {
			other := t.TempDir()
			o, _ := options(t, other)
			o.Signer, _, _ = ledger.NoteKeys(origin, ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))))
			_, err := ledger.Rebuild(t.Context(), o, &rows{all: r.all})
			must(t, err)
			raw, err := os.ReadFile(filepath.Join(other, "checkpoint"))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, "checkpoint"), raw, 0o644))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _, r := build(t, 700)
			before, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
			must(t, err)
			c.do(t, dir, r)
			l, _, err := open(t, dir, r)
			if err == nil {
				l.Close(context.Background())
			}
			wantFault(t, err, fault.Integrity, c.code)
			after, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
			must(t, err)
			if !strings.Contains(c.name, "checkpoint") && string(after) != string(before) {
				t.Fatal("a refused start published a checkpoint")
			}
		})
	}
}

func TestOpenOptions(t *testing.T) {
	o, _ := options(t, t.TempDir())
	for name, change := range map[string]func(*ledger.Options){
		"no folder": func(o *ledger.Options) { o.Dir = "" }, "no key": func(o *ledger.Options) { o.Signer = nil },
		"too often": func(o *ledger.Options) { o.CheckpointEvery = time.Millisecond },
	} {
		c := o
		change(&c)
		if _, err := ledger.Open(t.Context(), c, &rows{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneWriter(t *testing.T) {
	dir, _, r := build(t, 10)
	l, _, err := open(t, dir, r)
	must(t, err)
	_, _, err = open(t, dir, r)
	wantFault(t, err, fault.Conflict, "locked")
	must(t, l.Close(t.Context()))
	must(t, l.Close(t.Context()))
	wantFault(t, l.Integrate(t.Context(), r), fault.Unavailable, "closed")
	wantFault(t, l.Publish(t.Context()), fault.Unavailable, "closed")
	grow(t, dir, r)
}

// TestPublishesOnlyWhenTold also shows that Tessera does not publish by itself.
func TestPublishesOnlyWhenTold(t *testing.T) {
	dir, r := t.TempDir(), &rows{}
	l, vkey, err := open(t, dir, r)
	must(t, err)
	for i := range 3 {
		r.add(200)
		must(t, l.Integrate(t.Context(), r))
		time.Sleep(30 * time.Millisecond)
		if rep, err := ledger.Verify(t.Context(), dir, vkey); err != nil || rep.Size != uint64(200*i) || l.Size() != rep.Size+200 {
			t.Fatalf("before publication: %+v %v", rep, err)
		}
		must(t, l.Publish(t.Context()))
		if rep, err := ledger.Verify(t.Context(), dir, vkey); err != nil || rep.Size != uint64(200*i+200) {
			t.Fatalf("after publication: %+v %v", rep, err)
		}
	}
	raw, err := l.Checkpoint(t.Context())
	must(t, err)
	must(t, l.Close(t.Context()))
	if on, _ := os.ReadFile(filepath.Join(dir, "checkpoint")); string(on) != string(raw) {
		t.Fatal("closing published again although nothing had changed")
	}
}

func TestRunFollowsWithinASecond(t *testing.T) {
	for _, wake := range []chan struct{}{nil, make(chan struct{}, 1)} {
		t.Run(fmt.Sprint("woken ", wake != nil), func(t *testing.T) {
			dir, r := t.TempDir(), &rows{}
			o, vkey := options(t, dir)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l, err := ledger.Open(ctx, o, r)
			must(t, err)
			done := make(chan error, 1)
			go func() { done <- l.Run(ctx, r, wake) }()
			for n := 1; n <= 3; n++ {
				r.add(100)
				start := time.Now()
				if wake != nil {
					wake <- struct{}{}
				}
				for l.Size() < uint64(100*n) {
					if time.Since(start) > time.Second {
						t.Fatalf("only %d entries after a second", l.Size())
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
			r.add(50) // and stop at once: the context of Open and Run ends first
			cancel()
			must(t, <-done)
			must(t, l.Close(context.Background()))
			if rep, err := ledger.Verify(context.Background(), dir, vkey); err != nil || rep.Size != 350 {
				t.Fatalf("after shutdown: %+v %v", rep, err)
			}
		})
	}
}

func TestRunPublishesEveryInterval(t *testing.T) {
	dir, r := t.TempDir(), &rows{}
	r.add(5000) // more than one batch to begin with
	o, vkey := options(t, dir)
	o.CheckpointEvery = 100 * time.Millisecond
	l, err := ledger.Open(t.Context(), o, r)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, r, nil) }()
	for n := range 3 {
		for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			rep, err := ledger.Verify(t.Context(), dir, vkey)
			must(t, err)
			if rep.Size == uint64(5000+10*n) {
				break
			}
			if time.Since(start) > 2*time.Second {
				t.Fatalf("checkpoint of %d entries after two seconds", rep.Size)
			}
		}
		r.add(10)
	}
	cancel()
	must(t, <-done)
	must(t, l.Close(context.Background()))
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	dir, r := t.TempDir(), &rows{}
	o, vkey := options(t, dir)
	o.CheckpointEvery = 100 * time.Millisecond
	l, err := ledger.Open(t.Context(), o, r)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for _, do := range []func() error{
		func() error { return l.Run(ctx, r, nil) },
		func() error { r.add(7); return l.Integrate(t.Context(), r) },
		func() error { return l.Publish(t.Context()) },
		func() error { _, err := ledger.Verify(t.Context(), dir, vkey); return err },
		func() error { _, err := l.Checkpoint(t.Context()); l.Size(); return err },
	} {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := do(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	must(t, l.Integrate(t.Context(), r))
	must(t, l.Close(t.Context()))
	if rep, err := ledger.Verify(t.Context(), dir, vkey); err != nil || rep.Size != uint64(len(r.all)) {
		t.Fatalf("%+v %v, want %d entries", rep, err, len(r.all))
	}
}

func TestFilesCanBeReadByOthers(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir, _, _ := build(t, 700)
	n := 0
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		if d.Name() == ".state" {
			return filepath.SkipDir
		}
		info, err := d.Info()
		must(t, err)
		want := fs.FileMode(0o644)
		if d.IsDir() {
			want = 0o755
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		n++
		return nil
	}))
	if n < 10 {
		t.Fatalf("only %d files", n)
	}
}

func TestRebuild(t *testing.T) {
	dir, vkey, r := build(t, 3000)
	old, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(t, err)
	o, _ := options(t, dir)
	_, err = ledger.Rebuild(t.Context(), o, r)
	wantFault(t, err, fault.Conflict, "not-empty")
	o.Dir = filepath.Join(t.TempDir(), "new")
	cp, err := ledger.Rebuild(t.Context(), o, r)
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(o.Dir, "checkpoint"))
	must(t, err)
	if string(raw) != string(old) || cp.Size != 3000 {
		t.Fatalf("another checkpoint:\n%s\n%s", old, raw)
	}
	r.add(5)
	grow(t, o.Dir, r) // the rebuilt files can be continued
	if _, now, err := ledger.VerifyAgainst(t.Context(), o.Dir, vkey, old); err != nil || now.Size != 3005 {
		t.Fatal(now.Size, err)
	}
}
