package edge

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestBearer(t *testing.T) {
	r := newRig(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := r.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) map[string]any { return map[string]any{"exp": fixedNow.Add(d).Unix()} }
	good := r.bearerText(t)
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"genuine":          {good, true},
		"a second left":    {signToken(t, r.key, jose.ES256, at(time.Second)), true},
		"now over":         {signToken(t, r.key, jose.ES256, at(0)), false},
		"long over":        {signToken(t, r.key, jose.ES256, at(-time.Hour)), false},
		"no exp":           {signToken(t, r.key, jose.ES256, map[string]any{}), false},
		"exp as text":      {signToken(t, r.key, jose.ES256, map[string]any{"exp": "9999999999"}), false},
		"no object":        {signToken(t, r.key, jose.ES256, []int{1}), false},
		"another key":      {signToken(t, other, jose.ES256, at(time.Hour)), false},
		"public as secret": {signToken(t, public, jose.HS256, at(time.Hour)), false},
		"none":             {b64([]byte(`{"alg":"none"}`)) + "." + part[1] + ".", false},
		"no signature":     {part[0] + "." + part[1] + ".", false},
		"other payload":    {part[0] + "." + b64([]byte(`{"exp":9999999999}`)) + "." + part[2], false},
		"JSON form":        {`{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`, false},
		"longer":           {good + strings.Repeat("A", 1024), false},
		"empty":            {"", false},
	} {
		got, err := r.bearerOf(&http.Request{Header: http.Header{"Authorization": {"Bearer " + c.text}}})
		if (err == nil) != c.ok || (c.ok && got != c.text) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	// A remembered bearer ends with its time, and only its very text is remembered.
	ask := func(text string) error {
		_, err := r.bearerOf(&http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}})
		return err
	}
	short := signToken(t, r.key, jose.ES256, at(time.Second))
	for range 2 {
		if err := ask(short); err != nil {
			t.Errorf("a bearer, seen before or not: %v", err)
		}
	}
	if ask(short[:len(short)-4]+"AAAA") == nil {
		t.Error("another signature on a bearer seen before")
	}
	now := r.cfg.Now
	r.cfg.Now = func() time.Time { return fixedNow.Add(time.Second) }
	if ask(short) == nil {
		t.Error("a remembered bearer outlives its time")
	}
	r.cfg.Now = now
	if _, err := r.bearerOf(&http.Request{Header: http.Header{"Authorization": {"bearer  " + good + " "}}}); err != nil {
		t.Errorf("the scheme's case and spaces do not matter: %v", err)
	}
}

// FuzzBearer: whatever the header holds, only what the vault signed and has not
// expired gets through.
func FuzzBearer(f *testing.F) {
	r := newRig(f)
	good := r.bearerText(f)
	payload := strings.Split(good, ".")[1]
	f.Add("Bearer " + good)
	f.Add("Bearer " + signToken(f, r.key, jose.ES256, map[string]any{"exp": fixedNow.Unix()}))
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Add("bearer\t..")
	f.Add("Basic eDp5")
	f.Add("")
	f.Fuzz(func(t *testing.T, header string) {
		text, err := r.bearerOf(&http.Request{Header: http.Header{"Authorization": {header}}})
		if err != nil {
			if text != "" {
				t.Errorf("refused, and yet %q", text)
			}
			return
		}
		part := strings.Split(text, ".")
		if len(part) != 3 || len(text) > 1024 {
			t.Fatalf("%q was taken", text)
		}
		got, err := base64.RawURLEncoding.DecodeString(part[1])
		want, _ := base64.RawURLEncoding.DecodeString(payload)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q was taken, which the vault did not sign", text)
		}
	})
}
