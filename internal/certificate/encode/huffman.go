package encode

import (
	"cmp"
	"slices"
)

const (
	endOfBlock   = 256
	litSymbols   = 286
	distSymbols  = len(distBase)
	codeLimit    = 15 // longest literal or distance code, RFC 1951 section 3.2.7
	lengthsLimit = 7  // longest code of the code lengths
)

// lengthsOrder is the order in which a dynamic block lists the lengths of the
// code-length code (RFC 1951 section 3.2.7).
var lengthsOrder = [...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes holds the code lengths of a block, by symbol; 0 means unused.
type codes struct{ lit, dist []int }

// fixedCodes are those of RFC 1951 section 3.2.6.
func fixedCodes() codes {
	c := codes{lit: make([]int, 288), dist: make([]int, 30)}
	for s := range c.lit {
		switch {
		case s < 144:
			c.lit[s] = 8
		case s < 256:
			c.lit[s] = 9
		case s < 280:
			c.lit[s] = 7
		default:
			c.lit[s] = 8
		}
	}
	for s := range c.dist {
		c.dist[s] = 5
	}
	return c
}

// dynamicCodes are the best ones for the tokens.
func dynamicCodes(tokens []token) codes {
	lit, dist := make([]int, litSymbols), make([]int, distSymbols)
	lit[endOfBlock] = 1
	for _, t := range tokens {
		if t.length == 0 {
			lit[t.literal]++
			continue
		}
		lit[257+codeOf(lengthBase[:], t.length)]++
		dist[codeOf(distBase[:], t.dist)]++
	}
	return codes{lit: limitedLengths(lit, codeLimit), dist: limitedLengths(dist, codeLimit)}
}

// absent is what a symbol without a code is taken to cost while parsing: more
// than any symbol that has one, so that a new symbol must be worth it.
const absent = 13

func (c codes) litCost(s int) int {
	if c.lit[s] == 0 {
		return absent
	}
	return c.lit[s]
}

func (c codes) copyCost(length, dist int) int {
	lc, dc := codeOf(lengthBase[:], length), codeOf(distBase[:], dist)
	d := c.dist[dc]
	if d == 0 {
		d = absent
	}
	return c.litCost(257+lc) + lengthExtra[lc] + d + distExtra[dc]
}

// limitedLengths gives each used symbol the length of an optimal prefix code of
// at most limit bits (package-merge; Larmore and Hirschberg 1990). One lone
// symbol gets one bit. Ties are broken by symbol, so the result is unique.
func limitedLengths(freq []int, limit int) []int {
	out := make([]int, len(freq))
	var leaves []int // symbols, lightest first
	for s, f := range freq {
		if f > 0 {
			leaves = append(leaves, s)
		}
	}
	if len(leaves) == 1 {
		out[leaves[0]] = 1
	}
	if len(leaves) < 2 {
		return out
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return cmp.Compare(freq[a], freq[b]) })
	// rows[k] merges the leaves with the pairs of the row before; a leaf comes
	// before a pair of the same weight.
	type item struct {
		weight int
		leaf   bool
	}
	rows := make([][]item, limit)
	for k := range rows {
		var pairs []int
		if k > 0 {
			for i := 0; i+1 < len(rows[k-1]); i += 2 {
				pairs = append(pairs, rows[k-1][i].weight+rows[k-1][i+1].weight)
			}
		}
		row := make([]item, 0, len(leaves)+len(pairs))
		for l := 0; l < len(leaves) || len(pairs) > 0; {
			if len(pairs) == 0 || l < len(leaves) && freq[leaves[l]] <= pairs[0] {
				row = append(row, item{freq[leaves[l]], true})
				l++
			} else {
				row = append(row, item{pairs[0], false})
				pairs = pairs[1:]
			}
		}
		rows[k] = row
	}
	// The first 2n-2 items of the last row are chosen; each chosen pair chooses
	// two of the row before, and each chosen leaf makes its code one bit longer.
	take := 2*len(leaves) - 2
	for k := limit - 1; k >= 0; k-- {
		l, p := 0, 0
		for _, it := range rows[k][:take] {
			if it.leaf {
				out[leaves[l]]++
				l++
			} else {
				p++
			}
		}
		take = 2 * p
	}
	return out
}

