package encode

import (
	"bytes"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"tikakosh/internal/fault"
)

func TestBase45(t *testing.T) {
	// RFC 9285 sections 4.3 and 4.4.
	for plain, text := range map[string]string{"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0", "\xff": "U5", "": ""} {
		if got := encodeBase45([]byte(plain)); got != text {
			t.Errorf("%q: %q, want %q", plain, got, text)
		}
		if got, err := decodeBase45(text); err != nil || string(got) != plain {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for _, bad := range []string{"GGW", "::", ":::", "A", "AAAA", "aaa", "A\x00A", "é", "V5"} {
		if _, err := decodeBase45(bad); fault.CodeOf(err) != CodeMalformed {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzBase45(f *testing.F) {
	f.Add("BB8")
	f.Add("%69 VD92EX0")
	f.Add("GGW")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := decodeBase45(s); err == nil && encodeBase45(b) != s {
			t.Errorf("%q has a second spelling", s)
		}
		if b, err := decodeBase45(encodeBase45([]byte(s))); err != nil || string(b) != s {
			t.Errorf("%q does not come back: %v", s, err)
		}
	})
}

// unzlib is the standard library's reader, with nothing of ours.
func unzlib(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompress(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, maxInflated)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	few := make([]byte, maxInflated)
	for i := range few {
		few[i] = "abcde"[r.IntN(5)]
	}
	skewed := make([]byte, maxInflated) // long codes
	for i := range skewed {
		for skewed[i] < 40 && r.IntN(2) == 0 {
			skewed[i]++
		}
	}
	for name, in := range map[string][]byte{
		"empty": nil, "one": {7}, "high bytes": bytes.Repeat([]byte{0xff, 0xfe}, 10), "zeros": make([]byte, maxInflated), "random": random,
		"few": few, "skewed": skewed, "text": []byte(strings.Repeat("2026-10-02 रमेश ", 20)), "long copy": append(bytes.Repeat([]byte{1, 2, 3}, 200), 9),
	} {
		for _, split := range []int{0, len(in) / 2, len(in)} {
			z := compress(in, split)
			if got := unzlib(t, z); !bytes.Equal(got, in) {
				t.Errorf("%s split at %d does not come back", name, split)
			}
			if got, err := inflate(z); err != nil || !bytes.Equal(got, in) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n := len(compress(make([]byte, maxInflated), maxInflated)); n > 30 {
		t.Errorf("zeros take %d bytes", n)
	}
}

// TestCompressIsFrozen holds the encoder to bytes once written: certificates in
// people's hands are compared with what it writes.
func TestCompressIsFrozen(t *testing.T) {
	in := []byte("URN:UVCI:01:IN:TK1/K7Q2M5XW3ABTN#T 2026-10-02 2026-10-02 लक्ष्मीनारायण LAKSHMINARAYAN<LAKSHMI")
	const want = "NCF8C1VUU8C1VTE5ZM3766WUOSMAMUO-QO$69V6TY6X11*/EBH1MMA*BANF66J6UW6LEQO46T-CQ9B5A1M-0X0LLAB2ZV4LP876B8UTRQM-0Q+AQ9B.DU*KIU8C92WQX4AW2MS3RQGZVF-:V*PGYJ4V1WCCK.40GTM%4"
	if got := encodeBase45(compress(in, 60)); got != want {
		t.Errorf("the encoder changed:\n got %s\nwant %s", got, want)
	}
}

func TestInflateBounds(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	w.Write(make([]byte, 1<<20))
	w.Close()
	good := compress([]byte("hello"), 5)
	broken := bytes.Clone(good)
	broken[len(broken)-1] ^= 1
	for name, in := range map[string][]byte{
		"bomb": bomb.Bytes(), "empty": nil, "no zlib": []byte("hello"), "cut": good[:len(good)-2], "checksum": broken, "more": append(bytes.Clone(good), 0),
	} {
		if _, err := inflate(in); fault.CodeOf(err) != CodeMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCompress(f *testing.F) {
	f.Add([]byte("2026-10-02"), uint16(3))
	f.Add(bytes.Repeat([]byte("ab"), 300), uint16(90))
	f.Fuzz(func(t *testing.T, in []byte, split uint16) {
		in = in[:min(len(in), maxInflated)]
		if got := unzlib(t, compress(in, min(int(split), len(in)))); !bytes.Equal(got, in) {
			t.Error("does not come back")
		}
	})
}
