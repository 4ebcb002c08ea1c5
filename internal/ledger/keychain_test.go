package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

func chainKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func vkeyOf(t testing.TB, k ed25519.PrivateKey) string {
	t.Helper()
	_, vkey, err := ledger.NoteKeys(origin, k)
	must(t, err)
	return vkey
}

// TestKeysOfALog changes a log's key twice while it runs. Every checkpoint
// verifies from every of the three keys, over restarts, and no key signs for a
// size at which it was not the log's.
func TestKeysOfALog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	src := &rows{}
	now := ledger.Keys{Key: chainKey(1)}
	open := func() *ledger.Log {
		t.Helper()
		signer, _, err := ledger.NoteKeys(origin, now.Key)
		must(t, err)
		l, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Signer: signer, Keys: func() ledger.Keys { return now }}, src)
		must(t, err)
		return l
	}
	l := open()
	publish := func() []byte {
		t.Helper()
		must(t, l.Integrate(t.Context(), src))
		must(t, l.Publish(t.Context()))
		raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
		must(t, err)
		return raw
	}
	var notes [][]byte
	var published [][]byte
	for n := byte(1); n <= 3; n++ {
		src.add(10)
		published = append(published, publish())
		if n == 3 {
			break
		}
		change, err := ledger.SignTransition(origin, uint64(len(src.all)), chainKey(n), chainKey(n+1))
		must(t, err)
		notes = append(notes, change)
		now = ledger.Keys{Key: chainKey(n + 1), Chain: ledger.Keychain(notes)}
		if n == 1 { // the process ends before anything was signed with the new key
			must(t, l.Close(t.Context()))
			l = open()
		}
	}
	must(t, l.Close(t.Context()))
	if raw, err := os.ReadFile(filepath.Join(dir, ledger.VKeyFile)); err != nil || strings.TrimSpace(string(raw)) != vkeyOf(t, chainKey(3)) {
		t.Errorf("%s %v", raw, err)
	}
	for n := byte(1); n <= 3; n++ {
		if rep, err := ledger.Verify(t.Context(), dir, vkeyOf(t, chainKey(n))); err != nil || rep.Size != 30 {
			t.Errorf("from key %d: %+v %v", n, rep, err)
		}
	}
	if _, err := ledger.Verify(t.Context(), dir, vkeyOf(t, chainKey(4))); !fault.Is(err, fault.Integrity) {
		t.Errorf("from a stranger's key: %v", err)
	}
	// An older checkpoint in the place of the newest is still the log's own, whoever reads it.
	chain, err := ledger.ParseKeychain(now.Chain)
	must(t, err)
	for i, raw := range published {
		for n := byte(1); n <= 3; n++ {
			trusted, err := ledger.Trusted(vkeyOf(t, chainKey(n)), chain)
			must(t, err)
			if got, err := ledger.OpenTrusted(raw, trusted); err != nil || got.Size != uint64(10*(i+1)) {
				t.Errorf("checkpoint %d from key %d: %+v %v", i+1, n, got, err)
			}
		}
	}
	// A reader who knows other changes than the files beside the log do.
	for n, want := range map[byte]int{1: 2, 2: 2, 3: 2, 4: 1} {
		trusted, err := ledger.TrustedAmong(vkeyOf(t, chainKey(n)), chain[:1], chain[1:], nil)
		must(t, err)
		if len(trusted) != want {
			t.Errorf("from key %d: %d keys trusted, want %d", n, len(trusted), want)
		}
	}
	must(t, os.Rename(filepath.Join(dir, ledger.KeychainFile), filepath.Join(dir, "aside")))
	if _, err := ledger.Verify(t.Context(), dir, vkeyOf(t, chainKey(1))); !fault.Is(err, fault.Integrity) {
		t.Errorf("from the first key without the changes: %v", err)
	}
	if rep, err := ledger.VerifyWith(t.Context(), dir, vkeyOf(t, chainKey(1)), chain); err != nil || rep.Size != 30 {
		t.Errorf("from the first key with the changes from elsewhere: %+v %v", rep, err)
	}
	must(t, os.Rename(filepath.Join(dir, "aside"), filepath.Join(dir, ledger.KeychainFile)))
	// The first key, stolen after it was given up, signs another history.
	signer, _, err := ledger.NoteKeys(origin, chainKey(1))
	must(t, err)
	forged, err := note.Sign(&note.Note{Text: string(log.Checkpoint{Origin: origin, Size: 40, Hash: make([]byte, 32)}.Marshal())}, signer)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "checkpoint"), forged, 0o644))
	for n := byte(1); n <= 3; n++ {
		if _, err := ledger.Verify(t.Context(), dir, vkeyOf(t, chainKey(n))); !fault.Is(err, fault.Integrity) || !strings.Contains(err.Error(), "at that size") {
			t.Errorf("a checkpoint of an old key beyond its time, from key %d: %v", n, err)
		}
	}
}

func TestKeychainRefused(t *testing.T) {
	sign := func(size uint64, a, b byte) []byte {
		t.Helper()
		raw, err := ledger.SignTransition(origin, size, chainKey(a), chainKey(b))
		must(t, err)
		return raw
	}
	one, two := sign(5, 1, 2), sign(9, 2, 3)
	if got, err := ledger.ParseKeychain(ledger.Keychain([][]byte{one, two})); err != nil || len(got) != 2 || got[1].Size != 9 {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := ledger.ParseKeychain(ledger.Keychain(nil)); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	alone, err := note.Sign(&note.Note{Text: string(one[:bytes.Index(one, []byte("\n\n"))+1])}, func() note.Signer {
		s, _, err := ledger.NoteKeys(origin, chainKey(2))
		must(t, err)
		return s
	}())
	must(t, err)
	other, err := ledger.SignTransition("other.example/ledger", 9, chainKey(2), chainKey(3))
	must(t, err)
	for name, notes := range map[string][][]byte{
		"in the wrong order":      {two, one},
		"a gap":                   {one, sign(9, 3, 4)},
		"the size goes back":      {one, sign(4, 2, 3)},
		"the new key alone":       {alone},
		"another size":            {bytes.Replace(one, []byte("\n5\n"), []byte("\n6\n"), 1)},
		"another log's":           {one, other},
		"to itself":               {sign(5, 1, 1)},
		"no note":                 {[]byte("tikakosh/ledger-key/v1\n")},
		"another kind of note":    {bytes.Replace(one, []byte("ledger-key"), []byte("ledger-log"), 1)},
		"a size with a sign":      {bytes.Replace(one, []byte("\n5\n"), []byte("\n+5\n"), 1)},
		"the same change, doubly": {one, one},
	} {
		if got, err := ledger.ParseKeychain(ledger.Keychain(notes)); !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	for _, text := range []string{"", "{}", "[1]", "[\"", strings.Repeat(" ", 3<<20)} {
		if _, err := ledger.ParseKeychain([]byte(text)); !fault.Is(err, fault.Integrity) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzParseKeychain(f *testing.F) {
	raw, err := ledger.SignTransition(origin, 5, chainKey(1), chainKey(2))
	must(f, err)
	f.Add(ledger.Keychain([][]byte{raw}))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		chain, err := ledger.ParseKeychain(b)
		if err != nil && !fault.Is(err, fault.Integrity) {
			t.Error(err)
		}
		for _, c := range chain {
			if _, err := ledger.Trusted(c.New, chain); err != nil {
				t.Error(err)
			}
		}
	})
}
