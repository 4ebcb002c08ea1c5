package backup_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"testing"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
)

func keys(t testing.TB, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	signer, vkey, err := ledger.NoteKeys("test.local/ledger", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	v, err := ledger.LogVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, v
}

// whole makes a small set with two parts.
func whole(t testing.TB, signer note.Signer) []byte {
	t.Helper()
	var out bytes.Buffer
	w := backup.NewWriter(&out)
	for i, name := range []string{"vault", "registry"} {
		p, err := w.Part(name, int64(8+i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(bytes.Repeat([]byte{byte(i), 1, 2}, 70)); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m := backup.Manifest{Set: "0123", Made: "2026-11-24T04:30:00Z", Program: "test", Realm: 1, Origin: "test.local/ledger", LedgerSize: 7, Body: w.Body()}
	signed, err := backup.Sign(m, signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(signed); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func verify(raw []byte, v ...note.Verifier) (backup.Manifest, error) {
	body, signed, err := backup.Inspect(bytes.NewReader(raw))
	if err != nil {
		return backup.Manifest{}, err
	}
	return backup.Verify(body, signed, v...)
}

func TestSet(t *testing.T) {
	signer, v := keys(t, 1)
	raw := whole(t, signer)
	m, err := verify(raw, v)
	if err != nil || m.LedgerSize != 7 || len(m.Body.Parts) != 2 || m.Body.Parts[1].Schema != 9 {
		t.Fatalf("%+v %v", m, err)
	}
	part, err := m.Part("registry")
	if err != nil {
		t.Fatal(err)
	}
	r, err := backup.OpenPart(bytes.NewReader(raw), part)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, bytes.Repeat([]byte{1, 1, 2}, 70)) {
		t.Errorf("%x %v", got, err)
	}
	if _, err := m.Part("other"); !fault.Is(err, fault.Integrity) {
		t.Errorf("a part that is not there: %v", err)
	}
	other, _ := keys(t, 2)
	if _, err := verify(whole(t, other), v); !fault.Is(err, fault.Integrity) {
		t.Errorf("signed by another ledger's key: %v", err)
	}
}

// TestEveryByte: a set with any byte changed, left out, doubled or cut off at any
// place is refused.
func TestEveryByte(t *testing.T) {
	signer, v := keys(t, 1)
	raw := whole(t, signer)
	for i := range raw {
		for name, changed := range map[string][]byte{
			"one bit flipped": append(append(bytes.Clone(raw[:i]), raw[i]^(1<<(i%8))), raw[i+1:]...),
			"left out":        append(bytes.Clone(raw[:i]), raw[i+1:]...),
			"doubled":         append(append(bytes.Clone(raw[:i]), raw[i]), raw[i:]...),
			"cut off":         bytes.Clone(raw[:i]),
		} {
			if bytes.Equal(changed, raw) {
				continue
			}
			if _, err := verify(changed, v); !fault.Is(err, fault.Integrity) {
				t.Fatalf("byte %d of %d %s: %v", i, len(raw), name, err)
			}
		}
	}
	if _, err := verify(append(bytes.Clone(raw), 'x'), v); !fault.Is(err, fault.Integrity) {
		t.Errorf("something follows: %v", err)
	}
}

// TestChangedWhileRead: a file that changes between the two readings is noticed.
func TestChangedWhileRead(t *testing.T) {
	signer, v := keys(t, 1)
	raw := whole(t, signer)
	m, err := verify(raw, v)
	if err != nil {
		t.Fatal(err)
	}
	raw[60] ^= 1
	r, err := backup.OpenPart(bytes.NewReader(raw), m.Body.Parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !fault.Is(err, fault.Integrity) {
		t.Errorf("%v", err)
	}
}

func TestAge(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Recipients([]string{id.String()}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a secret key as recipient: %v", err)
	}
	if _, err := backup.Recipients(nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("no recipient: %v", err)
	}
	to, err := backup.Recipients([]string{id.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := backup.Encrypt(&sealed, to)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("plain"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ids, err := backup.Identities(bytes.NewReader([]byte(id.String() + "\n")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := backup.Decrypt(&sealed, ids)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "plain" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := backup.Identities(bytes.NewReader([]byte("nothing"))); !fault.Is(err, fault.Invalid) {
		t.Errorf("no identity: %v", err)
	}
}

// FuzzInspect: whatever is read as a set is a whole one or refused.
func FuzzInspect(f *testing.F) {
	signer, v := keys(f, 1)
	raw := whole(f, signer)
	f.Add(raw)
	f.Add(raw[:40])
	f.Add([]byte("tikakosh backup 1\nM\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := verify(b, v); err == nil && !bytes.Equal(b, raw) {
			t.Error("a set that nobody signed")
		} else if err != nil && !fault.Is(err, fault.Integrity) {
			t.Error(err)
		}
	})
}

// FuzzManifest: one text for one manifest.
func FuzzManifest(f *testing.F) {
	text, err := backup.Manifest{Set: "x"}.Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("tikakosh backup manifest 1\n{\"set\":\"x\"}\n")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := backup.ParseManifest(s)
		if err != nil {
			return
		}
		if again, err := m.Text(); err != nil || again != s {
			t.Errorf("%q is read as %q", s, again)
		}
	})
}
