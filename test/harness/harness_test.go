package harness

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOnlyLoopback(t *testing.T) {
	for address, fine := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:1": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"10.0.0.1:80": false, "169.254.169.254:80": false, "[::ffff:10.0.0.1]:80": false, "0.0.0.0:80": false, "[::]:80": false, "localhost:80": false, "": false,
	} {
		if err := CheckLoopback(address); (err == nil) != fine {
			t.Errorf("CheckLoopback(%q) = %v, want allowed %v", address, err, fine)
		}
	}
	s := &Server{tb: t, numbers: newNumbers()}
	if _, err := s.Client().http.Do(&http.Request{Method: "GET", URL: mustURL(t, "http://192.0.2.1/")}); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("a request to 192.0.2.1 gave %v", err)
	}
}

// TestNeedlesFindEveryForm hides a word in each form inside noise.
func TestNeedlesFindEveryForm(t *testing.T) {
	const word = "Quixolmar Zephyrine"
	n := NewNeedles()
	if err := n.AddForms("word", word); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(word))
	for form, hidden := range map[string]string{
		"plain": "{\"name\":\"" + word + "\"}", "hex": "00" + hex.EncodeToString([]byte(word)) + "ff", "sha256": "x" + string(sum[:]) + "y",
		"sha256 hex": hex.EncodeToString(sum[:]), "base64+0": base64.StdEncoding.EncodeToString([]byte("abc" + word + "def")),
		"base64+1": base64.StdEncoding.EncodeToString([]byte("a" + word + "b")), "base64+2": base64.StdEncoding.EncodeToString([]byte("ab" + word + "c")),
	} {
		got := n.Find([]byte(strings.Repeat("noise ", 100) + hidden + strings.Repeat(" noise", 100)))
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "word ("+form) }) {
			t.Errorf("%s was not found in %q: %q", form, hidden, got)
		}
	}
	if got := n.Find([]byte(strings.Repeat("Quixolmar Zephyrin ", 100))); len(got) != 0 {
		t.Errorf("found in noise: %q", got)
	}
	if err := n.Add("short", []byte("abc")); err == nil {
		t.Error("a short pattern was taken")
	}
}

// TestNeedlesInMemory finds a word in this very process.
func TestNeedlesInMemory(t *testing.T) {
	n := NewNeedles()
	word := []byte("Vrondelisk Ampharoth 1")
	word[len(word)-1] = byte('0' + os.Getpid()%10) // on the heap, not only in the text of the program
	if err := n.Add("word", word); err != nil {
		t.Fatal(err)
	}
	keep := bytes.Clone(word)
	hits, size, err := n.FindInMemory(os.Getpid())
	if err != nil || len(hits) == 0 || size == 0 {
		t.Fatalf("hits %q in %d bytes, error %v", hits, size, err)
	}
	if !bytes.Equal(keep, word) {
		t.Fatal("the word went away")
	}
}

func TestStaffSignature(t *testing.T) {
	k, err := NewStaffKey("vaccinator", 1)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := k.Sign(Claims("POST", "http://127.0.0.1/x", []byte("body"), t0))
	if err != nil || strings.Count(proof, ".") != 2 {
		t.Fatalf("%q %v", proof, err)
	}
	if !bytes.Contains(Payload(proof), []byte(`"htm":"POST"`)) {
		t.Fatalf("payload %s", Payload(proof))
	}
	if forged := Forge(proof, nil, []byte("{}")); forged == proof || string(Payload(forged)) != "{}" {
		t.Fatal("Forge did not replace the payload")
	}
}
