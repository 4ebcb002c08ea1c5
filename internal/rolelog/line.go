package rolelog

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"
)

// number gives lines their numbers after seq. A line that is no object of one
// line is kept as a text of such an object.
func number(p []byte, role string, seq int64, now func() time.Time) (out []byte, n int64) {
	out = make([]byte, 0, len(p)+len(p)/8+64)
	for len(p) > 0 {
		var line []byte
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line, p = p[:i], p[i+1:]
		} else {
			line, p = p, nil
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		n++
		if !object(line) {
			line = wrapped(line, role, now())
		}
		out = appendNumbered(out, line, seq+n)
	}
	return out, n
}

// object reports whether a line looks like one of slog's: cheaply, because a
// busy role writes ten thousand a second. What a role writes inside is its own
// word anyway.
func object(line []byte) bool {
	if len(line) < 4 || len(line) > lineMax || line[0] != '{' || line[1] != '"' || line[len(line)-1] != '}' {
		return false
	}
	for _, c := range line {
		if c < 0x20 {
			return false
		}
	}
	return true
}

func appendNumbered(out, line []byte, seq int64) []byte {
	out = append(out, `{"seq":`...)
	out = strconv.AppendInt(out, seq, 10)
	out = append(out, ',')
	out = append(out, bytes.TrimRight(line[1:], "\n")...)
	return append(out, '\n')
}

// wrapped keeps a line that is not the logger's, such as a part of a trace of
// the Go runtime. Long runs of digits are not kept: nothing says what they are.
func wrapped(line []byte, role string, now time.Time) []byte {
	const most = 1000
	text := bytes.ToValidUTF8(line[:min(len(line), most)], []byte("?"))
	kept := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		switch {
		case j-i >= 4:
			kept = append(kept, '#')
		case j > i:
			kept = append(kept, text[i:j]...)
		default:
			kept = append(kept, text[i])
			j = i + 1
		}
		i = j
	}
	raw, err := json.Marshal(struct {
		Time  time.Time  `json:"time"`
		Level slog.Level `json:"level"`
		Msg   string     `json:"msg"`
		Role  string     `json:"role"`
		Text  string     `json:"text"`
	}{now, slog.LevelError, "not a log line", role, string(kept)})
	if err != nil {
		return []byte(`{"msg":"not a log line"}`)
	}
	return raw
}

// seqOf reads a line's number.
func seqOf(line []byte) (int64, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`))
	i := bytes.IndexByte(rest, ',')
	if !ok || i < 1 || i > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(rest[:i]), 10, 64)
	return n, err == nil && n > 0
}

func countLines(p []byte) int { return bytes.Count(p, []byte{'\n'}) }
