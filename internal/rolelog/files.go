package rolelog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"tikakosh/internal/fault"
)

// sealDir holds the statements, beside the roles' folders.
const sealDir = "seals"

const stamp = "20060102T150405Z"

func fileName(at time.Time, first int64) string {
	return fmt.Sprintf("%s-%012d.jsonl", at.Format(stamp), first)
}

var filePattern = regexp.MustCompile(`^(\d{8}T\d{6}Z)-(\d{12})\.jsonl$`)

// parseName reads when a file was begun and the number of its first line.
func parseName(name string) (begun time.Time, first int64, ok bool) {
	m := filePattern.FindStringSubmatch(name)
	if m == nil {
		return begun, 0, false
	}
	begun, err := time.Parse(stamp, m[1])
	first, err2 := strconv.ParseInt(m[2], 10, 64)
	return begun, first, err == nil && err2 == nil && first > 0
}

// logFile is one file of a role.
type logFile struct {
	Role, Name string // Name is "role/file"
	Begun      time.Time
	First      int64
}

// list lists the files of all roles, by role and first line.
func list(dir string) ([]logFile, error) {
	roles, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the logs")
	}
	var out []logFile
	for _, r := range roles {
		if !r.IsDir() || r.Name() == sealDir || !nameOK.MatchString(r.Name()) {
			continue
		}
		files, err := listRole(dir, r.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

func listRole(dir, role string) ([]logFile, error) {
	entries, err := os.ReadDir(filepath.Join(dir, role))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the logs of "+role)
	}
	var out []logFile
	for _, e := range entries {
		if begun, first, ok := parseName(e.Name()); ok {
			out = append(out, logFile{role, role + "/" + e.Name(), begun, first})
		}
	}
	slices.SortFunc(out, func(a, b logFile) int { return int(a.First - b.First) })
	return out, nil
}

// lastNumber is the number of the last whole line of a role's newest file.
func lastNumber(dir string) (int64, error) {
	files, err := listRole(filepath.Dir(dir), filepath.Base(dir))
	if err != nil || len(files) == 0 {
		return 0, err
	}
	newest := files[len(files)-1]
	f, err := os.Open(filepath.Join(filepath.Dir(dir), newest.Name))
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "a log file")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "a log file")
	}
	tail := make([]byte, min(info.Size(), 4*lineMax))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, fault.Wrap(fault.Unavailable, err, "a log file")
	}
	last := newest.First - 1
	lines := bytes.Split(tail, []byte{'\n'})
	for _, l := range lines[:len(lines)-1] { // after the last line end there is nothing, or half a line
		if n, ok := seqOf(l); ok {
			last = max(last, n)
		}
	}
	return last, nil
}
