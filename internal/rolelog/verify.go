package rolelog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"tikakosh/internal/fault"
)

// Report is what a verification found.
type Report struct {
	Statements int      `json:"statements"`
	Newest     int64    `json:"newest_statement"`
	SealedTo   int64    `json:"sealed_to"` // UTC milliseconds
	Files      int      `json:"files"`
	Lines      int64    `json:"lines"`
	Unsealed   int64    `json:"lines_after_newest_statement"`
	Lost       int64    `json:"lines_lost"` // reported by the log itself, as to a full disk
	Problems   []string `json:"problems,omitempty"`
}

func (r *Report) problem(format string, a ...any) {
	if len(r.Problems) < 1000 {
		r.Problems = append(r.Problems, fmt.Sprintf(format, a...))
	}
}

// Proof checks a statement's proof for its number and the digest of its text.
type Proof func(number int64, digest []byte, proof json.RawMessage) error

// Newest is the newest statement the vault knows; Number 0: it knows of none.
// Known is false when the vault could not be asked.
type Newest struct {
	Known  bool
	Number int64
	Digest []byte
}

// Verify checks the log files of a folder against their statements: that each
// statement is signed and follows the one before, that none is missing at the
// end, and that every file is there and unchanged as far as it was sealed, with
// its lines' numbers without a gap. What it finds is in the report; the error
// says that it could not look. It writes nothing.
func Verify(ctx context.Context, dir fs.FS, check Proof, newest Newest) (Report, error) {
	var r Report
	all, err := verifyStatements(dir, &r, check, newest)
	if err != nil {
		return r, err
	}
	return r, verifyFiles(ctx, dir, &r, all, time.Time{}, time.Time{})
}

// verifyStatements reads the statements and checks their chain.
func verifyStatements(dir fs.FS, r *Report, check Proof, newest Newest) (all []Statement, err error) {
	names, err := fs.Glob(dir, sealDir+"/[0-9]*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var last []byte
	for _, n := range names {
		raw, err := fs.ReadFile(dir, n)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "a statement")
		}
		st, env, err := readStatement(raw)
		if err != nil {
			r.problem("%s: %v", n, err)
			continue
		}
		digest := digestOf(env.Text)
		if err := check(st.Number, digest, env.Proof); err != nil {
			r.problem("statement %d: the vault's signature does not hold", st.Number)
		}
		if len(all) > 0 && (st.Number != all[len(all)-1].Number+1 || st.Previous != hex.EncodeToString(last)) {
			r.problem("statement %d does not follow statement %d: statements are missing or were changed", st.Number, all[len(all)-1].Number)
		}
		if len(all) == 0 && st.Number != 1 && st.Previous == "" {
			r.problem("statement %d has none before it", st.Number)
		}
		all, last = append(all, st), digest
	}
	r.Statements = len(all)
	if n := len(all); n > 0 {
		r.Newest, r.SealedTo = all[n-1].Number, all[n-1].At
	}
	if newest.Known && (newest.Number != r.Newest || !bytes.Equal(newest.Digest, last)) {
		r.problem("the ledger's newest statement is number %d, here it is number %d: statements are missing or were changed", newest.Number, r.Newest)
	}
	return all, nil
}

// verifyFiles holds files against statements. With from and to, only files that
// a statement between the two mentions are expected.
func verifyFiles(ctx context.Context, dir fs.FS, r *Report, all []Statement, from, to time.Time) error {
	known, must := history(all), latest(all)
	if !from.IsZero() {
		must = expected(all, from, to)
	}
	names, err := fs.Glob(dir, "*/*.jsonl")
	if err != nil {
		return err
	}
	byRole := map[string][]logFile{}
	for _, n := range names {
		role, file := pathOf(n)
		if begun, first, ok := parseName(file); ok && nameOK.MatchString(role) && role != sealDir {
			byRole[role] = append(byRole[role], logFile{role, n, begun, first})
		}
	}
	there := map[string]bool{}
	for _, files := range byRole {
		slices.SortFunc(files, func(a, b logFile) int { return int(a.First - b.First) })
		next := int64(0)
		for i, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			there[f.Name] = true
			last, err := verifyFile(dir, f, known[f.Name], r)
			if err != nil {
				return err
			}
			if i > 0 && f.First != next {
				r.problem("%s begins with line %d, line %d was to follow: lines or files are missing", f.Name, f.First, next)
			}
			next = last + 1
		}
	}
	for name := range must {
		if !there[name] {
			r.problem("%s is missing", name)
		}
	}
	slices.Sort(r.Problems)
	return nil
}

func pathOf(name string) (role, file string) {
	for i := range name {
		if name[i] == '/' {
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

// history is everything that statements say of each file, in order.
func history(all []Statement) map[string][]Sealed {
	out := map[string][]Sealed{}
	for _, st := range all {
		for _, f := range st.Files {
			out[f.Name] = append(out[f.Name], f)
		}
	}
	return out
}

// verifyFile checks one file against everything that was said of it, because a
// file that was changed and then sealed again must not pass, and returns the
// number of its last line.
func verifyFile(dir fs.FS, f logFile, said []Sealed, r *Report) (last int64, err error) {
	raw, err := fs.ReadFile(dir, f.Name)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "a log file")
	}
	r.Files++
	h, at, sealed := sha256.New(), int64(0), int64(0)
	for _, s := range said {
		if s.Size < at || s.Size > int64(len(raw)) {
			r.problem("%s is shorter than it was: lines are missing", f.Name)
			break
		}
		h.Write(raw[at:s.Size])
		at, sealed = s.Size, s.Size
		if hex.EncodeToString(h.Sum(nil)) != s.SHA256 {
			r.problem("%s was changed", f.Name)
			break
		}
		if s.Closed && bytes.IndexByte(raw[s.Size:], '\n') >= 0 {
			r.problem("%s was added to after it was closed", f.Name)
		}
	}
	last = f.First - 1
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break // half a line, of a power cut or of this moment
		}
		line := raw[at : at+end]
		n, ok := seqOf(line)
		if !ok || n != last+1 {
			r.problem("%s: line %d does not follow line %d", f.Name, n, last)
		}
		last = max(last, n)
		r.Lines++
		if int64(at) >= sealed {
			r.Unsealed++
		}
		if bytes.Contains(line, []byte(`"msg":"`+LostLines+`"`)) {
			var v struct {
				Lines int64 `json:"lines"`
			}
			_ = json.Unmarshal(line, &v) // a line of another kind has none
			r.Lost += v.Lines
		}
		at += end + 1
	}
	return last, nil
}

// window is which statements an export from..to needs: from the newest that is not
// later than from, which says how things stood, to the first that is not earlier
// than to.
func window(all []Statement, from, to time.Time) (begin, end int) {
	end = len(all)
	for i, st := range all {
		if st.At <= from.UnixMilli() {
			begin = i
		}
		if st.At >= to.UnixMilli() {
			end = i + 1
			break
		}
	}
	return begin, end
}

// expected are the files of an export: those that had lines added between from
// and to, as a statement after the first of the window says.
func expected(all []Statement, from, to time.Time) map[string]Sealed {
	begin, end := window(all, from, to)
	if begin < end && all[begin].At <= from.UnixMilli() {
		begin++
	}
	wanted := history(all[begin:end])
	out := latest(all)
	for name := range out {
		if wanted[name] == nil {
			delete(out, name)
		}
	}
	return out
}
