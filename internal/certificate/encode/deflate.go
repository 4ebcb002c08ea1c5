package encode

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/adler32"
	"io"
	"math/bits"
)

// maxInflated bounds what a text may inflate to, in bytes. A certificate needs
// about 500.
const maxInflated = 1024

// The length and distance codes of RFC 1951 section 3.2.5: base value and
// number of extra bits; the last length code (285) stands for 258 alone.
var (
	lengthBase  = [...]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [...]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [...]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769}
	distExtra   = [...]int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8}
)

func codeOf(base []int, v int) int {
	c := len(base) - 1
	for base[c] > v {
		c--
	}
	return c
}

// bitWriter packs bits from the least significant one (RFC 1951 section 3.1.1).
type bitWriter struct {
	out []byte
	acc uint64
	n   int
}

func (w *bitWriter) bits(v, n int) {
	w.acc |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
}

// huffman writes a code of n bits; Huffman codes go most significant bit first.
func (w *bitWriter) huffman(code, n int) {
	if n > 0 {
		w.bits(int(bits.Reverse16(uint16(code))>>(16-n)), n)
	}
}

// token is a literal (length 0) or a copy of length bytes from dist back.
type token struct{ length, dist, literal int }

// compress writes b (at most maxInflated bytes) as zlib (RFC 1950) with two
// deflate blocks, b[:split] and b[split:]: text with a small alphabet before,
// the signature's random bytes after. Each block takes the cheaper of fixed and
// dynamic codes. The output is a function of b and split alone and must never
// change, because verification compares against it (package comment); the
// standard library's compressor may change with each Go release, and writes 12
// to 17 bytes more on these inputs.
func compress(b []byte, split int) []byte {
	w := &bitWriter{out: []byte{0x78, 0xda}}
	writeBlock(w, b[:split], false)
	writeBlock(w, b[split:], true)
	if w.n > 0 {
		w.bits(0, 8-w.n)
	}
	return binary.BigEndian.AppendUint32(w.out, adler32.Checksum(b))
}

// writeBlock settles the parse and the codes by turns, as each is optimal only
// given the other: two rounds, the best kept, the earlier on a tie.
func writeBlock(w *bitWriter, b []byte, final bool) {
	fixed := fixedCodes()
	tokens := cheapest(b, fixed)
	best := block{codes: fixed, tokens: tokens, fixed: true}
	for range 2 {
		c := dynamicCodes(tokens)
		if next := (block{codes: c, tokens: tokens}); next.size() < best.size() {
			best = next
		}
		tokens = cheapest(b, c)
		if next := (block{codes: dynamicCodes(tokens), tokens: tokens}); next.size() < best.size() {
			best = next
		}
	}
	best.write(w, final)
}

// cheapest finds the parse with the least bits under the codes, by dynamic
// programming from the end; ties go to the literal, then to the shorter copy
// from the nearest place. match[j] is the length of the common run at i and j;
// going from i+1 to i only shifts it, so the whole takes len(b)² steps.
func cheapest(b []byte, c codes) []token {
	n := len(b)
	plan, cost := make([]token, n), make([]int, n+1)
	match := make([]int, n+1)
	for i := n - 1; i >= 0; i-- {
		plan[i] = token{literal: int(b[i])}
		cost[i] = c.litCost(int(b[i])) + cost[i+1]
		for j := range i {
			if b[j] == b[i] {
				match[j] = min(match[j+1]+1, n-i)
			} else {
				match[j] = 0
			}
		}
		longest := 2
		for j := i - 1; j >= 0; j-- {
			for l := longest + 1; l <= min(match[j], 258); l++ {
				longest = l
				if k := c.copyCost(l, i-j) + cost[i+l]; k < cost[i] {
					plan[i], cost[i] = token{length: l, dist: i - j}, k
				}
			}
		}
	}
	var out []token
	for i := 0; i < n; i += max(1, plan[i].length) {
		out = append(out, plan[i])
	}
	return out
}

// inflate reads zlib data that holds at most maxInflated bytes and nothing
// after its checksum.
func inflate(b []byte) ([]byte, error) {
	in := bytes.NewReader(b)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, malformed("zlib header")
	}
	out, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	if err != nil {
		return nil, malformed("zlib data")
	}
	if len(out) > maxInflated {
		return nil, malformed("inflates to too much")
	}
	if in.Len() != 0 {
		return nil, malformed("data after the end")
	}
	return out, nil
}
