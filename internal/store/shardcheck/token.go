package shardcheck

import (
	"fmt"
	"strconv"
	"strings"
)

type kind int

const (
	word   kind = iota // keyword or name, lower case
	quoted             // "name"
	text               // 'string'
	number
	param // $n
	punct
)

type token struct {
	kind kind
	s    string
	n    int // of a param
}

func (t token) is(words ...string) bool {
	if t.kind != word && t.kind != punct {
		return false
	}
	for _, w := range words {
		if t.s == w {
			return true
		}
	}
	return false
}

func (t token) name() bool { return t.kind == word || t.kind == quoted }

// operators of more than one character, longest first.
var operators = []string{"->>", "#>>", "!~*", "<=>", "->", "#>", "@>", "<@", "@@", "::", "==", "!=", "<>", "<=", ">=", "||", "<<", ">>", "~*", "!~", "?|", "?&", "#-"}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// tokenize splits a statement into tokens without comments and white space. A
// problem is what no portable statement contains.
func tokenize(q string) (out []token, problems []string) {
	for i := 0; i < len(q); {
		c := q[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.HasPrefix(q[i:], "--"):
			i = until(q, i, "\n")
		case strings.HasPrefix(q[i:], "/*"):
			i = until(q, i+2, "*/")
		case c == '\'' || c == '"':
			end, s, ok := literal(q, i)
			if !ok {
				return out, append(problems, "an unterminated literal")
			}
			k := text
			if c == '"' {
				k = quoted
			}
			out, i = append(out, token{kind: k, s: s}), end
		case letter(c):
			j := i
			for j < len(q) && (letter(q[j]) || digit(q[j]) || q[j] == '$') {
				j++
			}
			w := strings.ToLower(q[i:j])
			if j < len(q) && q[j] == '\'' {
				problems = append(problems, fmt.Sprintf("a literal with the prefix %s", w))
			}
			out, i = append(out, token{kind: word, s: w}), j
		case digit(c) || c == '.' && i+1 < len(q) && digit(q[i+1]):
			j := i
			for j < len(q) && (digit(q[j]) || letter(q[j]) || q[j] == '.') {
				j++
			}
			out, i = append(out, token{kind: number, s: q[i:j]}), j
		case c == '$':
			j := i + 1
			for j < len(q) && digit(q[j]) {
				j++
			}
			n, err := strconv.Atoi(q[i+1 : j])
			if err != nil || n < 1 || n > 1<<16 || q[i+1] == '0' {
				problems, n = append(problems, "a placeholder that is not $1, $2, …"), 0
			}
			out, i = append(out, token{kind: param, s: q[i:j], n: n}), j
		default:
			op := operator(q[i:])
			out, i = append(out, token{kind: punct, s: op}), i+len(op)
		}
	}
	return out, problems
}

// until returns the position after the next end, or the end of q.
func until(q string, from int, end string) int {
	if from > len(q) {
		return len(q)
	}
	if k := strings.Index(q[from:], end); k >= 0 {
		return from + k + len(end)
	}
	return len(q)
}

// literal reads a quoted literal at i, in which a doubled quote stands for one.
func literal(q string, i int) (end int, s string, ok bool) {
	var b strings.Builder
	for j := i + 1; j < len(q); j++ {
		if q[j] != q[i] {
			b.WriteByte(q[j])
			continue
		}
		if j+1 < len(q) && q[j+1] == q[i] {
			b.WriteByte(q[j])
			j++
			continue
		}
		return j + 1, b.String(), true
	}
	return len(q), "", false
}

func operator(q string) string {
	for _, op := range operators {
		if strings.HasPrefix(q, op) {
			return op
		}
	}
	return q[:1]
}

// pairs returns, for each opening parenthesis, the position of its closing one.
func pairs(toks []token) (map[int]int, bool) {
	out := map[int]int{}
	var open []int
	for i, t := range toks {
		switch {
		case t.is("("):
			open = append(open, i)
		case t.is(")"):
			if len(open) == 0 {
				return out, false
			}
			out[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return out, len(open) == 0
}
