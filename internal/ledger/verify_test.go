package ledger_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

// hashes is a tree kept by x/mod's tlog: the second author of every root and
// proof here.
type hashes []tlog.Hash

func (h *hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = (*h)[x]
	}
	return out, nil
}

func (h *hashes) add(t testing.TB, n int64, leaf []byte) {
	t.Helper()
	more, err := tlog.StoredHashes(n, leaf, h)
	must(t, err)
	*h = append(*h, more...)
}

func treeOf(t testing.TB, leaves [][]byte) *hashes {
	h := &hashes{}
	for i, leaf := range leaves {
		h.add(t, int64(i), leaf)
	}
	return h
}

func (h *hashes) root(t testing.TB, n uint64) tlog.Hash {
	t.Helper()
	if n == 0 {
		return tlog.Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	root, err := tlog.TreeHash(int64(n), h)
	must(t, err)
	return root
}

// tesseraCheck reads the files with Tessera's own checker.
func tesseraCheck(t testing.TB, dir, vkey string) {
	t.Helper()
	v, err := ledger.LogVerifier(vkey)
	must(t, err)
	hasher := func(bundle []byte) ([][]byte, error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		var out [][]byte
		for _, e := range b.Entries {
			out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return out, nil
	}
	must(t, fsck.New(v.Name(), v, client.FileFetcher{Root: dir}, hasher, fsck.Opts{N: 1}).Check(context.Background()))
}

func TestSecondAuthors(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 700, 65536 + 300} {
		dir, vkey, r := build(t, n)
		rep, err := ledger.Verify(t.Context(), dir, vkey)
		if err != nil || rep.Size != uint64(n) || rep.Origin != origin || rep.Time.IsZero() {
			t.Fatalf("%d entries: %+v %v", n, rep, err)
		}
		if want := treeOf(t, r.all).root(t, uint64(n)); rep.Root != want {
			t.Fatalf("%d entries: root %s, tlog has %s", n, rep.Root, want)
		}
		if n > 0 {
			tesseraCheck(t, dir, vkey)
		}
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for _, c := range []struct {
		name, code, names string
		do                func(t *testing.T, dir string)
	}{
		{"changed entry", "tile", "entry 1 in tile/entries/000 ", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/entries/000"), 40) }},
		{"changed version", "leaf", "entry 256 in tile/entries/001 ", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/entries/001"), 2) }},
		{"changed last entry", "tile", "entry 599 in tile/entries/002.p/88 ", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/entries/002.p/88"), 87*35+10) }},
		{"changed tile", "tile", "tile/0/001", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/0/001"), 40) }},
		{"changed upper tile", "tile", "tile/1/000.p/2 is not that of tile/0/001", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/1/000.p/2"), 40) }},
		{"truncated entries", "truncated", "tile/entries/001", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tile/entries/001"), 35*200)) }},
		{"entries cut in the middle", "truncated", "tile/entries/001", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tile/entries/001"), 900)) }},
		{"truncated tile", "truncated", "tile/0/002.p/88", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tile/0/002.p/88"), 32)) }},
		{"missing entries", "missing", "tile/entries/000", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "tile/entries/000"))) }},
		{"missing tile", "missing", "tile/1/000.p/2", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "tile/1/000.p/2"))) }},
		{"changed older entries", "tile", "tile/entries/000.p/200, written for a smaller tree", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/entries/000.p/200"), 40) }},
		{"changed older tile", "tile", "tile/0/000.p/200, written for a smaller tree", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "tile/0/000.p/200"), 40) }},
		{"changed checkpoint", "checkpoint", "", func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "checkpoint"), 30) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, vkey, _ := build(t, 600)
			c.do(t, dir)
			_, err := ledger.Verify(t.Context(), dir, vkey)
			wantFault(t, err, fault.Integrity, c.code)
			if !strings.Contains(err.Error(), c.names) {
				t.Fatalf("%q does not name %q", err, c.names)
			}
		})
	}
	_, err := ledger.Verify(t.Context(), t.TempDir(), mustVkey(t))
	wantFault(t, err, fault.Unavailable, "")
	_, err = ledger.Verify(t.Context(), t.TempDir(), "x")
	wantFault(t, err, fault.Invalid, "")
}

func mustVkey(t testing.TB) string {
	_, vkey := options(t, "x")
	return vkey
}

// TestVerifyFindsConsistentRewrite is R66: someone without the key rewrites a
// leaf and everything above it but cannot sign the new root.
func TestVerifyFindsConsistentRewrite(t *testing.T) {
	dir, vkey, r := build(t, 600)
	old, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(t, err)
	forged := &rows{all: append([][]byte{}, r.all...)}
	forged.all[70] = leafAt(7777)
	o, _ := options(t, filepath.Join(t.TempDir(), "f"))
	o.Signer, _, _ = ledger.NoteKeys(origin, ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))))
	_, err = ledger.Rebuild(t.Context(), o, forged)
	must(t, err)
	_, err = ledger.Verify(t.Context(), o.Dir, vkey)
	wantFault(t, err, fault.Integrity, "checkpoint")
	must(t, os.WriteFile(filepath.Join(o.Dir, "checkpoint"), old, 0o644))
	_, err = ledger.Verify(t.Context(), o.Dir, vkey)
	wantFault(t, err, fault.Integrity, "root")
	_, err = ledger.InclusionProof(t.Context(), o.Dir, 70)
	must(t, err) // built, but
	p, _ := ledger.InclusionProof(t.Context(), o.Dir, 70)
	v, _ := ledger.LogVerifier(vkey)
	c, _ := ledger.ParseLeaf(forged.all[70])
	_, err = ledger.VerifyInclusion(p, v, c)
	wantFault(t, err, fault.Integrity, "inclusion")
}

