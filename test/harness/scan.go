package harness

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
)

// Needles is a set of byte patterns to look for, each with a name. A pattern
// has at least eight bytes, so that chance hits do not happen.
type Needles struct {
	first [1 << 16]bool
	by    map[uint64][]needle
	Count int
}

type needle struct {
	name    string
	pattern []byte
}

const minNeedle = 8

// NewNeedles makes an empty set.
func NewNeedles() *Needles { return &Needles{by: map[uint64][]needle{}} }

// Add looks for a pattern; shorter than eight bytes it is refused.
func (n *Needles) Add(name string, pattern []byte) error {
	if len(pattern) < minNeedle {
		return fmt.Errorf("harness: the pattern %s is too short to search for", name)
	}
	head := binary.LittleEndian.Uint64(pattern)
	n.first[uint16(head)] = true
	n.by[head] = append(n.by[head], needle{name, bytes.Clone(pattern)})
	n.Count++
	return nil
}

// AddForms looks for a word in every common form: plain, UTF-16, hex, base64
// (in its three alignments), JSON-escaped, and its MD5, SHA-1, SHA-256, SHA-512
// raw, in hex and in base64.
func (n *Needles) AddForms(name, word string) error {
	for form, p := range forms(word) {
		if len(p) < minNeedle {
			continue // e.g. base64 without its edges of a short word
		}
		if err := n.Add(name+" ("+form+")", p); err != nil {
			return err
		}
	}
	return nil
}

func forms(word string) map[string][]byte {
	plain := []byte(word)
	out := map[string][]byte{"plain": plain, "hex": []byte(hex.EncodeToString(plain)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(plain))),
		"lower": bytes.ToLower(plain), "upper": bytes.ToUpper(plain)}
	var wide, escaped []byte
	for _, u := range utf16.Encode([]rune(word)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
		if u < 0x80 {
			escaped = append(escaped, byte(u))
		} else {
			escaped = fmt.Appendf(escaped, `\u%04x`, u)
		}
	}
	out["utf-16"], out["escaped"] = wide, escaped
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), plain...))
		// Characters that also depend on the neighbours are cut off.
		from, to := (shift*8+5)/6, (shift+len(plain))*8/6
		out[fmt.Sprintf("base64+%d", shift)] = []byte(text[from:to])
		out[fmt.Sprintf("base64url+%d", shift)] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(text[from:to]))
	}
	for kind, sum := range Digests(plain) {
		out[kind] = sum
		out[kind+" hex"] = []byte(hex.EncodeToString(sum))
		out[kind+" base64"] = []byte(base64.RawStdEncoding.EncodeToString(sum))
		out[kind+" base64url"] = []byte(base64.RawURLEncoding.EncodeToString(sum))
	}
	return out
}

// Digests are the common hashes of data.
func Digests(data []byte) map[string][]byte {
	m, a, b, c, d, e := md5.Sum(data), sha1.Sum(data), sha256.Sum256(data), sha256.Sum224(data), sha512.Sum512(data), sha512.Sum384(data)
	return map[string][]byte{"md5": m[:], "sha1": a[:], "sha256": b[:], "sha224": c[:], "sha512": d[:], "sha384": e[:]}
}

// Find returns the names of the patterns in data, each once.
func (n *Needles) Find(data []byte) []string {
	var out []string
	seen := map[string]bool{}
	for i := 0; i+minNeedle <= len(data); i++ {
		if !n.first[uint16(data[i])|uint16(data[i+1])<<8] {
			continue
		}
		for _, x := range n.by[binary.LittleEndian.Uint64(data[i:])] {
			if !seen[x.name] && bytes.HasPrefix(data[i:], x.pattern) {
				seen[x.name] = true
				out = append(out, x.name)
			}
		}
	}
	return out
}

// FindInFiles searches files and returns hits as "file: name".
func (n *Needles) FindInFiles(files []string) ([]string, error) {
	var out []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if os.IsNotExist(err) {
			continue // a log or journal that ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, hit := range n.Find(raw) {
			out = append(out, f+": "+hit)
		}
	}
	return out, nil
}

// FindInMemory searches the writable memory of a process of this machine. It
// returns hits as "region: name" and how many bytes it read.
func (n *Needles) FindInMemory(pid int) (hits []string, size int64, err error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, 0, err
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, err
	}
	defer mem.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		got, read := n.findAt(mem, from, to)
		size += read
		for _, h := range got {
			hits = append(hits, fmt.Sprintf("%x-%x: %s", from, to, h))
		}
	}
	return hits, size, lines.Err()
}

const window, overlap = 4 << 20, 4 << 10

// findAt reads a region in windows; pages that cannot be read are passed over.
func (n *Needles) findAt(mem io.ReaderAt, from, to int64) (hits []string, size int64) {
	buf := make([]byte, window+overlap)
	for at := from; at < to; at += window {
		b := buf[:min(int64(len(buf)), to-at)]
		read, err := mem.ReadAt(b, at)
		if read == 0 && err != nil {
			continue
		}
		size += int64(read)
		hits = append(hits, n.Find(b[:read])...)
	}
	return hits, size
}

// Environ is the environment of a process.
func Environ(pid int) ([]byte, error) { return os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)) }
