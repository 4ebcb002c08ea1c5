package rolelog

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tikakosh/internal/fault"
)

// Options say how logs are kept. Now is the clock of file names and headers.
type Options struct {
	Dir     string           // made when missing
	Now     func() time.Time // required
	Console io.Writer        // gets every line as the role wrote it; nil: nobody
	Size    int64            // bytes after which a file is turned; 0: 64 MiB
	Head    func() []any     // further fields of a file's first line, as for slog
	Group   int              // group that may read; 0: the process's
	Room    func() bool      // whether the disk has room for more than what must be stored; nil: it has
}

// Store writes the roles' logs. It is safe for concurrent use.
type Store struct {
	opt Options

	mu      sync.Mutex
	logs    map[string]*roleLog
	ends    []io.Closer // write ends of the roles' pipes
	readers sync.WaitGroup
}

const (
	turnSize  = 64 << 20
	lineMax   = 64 << 10             // longer lines are cut
	pipeSize  = 1 << 20              // what a role may write ahead, F_SETPIPE_SZ
	readPause = 5 * time.Millisecond // gathers what a busy role writes
	syncEvery = 30 * time.Second
	roomEvery = time.Second // between two looks at the disk
)

// nameOK is the form of a role's name; it is a folder's name.
var nameOK = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Open opens the folder. Its mode is 0750, that of the files 0640.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		return nil, fault.New(fault.Internal, "rolelog", "a log store needs a clock")
	}
	if o.Size <= 0 {
		o.Size = turnSize
	}
	s := &Store{opt: o, logs: map[string]*roleLog{}}
	return s, s.folder(o.Dir)
}

func (s *Store) folder(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of the logs")
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of the logs")
	}
	if s.opt.Group != 0 {
		return fault.Wrap(fault.Unavailable, os.Chown(dir, -1, s.opt.Group), "the group of the logs")
	}
	return nil
}

// roleLog is one role's log.
type roleLog struct {
	s    *Store
	role string

	mu    sync.Mutex
	seq   int64 // of the last line
	file  *os.File
	size  int64
	day   string
	dirty bool
	lost  int64     // lines that could not be written
	asked time.Time // when Room was last asked
	full  bool      // what it said
	total int64     // such lines since the start
}

func (s *Store) log(role string) (*roleLog, error) {
	if !nameOK.MatchString(role) || role == sealDir {
		return nil, fault.New(fault.Invalid, "role", "this is no name of a role")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[role]; l != nil {
		return l, nil
	}
	dir := filepath.Join(s.opt.Dir, role)
	if err := s.folder(dir); err != nil {
		return nil, err
	}
	seq, err := lastNumber(dir)
	if err != nil {
		return nil, err
	}
	l := &roleLog{s: s, role: role, seq: seq}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.turn(); err != nil { // a role that says nothing has a file that says so
		return nil, fault.Wrap(fault.Unavailable, err, "the log of "+role)
	}
	s.logs[role] = l
	return l, nil
}

// Writer returns the log of a role of this process. A Write holds whole lines.
func (s *Store) Writer(role string) (io.Writer, error) {
	l, err := s.log(role)
	if err != nil {
		return nil, err
	}
	return lineWriter{l}, nil
}

type lineWriter struct{ l *roleLog }

// Write implements io.Writer; it never fails.
func (w lineWriter) Write(p []byte) (int, error) {
	w.l.take(p)
	return len(p), nil
}

// Pipe returns what a role gets as its standard error. It stays open until
// Close, so that a role that is started again goes on with it.
func (s *Store) Pipe(role string) (*os.File, error) {
	l, err := s.log(role)
	if err != nil {
		return nil, err
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "a role's log pipe")
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize) // more room; without it the default serves
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "a role's log pipe"), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	from, to := os.NewFile(uintptr(fds[0]), role+" log"), os.NewFile(uintptr(fds[1]), role+" stderr")
	s.mu.Lock()
	s.ends = append(s.ends, to)
	s.mu.Unlock()
	s.readers.Go(func() { l.follow(from) })
	return to, nil
}

// follow takes what a role writes, until nobody can write any more.
func (l *roleLog) follow(from *os.File) {
	defer from.Close()
	buf, have := make([]byte, 256<<10), 0
	for {
		n, err := from.Read(buf[have:])
		have += n
		whole := have
		for whole > 0 && buf[whole-1] != '\n' {
			whole--
		}
		if whole == 0 && have >= lineMax {
			whole = have // a line without end
		}
		if err != nil {
			whole = have
		}
		if whole > 0 {
			l.take(buf[:whole])
			have = copy(buf, buf[whole:have])
		}
		if err != nil {
			return
		}
		time.Sleep(readPause)
	}
}

