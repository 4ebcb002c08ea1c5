package rolelog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// Statement says how the log files stood at a time. Files are those that changed
// since the statement before. Retired files are deleted because of their age.
type Statement struct {
	Number   int64    `json:"number"`
	Previous string   `json:"previous,omitempty"` // SHA-256 of the text of the statement before, hex
	At       int64    `json:"at"`                 // UTC milliseconds
	Files    []Sealed `json:"files,omitempty"`
	Retired  []string `json:"retired,omitempty"`
}

// Sealed is a file as a statement lists it: its first Size bytes, whole lines,
// numbered First to Last, have this SHA-256. A closed file has no more.
type Sealed struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Closed bool   `json:"closed,omitempty"`
}

// Signer has a statement signed by the vault and returns what proves it:
// fault.Conflict when the statement does not follow the newest one the vault knows.
type Signer func(ctx context.Context, number int64, previous, digest []byte) (proof json.RawMessage, err error)

// envelope is a statement's file: its exact text and the vault's proof.
type envelope struct {
	Text  string          `json:"statement"`
	Proof json.RawMessage `json:"proof"`
}

const envelopeMax = 16 << 20

func digestOf(text string) []byte { d := sha256.Sum256([]byte(text)); return d[:] }

func sealName(number int64) string { return fmt.Sprintf("%012d.json", number) }

// readStatement reads one statement and the text that was signed.
func readStatement(raw []byte) (st Statement, env envelope, err error) {
	if len(raw) > envelopeMax || json.Unmarshal(raw, &env) != nil || json.Unmarshal([]byte(env.Text), &st) != nil || st.Number < 1 {
		return st, env, fault.New(fault.Integrity, "logs", "a statement about log files is malformed")
	}
	for _, f := range st.Files {
		if role, name, ok := strings.Cut(f.Name, "/"); !ok || !nameOK.MatchString(role) || !filePattern.MatchString(name) || f.Size < 0 {
			return st, env, fault.New(fault.Integrity, "logs", "a statement about log files names a file in a wrong way")
		}
	}
	return st, env, nil
}

// statements reads all statements of a folder in order.
func statements(dir string) (out []Statement, envs []envelope, err error) {
	names, err := sealNames(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		raw, err := os.ReadFile(filepath.Join(dir, sealDir, n))
		if err != nil {
			return nil, nil, fault.Wrap(fault.Unavailable, err, "a statement about log files")
		}
		st, env, err := readStatement(raw)
		if err != nil {
			return nil, nil, err
		}
		out, envs = append(out, st), append(envs, env)
	}
	return out, envs, nil
}

func sealNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, sealDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fault.Wrap(fault.Unavailable, err, "the statements about log files")
	}
	for _, e := range entries {
		if number, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil && sealName(n) == e.Name() {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Sealer makes statements about a folder's files. One process at a time seals a
// folder; others wait for its lock.
type Sealer struct {
	Dir  string
	Sign Signer
	Now  func() time.Time
	Keep time.Duration // how long files and statements are kept; 0: for ever
}

// Seal makes the next statement, when there is something to say, and deletes
// what is older than Keep. fault.Integrity: a file is not what the statement
// before said; the statement is made all the same, so that the later lines are
// held to account too.
func (s *Sealer) Seal(ctx context.Context) (Statement, error) {
	var st Statement
	if err := os.MkdirAll(filepath.Join(s.Dir, sealDir), 0o750); err != nil {
		return st, fault.Wrap(fault.Unavailable, err, "the statements about log files")
	}
	lock, err := os.OpenFile(filepath.Join(s.Dir, sealDir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return st, fault.Wrap(fault.Unavailable, err, "the statements' lock")
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return st, fault.Wrap(fault.Unavailable, err, "the statements' lock")
	}
	before, envs, err := statements(s.Dir)
	if err != nil {
		return st, err
	}
	st.Number, st.At = 1, s.Now().UnixMilli()
	if n := len(before); n > 0 {
		st.Number, st.Previous = before[n-1].Number+1, hex.EncodeToString(digestOf(envs[n-1].Text))
	}
	wrong, err := s.collect(&st, latest(before))
	if err != nil {
		return st, err
	}
	if len(st.Files)+len(st.Retired) > 0 {
		if st, err = s.write(ctx, st); err != nil {
			return st, err
		}
	}
	if err := s.retire(st, before); err != nil {
		return st, err
	}
	if len(wrong) > 0 {
		return st, fault.Newf(fault.Integrity, "logs", "log files were changed or deleted after they were sealed: %s", strings.Join(wrong, ", "))
	}
	return st, nil
}

// latest is what statements say last of each file.
func latest(all []Statement) map[string]Sealed {
	out := map[string]Sealed{}
	for _, st := range all {
		for _, f := range st.Files {
			out[f.Name] = f
		}
		for _, name := range st.Retired {
			delete(out, name)
		}
	}
	return out
}

// collect looks at every file, and lists those that are not what they should be.
func (s *Sealer) collect(st *Statement, known map[string]Sealed) (wrong []string, err error) {
	files, err := list(s.Dir)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for i, f := range files {
		there[f.Name] = true
		closed := i+1 < len(files) && files[i+1].Role == f.Role
		old, was := known[f.Name]
		if closed && s.old(f, files[i+1]) {
			st.Retired = append(st.Retired, f.Name)
			continue
		}
		if was && old.Closed {
			continue
		}
		now, prefix, err := measure(filepath.Join(s.Dir, f.Name), old.Size)
		if err != nil {
			return nil, err
		}
		if was && prefix != old.SHA256 {
			wrong = append(wrong, f.Name)
		}
		now.Name, now.Closed = f.Name, closed
		if now.First == 0 {
			now.First, now.Last = f.First, f.First-1 // nothing in it yet
		}
		if now != old {
			st.Files = append(st.Files, now)
		}
	}
	for name := range known {
		if !there[name] {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// old reports whether a file's last line, written when the next file was begun
// at the latest, is past its time.
func (s *Sealer) old(_, next logFile) bool {
	return s.Keep > 0 && s.Now().Sub(next.Begun) > s.Keep
}

// measure hashes a file's whole lines, and its first old bytes.
func measure(path string, old int64) (s Sealed, prefix string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, "", fault.Wrap(fault.Unavailable, err, "a log file")
	}
	defer f.Close()
	s, prefix, err = measureFile(f, old)
	return s, prefix, fault.Wrap(fault.Unavailable, err, "a log file")
}

func measureFile(f *os.File, old int64) (s Sealed, prefix string, err error) {
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return s, "", err
	}
	head, tail, size, err := ends(f)
	if err != nil {
		return s, "", err
	}
	s.Size = size
	s.First, _ = seqOf(head)
	s.Last, _ = seqOf(tail)
	h := sha256.New()
	if old <= size {
		if _, err := io.CopyN(h, f, old); err != nil {
			return s, "", err
		}
		prefix = hex.EncodeToString(h.Sum(nil))
		size -= old
	}
	if _, err := io.CopyN(h, f, size); err != nil {
		return s, "", err
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	return s, prefix, nil
}

// ends are a file's first and last whole line and the length up to there.
func ends(f *os.File) (first, last []byte, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	read := func(at int64) ([]byte, error) {
		b := make([]byte, min(info.Size()-at, 2*lineMax))
		_, err := f.ReadAt(b, at)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return b, err
	}
	head, err := read(0)
	if err != nil {
		return nil, nil, 0, err
	}
	at := max(0, info.Size()-2*lineMax)
	tail, err := read(at)
	if err != nil {
		return nil, nil, 0, err
	}
	tail = tail[:bytes.LastIndexByte(tail, '\n')+1]
	if len(tail) == 0 {
		return nil, nil, 0, nil
	}
	first, _, _ = bytes.Cut(head, []byte{'\n'})
	return first, tail[bytes.LastIndexByte(tail[:len(tail)-1], '\n')+1 : len(tail)-1], at + int64(len(tail)), nil
}

// write has the statement signed and stores it; the one that is returned is the
// one that was stored.
func (s *Sealer) write(ctx context.Context, st Statement) (Statement, error) {
	text, err1 := json.Marshal(st)
	previous, err2 := hex.DecodeString(st.Previous)
	if err := errors.Join(err1, err2); err != nil {
		return st, fault.Wrap(fault.Internal, err, "a statement about log files")
	}
	// Written before it is signed: what the ledger has must not be lost here.
	path := filepath.Join(s.Dir, sealDir, sealName(st.Number))
	draft := filepath.Join(s.Dir, sealDir, "draft")
	if raw, err := os.ReadFile(draft); err == nil {
		if old, env, err := readStatement(raw); err == nil && old.Number == st.Number && old.Previous == st.Previous {
			st, text = old, []byte(env.Text) // perhaps on the ledger already
		}
	}
	if err := s.store(draft, envelope{Text: string(text)}); err != nil {
		return st, err
	}
	proof, err := s.Sign(ctx, st.Number, previous, digestOf(string(text)))
	if err != nil {
		return st, err
	}
	if err := s.store(path, envelope{string(text), proof}); err != nil {
		return st, err
	}
	return st, fault.Wrap(fault.Unavailable, os.Remove(draft), "a statement about log files")
}

func (s *Sealer) store(path string, e envelope) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "a statement about log files")
	}
	return fault.Wrap(fault.Unavailable, writeDurably(path, raw), "a statement about log files")
}

// writeDurably replaces a file by a new one, synced, as is its folder.
func writeDurably(path string, raw []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// retire deletes files that the stored statement names, and statements that
// speak of nothing that is left.
func (s *Sealer) retire(st Statement, before []Statement) error {
	for _, name := range st.Retired {
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fault.Wrap(fault.Unavailable, err, "an old log file")
		}
	}
	if s.Keep <= 0 {
		return nil
	}
	live := latest(append(slices.Clone(before), st))
	for i, b := range before {
		if i == len(before)-1 || s.Now().Sub(time.UnixMilli(b.At)) <= s.Keep || slices.ContainsFunc(b.Files, func(f Sealed) bool { _, ok := live[f.Name]; return ok }) {
			return nil // and the later ones with it
		}
		if err := os.Remove(filepath.Join(s.Dir, sealDir, sealName(b.Number))); err != nil {
			return fault.Wrap(fault.Unavailable, err, "an old statement")
		}
	}
	return nil
}
