//go:build powercut

package powercut

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// event is one recorded system call on a file, with when it began and returned
// in seconds since 1970.
type event struct {
	begin  float64
	at     float64
	call   string
	path   string
	data   []byte
	offset int64
	result int64
}

var (
	line   = regexp.MustCompile(`^(\d+) +(\d+\.\d+) (.*)$`)
	onFile = regexp.MustCompile(`^(\w+)\(\d+<([^>]+)>(?:\(deleted\))?(.*)\) += (-?\d+)`)
	byPath = regexp.MustCompile(`^(unlink|unlinkat)\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]+)".*\) += (-?\d+)`)
	quoted = regexp.MustCompile(`^, "((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?, (\d+)(?:, (\d+))?$`)
	resume = regexp.MustCompile(`^<\.\.\. (\w+) resumed>(.*)$`)
	lasted = regexp.MustCompile(` <(\d+\.\d+)>$`)
)

// started is the first half of a call that another thread interrupted.
type started struct {
	at   float64
	text string
}

// parse reads strace output made with -f -ttt -T -y -xx and returns the calls in
// the order in which they returned: an answer that came before a sync had
// returned did not follow it.
func parse(r io.Reader) ([]event, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	open := map[string]started{}
	var out []event
	for in.Scan() {
		m := line.FindStringSubmatch(in.Text())
		if m == nil {
			continue
		}
		at, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		call, begin := m[3], at
		if before, unfinished := strings.CutSuffix(call, " <unfinished ...>"); unfinished {
			open[m[1]] = started{at, before}
			continue
		}
		if r := resume.FindStringSubmatch(call); r != nil {
			call, begin = open[m[1]].text+r[2], open[m[1]].at
			delete(open, m[1])
		} else if d := lasted.FindStringSubmatch(call); d != nil {
			took, err := strconv.ParseFloat(d[1], 64)
			if err != nil {
				return nil, err
			}
			at += took
		}
		if e, ok := parseCall(lasted.ReplaceAllString(call, "")); ok {
			e.begin, e.at = begin, at
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return out, in.Err()
}

func parseCall(call string) (event, bool) {
	if m := byPath.FindStringSubmatch(call); m != nil {
		path, err := unescape(m[2])
		return event{call: "unlink", path: string(path)}, err == nil && m[3] == "0"
	}
	m := onFile.FindStringSubmatch(call)
	if m == nil {
		return event{}, false
	}
	path, err := unescape(m[2])
	if err != nil {
		path = []byte(m[2])
	}
	e := event{call: m[1], path: string(path)}
	if e.result, err = strconv.ParseInt(m[4], 10, 64); err != nil || e.result < 0 {
		return e, false
	}
	switch e.call {
	case "fsync", "fdatasync":
		return e, true
	case "ftruncate":
		e.offset, err = strconv.ParseInt(strings.TrimPrefix(m[3], ", "), 10, 64)
		return e, err == nil
	case "pwrite64":
		q := quoted.FindStringSubmatch(m[3])
		if q == nil {
			return e, false
		}
		if e.data, err = unescape(q[1]); err != nil {
			return e, false
		}
		e.data = e.data[:min(int64(len(e.data)), e.result)]
		e.offset, err = strconv.ParseInt(q[3], 10, 64)
		return e, err == nil
	}
	return e, false
}

// unescape reads \xHH sequences; text without them is taken as it is.
func unescape(s string) ([]byte, error) {
	if !strings.HasPrefix(s, `\x`) {
		return []byte(s), nil
	}
	return hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
}

// disk is a set of files as they survive: content holds what was synced,
// pending what was not.
type disk struct {
	content map[string][]byte
	pending map[string][]event
}

// newDisk starts from copies of files, taken while nothing was being written.
func newDisk(files map[string]string) (*disk, error) {
	d := &disk{content: map[string][]byte{}, pending: map[string][]event{}}
	for path, copied := range files {
		raw, err := os.ReadFile(copied)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		d.content[path] = raw
	}
	return d, nil
}

// apply takes one event in.
func (d *disk) apply(e event) {
	if _, ours := d.content[e.path]; !ours {
		return
	}
	switch e.call {
	case "pwrite64", "ftruncate":
		d.pending[e.path] = append(d.pending[e.path], e)
	case "unlink":
		d.content[e.path], d.pending[e.path] = nil, nil
	case "fsync", "fdatasync":
		// A sync promises what was written before it began, no more.
		var later []event
		for _, w := range d.pending[e.path] {
			if w.at <= e.begin {
				d.content[e.path] = write(d.content[e.path], w)
			} else {
				later = append(later, w)
			}
		}
		d.pending[e.path] = later
	}
}

func write(content []byte, w event) []byte {
	if w.call == "ftruncate" {
		if int64(len(content)) > w.offset {
			return content[:w.offset]
		}
		return append(content, make([]byte, w.offset-int64(len(content)))...)
	}
	if need := w.offset + int64(len(w.data)); int64(len(content)) < need {
		content = append(content, make([]byte, need-int64(len(content)))...)
	}
	copy(content[w.offset:], w.data)
	return content
}

// save writes the surviving files below dir under their base names.
func (d *disk) save(dir string) error {
	for path, raw := range d.content {
		if len(raw) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// String counts what is not synced, for evidence.
func (d *disk) String() string {
	n := 0
	for _, p := range d.pending {
		n += len(p)
	}
	return fmt.Sprintf("%d writes not synced", n)
}