// take writes whole lines, to the console as they are and to the file with
// their numbers.
func (l *roleLog) take(p []byte) {
	if c := l.s.opt.Console; c != nil {
		_, _ = c.Write(p) // whoever watches may have gone
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noRoom() {
		l.lose(int64(countLines(p)))
		return
	}
	if err := l.turn(); err != nil {
		l.lose(int64(countLines(p)))
		return
	}
	if l.lost > 0 {
		if l.write(appendNumbered(nil, l.note(slog.LevelError, LostLines, "lines", l.lost), l.seq+1), 1) != nil {
			l.lose(int64(countLines(p)))
			return
		}
		l.lost = 0
	}
	out, n := number(p, l.role, l.seq, l.s.opt.Now)
	if err := l.write(out, n); err != nil {
		l.lose(n)
	}
}

// noRoom asks for the disk's room now and then: whoever makes a role write without
// end must not take the room of what was registered.
func (l *roleLog) noRoom() bool {
	if l.s.opt.Room == nil {
		return false
	}
	if now := l.s.opt.Now(); now.Sub(l.asked).Abs() >= roomEvery {
		l.asked, l.full = now, !l.s.opt.Room()
	}
	return l.full
}

func (l *roleLog) lose(n int64) { l.lost += n; l.total += n }

// write appends lines, all or none.
func (l *roleLog) write(b []byte, lines int64) error {
	n, err := l.file.Write(b)
	if err != nil {
		if n > 0 {
			_ = l.file.Truncate(l.size) // half a line helps nobody
		}
		return err
	}
	l.size, l.seq, l.dirty = l.size+int64(n), l.seq+lines, true
	return nil
}

// turn sees to it that the file is today's and not too large.
func (l *roleLog) turn() error {
	now := l.s.opt.Now().UTC()
	day := now.Format("20060102")
	if l.file != nil && l.day == day && l.size < l.s.opt.Size {
		return nil
	}
	name := filepath.Join(l.s.opt.Dir, l.role, fileName(now, l.seq+1))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Chmod(0o640)
	}
	if err == nil && l.s.opt.Group != 0 {
		err = f.Chown(-1, l.s.opt.Group)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	old := l.file
	l.file, l.size, l.day = f, info.Size(), day
	head := l.note(slog.LevelInfo, "log file", append([]any{"first", l.seq + 1}, l.head()...)...)
	if err := l.write(appendNumbered(nil, head, l.seq+1), 1); err != nil {
		_ = f.Close()
		l.file = old
		if old != nil {
			if info, err := old.Stat(); err == nil {
				l.size = info.Size()
			}
		}
		return err
	}
	if old != nil {
		_ = unix.Fdatasync(int(old.Fd()))
		_ = old.Close()
	}
	return nil
}

func (l *roleLog) head() []any {
	if l.s.opt.Head == nil {
		return nil
	}
	return l.s.opt.Head()
}

// note is a line of the store's own.
func (l *roleLog) note(level slog.Level, text string, fields ...any) []byte {
	var line jsonLine
	r := slog.NewRecord(l.s.opt.Now(), level, text, 0)
	r.Add(append([]any{"role", l.role}, fields...)...)
	_ = slog.NewJSONHandler(&line, nil).Handle(context.Background(), r) // into memory
	return line
}

type jsonLine []byte

// Write implements io.Writer.
func (j *jsonLine) Write(p []byte) (int, error) { *j = append(*j, p...); return len(p), nil }

// Lost is how many lines could not be written since the start, by role.
func (s *Store) Lost() map[string]int64 {
	out := map[string]int64{}
	for _, l := range s.all() {
		l.mu.Lock()
		out[l.role] = l.total
		l.mu.Unlock()
	}
	return out
}

func (s *Store) all() []*roleLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*roleLog
	for _, l := range s.logs {
		out = append(out, l)
	}
	return out
}

// Sync brings everything written to disk.
func (s *Store) Sync() {
	for _, l := range s.all() {
		l.mu.Lock()
		if l.dirty && l.file != nil && unix.Fdatasync(int(l.file.Fd())) == nil {
			l.dirty = false
		}
		l.mu.Unlock()
	}
}

// Run brings what was written to disk now and then, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Sync()
		}
	}
}

// Close takes what roles that have ended wrote last, at most two seconds long,
// and closes the files.
func (s *Store) Close() {
	s.mu.Lock()
	for _, e := range s.ends {
		_ = e.Close()
	}
	s.ends = nil
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Second): // a role's own child may still hold the pipe
	}
	s.Sync()
}

// Fields turns a JSON object into slog's fields, for Options.Head.
func Fields(name string, v any) []any {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return []any{name, json.RawMessage(raw)}
}
