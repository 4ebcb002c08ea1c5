package custody

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

// exercise is what every custody must do.
func exercise(t *testing.T, p Provider) {
	t.Helper()
	key := []byte("0123456789abcdef0123456789abcdef")
	blob, err := p.Wrap("realm-1/epoch/1", key)
	if err != nil || bytes.Contains(blob, key) {
		t.Fatalf("wrap: %v", err)
	}
	if got, err := p.Unwrap("realm-1/epoch/1", blob); err != nil || !bytes.Equal(got, key) {
		t.Errorf("unwrap: %v", err)
	}
	if _, err := p.Unwrap("realm-1/epoch/2", blob); !fault.Is(err, fault.Integrity) {
		t.Errorf("under another name: %v", err)
	}
	blob[len(blob)-1] ^= 1
	if _, err := p.Unwrap("realm-1/epoch/1", blob); !fault.Is(err, fault.Integrity) {
		t.Errorf("altered: %v", err)
	}
	if _, err := p.Unwrap("realm-1/epoch/1", nil); !fault.Is(err, fault.Integrity) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := p.Wrap("x", make([]byte, MaxKey+1)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a long key: %v", err)
	}
	one, err := p.Tag(1, []byte("x"))
	if err != nil || len(one) != 32 {
		t.Fatalf("tag: %d bytes, %v", len(one), err)
	}
	if _, err := p.Tag(2, []byte("x")); !fault.Is(err, fault.Integrity) {
		t.Errorf("a version that was never made: %v", err)
	}
	for range 2 { // a second time changes nothing
		if err := p.MakeTagKey(2); err != nil {
			t.Fatal(err)
		}
	}
	two, err := p.Tag(2, []byte("x"))
	if err != nil || bytes.Equal(one, two) {
		t.Errorf("the second version tags alike: %v", err)
	}
	if again, err := p.Tag(1, []byte("x")); err != nil || !bytes.Equal(one, again) {
		t.Errorf("the first version tags otherwise now: %v", err)
	}
	for range 2 {
		if err := p.DestroyTagKey(1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Tag(1, []byte("x")); !fault.Is(err, fault.Integrity) {
		t.Errorf("a destroyed version: %v", err)
	}
}

func TestFileCustody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	f, err := OpenFile(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	exercise(t, f)
	again, err := OpenFile(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Tag(2, []byte("x")); err != nil {
		t.Errorf("opened again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "idtag-1.key")); !os.IsNotExist(err) {
		t.Errorf("a destroyed key's file: %v", err)
	}
}

func TestRemoteCustody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var f *File
	var told []error
	h := func(w http.ResponseWriter, r *http.Request) {
		Handler(f, nil, func(err error) { told = append(told, err) }).ServeHTTP(w, r)
	}
	opened := []bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f != nil {
			h(w, r)
			return
		}
		Handler(nil, func(create bool) (err error) {
			opened = append(opened, create)
			f, err = OpenFile(dir, create)
			return err
		}, func(err error) { told = append(told, err) }).ServeHTTP(w, r)
	}))
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}}
	if _, err := NewRemote(client, false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no keys yet: %v", err)
	}
	r, err := NewRemote(client, true)
	if err != nil || len(opened) != 2 || opened[0] || !opened[1] {
		t.Fatalf("%v %v", opened, err)
	}
	exercise(t, r)
	if len(told) == 0 {
		t.Error("nobody was told of errors")
	}
	if _, err := r.ask(call{Do: "give"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("another call: %v", err)
	}
	srv.Close()
	if _, err := r.Tag(2, nil); !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "key-custody" {
		t.Errorf("gone: %v", err)
	}
}

func TestKeysTexts(t *testing.T) {
	p, err := ParsePKCS11("pkcs11:token=my%20token;object=vault;serial=01?module-path=/usr/lib/x.so&pin-source=file:/etc/pin")
	if want := (PKCS11{Token: "my token", Serial: "01", Object: "vault", Module: "/usr/lib/x.so", PINSource: "/etc/pin"}); err != nil || p != want {
		t.Errorf("%+v %v", p, err)
	}
	for text, why := range map[string]string{
		"pkcs11:token=a":                                           "module-path",
		"pkcs11:?module-path=/x":                                   "token",
		"pkcs11:token=a?module-path=/x&pin-value=1234":             "command line",
		"pkcs11:token=a;token=b?module-path=/x":                    "twice",
		"pkcs11:token=a;slot=b?module-path=/x":                     "understood",
		"pkcs11:token=%00?module-path=/x":                          "readable",
		"pkcs11:token=%zz?module-path=/x":                          "readable",
		"file:token=a?module-path=/x":                              "URI",
		"pkcs11:token=a?module-path=/" + strings.Repeat("x", 5000): "URI",
	} {
		if _, err := ParsePKCS11(text); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	for text, want := range map[string]string{"file": KindFile, "shares": KindShares, "pkcs11:x": KindPKCS11, "transit:x": KindTransit, "files": "", "": "", "file:x": ""} {
		if got, err := Kind(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

func FuzzParsePKCS11(f *testing.F) {
	f.Add("pkcs11:token=my%20token;object=vault?module-path=/usr/lib/x.so&pin-source=file:/etc/pin")
	f.Add("pkcs11:token=a?pin-value=1234")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePKCS11(text)
		if err == nil && (p.Module == "" || p.Token+p.Serial == "" || strings.Contains(text, "pin-value=")) {
			t.Errorf("%q is taken as %+v", text, p)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

func FuzzCall(f *testing.F) {
	dir := f.TempDir() + "/keys"
	p, err := OpenFile(dir, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"Do":"wrap","Name":"a","Data":"eA=="}`))
	f.Add([]byte(`{"Do":"unwrap","Data":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		Handler(limited{p}, func(bool) error { return nil }, func(error) {}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
		if w.Code != http.StatusOK || w.Body.Len() > 2*maxCall {
			t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
		}
	})
}

// limited makes and destroys no files.
type limited struct{ Provider }

func (limited) MakeTagKey(int) error    { return nil }
func (limited) DestroyTagKey(int) error { return nil }
