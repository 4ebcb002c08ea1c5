package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tikakosh/internal/store/pgtest"
)

// Options say how a server is started.
type Options struct {
	Tags     string                       // Plain or Ablation
	Ablate   []string                     // controls to switch off; wants Ablation
	Args     []string                     // further arguments of the command
	Env      []string                     // further environment, "NAME=value"
	Output   func() (r, w *os.File)       // where it writes, and the end that is read; nil: a pipe
	Data     string                       // data folder; empty: a temporary one, removed at the end
	Run      bool                         // start `run` instead of `demo`
	People   int                          // people the demo generates; 0: ten
	Unseeded bool                         // do not wait until the demo's data is there
	Clock    time.Duration                // the server's clock from the start: what is added to real time
	Engine   *pgtest.Server               // keep the data there instead of in files
	Replica  *pgtest.Server               // a standby of Engine, for slot search and statistics
	Fill     func(name, url string) error // with Engine: fills a database, as its administrator, before it is migrated
	Pool     int                          // connections of each process to Engine; 0: the default
	Beside   *Server                      // share that server's databases, as a second machine of one installation; Start waits until its vault serves
	Standby  bool                         // with Beside: Start returns while the vault still waits
	VaultVia string                       // address through which the vault reaches its database on PostgreSQL
}

// TB is what the harness needs of a test. A Life stands in for one where
// several tests share a server.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(func())
}

// Life collects what has to be undone when all tests that share something have
// ended. It is safe for concurrent use; a fatal error is a panic.
type Life struct {
	mu   sync.Mutex
	undo []func()
}

// Helper implements TB.
func (*Life) Helper() {}

// Fatal implements TB.
func (*Life) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Fatalf implements TB.
func (*Life) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Logf implements TB.
func (*Life) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Cleanup implements TB.
func (l *Life) Cleanup(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undo = append(l.undo, f)
}

// Close runs what Cleanup collected, newest first.
func (l *Life) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.undo) - 1; i >= 0; i-- {
		l.undo[i]()
	}
	l.undo = nil
}

// For returns the same server for use by another test; that test's end does not
// stop it.
func (s *Server) For(tb TB) *Server {
	c := *s
	c.tb = tb
	return &c
}

// Ablated reports whether this server runs with a control switched off.
func (s *Server) Ablated() bool { return len(s.opt.Ablate) > 0 }

// Server is a running `tikakosh demo` or `tikakosh run`. API ends in "/api",
// Outbox and Root do not end in a slash.
type Server struct {
	API, Outbox, Root string
	Ops               string // the operator's address, without a path
	StaffClient       string // the staff client's origin
	Data, Staff       string
	Binary            string
	Inbox             func() []Message // what a gateway got, newest first; nil: the outbox page

	tb      TB
	opt     Options
	cmd     *exec.Cmd
	ended   chan struct{}
	log     *logBuffer
	clock   string
	base    time.Duration // what TIKAKOSH_HOUR adds to every setting of the clock
	numbers *numbers
	pg      *databases // nil: SQLite files in the data folder
}

// logBuffer collects what the server writes to standard output and error.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text.Bytes())
}

const (
	startTime = 60 * time.Second
	stopTime  = 20 * time.Second
)

// Start builds and starts a server and waits until it answers and, for a demo,
// until its data is there. The test fails if that takes more than a minute.
func Start(tb TB, b *Builder, o Options) *Server {
	tb.Helper()
	bin, err := b.Path(o.Tags)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, opt: o, Binary: bin, Data: o.Data, numbers: newNumbers()}
	if s.Data == "" {
		if s.Data, err = os.MkdirTemp("", "tikakosh-data-"); err != nil {
			tb.Fatal(err)
		}
		// Roles may run under users of their own and must reach their folders.
		if err := os.Chmod(s.Data, 0o755); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = os.RemoveAll(s.Data) })
	}
	// The clock file lies beside the data folder, so that a data folder can be
	// replaced by an older copy without turning time back.
	s.clock = s.Data + ".clock"
	if hour := os.Getenv("TIKAKOSH_HOUR"); hour != "" && o.Clock == 0 && (!o.Run || o.Tags == Ablation) { // run as released has the machine's clock
		s.base = ClockAt(tb, hour)
	}
	s.SetClock(o.Clock)
	tb.Cleanup(func() { _ = os.Remove(s.clock) })
	tb.Cleanup(s.Kill)
	s.log = &logBuffer{}
	if o.Engine == nil && OnPostgres() {
		o.Engine = pgtest.Shared(tb)
	}
	if o.Beside != nil {
		s.pg = o.Beside.pg.over(o.VaultVia)
	} else if o.Engine != nil {
		s.pg = newDatabases(tb, o.Engine, bin, o.Pool, o.Fill).over(o.VaultVia)
		s.pg.replica = o.Replica
	}
	s.Up()
	if o.Beside != nil && !o.Standby {
		s.awaitVault()
	}
	return s
}

