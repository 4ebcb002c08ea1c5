package rolelog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

// rig is a folder of logs with a vault that signs with a word.
type rig struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex
	at    time.Time
	store *Store
	vault Newest // as the ledger has it
	down  error  // the vault's answer
	late  error  // its answer after it has recorded
}

func newRig(t *testing.T, size int64) *rig {
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "logs"), at: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC), vault: Newest{Known: true}}
	r.open(size)
	return r
}

func (r *rig) open(size int64) {
	r.t.Helper()
	s, err := Open(Options{Dir: r.dir, Now: r.now, Size: size, Head: func() []any { return []any{"clock", "test"} }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = s
	r.t.Cleanup(s.Close)
}

func (r *rig) now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func (r *rig) log(role, text string) {
	r.t.Helper()
	w, err := r.store.Writer(role)
	if err != nil {
		r.t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(w, nil)).Info(text, "role", role)
}

func (r *rig) sign(_ context.Context, number int64, previous, digest []byte) (json.RawMessage, error) {
	if r.down != nil {
		return nil, r.down
	}
	again := number == r.vault.Number && bytes.Equal(digest, r.vault.Digest)
	if !again && (number != r.vault.Number+1 || !bytes.Equal(previous, r.vault.Digest)) {
		return nil, fault.New(fault.Conflict, "logs", "does not follow")
	}
	r.vault.Number, r.vault.Digest = number, digest
	proof, _ := json.Marshal(fmt.Sprintf("signed %d %x", number, digest))
	return proof, r.late
}

func check(number int64, digest []byte, proof json.RawMessage) error {
	if want := fmt.Sprintf("%q", fmt.Sprintf("signed %d %x", number, digest)); string(proof) != want {
		return fault.New(fault.Integrity, "", "signature")
	}
	return nil
}

func (r *rig) seal() (Statement, error) {
	return (&Sealer{Dir: r.dir, Sign: r.sign, Now: r.now, Keep: 400 * 24 * time.Hour}).Seal(r.t.Context())
}

func (r *rig) mustSeal() Statement {
	r.t.Helper()
	st, err := r.seal()
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

func (r *rig) verify() Report {
	r.t.Helper()
	rep, err := Verify(r.t.Context(), os.DirFS(r.dir), check, r.vault)
	if err != nil {
		r.t.Fatal(err)
	}
	return rep
}

func (r *rig) files(role string) []string {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.dir, role, "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

func TestLinesAndFiles(t *testing.T) {
	r := newRig(t, 0)
	pipe, err := r.store.Pipe("web")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(pipe, `{"time":"x","msg":"one"}`+"\n"+"goroutine 1 [running]: 919876543210 0xc000123 \x1b[31m 12\n\n"+`{"seq":99,"msg":"forged"}`+"\n"+"half")
	r.store.Close()
	r.pass(24 * time.Hour)
	r.open(0)
	r.log("web", "two")
	names := r.files("web")
	if len(names) != 2 {
		t.Fatalf("files %v", names)
	}
	var lines []string
	for _, n := range names {
		raw, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(n); info.Mode().Perm() != 0o640 {
			t.Errorf("mode %v", info.Mode())
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(raw)), "\n")...)
	}
	for i, l := range lines {
		var v struct {
			Seq int64  `json:"seq"`
			Msg string `json:"msg"`
		}
		first, rest, _ := strings.Cut(l, ",")
		if err := json.Unmarshal([]byte(l), &v); err != nil || first != fmt.Sprintf(`{"seq":%d`, i+1) {
			t.Errorf("line %d is %q %v", i+1, l, err)
		}
		if strings.Contains(rest, "9876") || strings.Contains(l, "\x1b") {
			t.Errorf("kept what it should not: %q", l)
		}
	}
	if len(lines) != 7 || !strings.Contains(lines[0], `"clock":"test"`) || !strings.Contains(lines[2], "goroutine 1 [running]: #") || !strings.Contains(lines[4], "half") {
		t.Errorf("lines:\n%s", strings.Join(lines, "\n"))
	}
	if rep := r.verify(); len(rep.Problems) != 0 || rep.Lines != 7 || rep.Unsealed != 7 {
		t.Errorf("%+v", rep)
	}
}

func TestRoleNames(t *testing.T) {
	r := newRig(t, 0)
	for _, bad := range []string{"", "../x", "seals", "Web", "a/b"} {
		if _, err := r.store.Writer(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestTampering: each way to change sealed logs is found, and nothing else is.
func TestTampering(t *testing.T) {
	build := func(t *testing.T) *rig {
		r := newRig(t, 700)
		for i := range 12 {
			r.log("web", fmt.Sprint("line ", i))
			r.log("vault", fmt.Sprint("line ", i))
			if i%4 == 3 {
				r.pass(10 * time.Minute)
				r.mustSeal()
			}
		}
		r.log("web", "not sealed yet")
		if rep := r.verify(); len(rep.Problems) != 0 || rep.Unsealed != 1 && rep.Unsealed != 2 || rep.Statements != 3 {
			t.Fatalf("untouched: %+v", rep)
		}
		return r
	}
	change := func(r *rig, path string, f func([]byte) []byte) {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, f(raw), 0o640)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	newest := func(r *rig) string { all := r.files("seals"); slices.Sort(all); return all[2] }
	for name, c := range map[string]struct {
		do   func(r *rig)
		want string
		noed bool // the next statement cannot know
	}{
		"a word changed": {func(r *rig) {
			change(r, r.files("web")[0], func(b []byte) []byte { return bytes.Replace(b, []byte("line 1"), []byte("lime 1"), 1) })
		}, "was changed", true},
		"a line deleted": {func(r *rig) {
			change(r, r.files("web")[1], func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] })
		}, "does not follow", true},
		"the end cut off": {func(r *rig) { change(r, r.files("vault")[0], func(b []byte) []byte { return b[:len(b)-60] }) }, "shorter", true},
		"a closed file added to": {func(r *rig) {
			change(r, r.files("web")[0], func(b []byte) []byte { return append(b, "{\"seq\":90,\"msg\":\"x\"}\n"...) })
		}, "after it was closed", true},
		"a file deleted":             {func(r *rig) { os.Remove(r.files("web")[0]) }, "is missing", false},
		"all of a role deleted":      {func(r *rig) { os.RemoveAll(filepath.Join(r.dir, "vault")) }, "is missing", false},
		"newest statement deleted":   {func(r *rig) { os.Remove(newest(r)) }, "newest statement", false},
		"a middle statement deleted": {func(r *rig) { os.Remove(filepath.Join(r.dir, "seals", sealName(2))) }, "does not follow", false},
		"all statements deleted":     {func(r *rig) { os.RemoveAll(filepath.Join(r.dir, "seals")) }, "newest statement", false},
		"a statement rewritten": {func(r *rig) {
			change(r, newest(r), func(b []byte) []byte { return bytes.Replace(b, []byte(`size\":`), []byte(`size\":1`), 1) })
		}, "signature", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := build(t)
			c.do(r)
			rep := r.verify()
			if !strings.Contains(strings.Join(rep.Problems, "\n"), c.want) {
				t.Errorf("problems %q, want %q", rep.Problems, c.want)
			}
			// Sealing again does not make it good.
			r.pass(10 * time.Minute)
			r.log("web", "later")
			_, _ = r.seal()
			if rep := r.verify(); len(rep.Problems) == 0 {
				t.Error("sealed again, the change passes")
			}
		})
	}
	t.Run("sealing says so", func(t *testing.T) {
		r := build(t)
		os.Remove(r.files("web")[0])
		r.log("web", "later")
		if st, err := r.seal(); !fault.Is(err, fault.Integrity) || len(st.Files) == 0 {
			t.Errorf("%+v %v", st, err)
		}
	})
}

func TestSealAfterTrouble(t *testing.T) {
	r := newRig(t, 0)
	r.log("web", "one")
	r.down = fault.New(fault.Unavailable, "", "down")
	if _, err := r.seal(); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	r.down, r.late = nil, fault.New(fault.Unknown, "", "answer lost")
	if _, err := r.seal(); !fault.Is(err, fault.Unknown) {
		t.Fatal(err)
	}
	r.late = nil
	r.log("web", "two") // the statement the ledger has must not be replaced by another
	if st := r.mustSeal(); st.Number != 1 {
		t.Errorf("number %d", st.Number)
	}
	if st := r.mustSeal(); st.Number != 2 {
		t.Errorf("number %d", st.Number)
	}
	if st := r.mustSeal(); st.Number != 3 || len(st.Files) != 0 {
		t.Errorf("nothing new: %+v", st)
	}
	if rep := r.verify(); len(rep.Problems) != 0 || rep.Statements != 2 || rep.Unsealed != 0 {
		t.Errorf("%+v", rep)
	}
}

func TestRetention(t *testing.T) {
	r := newRig(t, 0)
	for range 6 {
		r.log("web", "a day")
		r.mustSeal()
		r.pass(100 * 24 * time.Hour)
	}
	r.log("web", "today")
	st := r.mustSeal()
	if len(st.Retired) == 0 || len(r.files("web")) != 6 {
		t.Fatalf("%+v, files %v", st, r.files("web"))
	}
	r.mustSeal()
	rep := r.verify()
	if len(rep.Problems) != 0 || rep.Statements >= 7 {
		t.Errorf("%+v", rep)
	}
}

func TestLostLines(t *testing.T) {
	r := newRig(t, 0)
	r.log("web", "one")
	l := r.store.logs["web"]
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	good := l.file
	l.file = full
	r.log("web", "lost")
	r.log("web", "lost too")
	l.file = good
	r.log("web", "found")
	if rep := r.verify(); len(rep.Problems) != 0 || rep.Lost != 2 || rep.Lines != 4 || r.store.Lost()["web"] != 2 {
		t.Errorf("%+v %v", rep, r.store.Lost())
	}
}

// TestNoRoom: a role that writes without end does not take the room of what was
// registered. What it says while there is none is counted, and said afterwards.
func TestNoRoom(t *testing.T) {
	r := newRig(t, 0)
	room := true
	r.store.opt.Room = func() bool { return room }
	r.log("web", "one")
	room = false
	r.pass(2 * time.Second)
	size := func() (n int64) {
		for _, f := range r.files("web") {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size()
		}
		return n
	}
	before := size()
	for range 100 {
		r.log("web", "flood")
	}
	if got := size(); got != before || r.store.Lost()["web"] != 100 {
		t.Errorf("%d bytes more without room, %v lost", got-before, r.store.Lost())
	}
	room = true
	r.pass(2 * time.Second)
	r.log("web", "found")
	if rep := r.verify(); len(rep.Problems) != 0 || rep.Lost != 100 {
		t.Errorf("%+v", rep)
	}
}

func TestExport(t *testing.T) {
	r := newRig(t, 0)
	begin := r.now()
	for range 5 {
		r.log("web", "line")
		r.log("courier", "line")
		r.pass(12 * time.Hour)
		r.mustSeal()
		r.pass(12 * time.Hour)
	}
	sign := func(_ context.Context, digest []byte) (json.RawMessage, error) { return json.Marshal(digest) }
	whole := func(digest []byte, proof json.RawMessage) (Newest, error) {
		want, _ := json.Marshal(digest)
		if !bytes.Equal(want, proof) {
			return r.vault, fault.New(fault.Integrity, "", "signature")
		}
		return r.vault, nil
	}
	export := func() []byte {
		var out bytes.Buffer
		files, err := Export(t.Context(), r.dir, &out, Manifest{From: begin.Add(25 * time.Hour).UnixMilli(), To: begin.Add(50 * time.Hour).UnixMilli(), Made: r.now().UnixMilli()}, sign)
		if err != nil || len(files) != 6 {
			t.Fatalf("%v %v", files, err)
		}
		return out.Bytes()
	}
	verify := func(raw []byte) Report {
		_, rep, err := VerifyExport(t.Context(), bytes.NewReader(raw), t.TempDir(), whole, check)
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	if rep := verify(export()); len(rep.Problems) != 0 || rep.Files != 6 {
		t.Errorf("%+v", rep)
	}
	os.Remove(r.files("web")[1])
	if rep := verify(export()); len(rep.Problems) == 0 {
		t.Error("an export without a file passes")
	}
	for _, junk := range [][]byte{nil, []byte("junk"), export()[:300]} {
		if _, _, err := VerifyExport(t.Context(), bytes.NewReader(junk), t.TempDir(), whole, check); !fault.Is(err, fault.Invalid) {
			t.Errorf("junk: %v", err)
		}
	}
}

// FuzzUnpack: an archive of anybody's writes nothing outside its folder.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("junk"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		_ = unpack(bytes.NewReader(raw), filepath.Join(dir, "in"))
		if entries, _ := os.ReadDir(dir); len(entries) > 1 {
			t.Fatal("wrote outside")
		}
	})
}

// FuzzLines: whatever a role writes, each line of the file is one JSON object
// with the next number.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\njunk\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		out, n := number(p, "web", 5, time.Now)
		lines := bytes.Split(out, []byte{'\n'})
		if int64(len(lines)-1) != n || len(lines[n]) != 0 {
			t.Fatalf("%d lines for %d", len(lines)-1, n)
		}
		for i, l := range lines[:n] {
			if s, ok := seqOf(l); !ok || s != int64(6+i) {
				t.Fatalf("line %q", l)
			}
		}
	})
}
