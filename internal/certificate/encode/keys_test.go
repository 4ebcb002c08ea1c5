package encode

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func TestKIDIsOfTheKey(t *testing.T) {
	s := testSigner(t, 7)
	der, err := x509.MarshalPKIXPublicKey(s.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(der); string(sum[:8]) != string(s.KID[:]) {
		t.Error("the key id is not the start of the key's hash")
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []crypto.Signer{nil, p384, ed} {
		if _, err := NewSigner(k); fault.CodeOf(err) != CodeKeySet {
			t.Errorf("%T: %v", k, err)
		}
	}
}

// hardware stands for a key outside the process: random signatures, both forms
// of s, and failures.
type hardware struct {
	*ecdsa.PrivateKey
	high bool
	err  error
	raw  []byte
}

func (h hardware) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if h.err != nil || h.raw != nil {
		return h.raw, h.err
	}
	for {
		sig, err := h.PrivateKey.Sign(r, digest, o)
		if err != nil {
			return nil, err
		}
		n := len(sig)
		if (sig[n-32]&0x80 != 0 || sig[n-33] == 0) == h.high {
			return sig, nil
		}
	}
}

func TestSignatureHasOneForm(t *testing.T) {
	soft := testSigner(t, 7)
	for _, high := range []bool{false, true} {
		s := Signer{Key: hardware{PrivateKey: soft.Key.(*ecdsa.PrivateKey), high: high}, KID: soft.KID}
		sig, err := s.sign([]byte("m"))
		if err != nil || len(sig) != 64 || isHigh(new(big.Int).SetBytes(sig[32:])) {
			t.Fatalf("%x %v", sig, err)
		}
		pub := &soft.Key.(*ecdsa.PrivateKey).PublicKey
		if !verifySignature(pub, []byte("m"), sig) || verifySignature(pub, []byte("n"), sig) || verifySignature(pub, []byte("m"), sig[:63]) {
			t.Error("verification")
		}
		other := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
		other.FillBytes(sig[32:])
		if verifySignature(pub, []byte("m"), sig) {
			t.Error("the second form of a signature passes")
		}
	}
	a, _ := soft.sign([]byte("m"))
	b, _ := soft.sign([]byte("m"))
	if string(a) != string(b) {
		t.Error("a software key signs differently each time")
	}
	for name, k := range map[string]hardware{"fails": {err: errors.New("offline")}, "garbage": {raw: []byte("x")}, "zero": {raw: []byte{0x30, 6, 2, 1, 0, 2, 1, 0}}} {
		k.PrivateKey = soft.Key.(*ecdsa.PrivateKey)
		if _, err := (Signer{Key: k, KID: soft.KID}).sign([]byte("m")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKeySetFile(t *testing.T) {
	a, b := testSigner(t, 7), testSigner(t, 8)
	ks := testKeys(t, a, b)
	file, err := ks.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKeySet(file)
	if err != nil || again.Len() != 2 || fmt.Sprint(again.KIDs()) != fmt.Sprint(ks.KIDs()) {
		t.Fatalf("%v %v", again.KIDs(), err)
	}
	if second, _ := again.Marshal(); string(second) != string(file) {
		t.Error("the file is not stable")
	}
	pub := a.Key.Public().(*ecdsa.PublicKey)
	point, err := pub.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := fmt.Sprintf(`{"version":1,"keys":{"%s":{"kty":"EC","crv":"P-256","x":"%s","y":"%s","use":"sig"}}}`, a.KID, b64(point[1:33]), b64(point[33:]))
	fromJWK, err := ParseKeySet([]byte(jwk))
	if got, ok := fromJWK.find(a.KID); err != nil || !ok || !got.Equal(pub) {
		t.Errorf("JWK: %v", err)
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"no JSON":     "keys",
		"version":     `{"version":2,"keys":{}}`,
		"unknown":     `{"version":1,"keys":{},"more":1}`,
		"two":         `{"version":1,"keys":{}} {}`,
		"short kid":   strings.Replace(jwk, a.KID.String(), "00", 1),
		"upper kid":   strings.Replace(jwk, a.KID.String(), "AABBCCDDEEFF0011", 1),
		"no key":      `{"version":1,"keys":{"0011223344556677":"hello"}}`,
		"off curve":   strings.Replace(jwk, b64(point[1:33]), b64(make([]byte, 32)), 1),
		"private":     strings.Replace(jwk, `"use":"sig"`, `"d":"AA"`, 1),
		"other curve": strings.Replace(jwk, "P-256", "P-384", 1),
		"number":      `{"version":1,"keys":{"0011223344556677":1}}`,
		"large":       strings.Repeat(" ", maxKeySet+1),
	} {
		if _, err := ParseKeySet([]byte(bad)); fault.CodeOf(err) != CodeKeySet {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (KeySet{}).Len() != 0 {
		t.Error("the zero key set trusts a key")
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":{"0011223344556677":{"kty":"EC","crv":"P-256","x":"","y":""}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ks, err := ParseKeySet(b)
		if err != nil {
			return
		}
		out, err := ks.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseKeySet(out); err != nil || again.Len() != ks.Len() {
			t.Errorf("does not come back: %v", err)
		}
	})
}