func TestInclusion(t *testing.T) {
	dir, vkey, r := build(t, 1000)
	v, err := ledger.LogVerifier(vkey)
	must(t, err)
	tree := treeOf(t, r.all)
	for _, i := range []uint64{0, 1, 255, 256, 511, 768, 998, 999} {
		p, err := ledger.InclusionProof(t.Context(), dir, i)
		must(t, err)
		c, err := ledger.ParseLeaf(r.all[i])
		must(t, err)
		cp, err := ledger.VerifyInclusion(p, v, c)
		if err != nil || cp.Size != 1000 {
			t.Fatal(cp, err)
		}
		must(t, tlog.CheckRecord(tlog.RecordProof(p.Hashes), 1000, tree.root(t, 1000), int64(i), tlog.RecordHash(r.all[i])))
		other, _ := ledger.ParseLeaf(r.all[(i+1)%1000])
		_, err = ledger.VerifyInclusion(p, v, other)
		wantFault(t, err, fault.Integrity, "inclusion")
		p.Index ^= 1
		_, err = ledger.VerifyInclusion(p, v, c)
		wantFault(t, err, fault.Integrity, "inclusion")
		p.Index ^= 1
		p.Hashes = p.Hashes[1:]
		_, err = ledger.VerifyInclusion(p, v, c)
		wantFault(t, err, fault.Integrity, "inclusion")
	}
	_, err = ledger.InclusionProof(t.Context(), dir, 1000)
	wantFault(t, err, fault.NotFound, "unpublished")
	must(t, os.Truncate(filepath.Join(dir, "tile/0/003.p/232"), 3))
	_, err = ledger.InclusionProof(t.Context(), dir, 999)
	wantFault(t, err, fault.Integrity, "")
}

// TestConsistency is R65 to R67 for a person who kept a checkpoint.
func TestConsistency(t *testing.T) {
	dir, r := t.TempDir(), &rows{}
	var kept [][]byte
	var vkey string
	sizes := []uint64{0, 1, 256, 300, 1000}
	for _, n := range sizes {
		r.add(int(n) - len(r.all))
		vkey = grow(t, dir, r)
		raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
		must(t, err)
		kept = append(kept, raw)
	}
	tree := treeOf(t, r.all)
	for i, old := range kept {
		was, now, err := ledger.VerifyAgainst(t.Context(), dir, vkey, old)
		if err != nil || was.Size != sizes[i] || now.Size != 1000 {
			t.Fatal(was, now, err)
		}
		proof, err := ledger.ConsistencyProof(t.Context(), dir, was.Size)
		must(t, err)
		if was.Size > 0 && was.Size < 1000 {
			must(t, tlog.CheckTree(tlog.TreeProof(proof), 1000, tree.root(t, 1000), int64(was.Size), was.Root))
			wantFault(t, ledger.VerifyConsistency(was, now, proof[1:]), fault.Integrity, "consistency")
		}
	}
	short, split, rewritten := t.TempDir(), t.TempDir(), t.TempDir()
	grow(t, short, &rows{all: r.all[:299]})
	other := &rows{all: append([][]byte{}, r.all[:300]...)}
	other.all[5] = leafAt(7777)
	grow(t, split, other)
	other.all = append(other.all, leafAt(1))
	grow(t, rewritten, other)
	for code, d := range map[string]string{"truncated": short, "split": split, "consistency": rewritten} {
		was, now, err := ledger.VerifyAgainst(t.Context(), d, vkey, kept[3])
		wantFault(t, err, fault.Integrity, code)
		for _, text := range []string{was.Root.String(), now.Root.String()} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%v does not show both roots", err)
			}
		}
	}
	_, err := ledger.ConsistencyProof(t.Context(), dir, 1001)
	wantFault(t, err, fault.Invalid, "size")
	_, _, err = ledger.VerifyAgainst(t.Context(), dir, vkey, []byte("no note"))
	wantFault(t, err, fault.Integrity, "checkpoint")
	wantFault(t, ledger.VerifyConsistency(ledger.Checkpoint{Origin: "a"}, ledger.Checkpoint{Origin: "b"}, nil), fault.Integrity, "origin")
}

// TestNothingPersonal is R70 for the files: everything outside the writer's
// state is hashes, commitments, sizes and the origin; equal bodies look unequal.
func TestNothingPersonal(t *testing.T) {
	dir := t.TempDir()
	body := []byte("mobile 0123456789")
	r := &rows{}
	for i := range 3 {
		r.all = append(r.all, ledger.LeafData(ledger.Commit([32]byte{byte(i)}, body)))
	}
	grow(t, dir, r)
	raw, err := os.ReadFile(filepath.Join(dir, "tile/entries/000.p/3"))
	must(t, err)
	if len(raw) != 3*(2+ledger.LeafSize) || string(raw[:35]) == string(raw[35:70]) {
		t.Fatal("leaves have another form or are equal")
	}
	guess := ledger.LeafData(ledger.Commit([32]byte{}, body))
	if string(raw[2+35:70]) == string(guess) {
		t.Fatal("a guessed body could be tested without the salt")
	}
	var state struct{ Size int }
	raw, err = os.ReadFile(filepath.Join(dir, ".state/treeState"))
	must(t, err)
	must(t, json.Unmarshal(raw, &state))
	if state.Size != 3 {
		t.Fatal(state)
	}
}