// awaitVault waits until every role can work, or the server ends. A machine that
// stands by may do so for as long as a test likes.
func (s *Server) awaitVault() {
	for {
		select {
		case <-s.ended:
			return
		case <-time.After(50 * time.Millisecond):
		}
		res, err := http.Get(s.Ops + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
	}
}

// arguments of the command.
func (s *Server) arguments() []string {
	people := s.opt.People
	if people == 0 {
		people = 10
	}
	args := []string{"demo", "--people", strconv.Itoa(people), "--centres", "2", "--clock-file", s.clock, "--staff-listen", "127.0.0.1:0"}
	if s.opt.Run {
		args = []string{"run", "--demo-numbers"}
		if s.opt.Tags == Ablation {
			args = append(args, "--clock-file", s.clock)
		}
	}
	// What a test would wait for: a gentle stop waits for the ledger's next
	// checkpoint.
	args = append(args, "--checkpoint-every", "500ms", "--search-every", "100ms", "--restart-wait", "100ms", "--data", s.Data, "--listen", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0")
	if !slices.Contains(s.opt.Args, "--routes") {
		args = append(args, "--outbox", "127.0.0.1:0")
	}
	return append(args, s.opt.Args...)
}

// Up starts the server again on the same data folder after Stop or Kill.
func (s *Server) Up() {
	s.tb.Helper()
	if err := s.TryUp(); err != nil {
		s.tb.Fatalf("the server did not start: %v\n%s", err, s.Log())
	}
}

// TryUp is Up for a start that may be refused; the error then holds the end of
// the log.
func (s *Server) TryUp() error {
	s.cmd = exec.Command(s.Binary, s.arguments()...)
	s.cmd.Env = append(append(os.Environ(), s.pg.environment()...), s.opt.Env...)
	if len(s.opt.Ablate) > 0 {
		s.cmd.Env = append(s.cmd.Env, "TIKAKOSH_ABLATE="+strings.Join(s.opt.Ablate, ","))
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if s.opt.Output != nil {
		_, _ = r.Close(), w.Close()
		r, w = s.opt.Output()
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	if err := s.cmd.Start(); err != nil {
		return errors.Join(err, r.Close(), w.Close())
	}
	_ = w.Close()
	ended := make(chan struct{})
	s.ended = ended
	go func(c *exec.Cmd) {
		_ = c.Wait()
		close(ended)
	}(s.cmd)
	lines := make(chan string, 1000)
	go s.read(r, lines)
	return s.awaitReady(lines)
}

func (s *Server) read(r io.ReadCloser, lines chan<- string) {
	defer r.Close()
	defer close(lines)
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			_, _ = s.log.Write([]byte(line))
			select {
			case lines <- line:
			default: // nobody waits for lines any more; they are in the log
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *Server) awaitReady(lines <-chan string) error {
	late := time.After(startTime)
	have := map[string]string{}
	seeded := s.opt.Run || s.opt.Unseeded
	for {
		select {
		case <-late:
			return errors.New("not ready within a minute")
		case line, ok := <-lines:
			if !ok {
				<-s.ended
				return fmt.Errorf("ended with %v: %s", s.cmd.ProcessState, lastLines(s.Log(), 5))
			}
			if f := strings.Fields(line); len(f) >= 2 {
				switch f[0] {
				case "api", "outbox", "staff", "client", "ops", "data":
					have[f[0]] = f[1]
				}
			}
			seeded = seeded || strings.HasPrefix(line, "demo data ready")
		}
		if have["api"] != "" && have["data"] != "" && seeded { // data is the last line
			s.API = strings.TrimSuffix(have["api"], "/")
			s.Root = strings.TrimSuffix(s.API, "/api")
			s.Outbox = strings.TrimSuffix(have["outbox"], "/")
			s.StaffClient = strings.TrimSuffix(have["client"], "/")
			s.Ops = strings.TrimSuffix(have["ops"], "/readyz")
			s.Staff = filepath.Join(s.Data, "staff")
			if have["staff"] != "" {
				s.Staff = filepath.Dir(have["staff"])
			}
			return nil
		}
	}
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// Log is everything the server has written so far, all starts together.
func (s *Server) Log() string { return string(s.log.bytes()) }

// Further are the addresses of the web processes of --also-listen, like API.
func (s *Server) Further() []string {
	var out []string
	for _, line := range strings.Split(s.Log(), "\n") {
		if at, ok := strings.CutPrefix(line, "also"); ok {
			out = append(out, strings.TrimSpace(at))
		}
	}
	return out
}

// LogAround is the log line with a request id and the warnings and errors
// before it, for a failing test's message.
func (s *Server) LogAround(request string) string {
	for range 20 { // the line may follow the answer
		if request == "" || strings.Contains(s.Log(), request) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var near []string
	for _, line := range strings.Split(s.Log(), "\n") {
		if request != "" && strings.Contains(line, request) {
			return strings.Join(append(near, line), "\n")
		}
		if strings.Contains(line, `"WARN"`) || strings.Contains(line, `"ERROR"`) {
			near = append(near[max(0, len(near)-5):], line)
		}
	}
	return strings.Join(near, "\n")
}

// Stop ends the server gently, then hard. It may be called twice.
func (s *Server) Stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		s.tb.Logf("the server did not end in %v", stopTime)
	}
	s.killGroup()
}

// Kill ends every process of the server at once, as a power cut would end
// processes (files already written stay).
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.killGroup()
	}
}

// killGroup kills the process group that Start made for this server only.
func (s *Server) killGroup() {
	for _, pid := range s.children() { // a role may have a group of its own
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// ClockAt is what to add to real time so that clocks at the centres last showed the
// time "15:04". Demo centres other than the staff's take bookings from 09:00 to 15:00;
// a test that books there must not depend on the hour it runs at.
func ClockAt(tb TB, clock string) time.Duration {
	tb.Helper()
	at, err := time.Parse("15:04", clock)
	if err != nil {
		tb.Fatal(err)
	}
	local := time.Now().In(time.FixedZone("IST", 5*3600+1800))
	want := time.Date(local.Year(), local.Month(), local.Day(), at.Hour(), at.Minute(), 0, 0, local.Location())
	if want.After(local) {
		want = want.AddDate(0, 0, -1)
	}
	return want.Sub(local)
}

// SetClock moves the server's clock by an offset from real time, or from where
// TIKAKOSH_HOUR put it, from now on.
func (s *Server) SetClock(offset time.Duration) {
	s.tb.Helper()
	tmp := s.clock + ".new"
	err := os.WriteFile(tmp, []byte(strconv.FormatInt((s.base+offset).Milliseconds(), 10)+"\n"), 0o644)
	if err == nil {
		err = os.Rename(tmp, s.clock)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}

// Forward moves the server's clock on, from what it shows.
func (s *Server) Forward(by time.Duration) {
	s.tb.Helper()
	s.SetClock(time.Until(s.Now()) - s.base + by)
}

// ClockFile is the file that SetClock writes, for commands that sign.
func (s *Server) ClockFile() string { return s.clock }

// Now is the server's time as its clock file sets it.
func (s *Server) Now() time.Time {
	raw, err := os.ReadFile(s.clock)
	if err != nil {
		return time.Now()
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(ms) * time.Millisecond)
}

// Command runs a subcommand of the same binary to its end, without the controls
// that the server goes without.
func (s *Server) Command(args ...string) (stdout string, exit int) {
	s.tb.Helper()
	cmd := exec.Command(s.Binary, args...)
	cmd.Env = append(os.Environ(), s.pg.environment()...)
	if len(s.opt.Ablate) > 0 {
		cmd.Env = append(cmd.Env, "TIKAKOSH_ABLATE="+strings.Join(s.opt.Ablate, ","))
	}
	out, err := cmd.CombinedOutput()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		s.tb.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Tool is a server that is never started: its binary's commands can be run.
func Tool(tb TB, binary string) *Server { return &Server{tb: tb, Binary: binary} }
