package custody

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func offer(t testing.TB, dir string, shares ...string) (*Shares, error) {
	t.Helper()
	c, err := NewCollector(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range shares {
		have, need, err := c.Offer(s)
		if err != nil {
			return nil, err
		}
		if (have == need) != (c.Opened() != nil) {
			t.Fatalf("%d of %d after %d", have, need, i+1)
		}
	}
	return c.Opened(), nil
}

func split(dir string, need, n int) (shares []string, err error) {
	err = Split(dir, need, n, func(s []string) error { shares = s; return nil })
	return shares, err
}

// TestSplitShownFirst: the key files go only when the shares were shown; a terminal
// that is gone loses no key, and the splitting can be done again.
func TestSplitShownFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	before, err := OpenFile(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := before.Wrap("x", []byte("a key"))
	if err != nil {
		t.Fatal(err)
	}
	gone := fault.New(fault.Unavailable, "terminal", "gone")
	if err := Split(dir, 2, 3, func([]string) error {
		if _, err := OpenFile(dir, false); err != nil {
			t.Errorf("before the shares were shown: %v", err)
		}
		return gone
	}); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	after, err := OpenFile(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := after.Unwrap("x", wrapped); err != nil || string(key) != "a key" {
		t.Errorf("%q %v", key, err)
	}
	shares, err := split(dir, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	p, err := offer(t, dir, shares[2], shares[0])
	if err != nil || p == nil {
		t.Fatal(err)
	}
	if key, err := p.Unwrap("x", wrapped); err != nil || string(key) != "a key" {
		t.Errorf("%q %v", key, err)
	}
}

func TestShares(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	shares, err := split(dir, 3, 5)
	if err != nil || len(shares) != 5 {
		t.Fatalf("%d shares, %v", len(shares), err)
	}
	if _, err := split(dir, 2, 3); !fault.Is(err, fault.Conflict) {
		t.Errorf("split again: %v", err)
	}
	var made *Shares
	for _, some := range [][]int{{0, 1, 2}, {4, 2, 0}, {1, 3, 4}} {
		p, err := offer(t, dir, shares[some[0]], shares[some[1]], shares[some[2]])
		if err != nil || p == nil {
			t.Fatalf("%v: %v", some, err)
		}
		if made == nil {
			made = p
			continue
		}
		blob, err := made.Wrap("a", []byte("key"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Unwrap("a", blob); err != nil || string(got) != "key" {
			t.Errorf("%v open other keys: %v", some, err)
		}
	}
	if p, err := offer(t, dir, shares[0], shares[0], shares[0], shares[1]); p != nil || err != nil {
		t.Errorf("one share three times counts as more: %v", err)
	}
	exercise(t, made)
	again, err := offer(t, dir, shares[0], strings.ToLower(strings.ReplaceAll(shares[1], "-", "  ")), shares[2]+"\n")
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := made.Tag(2, []byte("x"))
	two, err2 := again.Tag(2, []byte("x"))
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Errorf("a key made since the splitting: %v %v", err1, err2)
	}
	raw, err := os.ReadFile(filepath.Join(dir, SharesFile))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("idtag-1")) || !bytes.Contains(raw, []byte("idtag-2")) {
		t.Error("the destroyed key is in the file, or the new one is not")
	}
	if info, err := os.Stat(filepath.Join(dir, SharesFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestSharesRefused(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "keys")
	shares, err := split(dir, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := split(other, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := offer(t, dir, shares[0], foreign[1]); !fault.Is(err, fault.Invalid) {
		t.Errorf("another installation's: %v", err)
	}
	typo := []byte(shares[1])
	i := len(typo) / 2
	if typo[i] == '-' {
		i++
	}
	typo[i] = map[bool]byte{true: 'B', false: 'A'}[typo[i] == 'A']
	if _, err := offer(t, dir, string(typo)); !fault.Is(err, fault.Invalid) {
		t.Errorf("mistyped: %v", err)
	}
	// A share that somebody made up, with a right check.
	made, err := ParseShare(shares[1])
	if err != nil {
		t.Fatal(err)
	}
	made.value[3] ^= 1
	c, err := NewCollector(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Offer(shares[0]); err != nil {
		t.Fatal(err)
	}
	if have, _, err := c.Offer(shareText(made)); !fault.Is(err, fault.Integrity) || have != 0 || c.Opened() != nil {
		t.Errorf("a wrong share: %d %v", have, err)
	}
	for _, s := range []string{shares[2], shares[0]} {
		if _, _, err := c.Offer(s); err != nil {
			t.Fatal(err)
		}
	}
	if c.Opened() == nil {
		t.Error("given again, they do not open")
	}
	for _, bad := range [][2]int{{1, 3}, {4, 3}, {2, 33}, {0, 0}} {
		if _, err := split(filepath.Join(t.TempDir(), "keys"), bad[0], bad[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := NewCollector(t.TempDir()); err == nil {
		t.Error("nothing to collect for")
	}
}

// TestSplitFiles: an installation with key files goes over to shares and keeps
// its keys; the files are gone.
func TestSplitFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	f, err := OpenFile(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.MakeTagKey(2); err != nil {
		t.Fatal(err)
	}
	blob, err := f.Wrap("a", []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	shares, err := split(dir, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	p, err := offer(t, dir, shares...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Unwrap("a", blob); err != nil || string(got) != "key" {
		t.Errorf("%v", err)
	}
	for version := 1; version <= 2; version++ {
		one, err1 := f.Tag(version, []byte("x"))
		two, err2 := p.Tag(version, []byte("x"))
		if err1 != nil || err2 != nil || !slices.Equal(one, two) {
			t.Errorf("version %d: %v %v", version, err1, err2)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != SharesFile {
		t.Errorf("%v %v", left, err)
	}
}

func FuzzParseShare(f *testing.F) {
	shares, err := split(filepath.Join(f.TempDir(), "keys"), 2, 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shares[0])
	f.Add("AAAAA-AAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShare(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
			return
		}
		again, err := ParseShare(shareText(s))
		if err != nil || again != s {
			t.Errorf("%+v is read back as %+v, %v", s, again, err)
		}
	})
}
