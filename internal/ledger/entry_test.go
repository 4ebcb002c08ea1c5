package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

func TestCommit(t *testing.T) {
	salt, body := [32]byte{9}, []byte("body")
	h := hmac.New(sha256.New, salt[:])
	h.Write(append([]byte("tikakosh/entry/v1\x00"), body...))
	c := ledger.Commit(salt, body)
	if !bytes.Equal(c[:], h.Sum(nil)) {
		t.Fatal("the commitment is not the HMAC of the specification")
	}
	if c == ledger.Commit([32]byte{8}, body) || c == ledger.Commit(salt, []byte("bodz")) {
		t.Fatal("salt or body does not matter")
	}
	leaf := ledger.LeafData(c)
	if got, err := ledger.ParseLeaf(leaf); err != nil || got != c || len(leaf) != ledger.LeafSize {
		t.Fatal(got, err)
	}
	for _, bad := range [][]byte{nil, leaf[1:], append([]byte{2}, leaf[1:]...), append(leaf, 0)} {
		_, err := ledger.ParseLeaf(bad)
		wantFault(t, err, fault.Invalid, "leaf")
	}
}

func TestReceipt(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	r := ledger.Receipt{Origin: origin, Realm: 7, Index: 9, Commitment: ledger.Commit([32]byte{3}, []byte("x")), TimeMillis: 1234}
	text := ledger.SignReceipt(r, testKey)
	if got, err := ledger.OpenReceipt(text, pub); err != nil || got != r {
		t.Fatalf("%+v %v", got, err)
	}
	for i := range text {
		for _, c := range []byte{'A', 'z', '_', '\n', '=', text[i] ^ 1} {
			b := []byte(text)
			b[i] = c
			if string(b) == text {
				continue
			}
			if _, err := ledger.OpenReceipt(string(b), pub); err == nil {
				t.Fatalf("a receipt changed at %d to %q was accepted", i, c)
			}
		}
	}
	for _, bad := range []string{"", "tkr1.", "tkr2" + text[4:], text + "A", text + "=", text + "\n", text[:40] + "\n" + text[40:], text[:len(text)-1], " " + text, strings.ToUpper(text)} {
		_, err := ledger.ParseReceipt(bad)
		wantFault(t, err, fault.Invalid, "receipt")
	}
	_, err := ledger.OpenReceipt(text, pub[:31])
	wantFault(t, err, fault.Invalid, "key")
	r.Origin = strings.Repeat("o", ledger.MaxOrigin)
	if got, err := ledger.OpenReceipt(ledger.SignReceipt(r, testKey), pub); err != nil || got != r {
		t.Fatal(err)
	}
	r.Origin += "o"
	_, err = ledger.ParseReceipt(ledger.SignReceipt(r, testKey))
	wantFault(t, err, fault.Invalid, "receipt")
}

// TestForgedReceipt is R69: another key's receipt, and a signature moved to
// another promise.
func TestForgedReceipt(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
	r := ledger.Receipt{Origin: origin, Realm: 1, Index: 5}
	_, err := ledger.OpenReceipt(ledger.SignReceipt(r, other), pub)
	wantFault(t, err, fault.Integrity, "receipt")
	s, err := ledger.ParseReceipt(ledger.SignReceipt(r, testKey))
	must(t, err)
	must(t, s.Verify(pub))
	for name, change := range map[string]func(*ledger.SignedReceipt){
		"origin": func(s *ledger.SignedReceipt) { s.Origin = "b" }, "realm": func(s *ledger.SignedReceipt) { s.Realm = 2 },
		"index": func(s *ledger.SignedReceipt) { s.Index++ }, "time": func(s *ledger.SignedReceipt) { s.TimeMillis++ },
		"commitment": func(s *ledger.SignedReceipt) { s.Commitment[0]++ },
	} {
		c := s
		change(&c)
		if err := c.Verify(pub); !fault.Is(err, fault.Integrity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func TestKeys(t *testing.T) {
	skey, vkey, err := ledger.GenerateKey(origin, bytes.NewReader(make([]byte, 32)))
	must(t, err)
	signer, text, err := ledger.NoteKeys(origin, testKey) // the same seed
	must(t, err)
	s, err := note.NewSigner(skey)
	must(t, err)
	if text != vkey || s.KeyHash() != signer.KeyHash() || s.Name() != origin {
		t.Fatalf("%q and %q", text, vkey)
	}
	v, err := ledger.LogVerifier(vkey + "\n")
	must(t, err)
	raw, err := note.Sign(&note.Note{Text: "x\n"}, s)
	must(t, err)
	_, err = note.Open(raw, note.VerifierList(v))
	must(t, err)
	for _, bad := range []string{"", "a b", "a+b", "a\nb", strings.Repeat("o", ledger.MaxOrigin+1)} {
		_, _, err := ledger.NoteKeys(bad, testKey)
		wantFault(t, err, fault.Invalid, "origin")
		_, _, err = ledger.GenerateKey(bad, bytes.NewReader(make([]byte, 32)))
		wantFault(t, err, fault.Invalid, "origin")
	}
	_, _, err = ledger.NoteKeys(origin, nil)
	wantFault(t, err, fault.Invalid, "key")
	_, _, err = ledger.GenerateKey(origin, brokenReader{})
	wantFault(t, err, fault.Unavailable, "")
	_, err = ledger.LogVerifier("x")
	wantFault(t, err, fault.Invalid, "")
	_, err = ledger.WitnessVerifier("x")
	wantFault(t, err, fault.Invalid, "")
}

func TestTilePath(t *testing.T) {
	for path, want := range map[string]bool{
		"checkpoint": true, "tile/0/000": true, "tile/0/x001/234.p/7": true, "tile/entries/000.p/255": true, "tile/63/067": true,
		"tile/entries/x001/x000/999": true, "tile/0/x001/000": true,
		"/tile/0/000": false, "/checkpoint": false, "checkpoint/": false, "tile/../vault.db": false, "tile/0/": false, ".state/treeState": false,
		"tile/entries/x1/000": false, "": false, "tile/0/000/": false, "tile/64/000": false, "tile/00/000": false, "tile/+1/000": false,
		"tile/-1/000": false, "tile/0/x000/001": false, "tile/0/001/002": false, "tile/0/x001": false, "tile/0/0000": false, "tile/0/00": false,
		"tile/0/000.p/0": false, "tile/0/000.p/256": false, "tile/0/000.p/07": false, "tile/0/000.p/": false, "tile/0/000.p/7/": false,
		"tile/0/000.p/7.p/7": false, "tile/0/000.p/3123": false, "tile/entries": false, "tile//000": false, "tile/0/%30": false,
		"tile/0/x001/x001/x001/x001/x001/x001/001": false, "tile/0/٠٠٠": false,
	} {
		clean, immutable, ok := ledger.TilePath(path)
		if ok != want || (ok && (clean != path || immutable == (path == "checkpoint"))) || (!ok && clean != "") {
			t.Errorf("%q: %q %v %v", path, clean, immutable, ok)
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
	f.Add("checkpoint")
	f.Fuzz(func(t *testing.T, s string) {
		clean, _, ok := ledger.TilePath(s)
		if ok && (clean != s || !filepath.IsLocal(clean) || filepath.Clean(clean) != clean || strings.Contains(clean, ".state")) {
			t.Fatal(clean)
		}
	})
}