// canonical numbers the codes of the given lengths (RFC 1951 section 3.2.2).
func canonical(lengths []int) []int {
	var count, next [codeLimit + 2]int
	for _, l := range lengths {
		count[l]++
	}
	count[0] = 0
	for l := 1; l <= codeLimit; l++ {
		next[l+1] = (next[l] + count[l]) << 1
	}
	out := make([]int, len(lengths))
	for s, l := range lengths {
		if l > 0 {
			out[s] = next[l]
			next[l]++
		}
	}
	return out
}

// block is one deflate block.
type block struct {
	codes  codes
	tokens []token
	fixed  bool
}

// size is the length of the block in bits.
func (k block) size() int {
	var w bitWriter
	k.write(&w, false)
	return len(w.out)*8 + w.n
}

func (k block) write(w *bitWriter, final bool) {
	if final {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
	if k.fixed {
		w.bits(1, 2)
	} else {
		w.bits(2, 2)
		writeLengths(w, k.codes)
	}
	lit, dist := canonical(k.codes.lit), canonical(k.codes.dist)
	for _, t := range k.tokens {
		if t.length == 0 {
			w.huffman(lit[t.literal], k.codes.lit[t.literal])
			continue
		}
		lc, dc := codeOf(lengthBase[:], t.length), codeOf(distBase[:], t.dist)
		w.huffman(lit[257+lc], k.codes.lit[257+lc])
		w.bits(t.length-lengthBase[lc], lengthExtra[lc])
		w.huffman(dist[dc], k.codes.dist[dc])
		w.bits(t.dist-distBase[dc], distExtra[dc])
	}
	w.huffman(lit[endOfBlock], k.codes.lit[endOfBlock])
}

// run is one symbol of the code-length alphabet with its extra bits.
type run struct{ sym, extra, bits int }

// writeLengths writes the head of a dynamic block (RFC 1951 section 3.2.7).
func writeLengths(w *bitWriter, c codes) {
	nl, nd := used(c.lit, 257), used(c.dist, 1)
	runs := runLengths(slices.Concat(c.lit[:nl], c.dist[:nd]))
	freq := make([]int, 19)
	for _, r := range runs {
		freq[r.sym]++
	}
	lengths := limitedLengths(freq, lengthsLimit)
	n := len(lengthsOrder)
	for n > 4 && lengths[lengthsOrder[n-1]] == 0 {
		n--
	}
	w.bits(nl-257, 5)
	w.bits(nd-1, 5)
	w.bits(n-4, 4)
	for _, s := range lengthsOrder[:n] {
		w.bits(lengths[s], 3)
	}
	code := canonical(lengths)
	for _, r := range runs {
		w.huffman(code[r.sym], lengths[r.sym])
		w.bits(r.extra, r.bits)
	}
}

func used(lengths []int, least int) int {
	n := len(lengths)
	for n > least && lengths[n-1] == 0 {
		n--
	}
	return n
}

// runLengths shortens repeats: 16 repeats the last length 3 to 6 times, 17 and
// 18 stand for 3 to 10 and 11 to 138 zeros.
func runLengths(lengths []int) []run {
	var out []run
	for i := 0; i < len(lengths); {
		n := 1
		for i+n < len(lengths) && lengths[i+n] == lengths[i] {
			n++
		}
		i += n
		v := lengths[i-1]
		if v != 0 {
			out = append(out, run{sym: v})
			n--
		}
		for n >= 3 {
			var r run
			var m int
			switch {
			case v != 0:
				m = min(n, 6)
				r = run{16, m - 3, 2}
			case n >= 11:
				m = min(n, 138)
				r = run{18, m - 11, 7}
			default:
				m = n
				r = run{17, m - 3, 3}
			}
			out = append(out, r)
			n -= m
		}
		for range n {
			out = append(out, run{sym: v})
		}
	}
	return out
}
