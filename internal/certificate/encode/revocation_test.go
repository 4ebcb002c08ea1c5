package encode

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

// TestRevocations: what is signed is found again, and nothing else.
func TestRevocations(t *testing.T) {
	s := testSigner(t, 1)
	keys, err := NewKeySet(s)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_790_000_000, 0)
	var hashes []RevocationHash
	for _, ci := range []string{"a", "b", "a", "c"} {
		hashes = append(hashes, RevocationHashOf(ci))
	}
	raw, err := SignRevocations("Issuer", 7, at, hashes, s)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParseRevocations(append(raw, '\n'), keys)
	if err != nil || list.Len() != 3 || list.Number != 7 || !list.IssuedAt.Equal(at) || list.Age(at.Add(time.Hour)) != time.Hour {
		t.Fatalf("%+v %v", list, err)
	}
	for ci, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false, "": false} {
		if list.Has(ci) != want {
			t.Errorf("%q: %v", ci, !want)
		}
	}
	other, err := NewKeySet(testSigner(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(string(raw), ".")
	b64 := base64.RawURLEncoding.EncodeToString
	swap := func(i int, text string) []byte {
		p := append([]string{}, part...)
		p[i] = text
		return []byte(strings.Join(p, "."))
	}
	for name, c := range map[string]struct {
		raw  []byte
		keys KeySet
		code string
	}{
		"another issuer's keys": {raw, other, CodeUnknownKey},
		"no keys":               {raw, KeySet{}, CodeUnknownKey},
		"a shorter list":        {swap(1, b64([]byte(`{"iss":"Issuer","iat":1790000000,"number":8,"hashes":""}`))), keys, CodeSignature},
		"no signature":          {swap(2, ""), keys, CodeSignature},
		"no algorithm":          {swap(0, b64([]byte(`{"alg":"none","typ":"tikakosh-revocations+jwt","kid":"`+s.KID.String()+`"}`))), keys, CodeList},
		"another type":          {swap(0, b64([]byte(`{"alg":"ES256","typ":"JWT","kid":"`+s.KID.String()+`"}`))), keys, CodeList},
		"two parts":             {[]byte(part[0] + "." + part[1]), keys, CodeList},
		"nothing":               {nil, keys, CodeList},
	} {
		if _, err := ParseRevocations(c.raw, c.keys); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func FuzzParseRevocations(f *testing.F) {
	s := testSigner(f, 1)
	keys, err := NewKeySet(s)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := SignRevocations("Issuer", 1, time.Unix(1_790_000_000, 0), []RevocationHash{RevocationHashOf("a")}, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("a.b.c"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if list, err := ParseRevocations(in, keys); err == nil && !bytes.Equal(bytes.TrimSpace(in), raw) {
			t.Errorf("another text is taken for a list: %+v", list)
		}
	})
}
